//! `doctor`: is this machine able to run the pipeline? An ordinary run of checks, and what it means.

use orchestrator_agents::environment::{CheckTool, CheckToolConfig, NOT_RUN, Probing, unchecked};
use orchestrator_core::agent::Agent;
use orchestrator_core::id::{GroupName, PhaseName};
use orchestrator_core::orchestrator::{Orchestrator, RunOptions};
use orchestrator_core::outcome::Outcome;
use orchestrator_core::pipeline::{GroupSpec, Kind, PhaseSpec, Pipeline, TaskSpec};
use orchestrator_core::report::RunRecord;
use serde_json::{Value, json};

use super::drive::driven;
use crate::args::{DoctorArgs, Format};
use crate::console::{clean, plural};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::mended::remedies;
use crate::out::say;

/// The phase that checks the machine.
const ENVIRONMENT: &str = "environment";

pub(super) async fn doctor(front: Front, args: DoctorArgs) -> Result<Exit, CliError> {
    let pipeline = front.pipeline()?;
    let settings = settings(&pipeline.settings, &args.settings())?;
    let ceiling = settings.ceiling;
    let orchestrator = front.with(settings)?;
    let checks = checks(&orchestrator, &pipeline)?;
    let plan = orchestrator.plan(&checks)?;
    let DoctorArgs { wait, output, .. } = args;
    let options = RunOptions { wait, ..RunOptions::new(ceiling) };
    let work =
        |orchestrator: Orchestrator, options| async move { orchestrator.run_with(&plan, options).await };
    let done = driven(&front, orchestrator, output, options, work).await?;
    let health = Health::of(&done.record);
    done.tell(&front, output, |result| result["doctor"] = health.json());
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
    let mut checks = phases.into_iter().fold(Pipeline::new("doctor"), Pipeline::phase);
    checks.file.clone_from(&pipeline.file);
    let needed = unchecked(&orchestrator.plan(pipeline)?, &orchestrator.plan(&checks)?);
    if needed.is_empty() {
        return Ok(checks);
    }
    let mut group = GroupSpec::new(GroupName::new("programs")?);
    for program in needed {
        let config = serde_json::to_value(CheckToolConfig::new(&program)).unwrap_or_default();
        let id = orchestrator_core::id::TaskId::new(format!("program-{}", program.replace('+', "-")))?;
        let agent = orchestrator_core::id::AgentName::new(Probing::<CheckTool>::NAME)?;
        group = group.task(TaskSpec::new(id, agent, config).kind(Kind::Static));
    }
    let mut phase = PhaseSpec::new(PhaseName::new("programs")?).group(group);
    phase.depends_on = Some(Vec::new());
    Ok(checks.phase(phase))
}

/// What the checks came to.
struct Health {
    checks: usize,
    passed: usize,
    /// Task, and what is wrong.
    failed: Vec<(String, String)>,
    /// What was mended.
    mended: Vec<(String, String)>,
    /// What was not checked, and why.
    not_run: Vec<(String, String)>,
}

impl Health {
    fn of(record: &RunRecord) -> Self {
        let mut health =
            Self { checks: 0, passed: 0, failed: Vec::new(), mended: Vec::new(), not_run: Vec::new() };
        for (planned, task) in record.plan().tasks().iter().zip(record.state.tasks()) {
            health.checks += 1;
            let id = || planned.id.to_string();
            let conclusion = task.end.as_ref().and_then(|end| end.conclusion.as_ref());
            let failure = task.end.as_ref().and_then(|end| end.failure.as_ref());
            let findings = conclusion.map_or(&[][..], |conclusion| &conclusion.findings);
            match task.outcome() {
                Some(outcome) if outcome.is_success() => health.passed += 1,
                Some(Outcome::Failed) => {
                    let why = conclusion.map(|conclusion| conclusion.summary.clone());
                    let why = why.filter(|why| !why.is_empty()).or_else(|| failure.map(ToString::to_string));
                    health.failed.push((id(), why.unwrap_or_else(|| "failed".into())));
                }
                Some(outcome) => {
                    let why = task.reason().map_or_else(|| outcome.to_string(), |reason| reason.to_string());
                    health.not_run.push((id(), why));
                }
                None => health.not_run.push((id(), "it has not ended".into())),
            }
            health.mended.extend(
                remedies(findings)
                    .filter(|_| task.outcome() == Some(Outcome::Passed))
                    .map(|finding| (id(), finding.message.clone())),
            );
            let skipped = findings.iter().filter(|finding| finding.rule == NOT_RUN);
            health.not_run.extend(skipped.map(|finding| (id(), finding.message.clone())));
        }
        health
    }

    fn json(&self) -> Value {
        let list = |list: &[(String, String)]| -> Vec<Value> {
            list.iter().map(|(task, message)| json!({ "task": task, "message": message })).collect()
        };
        json!({
            "checks": self.checks, "passed": self.passed, "failed": list(&self.failed),
            "mended": list(&self.mended), "not_run": list(&self.not_run),
        })
    }

    fn text(&self) -> String {
        let Self { checks, passed, failed, mended, not_run } = self;
        let mut text = String::new();
        let mut part = |title: &str, list: &[(String, String)]| {
            if !list.is_empty() {
                text += &format!("{title}:\n");
            }
            for (task, message) in list {
                text += &format!("  {task}: {}\n", clean(message).replace('\n', " "));
            }
        };
        part("Wrong", failed);
        part("Mended", mended);
        part("Not checked", not_run);
        let all = plural(*checks, "check");
        text += &match failed.len() {
            0 if passed == checks => format!("{all} passed."),
            0 => format!("{passed} of {all} passed; what was not checked is not known."),
            failed => format!("{failed} of {all} failed: this machine cannot run the pipeline as it is."),
        };
        text
    }
}
