//! The agent that removes releases which nobody needs: what `orchestrate deploy prune` runs. It looks first, so that a dry run names what
//! would go, and then nothing else does.

use std::collections::BTreeSet;
use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Environment;
use super::deploy::program;
use super::hosts::Host;
use super::ops::{
    ActOnHost, Gone, LookAtReleases, LookOnHost, PruneInput, PruneOutput, PruneReleases, Stays, keep,
};
use super::supervise::Supervisor;
use super::targets::{OnHostOf, on};
use crate::said::{bytes, outcome};

/// Removes releases of an environment that are over a number, unless somebody needs them.
#[derive(Debug, Clone, Default)]
pub struct PruneDeployment {
    /// This program, as in [`Deploy`](super::Deploy): what is on a host is removed by it.
    pub supervisor: Option<Supervisor>,
}

/// What to keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneDeploymentConfig {
    /// Where.
    pub environment: Environment,
    /// How many releases that counted are kept, and as many that never did; 0 keeps all.
    #[serde(default = "keep")]
    pub keep: u32,
    /// The host that it is on; none where it is on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Host>,
}

impl PruneDeploymentConfig {
    fn placed(&self, action: Action) -> Result<Action, BoxError> {
        let Some(host) = &self.on else { return Ok(action) };
        on(host, &OnHostOf { environment: &self.environment, secrets: &BTreeSet::new() }, action)
    }

    fn input(&self, releases: Option<Vec<String>>) -> PruneInput {
        PruneInput { environment: self.environment.clone(), keep: self.keep, releases }
    }
}

impl Agent for PruneDeployment {
    const NAME: &'static str = "prune-deployment";
    const ABOUT: &'static str =
        "Removes releases of an environment that are over a number, unless somebody needs them.";
    type Config = PruneDeploymentConfig;
    type Output = PruneOutput;

    async fn plan(&self, task: &Task<Self::Config>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        let config = &task.config;
        Ok(vec![config.placed(LookAtReleases::action(&config.input(None))?)?])
    }

    fn conclude(
        &self,
        task: &Task<Self::Config>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<PruneOutput>, BoxError> {
        let config = &task.config;
        let environment = &config.environment;
        let found: PruneOutput = match outcome(receipts.first()) {
            Ok(found) => found,
            Err(why) => return Ok(Verdict::failed(format!("{environment}: nothing was pruned: {why}"))),
        };
        // What was looked at is carried: the second round is the one that removes.
        if task.carried.is_null() && !found.is_empty() {
            let names = found.goes.iter().map(|gone| gone.release.clone()).collect();
            let action = config.placed(PruneReleases::action(&config.input(Some(names)))?)?;
            return Ok(Verdict::More { actions: vec![action], carried: Json::of(&found)? });
        }
        Ok(Verdict::Passed(concluded(environment, found)))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        let program = program(self.supervisor.as_ref());
        Ok(vec![
            dyn_operation(LookAtReleases)?,
            dyn_operation(PruneReleases)?,
            dyn_operation(LookOnHost { program: program.clone() })?,
            dyn_operation(ActOnHost { program })?,
        ])
    }
}

fn concluded(environment: &Environment, found: PruneOutput) -> Conclusion<PruneOutput> {
    let said = found.said().unwrap_or_else(|| "nothing is over the number".to_owned());
    let summary = format!("{environment}: {said}; {} kept", found.kept);
    let stays = found.stays.iter().map(|Stays { release, because }| {
        Finding::new(
            "deploy/kept",
            Severity::Note,
            format!("{release} is over the number and stays: {because}"),
        )
    });
    let failed =
        found.failed.iter().map(|why| Finding::new("deploy/unpruned", Severity::Warning, why.clone()));
    let findings: Vec<Finding> = stays.chain(failed).collect();
    let freed = Metric::new("deploy.pruned", found.bytes as f64, "bytes", Evidence::of("prune-releases"));
    Conclusion::new(summary, found).metrics([freed]).findings(findings)
}

impl PruneOutput {
    /// `2 releases were removed (1.0.0-x, 1.1.0-y), 12 MiB`; none where nothing went.
    pub(super) fn said(&self) -> Option<String> {
        let number = |count: usize, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        };
        let names: Vec<&str> =
            self.goes.iter().take(10).map(|Gone { release, .. }| release.as_str()).collect();
        let more = if self.goes.len() > names.len() { ", .." } else { "" };
        let parts: Vec<String> = [
            number(self.goes.len(), "release", "releases")
                .map(|releases| format!("{releases} ({}{more})", names.join(", "))),
            number(self.leftovers, "leftover of an earlier pruning", "leftovers of earlier prunings"),
            number(self.programs.len(), "program that nobody uses", "programs that nobody uses"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let verb = if self.goes.len() + self.leftovers + self.programs.len() == 1 { "was" } else { "were" };
        (!parts.is_empty()).then(|| format!("{} {verb} removed, {}", parts.join(", "), bytes(self.bytes)))
    }
}
