//! Runs with a scripted executor and paused time: outcomes, resume at every boundary, stop at every boundary.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::json;

use crate::BoxError;
use crate::action::{Action, Await, Call, Run};
use crate::agent::{Agent, Task, Verdict};
use crate::effect::Effect;
use crate::event::{Event, Record, RunOutcome, Stopped};
use crate::id::{AgentName, GroupName, OperationName, PhaseName, RunId, SignalName, TaskId};
use crate::job::Assume;
use crate::operation::Already;
use crate::orchestrator::{Orchestrator, OrchestratorError, RunOptions};
use crate::order::{Artifacts, Receipt, Signal};
use crate::outcome::{Outcome, Reason};
use crate::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec, When};
use crate::planner::Selector;
use crate::report::RunRecord;
use crate::runner::RunError;
use crate::state::{RunState, RunStatus};
use crate::stop::{Stop, StopLevel};
use crate::store::{Journal, MemoryStore, Store, StoreError};
use crate::testkit::{Acts, Scripted};
use crate::workspace::Workspace;

/// A store that can be shared, and that raises a stop at a record.
#[derive(Clone, Default)]
struct Shared {
    memory: Arc<MemoryStore>,
    stop: Stop,
    at: Arc<AtomicU64>,
}

#[async_trait]
impl Store for Shared {
    async fn create(&self, run: &RunId, plan: &[u8]) -> Result<(), StoreError> {
        self.memory.create(run, plan).await
    }
    async fn append(&self, run: &RunId, records: &[Record]) -> Result<(), StoreError> {
        self.memory.append(run, records).await?;
        let at = self.at.load(Ordering::SeqCst);
        if at > 0 && records.iter().any(|record| record.n >= at) {
            self.stop.raise(StopLevel::Graceful);
        }
        Ok(())
    }
    async fn sync(&self, run: &RunId) -> Result<(), StoreError> {
        self.memory.sync(run).await
    }
    async fn load(&self, run: &RunId) -> Result<Journal, StoreError> {
        self.memory.load(run).await
    }
    async fn list(&self) -> Result<Vec<RunId>, StoreError> {
        self.memory.list().await
    }
    async fn signal(&self, run: &RunId, signal: &Signal) -> Result<(), StoreError> {
        self.memory.signal(run, signal).await
    }
    async fn inbox(&self, run: &RunId) -> Result<Vec<(String, Signal)>, StoreError> {
        self.memory.inbox(run).await
    }
    async fn seen(&self, run: &RunId, token: &str) -> Result<(), StoreError> {
        self.memory.seen(run, token).await
    }
}

fn run(effect: Effect, line: &str) -> Action {
    Run::new(effect, line.split(' ')).into()
}

fn call(effect: Effect, line: &str) -> Action {
    let operation = OperationName::new("op").unwrap();
    Call { operation, input: json!(line).into(), effect, keep_going: false }.into()
}

fn acts(id: &str, rounds: &[Vec<Action>]) -> TaskSpec {
    TaskSpec::new(TaskId::new(id).unwrap(), AgentName::new("acts").unwrap(), json!({ "rounds": rounds }))
}

fn pipeline(tasks: Vec<TaskSpec>) -> Pipeline {
    let mut group = GroupSpec::new(GroupName::new("all").unwrap());
    group.tasks = tasks;
    Pipeline::new("test").phase(PhaseSpec::new(PhaseName::new("only").unwrap()).group(group))
}

struct Bench {
    folder: tempfile::TempDir,
    store: Shared,
    executor: Scripted,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let executor = Scripted::new(folder.path());
        Self { folder, store: Shared::default(), executor }
    }

    fn orchestrator(&self) -> Orchestrator {
        Orchestrator::new(self.executor.clone(), self.store.clone()).agent(Acts)
    }

    async fn run(&self, pipeline: &Pipeline, ceiling: Effect) -> RunRecord {
        let orchestrator = self.orchestrator();
        let plan = orchestrator.plan(pipeline).unwrap();
        let options = RunOptions { stop: self.store.stop.clone(), ..RunOptions::new(ceiling) };
        orchestrator.run_with(&plan, options).await.unwrap()
    }
}

fn outcomes(state: &RunState) -> BTreeMap<String, Outcome> {
    let plan = state.plan();
    let tasks = state.tasks().iter().zip(plan.tasks());
    tasks
        .map(|(task, planned)| (planned.id.to_string(), task.outcome().unwrap_or(Outcome::Waiting)))
        .collect()
}

/// A bit of everything: effects, rounds, retries, conditions, outputs, failures.
fn mixed() -> Pipeline {
    let (reads, writes, publishes) = (Effect::Reads, Effect::Writes, Effect::Publishes);
    let mut taker = acts("taker", &[vec![run(writes, "ok")]]);
    taker.with["output"] = json!({ "from": "rounds/deep/1" });
    let mut giver =
        acts("rounds", &[vec![run(writes, "ok")], vec![call(writes, "ok"), run(reads, "ok")], vec![]]);
    giver.with["output"] = json!({ "deep": [1, 2] });
    pipeline(vec![
        acts("reads", &[vec![run(reads, "ok"), run(reads, "ok")]]),
        giver,
        taker,
        acts("flaky", &[vec![run(writes, "ok"), run(writes, "fail-first 2")]])
            .retry(3, std::time::Duration::from_secs(7)),
        acts("bad", &[vec![run(writes, "ok"), run(writes, "fail"), run(writes, "ok")]]),
        acts("after-bad", &[vec![run(writes, "ok")]]).needs([TaskId::new("bad").unwrap()]),
        acts("on-bad", &[vec![call(writes, "ok")]]).when(When::Failed(TaskId::new("bad").unwrap())),
        acts("not-on-bad", &[vec![]]).when(When::Passed(TaskId::new("bad").unwrap())),
        acts("release", &[vec![call(publishes, "ok"), run(writes, "ok")]])
            .needs([TaskId::new("rounds").unwrap()]),
    ])
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_as_it_should_and_its_journal_folds_to_its_state() {
    let bench = Bench::new();
    let record = bench.run(&mixed(), Effect::Publishes).await;
    let expected = json!({
        "reads": "passed", "rounds": "passed", "taker": "passed", "flaky": "passed", "bad": "failed",
        "after-bad": "skipped", "on-bad": "passed", "not-on-bad": "skipped", "release": "passed"
    });
    assert_eq!(serde_json::to_value(outcomes(&record.state)).unwrap(), expected);
    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Failed));
    let taker = record.plan().find(&TaskId::new("taker").unwrap()).unwrap();
    assert_eq!(record.state.task(taker).output().unwrap().value(), json!(2));
    let journal = bench.store.load(&record.run).await.unwrap();
    assert_eq!(RunState::fold(record.plan().clone(), journal.records).unwrap(), record.state);
}

/// The journal cut after each record, as a crash would: the same outcomes, and no finished action again.
#[tokio::test(start_paused = true)]
async fn resume_after_a_cut_at_every_boundary() {
    let bench = Bench::new();
    let whole = bench.run(&mixed(), Effect::Publishes).await;
    let Journal { plan, records, torn: _ } = bench.store.load(&whole.run).await.unwrap();
    for cut in 1..records.len() {
        let again = Bench {
            folder: tempfile::tempdir().unwrap(),
            store: Shared::default(),
            executor: bench.executor.clone(),
        };
        let executor = Scripted::new(again.folder.path());
        executor.answer_already("release", Already::NotDone);
        let again = Bench { executor, ..again };
        again.store.create(&whole.run, &plan).await.unwrap();
        again.store.append(&whole.run, &records[..cut]).await.unwrap();
        let resumed = again.orchestrator().resume(&whole.run, RunOptions::new(Effect::Reads)).await;
        let resumed = resumed.unwrap_or_else(|error| panic!("cut after record {cut}: {error:?}"));
        assert_eq!(outcomes(&resumed.state), outcomes(&whole.state), "cut after record {cut}");
        let before = finished(&records[..cut]);
        for key in again.executor.finished() {
            let is = (key.task.to_string(), key.attempt, key.round, key.index);
            assert!(!before.contains(&is), "cut after record {cut}: {key} ran again");
        }
    }
}

/// The actions that a journal calls finished.
fn finished(records: &[Record]) -> Vec<(String, u32, u32, u32)> {
    let (mut attempts, mut rounds) = (BTreeMap::new(), BTreeMap::new());
    let mut found = vec![];
    for record in records {
        match &record.event {
            Event::TaskStarted { task, attempt } => drop(attempts.insert(task.clone(), *attempt)),
            Event::TaskPlanned { task, round, .. } => drop(rounds.insert(task.clone(), *round)),
            Event::ActionFinished { task, index, .. } => {
                found.push((task.to_string(), attempts[task], rounds[task], *index));
            }
            _ => {}
        }
    }
    found
}

/// A stop at each record leaves a journal that can be resumed to the same end.
#[tokio::test(start_paused = true)]
async fn stop_at_every_boundary_leaves_a_resumable_journal() {
    let whole = Bench::new().run(&mixed(), Effect::Publishes).await;
    for at in 1..whole.upto {
        let mut bench = Bench::new();
        bench.store.at.store(at, Ordering::SeqCst);
        bench.executor.answer_already("release", Already::NotDone);
        let stopped = bench.run(&mixed(), Effect::Publishes).await;
        if matches!(stopped.state.status(), RunStatus::Finished(_)) {
            assert!(at + 12 > whole.upto, "the stop at record {at} was not heard");
            continue;
        }
        assert_eq!(stopped.state.status(), RunStatus::Stopped(Stopped::Interrupted), "stop at record {at}");
        bench.store.at.store(0, Ordering::SeqCst);
        bench.store.stop = Stop::new();
        let resumed =
            bench.orchestrator().resume(&stopped.run, RunOptions::new(Effect::Reads)).await.unwrap();
        assert_eq!(outcomes(&resumed.state), outcomes(&whole.state), "stop at record {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_published_is_asked_about() {
    let publish = pipeline(vec![acts("release", &[vec![call(Effect::Publishes, "ok")]])]);
    let bench = Bench::new();
    let whole = bench.run(&publish, Effect::Publishes).await;
    let Journal { plan, records, torn: _ } = bench.store.load(&whole.run).await.unwrap();
    let started =
        records.iter().position(|record| matches!(record.event, Event::ActionStarted { .. })).unwrap();
    for (assume, performed) in [(None, 0), (Some(Assume::Done), 0), (Some(Assume::NotDone), 1)] {
        let bench = Bench::new();
        bench.store.create(&whole.run, &plan).await.unwrap();
        bench.store.append(&whole.run, &records[..=started]).await.unwrap();
        let mut options = RunOptions::new(Effect::Reads);
        options.assume.extend(assume.map(|assume| (TaskId::new("release").unwrap(), assume)));
        let resumed = bench.orchestrator().resume(&whole.run, options).await;
        assert_eq!(bench.executor.finished().len(), performed, "{assume:?}");
        match assume {
            None => {
                let error = resumed.unwrap_err();
                assert!(matches!(error, OrchestratorError::Run(RunError::Unsure { .. })), "{error:?}");
                assert!(error.to_string().contains("--assume done|not-done release"), "{error}");
            }
            Some(_) => assert_eq!(resumed.unwrap().state.status(), RunStatus::Finished(RunOutcome::Passed)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_withholds_and_defers() {
    let bench = Bench::new();
    let record = bench.run(&mixed(), Effect::Reads).await;
    let expected = json!({
        "reads": "passed", "rounds": "withheld", "taker": "deferred", "flaky": "withheld", "bad": "withheld",
        "after-bad": "withheld", "on-bad": "deferred", "not-on-bad": "passed", "release": "withheld"
    });
    assert_eq!(serde_json::to_value(outcomes(&record.state)).unwrap(), expected);
    assert_eq!(bench.executor.finished().len(), 2, "only what reads was performed");
    let shown = record.withheld().to_string();
    assert!(shown.contains("release:\n  call op \"ok\" [publishes]\n  run ok [writes]"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_holds_no_slot_and_ends_with_its_signal() {
    let wait =
        Await { signal: Some(SignalName::new("approve").unwrap()), seconds: None, message: "may it?".into() };
    let mut tasks = vec![acts("gate", &[vec![wait.into(), run(Effect::Writes, "ok")]])];
    tasks.extend((0..3).map(|at| acts(&format!("other{at}"), &[vec![run(Effect::Writes, "ok")]])));
    let bench = Bench::new();
    let stopped = bench.run(&pipeline(tasks), Effect::Writes).await;
    assert_eq!(stopped.state.status(), RunStatus::Stopped(Stopped::Waiting));
    assert_eq!(stopped.state.count(Outcome::Passed), 3);
    let orchestrator = bench.orchestrator();
    let signal = Signal {
        name: SignalName::new("approve").unwrap(),
        payload: json!({"by": "a"}).into(),
        from: "a".into(),
    };
    orchestrator.signal(&stopped.run, signal).await.unwrap();
    let record = orchestrator.resume(&stopped.run, RunOptions::new(Effect::Reads)).await.unwrap();
    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed));
    let gate = record.state.task(record.plan().find(&TaskId::new("gate").unwrap()).unwrap());
    assert_eq!(gate.receipts().next().unwrap().1.output.value(), json!({"by": "a"}));
}

#[tokio::test(start_paused = true)]
async fn a_journal_takes_a_skip_of_what_runs_only_from_a_person_and_after_its_round() {
    let bench = Bench::new();
    let record =
        bench.run(&pipeline(vec![acts("t", &[vec![run(Effect::Writes, "ok")]])]), Effect::Writes).await;
    let (plan, records) = (record.plan().clone(), bench.store.load(&record.run).await.unwrap().records);
    let at = records.iter().position(|record| matches!(record.event, Event::TaskFinished(_))).unwrap();
    let refold = |cut: usize, reason: Option<Reason>| {
        let mut records = records[..=at].to_vec();
        let Event::TaskFinished(finished) = &mut records[at].event else { panic!("it ended") };
        (finished.outcome, finished.reason) = (Outcome::Skipped, reason);
        records.drain(at - cut..at);
        for (n, record) in (1..).zip(&mut records) {
            record.n = n;
        }
        RunState::fold(plan.clone(), records).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(refold(0, Some(Reason::ByHand)), Ok(()));
    for (cut, reason) in [(0, None), (0, Some(Reason::Manual)), (1, Some(Reason::ByHand))] {
        let wrong = refold(cut, reason).unwrap_err();
        assert!(wrong.contains("task `t` cannot end as skipped now"), "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timed_wait_passes_by_itself() {
    let wait = Await { signal: None, seconds: Some(3600), message: "an hour".into() };
    let bench = Bench::new();
    let record = bench.run(&pipeline(vec![acts("t", &[vec![wait.into()]])]), Effect::Writes).await;
    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_is_over() {
    let bench = Bench::new();
    let wait = Await {
        signal: Some(SignalName::new("never").unwrap()),
        seconds: Some(9999),
        message: String::new(),
    };
    let tasks = vec![
        acts("slow", &[vec![run(Effect::Writes, "slow 1000")]]),
        acts("waits", &[vec![wait.into()]]),
        acts("later", &[vec![]]).needs([TaskId::new("slow").unwrap()]),
    ];
    let orchestrator = Arc::new(bench.orchestrator());
    let plan = orchestrator.plan(&pipeline(tasks)).unwrap();
    let running = tokio::spawn({
        let orchestrator = orchestrator.clone();
        async move { orchestrator.run(&plan, Effect::Writes).await }
    });
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let run = orchestrator.runs().await.unwrap().remove(0);
    orchestrator.cancel(&run).await.unwrap();
    let record = running.await.unwrap().unwrap();
    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Cancelled));
    let expected = json!({ "slow": "cancelled", "waits": "cancelled", "later": "skipped" });
    assert_eq!(serde_json::to_value(outcomes(&record.state)).unwrap(), expected);
    let again = orchestrator.resume(&run, RunOptions::new(Effect::Writes)).await;
    assert!(matches!(again, Err(OrchestratorError::Over(_))));
}

#[tokio::test(start_paused = true)]
async fn time_up_and_panics_are_failures_of_the_task() {
    let bench = Bench::new();
    let mut panics = acts("panics", &[]);
    panics.with["panic"] = json!(true);
    let slow =
        acts("slow", &[vec![run(Effect::Writes, "slow 1000")]]).timeout(std::time::Duration::from_secs(3));
    let record = bench.run(&pipeline(vec![panics, slow, acts("fine", &[vec![]])]), Effect::Writes).await;
    let expected = json!({ "panics": "failed", "slow": "failed", "fine": "passed" });
    assert_eq!(serde_json::to_value(outcomes(&record.state)).unwrap(), expected);
    let end = |id: &str| {
        record.state.task(record.plan().find(&TaskId::new(id).unwrap()).unwrap()).end.clone().unwrap()
    };
    assert_eq!(
        end("panics").failure.unwrap().to_string(),
        "the agent panicked while planning: told to panic"
    );
    assert_eq!(end("slow").conclusion.unwrap().summary, "timed out");
}

/// `run --failed`: what passed counts, what failed and what waited for it runs again.
#[tokio::test(start_paused = true)]
async fn what_failed_runs_again_alone() {
    let bench = Bench::new();
    let first = bench.run(&mixed(), Effect::Publishes).await;
    let before = bench.executor.finished().len();
    let orchestrator = bench.orchestrator();
    let plan = orchestrator.plan_failed(&mixed(), &first.run, &Selector::default()).await.unwrap();
    let second = orchestrator.run(&plan, Effect::Publishes).await.unwrap();
    let again: Vec<_> = bench.executor.finished()[before..].iter().map(|key| key.task.to_string()).collect();
    assert_eq!(again, ["bad", "bad"]);
    assert_eq!(second.state.count(Outcome::Passed), first.state.count(Outcome::Passed));
}

/// What is to be done once is carried from the run that did it, until its config changes or it is asked for by name.
#[tokio::test(start_paused = true)]
async fn what_is_done_once_is_not_done_again() {
    let bench = Bench::new();
    let orchestrator = bench.orchestrator();
    let once = |action: &str| TaskSpec { once: true, ..acts("once", &[vec![run(Effect::Writes, action)]]) };
    let all = |action: &str| pipeline(vec![once(action), acts("each", &[vec![]])]);
    let selection = |plan: &crate::plan::Plan| match &plan.tasks()[0].selection {
        crate::plan::Selection::Carried { .. } => "carried",
        crate::plan::Selection::LeftOut => "left out",
        crate::plan::Selection::Selected => "selected",
    };
    let everything = Selector::default();
    let by_name = Selector { tasks: vec!["once".into()], ..Selector::default() };
    for (ceiling, action) in [(Effect::Reads, "ok"), (Effect::Writes, "fail"), (Effect::Writes, "ok")] {
        let plan = orchestrator.plan_selected(&all(action), &everything).await.unwrap();
        assert_eq!(selection(&plan), "selected", "{ceiling} {action}");
        orchestrator.run(&plan, ceiling).await.unwrap();
    }
    let again = orchestrator.plan_selected(&all("ok"), &everything).await.unwrap();
    assert_eq!(selection(&again), "carried");
    let record = orchestrator.run(&again, Effect::Writes).await.unwrap();
    assert_eq!(
        serde_json::to_value(outcomes(&record.state)).unwrap(),
        json!({ "once": "passed", "each": "passed" })
    );
    for _ in 0..25 {
        orchestrator.run(&again, Effect::Reads).await.unwrap();
    }
    let third = orchestrator.plan_selected(&all("ok"), &everything).await.unwrap();
    assert_eq!(selection(&third), "carried", "also from a run that carried it");
    assert_eq!(selection(&orchestrator.plan_selected(&all("ok"), &by_name).await.unwrap()), "selected");
    assert_eq!(selection(&orchestrator.plan_selected(&all("other"), &everything).await.unwrap()), "selected");
}

/// Plans only when another one plans at the same time; panics where its config says so.
struct Thinks(std::sync::Barrier);

impl Agent for Thinks {
    const NAME: &'static str = "thinks";
    const PLANS_LONG: bool = true;
    type Config = bool;
    type Output = ();

    async fn plan(&self, task: &Task<bool>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        self.0.wait();
        assert!(!task.config, "told to panic");
        Ok(Vec::new())
    }

    fn conclude(&self, _: &Task<bool>, _: &[Receipt], _: &Artifacts<'_>) -> Result<Verdict<()>, BoxError> {
        Ok(Verdict::passed("thought", ()))
    }
}

#[tokio::test]
async fn who_computes_for_long_plans_beside_others() {
    let bench = Bench::new();
    let orchestrator = bench.orchestrator().agent(Thinks(std::sync::Barrier::new(2)));
    let thinks = |id: &str, panics: bool| {
        TaskSpec::new(TaskId::new(id).unwrap(), AgentName::new("thinks").unwrap(), json!(panics))
    };
    let plan = orchestrator.plan(&pipeline(vec![thinks("a", false), thinks("b", true)])).unwrap();
    let record = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    let expected = json!({ "a": "passed", "b": "failed" });
    assert_eq!(serde_json::to_value(outcomes(&record.state)).unwrap(), expected);
}
