//! `doctor`: is this machine able to run the pipeline? An ordinary run of checks, and what it means.

use orchestrator_agents::environment::{CheckTool, CheckToolConfig, Probing, unchecked};
use orchestrator_core::agent::Agent;
use orchestrator_core::id::{AgentName, GroupName, PhaseName, TaskId};
use orchestrator_core::orchestrator::{Orchestrator, ReuseMode, RunOptions};
use orchestrator_core::pipeline::{GroupSpec, Kind, PhaseSpec, Pipeline, TaskSpec};

use super::drive::driven;
use super::health::Health;
use crate::args::{DoctorArgs, Format};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::out::say;
use crate::runs::DOCTOR;

/// The phase that checks the machine.
const ENVIRONMENT: &str = "environment";

pub(super) async fn doctor(mut front: Front, args: DoctorArgs) -> Result<Exit, CliError> {
    let pipeline = front.pipeline()?;
    let settings = settings(&pipeline.settings, &args.settings())?;
    let ceiling = settings.ceiling;
    let orchestrator = front.with(settings)?;
    let checks = checks(&orchestrator, &pipeline)?;
    let plan = orchestrator.plan(&checks)?;
    let DoctorArgs { wait, output, .. } = args;
    // Whoever asks wants to know how it is now; runs after that need not ask again.
    let options = RunOptions { wait, reuse: ReuseMode::Renew, ..RunOptions::new(ceiling) };
    let work =
        |orchestrator: Orchestrator, options| async move { orchestrator.run_with(&plan, options).await };
    let done = driven(&front, orchestrator, output, options, work).await?;
    let health = Health::of(&done.record);
    done.tell(&front, output, |result| result["doctor"] = health.json());
    done.tidy(&front).await;
    if output.format == Format::Human {
        say(&health.text());
    }
    Ok(done.exit)
}

/// The environment phases of a pipeline, or the built-in one; and the programs that the pipeline needs besides.
fn checks(orchestrator: &Orchestrator, pipeline: &Pipeline) -> Result<Pipeline, CliError> {
    let is_own =
        |phase: &&PhaseSpec| phase.name.as_str() == ENVIRONMENT || phase.uses.as_deref() == Some(ENVIRONMENT);
    let mut phases: Vec<PhaseSpec> = pipeline.phases.iter().filter(is_own).cloned().collect();
    if phases.is_empty() {
        let mut phase = PhaseSpec::new(PhaseName::new(ENVIRONMENT)?);
        phase.uses = Some(ENVIRONMENT.into());
        phases.push(phase);
    }
    for phase in &mut phases {
        phase.depends_on = Some(Vec::new());
        phase.parallel_with.clear();
    }
    let mut checks = phases.into_iter().fold(Pipeline::new(DOCTOR), Pipeline::phase);
    checks.file.clone_from(&pipeline.file);
    let needed = unchecked(&orchestrator.plan(pipeline)?, &orchestrator.plan(&checks)?);
    if needed.is_empty() {
        return Ok(checks);
    }
    let mut group = GroupSpec::new(GroupName::new("programs")?);
    for program in needed {
        let config = serde_json::to_value(CheckToolConfig::new(&program)).unwrap_or_default();
        let id = TaskId::new(format!("program-{}", program.replace('+', "-")))?;
        let agent = AgentName::new(Probing::<CheckTool>::NAME)?;
        group = group.task(TaskSpec::new(id, agent, config).kind(Kind::Static));
    }
    let mut phase = PhaseSpec::new(PhaseName::new("programs")?).group(group);
    phase.depends_on = Some(Vec::new());
    Ok(checks.phase(phase))
}
