//! Runs made by hand, for tests: a plan, and the records that it takes.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use orchestrator_core::action::Action;
use orchestrator_core::agent::Conclusion;
use orchestrator_core::effect::Effect;
use orchestrator_core::event::{
    Event, JOURNAL_VERSION, Process, Record, RunOutcome, RunStarted, Stopped, TaskFinished,
};
use orchestrator_core::id::{RunId, TaskId};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifact, Receipt, Status, Used};
use orchestrator_core::outcome::{Failure, Outcome, Reason};
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::plan::{Plan, PlanParts};
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::RunState;
use serde_json::{Value, json};

pub(crate) const RUN: &str = "20261120234433-00c0ffee";

pub(crate) fn run_id() -> RunId {
    RunId::new(RUN).unwrap()
}

pub(crate) fn id(task: &str) -> TaskId {
    TaskId::new(task).unwrap()
}

/// A plan of phases with one group each: `("build", &["fmt", "test"])`.
pub(crate) fn plan(phases: &[(&str, &str, &[&str])]) -> Value {
    let mut tasks = Vec::new();
    for (at, (_, _, ids)) in phases.iter().enumerate() {
        tasks.extend(ids.iter().map(|id| task(id, at as u32)));
    }
    json!({
        "version": Plan::VERSION, "pipeline": "school", "tasks": tasks, "notes": [],
        "rules": {"jobs": 8, "fail_fast": false, "ceiling": "writes", "grace": {"secs": 5, "nanos": 0}, "cpu_milli": 0, "memory": 0},
        "phases": phases.iter().enumerate().map(|(at, (name, title, _))| json!({
            "name": name, "title": title, "depends_on": if at == 0 { vec![] } else { vec![at - 1] },
        })).collect::<Vec<_>>(),
        "groups": phases.iter().enumerate().map(|(at, _)| json!({
            "name": "main", "phase": at, "execution": "parallel", "fail_fast": false, "max_parallel": null, "depends_on": [],
        })).collect::<Vec<_>>(),
    })
}

pub(crate) fn task(id: &str, group: u32) -> Value {
    json!({
        "id": id, "agent": "command", "config": {}, "group": group, "when": "needed", "priority": "medium", "kind": "other",
        "retry": {"attempts": 1, "delay": {"secs": 1, "nanos": 0}, "explicit": false}, "resources": {"cpu_milli": 0, "memory": 0},
    })
}

/// Changes a task of a plan made with [`plan`].
pub(crate) fn set(plan: &mut Value, id: &str, key: &str, value: Value) {
    let tasks = plan["tasks"].as_array_mut().unwrap();
    tasks.iter_mut().find(|task| task["id"] == id).unwrap()[key] = value;
}

/// A journal being written: each call is a record or a few.
pub(crate) struct Journal {
    pub(crate) plan: Arc<Plan>,
    pub(crate) records: Vec<Record>,
    now: Timestamp,
}

impl Journal {
    pub(crate) fn begin(plan: Value, ceiling: Effect) -> Self {
        let parts: PlanParts = serde_json::from_value(plan).unwrap();
        let plan = Arc::new(Plan::new(parts).unwrap());
        let now = "2026-11-20T23:44:33Z".parse().unwrap();
        let started = RunStarted {
            journal: JOURNAL_VERSION,
            run: run_id(),
            pipeline: plan.pipeline().into(),
            plan: plan.digest(),
            ceiling,
            parent: None,
            process: Process { version: "0.1.0".into(), pid: 4711, host: "build-7".into() },
        };
        let mut journal = Self { plan, records: Vec::new(), now };
        journal.push(Event::RunStarted(Box::new(started)));
        journal
    }

    pub(crate) fn push(&mut self, event: Event) -> &mut Self {
        let n = self.records.len() as u64 + 1;
        self.records.push(Record { n, at: self.now, event });
        self
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, ms: i64) -> &mut Self {
        self.now += SignedDuration::from_millis(ms);
        self
    }

    pub(crate) fn start(&mut self, task: &str, attempt: u32, actions: Vec<Action>) -> &mut Self {
        self.push(Event::TaskStarted { task: id(task), attempt });
        self.push(Event::TaskPlanned { task: id(task), round: 0, actions, carried: Json::null() })
    }

    /// Starts an action above `Reads`.
    pub(crate) fn act(&mut self, task: &str, index: u32, undo: Vec<Action>) -> &mut Self {
        self.push(Event::ActionStarted { task: id(task), index, undo })
    }

    pub(crate) fn did(&mut self, task: &str, index: u32, receipt: Receipt) -> &mut Self {
        self.push(Event::ActionFinished { task: id(task), index, receipt: Box::new(receipt) })
    }

    pub(crate) fn retry(&mut self, task: &str, why: &str) -> &mut Self {
        let retry_at = self.now + SignedDuration::from_secs(1);
        self.push(Event::AttemptFailed { task: id(task), failure: Box::new(Failure::new(why)), retry_at })
    }

    pub(crate) fn passed(&mut self, task: &str, summary: &str) -> &mut Self {
        self.end(task, Outcome::Passed, None, Some(Conclusion::new(summary, json!({}).into())))
    }

    pub(crate) fn end(
        &mut self,
        task: &str,
        outcome: Outcome,
        reason: Option<Reason>,
        conclusion: Option<Conclusion<Json>>,
    ) -> &mut Self {
        let finished = TaskFinished {
            task: id(task),
            outcome,
            reason,
            conclusion,
            failure: None,
            from_run: None,
            reused: None,
            follows: Vec::new(),
        };
        self.push(Event::TaskFinished(Box::new(finished)))
    }

    pub(crate) fn stop(&mut self, why: Stopped) -> &mut Self {
        self.push(Event::RunStopped { why })
    }

    pub(crate) fn finish(&mut self, outcome: RunOutcome) -> &mut Self {
        self.push(Event::RunFinished { outcome })
    }

    pub(crate) fn record(&self) -> RunRecord {
        RunRecord::new(run_id(), RunState::fold(self.plan.clone(), self.records.clone()).unwrap())
    }
}

/// The receipt of a command with kept output.
pub(crate) fn exited(task: &str, code: i32, took_ms: f64, tail: &str) -> Receipt {
    let log = |name: &str| Artifact {
        name: name.into(),
        place: RelPath::new(format!("logs/{task}-1.0.0.{name}")).unwrap(),
        digest: Digest::of(tail.as_bytes()),
        bytes: tail.len() as u64 * 40,
    };
    let mut receipt = Receipt::new(Status::Exited(code));
    receipt.stdout = (!tail.is_empty()).then(|| log("stdout"));
    receipt.stderr = (code != 0).then(|| log("stderr"));
    receipt.tail = tail.into();
    receipt.took_ms = took_ms;
    let share = |of: f64| Duration::from_secs_f64(took_ms * of / 1000.0).as_millis() as u64;
    receipt.used = Some(Used { user_ms: share(1.7), system_ms: share(0.2) });
    receipt
}

/// The receipt of an operation or a file action.
pub(crate) fn done(took_ms: f64) -> Receipt {
    let mut receipt = Receipt::new(Status::Done);
    receipt.took_ms = took_ms;
    receipt
}
