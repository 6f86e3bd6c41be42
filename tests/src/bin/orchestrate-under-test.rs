//! The `orchestrate` command as the tests drive it: cargo builds the programs of a test's own package first. It has one more
//! agent, as a downstream program would add it.

use std::process::ExitCode;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::SignalName;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Waits until somebody says yes.
struct Ask;

/// What it waits for.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskConfig {
    /// Name of the signal.
    signal: String,
}

impl Agent for Ask {
    const NAME: &'static str = "ask";
    type Config = AskConfig;
    type Output = ();

    async fn plan(&self, task: &Task<AskConfig>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let signal = Some(SignalName::new(task.config.signal.as_str())?);
        Ok(vec![Await { signal, seconds: None, message: "Shall it go on?".into() }.into()])
    }

    fn conclude(
        &self,
        _task: &Task<AskConfig>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<()>, BoxError> {
        Ok(match receipts.first() {
            Some(receipt) if receipt.ok() => Verdict::passed("somebody said yes", ()),
            _ => Verdict::failed("nobody said yes"),
        })
    }
}

fn main() -> ExitCode {
    orchestrator_cli::Cli::standard().agent(Ask).run()
}
