//! The small pipelines of `deploy`. Their names tell that they are no deliveries.

use orchestrator_agents::deployment::{
    Environment, Patience, Seconds, StopDeployment, StopDeploymentConfig, SwitchDeployment,
    SwitchDeploymentConfig, Version,
};
use orchestrator_core::id::{GroupName, PhaseName};
use orchestrator_core::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};

use crate::error::CliError;

/// Seconds that what loses its traffic gets to end.
const GRACE: f64 = 10.0;

/// One task that gives the traffic to a release.
pub(super) fn switch(
    command: &str,
    environment: Environment,
    (version, release): (Version, String),
    wait: Option<Patience>,
) -> Result<Pipeline, CliError> {
    let grace = Seconds::new(GRACE).map_err(|error| CliError::usage(error.to_string()))?;
    let id = format!("{command}-{environment}");
    let about = format!("Gives the traffic of {environment} to {version}");
    let config = SwitchDeploymentConfig { environment, version, release, grace, wait };
    pipeline(command, task::<SwitchDeployment>(&id, &config)?.describe(about))
}

/// One task that ends what is deployed.
pub(super) fn stop(environment: Option<Environment>) -> Result<Pipeline, CliError> {
    let about =
        environment.as_ref().map_or_else(|| "everywhere".into(), |environment| format!("to {environment}"));
    let config = StopDeploymentConfig { environment };
    let task = task::<StopDeployment>("stop-deployment", &config)?;
    pipeline("stop", task.describe(format!("Ends what is deployed {about}")))
}

fn pipeline(command: &str, task: TaskSpec) -> Result<Pipeline, CliError> {
    let group = GroupSpec::new(GroupName::new("deploy")?).task(task);
    // A name of its own: switching the phase `deployment` off is about deliveries.
    let phase = PhaseSpec { title: Some("DEPLOY".into()), ..PhaseSpec::new(PhaseName::new("deploy")?) };
    Ok(Pipeline::new(format!("orchestrate deploy {command}")).phase(phase.group(group)))
}

fn task<A: orchestrator_core::agent::Agent>(id: &str, config: &A::Config) -> Result<TaskSpec, CliError> {
    TaskSpec::of::<A>(id, config)
        .map_err(|error| CliError::io("a task could not be made", std::io::Error::other(error)))
}
