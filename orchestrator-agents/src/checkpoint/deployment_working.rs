//! `deployment_working`: a deployment answers, and says that it is well.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Metric};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ops::{Answered, AskUrl, AskUrlInput};
use crate::deployment::Seconds;
use crate::said;

/// Config of `deployment_working`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkingConfig {
    /// The address to ask: `https://staging.example.org/health`.
    pub target: String,
    /// The status that it must answer with; any of 200 to 299 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_status: Option<u16>,
    /// Seconds that it may take; ten by default.
    #[serde(default = "ten_seconds")]
    pub timeout: Seconds,
}

fn ten_seconds() -> Seconds {
    Seconds::known(10)
}

/// Asks whether a deployment works.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeploymentWorking;

impl Agent for DeploymentWorking {
    const NAME: &'static str = "deployment_working";
    const ABOUT: &'static str = "Asks an address and takes it for working only if it answers that it is well";
    type Config = WorkingConfig;
    type Output = Answered;

    async fn plan(&self, task: &Task<WorkingConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        let WorkingConfig { target, expect_status, timeout } = &task.config;
        check(target)?;
        let timeout_ms = u64::try_from(timeout.duration().as_millis()).unwrap_or(u64::MAX).clamp(1, 600_000);
        let input = AskUrlInput { url: target.clone(), expect_status: *expect_status, timeout_ms };
        Ok(vec![AskUrl::action(&input)?])
    }

    fn conclude(
        &self,
        task: &Task<WorkingConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Answered>, BoxError> {
        let url = &task.config.target;
        let answered: Answered = match said::output(receipts)? {
            Ok(answered) => answered,
            Err(why) => return Ok(Verdict::failed(format!("not working: {why}"))),
        };
        let mut evidence = Evidence::of("GET").command(format!("GET {url}"));
        evidence.artifact = Some(answered.digest);
        let metrics = [
            Metric::new("deployment.status", f64::from(answered.status), "code", evidence.clone()),
            Metric::new("deployment.latency", answered.latency_ms, "ms", evidence),
        ];
        if !answered.problems.is_empty() {
            let summary = format!("not working: `{url}`: {}", answered.problems.join("; "));
            return Ok(Verdict::Failed(Conclusion::new(summary, ()).metrics(metrics)));
        }
        let says =
            answered.says.as_ref().map(|says| format!(", `{says}` by its own words")).unwrap_or_default();
        let took = said::duration(answered.latency_ms);
        let summary = format!("`{url}` answered {} in {took}{says}", answered.status);
        Ok(Verdict::Passed(Conclusion::new(summary, answered).metrics(metrics)))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(AskUrl)?])
    }
}

/// What can be told to be no address before anybody is asked.
fn check(target: &str) -> Result<(), BoxError> {
    let short: String = target.chars().take(100).collect();
    if target.contains("${") || target.contains("{{") {
        return Err(format!("`target` is `{short}`: what stands in braces is not filled in; give the variable a value or write the address").into());
    }
    let rest = target.strip_prefix("https://").or_else(|| target.strip_prefix("http://"));
    let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
        return Err(
            format!("`target` is `{short}`, no address: it begins with `https://` or `http://`").into()
        );
    };
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("`target` has a space or a control character in it".into());
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return Err(
            "`target` has a name or password in it, which everybody could read in the journal; leave it out"
                .into(),
        );
    }
    Ok(())
}
