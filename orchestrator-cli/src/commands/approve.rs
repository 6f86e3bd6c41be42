//! `approve`: answers a task that waits for a person, also while the run is under way.

use orchestrator_agents::editing::manual::{self, Answer, Decision, Manual};
use orchestrator_core::action::Action;
use orchestrator_core::agent::Agent;
use orchestrator_core::id::SignalName;
use orchestrator_core::json::Json;
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::order::{Signal, Status};
use orchestrator_core::plan::{PlannedTask, Selection};
use orchestrator_core::problem::unknown;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::TaskState;
use serde_json::json;

use super::answers::user;
use crate::args::{ApproveArgs, Format};
use crate::console::{Paint, clean, is_over, waits, word};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json;
use crate::out::say;
use crate::questions::{self, Kind, Question};
use crate::runs::{self, Latest};

pub(super) async fn approve(front: Front, args: ApproveArgs) -> Result<Exit, CliError> {
    let orchestrator = front.look()?;
    let run = runs::find(&orchestrator, args.run.as_deref(), Latest::Waiting).await?;
    let record = orchestrator.status(&run).await?;
    let Some(name) = &args.task else { return Ok(list(&record, args.show.format)) };
    if is_over(&record.state) {
        let how = word(&record.state, false, Paint::OFF);
        return Err(CliError::usage(format!("run `{run}` is over, it {how}: it waits for nobody")));
    }
    let asked = Asked::find(&record, name)?;
    asked.check_unanswered(&orchestrator, &record).await?;
    let answer = answer(&args)?;
    let payload = asked.payload(&answer)?;
    let signal = Signal { name: asked.signal.clone(), payload, from: answer.by.clone() };
    orchestrator.signal(&run, signal).await?;
    let live = orchestrator.is_live(&run);
    match args.show.format {
        Format::Human => say(&asked.told(&answer, live, &run.to_string())),
        Format::Json => say(&json::answer(&json!({
            "run": run, "task": asked.task.id, "decision": answer.decision, "by": answer.by, "note": answer.note,
            "waits": asked.waits, "live": live,
        }))),
    }
    Ok(Exit::Passed)
}

/// What waits, and how to answer it.
fn list(record: &RunRecord, format: Format) -> Exit {
    let state = &record.state;
    match format {
        Format::Human if questions::open(state).next().is_none() => {
            say(&format!("Run {} waits for nobody.", record.run));
        }
        Format::Human => say(&waits(state, &record.run, Paint::stdout())),
        Format::Json => {
            let waits = questions::json(state, &record.run);
            say(&json::answer(&json!({ "run": record.run, "waits": waits })));
        }
    }
    Exit::Passed
}

/// What the arguments answer.
fn answer(args: &ApproveArgs) -> Result<Answer, CliError> {
    let decision = match (args.skip, args.abort) {
        (true, _) => Decision::Skip,
        (false, true) => Decision::Abort,
        (false, false) => Decision::Done,
    };
    let by = args.by.clone().unwrap_or_else(user);
    let note = args.note.clone().unwrap_or_default();
    let answer = Answer { decision, by, note, at: Some(jiff::Timestamp::now()) };
    answer.check().map_err(|error| CliError::usage(format!("the answer cannot be given: {error}")))?;
    Ok(answer)
}

/// A task that can be answered.
struct Asked<'a> {
    task: &'a PlannedTask,
    state: &'a TaskState,
    signal: SignalName,
    kind: Kind,
    /// Whether it waits already.
    waits: bool,
}

impl<'a> Asked<'a> {
    /// The task of that name, where it waits or will wait for an answer.
    fn find(record: &'a RunRecord, name: &str) -> Result<Self, CliError> {
        let plan = record.plan();
        let at = plan.tasks().iter().position(|task| task.id.as_str() == name);
        let known = || plan.tasks().iter().map(|task| task.id.as_str());
        let at = at.ok_or_else(|| CliError::usage(unknown("task", &clean(name), known())))?;
        let (task, state) = (&plan.tasks()[at], &record.state.tasks()[at]);
        let refused = |why: String| Err(CliError::usage(format!("task `{}` {why}", task.id)));
        if let Some(outcome) = state.outcome() {
            let said = state.end.as_ref().and_then(|end| end.conclusion.as_ref());
            let said = said.map(|said| clean(&said.summary)).filter(|said| !said.is_empty());
            let how = said.map_or_else(|| outcome.to_string(), |said| format!("{outcome} ({said})"));
            return refused(format!("has ended already: {how}"));
        }
        if let Some((wait, _)) = state.waits() {
            return match Question::of(&task.id, wait) {
                None => refused("waits for a time, not for a person".into()),
                Some(question @ Question { kind: Kind::Other, .. }) => {
                    let command = question.command(&record.run);
                    refused(format!("waits for an answer of its own kind: give it with `{command}`"))
                }
                Some(Question { signal, kind, .. }) => {
                    Ok(Self { task, state, signal: signal.clone(), kind, waits: true })
                }
            };
        }
        if task.selection != Selection::Selected {
            return refused("is left out of this run".into());
        }
        if task.agent.as_str() != Manual::NAME {
            return refused(format!("waits for nobody: it is of type `{}`", task.agent));
        }
        let signal = manual::signal_of(&task.id)?;
        Ok(Self { task, state, signal, kind: Kind::Manual, waits: false })
    }

    /// An answer that was given and not used yet is not given twice.
    async fn check_unanswered(
        &self,
        orchestrator: &Orchestrator,
        record: &RunRecord,
    ) -> Result<(), CliError> {
        let is_own = |signal: &&Signal| signal.name == self.signal;
        let used = self.state.receipts().filter(|(action, receipt)| {
            matches!(action, Action::Await(wait) if wait.signal.as_ref() == Some(&self.signal))
                && receipt.status == Status::Done
        });
        let seen = record.state.signals().iter().filter(is_own).skip(used.count()).cloned();
        let unseen = orchestrator.unseen(&record.run).await?;
        let pending: Vec<Signal> = seen.chain(unseen.iter().filter(is_own).cloned()).collect();
        let given = pending.iter().find_map(|signal| match self.kind {
            Kind::Manual => Answer::of(&signal.payload, &signal.from).ok().map(|answer| answer.to_string()),
            Kind::Remedy | Kind::Conflict | Kind::Other => Some(format!("by {}", clean(&signal.from))),
        });
        match given {
            None => Ok(()),
            Some(given) => Err(CliError::usage(format!(
                "task `{}` has an answer already: {}; `orchestrate resume {}` goes on with it",
                self.task.id,
                clean(&given),
                record.run
            ))),
        }
    }

    fn payload(&self, answer: &Answer) -> Result<Json, CliError> {
        match (self.kind, answer.decision) {
            (Kind::Remedy, Decision::Skip) => {
                let task = &self.task.id;
                let said =
                    format!("task `{task}` asks for a remedy: agree to it, or refuse it with `--abort`");
                Err(CliError::usage(said))
            }
            (Kind::Conflict, Decision::Skip) => {
                let task = &self.task.id;
                let said = format!("task `{task}` has a conflict: solve it, or give up with `--abort`");
                Err(CliError::usage(said))
            }
            (Kind::Remedy | Kind::Conflict, decision) => {
                let Answer { by, note, .. } = answer;
                Ok(json!({ "agree": decision == Decision::Done, "by": by, "note": note }).into())
            }
            (Kind::Manual | Kind::Other, _) => Json::of(answer)
                .map_err(|error| CliError::io("the answer could not be written", error.into())),
        }
    }

    /// What was answered, and what comes of it.
    fn told(&self, answer: &Answer, live: bool, run: &str) -> String {
        let id = &self.task.id;
        let given = clean(&answer.to_string());
        let later = if self.waits { "" } else { "It does not wait yet; the answer is used when it does.\n" };
        let next = if live {
            "The run is under way and goes on with it.".to_owned()
        } else {
            format!("No process runs it now. Go on with: orchestrate resume {run}")
        };
        format!("Task {id} of run {run} is answered: {given}.\n{later}{next}")
    }
}
