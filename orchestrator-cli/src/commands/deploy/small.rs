//! The small pipelines of `deploy`. Their names tell that they are no deliveries.

use orchestrator_agents::deployment::hosts::Host;
use orchestrator_agents::deployment::{
    Environment, OnHost, Patience, PruneDeployment, PruneDeploymentConfig, Seconds, StopDeployment,
    StopDeploymentConfig, SwitchDeployment, SwitchDeploymentConfig, Version,
};
use orchestrator_core::id::{GroupName, PhaseName};
use orchestrator_core::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};

use crate::error::CliError;

/// Seconds that what loses its traffic gets to end.
const GRACE: f64 = 10.0;

/// What gets the traffic in one place.
pub(super) struct Switch {
    /// The id of its task.
    pub(super) id: String,
    pub(super) environment: Environment,
    pub(super) given: (Version, String),
    pub(super) wait: Option<Patience>,
    pub(super) on: Option<OnHost>,
}

/// How several places follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Each once the one before has it.
    OneByOne,
    /// Each as it can.
    Each,
}

/// Tasks that give the traffic to releases, each where it is.
pub(super) fn switch(command: &str, all: Vec<Switch>, order: Order) -> Result<Pipeline, CliError> {
    let mut tasks: Vec<TaskSpec> = Vec::new();
    for Switch { id, environment, given: (version, release), wait, on } in all {
        let grace = Seconds::new(GRACE).map_err(|error| CliError::usage(error.to_string()))?;
        let there = on.as_ref().filter(|on| !on.beside.is_empty());
        let there = there.map_or(String::new(), |on| format!(" on {}", on.host.name));
        let about = format!("Gives the traffic of {environment}{there} to {version}");
        let config = SwitchDeploymentConfig { environment, version, release, grace, wait, on };
        let taken = tasks.iter().any(|task| task.id.as_str() == id);
        let id = if taken { format!("{id}-{}", tasks.len() + 1) } else { id };
        let before = tasks.last().filter(|_| order == Order::OneByOne).map(|task| task.id.clone());
        tasks.push(task::<SwitchDeployment>(&id, &config)?.needs(before).describe(about));
    }
    of(command, tasks)
}

/// The id of a task that is about a host: what no id may have in it becomes `-`.
pub(super) fn id(task: &str, host: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let host: String = host.chars().map(plain).collect();
    format!("{task}-{host}")
}

/// Tasks that remove releases which nobody needs: on each of these hosts, or here.
pub(super) fn prune(environment: &Environment, keep: u32, hosts: Vec<Host>) -> Result<Pipeline, CliError> {
    let several = hosts.len() > 1;
    let places: Vec<Option<Host>> =
        if hosts.is_empty() { vec![None] } else { hosts.into_iter().map(Some).collect() };
    let mut tasks: Vec<TaskSpec> = Vec::new();
    for (at, on) in places.into_iter().enumerate() {
        let id = match on.as_ref().filter(|_| several) {
            Some(host) => id(&format!("prune-{environment}"), host.name.as_str()),
            None => format!("prune-{environment}"),
        };
        let taken = tasks.iter().any(|task| task.id.as_str() == id);
        let id = if taken { format!("{id}-{}", at + 1) } else { id };
        let there =
            on.as_ref().filter(|_| several).map_or(String::new(), |host| format!(" on {}", host.name));
        let about = format!("Removes releases of {environment}{there} over {keep}");
        let config = PruneDeploymentConfig { environment: environment.clone(), keep, on };
        tasks.push(task::<PruneDeployment>(&id, &config)?.describe(about));
    }
    of("prune", tasks)
}

/// An environment, or all of them; and the host that it is on.
pub(super) type Stop = (Option<Environment>, Option<Host>);

/// Tasks that end what is deployed: to an environment, or everywhere on this machine; each where it is.
/// What cannot be asked is forgotten, where that is wanted.
pub(super) fn stop(all: Vec<Stop>, forget: bool) -> Result<Pipeline, CliError> {
    let mut tasks: Vec<TaskSpec> = Vec::new();
    for (at, (environment, on)) in all.iter().cloned().enumerate() {
        let several = all.iter().filter(|(other, on)| *other == environment && on.is_some()).count() > 1;
        let about = environment
            .as_ref()
            .map_or_else(|| "everywhere".into(), |environment| format!("to {environment}"));
        let id = match (&environment, &on) {
            (Some(environment), Some(host)) if several => {
                id(&format!("stop-{environment}"), host.name.as_str())
            }
            (Some(environment), Some(_)) => format!("stop-{environment}"),
            _ => "stop-deployment".to_owned(),
        };
        let there = on.as_ref().map_or(String::new(), |host| format!(" on {}", host.name));
        let config = StopDeploymentConfig { environment, on, forget };
        // Two hosts may differ by what no id may have in it.
        let taken = tasks.iter().any(|task| task.id.as_str() == id);
        let id = if taken { format!("{id}-{}", at + 1) } else { id };
        let task = task::<StopDeployment>(&id, &config)?;
        tasks.push(task.describe(format!("Ends what is deployed {about}{there}")));
    }
    of("stop", tasks)
}

fn of(command: &str, tasks: Vec<TaskSpec>) -> Result<Pipeline, CliError> {
    let group = GroupSpec::new(GroupName::new("deploy")?);
    let group = tasks.into_iter().fold(group, GroupSpec::task);
    // A name of its own: switching the phase `deployment` off is about deliveries.
    let phase = PhaseSpec { title: Some("DEPLOY".into()), ..PhaseSpec::new(PhaseName::new("deploy")?) };
    Ok(Pipeline::new(format!("orchestrate deploy {command}")).phase(phase.group(group)))
}

fn task<A: orchestrator_core::agent::Agent>(id: &str, config: &A::Config) -> Result<TaskSpec, CliError> {
    TaskSpec::of::<A>(id, config)
        .map_err(|error| CliError::io("a task could not be made", std::io::Error::other(error)))
}
