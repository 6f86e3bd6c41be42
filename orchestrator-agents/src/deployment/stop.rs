//! The agent that ends what was deployed, and forgets what cannot be asked, where that is wanted.

use std::collections::BTreeSet;
use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hosts::Host;
use super::ops::{
    ActOnHost, AskEngines, AskEnginesInput, AskEnginesOutput, AskHost, AskHostInput, AskHostOutput,
    ForgetHost, StopInput, StopOutput, StopService, Which,
};
use super::targets::{OnHostOf, on};
use super::{Environment, Forgotten};
use crate::said::outcome;

/// Ends what was deployed.
#[derive(Debug, Clone, Copy, Default)]
pub struct StopDeployment;

/// What to end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopDeploymentConfig {
    /// Where; everywhere by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// The host that it is on; none where it is on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Host>,
    /// Whether a host that is not reached, or a container whose engine does not answer, is forgotten: nothing of it is ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forget: bool,
}

/// What a round is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Round {
    /// It is asked who answers. What was to be ended, and was not, is why it is asked again.
    Asks { failed: Option<String> },
    /// What answers is ended.
    Ends,
    /// What does not answer is forgotten.
    Forgets,
}

impl StopDeploymentConfig {
    fn asks(&self) -> Result<Action, BoxError> {
        match &self.on {
            Some(host) => AskHost::action(&self.asked(host)?),
            None => AskEngines::action(&AskEnginesInput { environment: self.environment.clone() }),
        }
    }

    fn asked(&self, host: &Host) -> Result<AskHostInput, BoxError> {
        let environment = self.environment.clone().ok_or("which environment of the host?")?;
        Ok(AskHostInput { host: host.clone(), environment })
    }

    /// Ends all; those containers are forgotten.
    fn ends(&self, forget: Vec<Forgotten>) -> Result<Action, BoxError> {
        let input = StopInput { forget, ..StopInput::new(self.environment.clone(), Which::All) };
        let stop = StopService::action(&input)?;
        let Some(host) = &self.on else { return Ok(stop) };
        let environment = self.environment.as_ref().ok_or("which environment of the host?")?;
        on(host, &OnHostOf { environment, secrets: &BTreeSet::new() }, stop)
    }

    fn round(round: &Round, action: Action) -> Result<Verdict<StopOutput>, BoxError> {
        Ok(Verdict::More { actions: vec![action], carried: Json::of(round)? })
    }

    /// What answers is ended, the rest forgotten.
    fn answered(
        &self,
        failed: Option<String>,
        receipt: Option<&Receipt>,
    ) -> Result<Verdict<StopOutput>, BoxError> {
        let not = |why: String| Ok(Verdict::failed(format!("services could not be ended: {why}")));
        let Some(host) = &self.on else {
            return match outcome::<AskEnginesOutput>(receipt) {
                Ok(AskEnginesOutput { silent }) => Self::round(&Round::Ends, self.ends(silent)?),
                Err(why) => not(why),
            };
        };
        match (outcome::<AskHostOutput>(receipt), failed) {
            (Ok(AskHostOutput { unreached: Some(_) }), _) => {
                Self::round(&Round::Forgets, ForgetHost::action(&self.asked(host)?)?)
            }
            (Ok(_), None) => Self::round(&Round::Ends, self.ends(Vec::new())?),
            (Ok(_), Some(failed)) => not(failed),
            (Err(why), failed) => not(failed.unwrap_or(why)),
        }
    }

    fn ended(&self, receipt: Option<&Receipt>) -> Result<Verdict<StopOutput>, BoxError> {
        let Some(receipt) = receipt.filter(|receipt| receipt.ok()) else {
            let why = receipt.map_or_else(|| "not performed".into(), |receipt| receipt.status.to_string());
            if self.forget && self.on.is_some() {
                // It may have gone while it was told.
                return Self::round(&Round::Asks { failed: Some(why) }, self.asks()?);
            }
            return Ok(Verdict::failed(format!("services could not be ended: {why}")));
        };
        let output: StopOutput =
            if receipt.output.is_null() { StopOutput::default() } else { receipt.output.parse()? };
        Ok(Verdict::Passed(self.concluded(output)))
    }

    fn concluded(&self, output: StopOutput) -> Conclusion<StopOutput> {
        let stopped =
            output.stopped.iter().map(|stopped| format!("{} {}", stopped.environment, stopped.version));
        let names: Vec<String> = stopped.collect();
        let on = self.on.as_ref().map_or(String::new(), |host| format!(" on {}", host.name));
        let gone: Vec<String> = output.forgotten.iter().map(Forgotten::name).collect();
        let summary = match (names.is_empty(), gone.is_empty()) {
            (true, true) => format!("nothing ran{on}"),
            (false, true) => format!("stopped {}{on}", names.join(", ")),
            (true, false) => format!("forgot {}, and ended nothing", gone.join(", ")),
            (false, false) => format!("stopped {}{on}; forgot {}", names.join(", "), gone.join(", ")),
        };
        let said = |gone: &Forgotten| Finding::new("deploy/forgotten", Severity::Warning, gone.to_string());
        let findings: Vec<Finding> = output.forgotten.iter().map(said).collect();
        Conclusion::new(summary, output).findings(findings)
    }
}

impl Agent for StopDeployment {
    const NAME: &'static str = "stop-deployment";
    const ABOUT: &'static str = "Ends the services that were deployed to an environment, or to all of them.";
    type Config = StopDeploymentConfig;
    type Output = StopOutput;

    async fn plan(&self, task: &Task<Self::Config>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let config = &task.config;
        Ok(vec![if config.forget { config.asks()? } else { config.ends(Vec::new())? }])
    }

    fn conclude(
        &self,
        task: &Task<Self::Config>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<StopOutput>, BoxError> {
        let config = &task.config;
        let round = match (task.carried.is_null(), config.forget) {
            (false, _) => task.carried.parse()?,
            (true, true) => Round::Asks { failed: None },
            (true, false) => Round::Ends,
        };
        match round {
            Round::Asks { failed } => config.answered(failed, receipts.first()),
            Round::Ends => config.ended(receipts.first()),
            Round::Forgets => Ok(match outcome::<Forgotten>(receipts.first()) {
                Ok(gone) => {
                    let output = StopOutput { forgotten: vec![gone], ..StopOutput::default() };
                    Verdict::Passed(config.concluded(output))
                }
                Err(why) => Verdict::failed(format!("nothing was ended, and nothing forgotten: {why}")),
            }),
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        // What ends it there is the program that brought it there.
        Ok(vec![
            dyn_operation(StopService)?,
            dyn_operation(ActOnHost::default())?,
            dyn_operation(AskHost)?,
            dyn_operation(ForgetHost)?,
            dyn_operation(AskEngines)?,
        ])
    }
}
