//! Hand-made runs for the tests of what people and programs see.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use orchestrator_core::action::{Action, Await, Content, Expects, Run, Write};
use orchestrator_core::agent::Conclusion;
use orchestrator_core::effect::Effect;
use orchestrator_core::event::{Event, Process, Record, RunOutcome, RunStarted, Stopped, TaskFinished};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::id::{AgentName, GroupName, PhaseName, RunId, SignalName, TaskId};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Receipt, Status};
use orchestrator_core::outcome::{Failure, Outcome, Reason};
use orchestrator_core::path::RelPath;
use orchestrator_core::pipeline::{Execution, Kind, Priority, Resources, Retry, When};
use orchestrator_core::plan::{Plan, PlanParts, PlannedGroup, PlannedPhase, PlannedTask, Rules, Selection};
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::RunState;

/// How the run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    Passed,
    Failed,
    Dry,
    /// A dry run of a task that also remembers what it wrote.
    Generated,
    Waiting,
    Interrupted,
}

/// The state of a sample.
pub(crate) fn record(sample: Sample) -> RunRecord {
    let (plan, records) = records(sample);
    RunRecord::new(run(), RunState::fold(plan, records).unwrap())
}

/// The run of all samples.
pub(crate) fn run() -> RunId {
    RunId::new("20261120234433-00ff00ff").unwrap()
}

fn id(name: &str) -> TaskId {
    TaskId::new(name).unwrap()
}

fn task(name: &str, group: u32, needs: &[&str]) -> PlannedTask {
    PlannedTask {
        id: id(name),
        agent: AgentName::new("command").unwrap(),
        config: Json::null(),
        group,
        needs: needs.iter().map(|name| id(name)).collect(),
        takes: Vec::new(),
        follows: Vec::new(),
        when: When::Needed,
        timeout: None,
        retry: Retry { attempts: 1, delay: std::time::Duration::ZERO, explicit: false },
        continue_on_error: false,
        priority: Priority::Medium,
        kind: Kind::Other,
        resources: Resources::default(),
        tags: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        touches: vec![],
        reuse: orchestrator_core::pipeline::Reuse::default(),
        description: None,
        selection: Selection::Selected,
    }
}

/// Two phases: `backup`; then `edit` and, after it, `release`.
pub(crate) fn plan() -> Plan {
    let phase = |name: &str, title: &str, depends_on| PlannedPhase {
        name: PhaseName::new(name).unwrap(),
        title: title.into(),
        depends_on,
        checkpoint: None,
    };
    let group = |phase| PlannedGroup {
        name: GroupName::new("main").unwrap(),
        title: None,
        phase,
        execution: Execution::Parallel,
        fail_fast: false,
        max_parallel: None,
        depends_on: Vec::new(),
        checkpoint: false,
    };
    Plan::new(PlanParts {
        version: Plan::VERSION,
        pipeline: "school".into(),
        rules: Rules {
            jobs: 2,
            fail_fast: false,
            ceiling: Effect::Writes,
            grace: std::time::Duration::from_secs(5),
            cpu_milli: 0,
            memory: 0,
        },
        phases: vec![
            phase("restart_backup", "RESTART & BACKUP", vec![]),
            phase("code_generation", "CODE GENERATION", vec![0]),
        ],
        groups: vec![group(0), group(1)],
        tasks: vec![task("backup", 0, &[]), task("edit", 1, &[]), task("release", 1, &["edit"])],
        notes: vec!["restart_backup: no cache was named".into()],
    })
    .unwrap()
}

fn started(task: &str) -> Event {
    Event::TaskStarted { task: id(task), attempt: 1 }
}

fn planned(task: &str, actions: Vec<Action>) -> Event {
    Event::TaskPlanned { task: id(task), round: 0, actions, carried: Json::null() }
}

fn finished(task: &str, outcome: Outcome, summary: &str) -> TaskFinished {
    let conclusion =
        (!summary.is_empty()).then(|| Conclusion { summary: summary.into(), ..Conclusion::default() });
    TaskFinished {
        task: id(task),
        outcome,
        reason: None,
        conclusion,
        failure: None,
        from_run: None,
        reused: None,
        follows: Vec::new(),
    }
}

fn end(finished: TaskFinished) -> Event {
    Event::TaskFinished(Box::new(finished))
}

fn passed(task: &str, summary: &str) -> Vec<Event> {
    vec![started(task), planned(task, Vec::new()), end(finished(task, Outcome::Passed, summary))]
}

fn write(path: &str) -> Action {
    let (path, content) = (RelPath::new(path).unwrap(), Content::new("hello\n"));
    Write { path, content, mode: None, expects: Expects::Absent }.into()
}

fn failing() -> Vec<Event> {
    let mut receipt = Receipt::new(Status::Exited(101));
    receipt.tail = "running 2 tests\n\u{1b}[31mpanicked\u{1b}[0m at src/lib.rs:7\n".into();
    let mut failed = finished("edit", Outcome::Failed, "1 of 2 tests failed");
    let finding = Finding::new("test", Severity::Error, "adds is wrong").at("src/lib.rs", Some(7));
    failed.conclusion.as_mut().unwrap().findings.push(finding);
    failed.failure =
        Some(Failure { message: "`cargo test` failed".into(), causes: vec!["exit code 101".into()] });
    let mut skipped = finished("release", Outcome::Skipped, "");
    skipped.reason = Some(Reason::Upstream);
    let run = Run::new(Effect::Reads, ["cargo", "test"]).into();
    let receipt = Box::new(receipt);
    vec![
        started("edit"),
        planned("edit", vec![run]),
        Event::ActionFinished { task: id("edit"), index: 0, receipt },
        end(failed),
        end(skipped),
        Event::RunFinished { outcome: RunOutcome::Failed },
    ]
}

fn waiting() -> Vec<Event> {
    let signal = Some(SignalName::new("approve").unwrap());
    let wait = Await { signal, seconds: None, message: "Release 1.2?".into() };
    vec![
        started("edit"),
        planned("edit", vec![wait.into()]),
        Event::ActionStarted { task: id("edit"), index: 0, undo: Vec::new() },
        Event::RunStopped { why: Stopped::Waiting },
    ]
}

/// The events of a sample, a second apart.
pub(crate) fn records(sample: Sample) -> (Arc<Plan>, Vec<Record>) {
    let plan = Arc::new(plan());
    let dry = matches!(sample, Sample::Dry | Sample::Generated);
    let ceiling = if dry { Effect::Reads } else { Effect::Writes };
    let mut events = vec![begun(&plan, ceiling)];
    events.extend(passed("backup", "Backup created (52.3 MB, verified)"));
    match sample {
        Sample::Passed => {
            events.extend(passed("edit", ""));
            events.extend(passed("release", "v1.2.0 tagged"));
            events.push(Event::RunFinished { outcome: RunOutcome::Passed });
        }
        Sample::Failed => events.extend(failing()),
        Sample::Dry | Sample::Generated => {
            let mut writes = vec![write("notes.txt")];
            writes.extend((sample == Sample::Generated).then(|| write(".orchestrate/generated/notes.txt")));
            let mut deferred = finished("release", Outcome::Deferred, "");
            deferred.reason = Some(Reason::Withheld);
            events.extend([
                started("edit"),
                planned("edit", writes),
                end(finished("edit", Outcome::Withheld, "")),
                end(deferred),
                Event::RunFinished { outcome: RunOutcome::Passed },
            ]);
        }
        Sample::Waiting => events.extend(waiting()),
        Sample::Interrupted => {
            events.extend([started("edit"), Event::RunStopped { why: Stopped::Interrupted }]);
        }
    }
    (plan, recorded(events))
}

fn begun(plan: &Plan, ceiling: Effect) -> Event {
    Event::RunStarted(Box::new(RunStarted {
        journal: 1,
        run: run(),
        pipeline: "school".into(),
        plan: plan.digest(),
        ceiling,
        parent: None,
        process: Process { version: "0".into(), pid: 1, host: String::new() },
    }))
}

fn recorded(events: Vec<Event>) -> Vec<Record> {
    let first: Timestamp = "2026-11-20T23:44:33Z".parse().unwrap();
    let at = |n: i64| first + SignedDuration::from_millis(500 * n);
    (1_u32..).zip(events).map(|(n, event)| Record { n: n.into(), at: at(n.into()), event }).collect()
}

/// One phase: `first` passed, so many tasks were reused, `last` passed.
pub(crate) fn reused(count: usize) -> RunState {
    let mut parts = plan().parts().clone();
    parts.phases.truncate(1);
    parts.phases[0].title = "CHECKS".into();
    parts.groups.truncate(1);
    parts.notes.clear();
    let cached: Vec<String> = (0..count).map(|at| format!("cached-{at}")).collect();
    let names = std::iter::once("first").chain(cached.iter().map(String::as_str)).chain(["last"]);
    parts.tasks = names.map(|name| task(name, 0, &[])).collect();
    let plan = Arc::new(Plan::new(parts).unwrap());
    let mut events = vec![begun(&plan, Effect::Writes)];
    events.extend(passed("first", ""));
    events.extend(cached.iter().map(|name| end(finished(name, Outcome::Cached, ""))));
    events.extend(passed("last", ""));
    events.push(Event::RunFinished { outcome: RunOutcome::Passed });
    RunState::fold(plan, recorded(events)).unwrap()
}
