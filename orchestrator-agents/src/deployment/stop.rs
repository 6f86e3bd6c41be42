//! The agent that ends what was deployed.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Environment;
use super::ops::{StopInput, StopOutput, StopService, Which};

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
}

impl Agent for StopDeployment {
    const NAME: &'static str = "stop-deployment";
    const ABOUT: &'static str = "Ends the services that were deployed to an environment, or to all of them.";
    type Config = StopDeploymentConfig;
    type Output = StopOutput;

    async fn plan(&self, task: &Task<Self::Config>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(vec![StopService::action(&StopInput::new(task.config.environment.clone(), Which::All))?])
    }

    fn conclude(
        &self,
        _task: &Task<Self::Config>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<StopOutput>, BoxError> {
        let Some(receipt) = receipts.first().filter(|receipt| receipt.ok()) else {
            let why =
                receipts.first().map_or_else(|| "not performed".into(), |receipt| receipt.status.to_string());
            return Ok(Verdict::failed(format!("services could not be ended: {why}")));
        };
        let output: StopOutput =
            if receipt.output.is_null() { StopOutput::default() } else { receipt.output.parse()? };
        let names: Vec<String> = output
            .stopped
            .iter()
            .map(|stopped| format!("{} {}", stopped.environment, stopped.version))
            .collect();
        let summary =
            if names.is_empty() { "nothing ran".into() } else { format!("stopped {}", names.join(", ")) };
        Ok(Verdict::passed(summary, output))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(StopService)?])
    }
}
