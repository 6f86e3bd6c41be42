//! Operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::BoxError;
use crate::action::Call;
use crate::id::{OperationName, OrderKey};
use crate::operation::{Already, Operation, Site, Transient};
use crate::orchestrator::RunOptions;
use crate::registry::Registry;
use crate::store::Store;

/// Appends a line to `log` and does what it is told.
#[derive(Clone, Default)]
struct Tell(Arc<AtomicU32>);

#[derive(Serialize, Deserialize, JsonSchema)]
struct Told {
    what: String,
}

fn append(site: &Site<'_>, line: &str) -> Result<(), BoxError> {
    use std::io::Write as _;
    let log = std::fs::OpenOptions::new().create(true).append(true).open(site.root.join("log"));
    Ok(writeln!(log?, "{line}")?)
}

#[async_trait]
impl Operation for Tell {
    const NAME: &'static str = "tell";
    const EFFECT: Effect = Effect::Publishes;
    type Input = Told;
    type Output = u32;

    async fn call(&self, input: Told, order: &OrderKey, site: &Site<'_>) -> Result<u32, BoxError> {
        let time = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        append(site, &input.what)?;
        match input.what.as_str() {
            "fail" => Err("it broke".into()),
            "flaky" if time < 3 => Err(Transient("not yet".into()).into()),
            "panic" => panic!("on purpose"),
            "mark" => {
                let mark = site.env.iter().find(|(name, _)| name == crate::local::ORDER_VARIABLE);
                let mark = mark.and_then(|(_, order)| order.to_str()).unwrap_or_default();
                assert_eq!(mark, format!("{}:{order}", site.state.display()));
                Ok(time)
            }
            _ => Ok(time),
        }
    }

    async fn undo(&self, input: &Told, _site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        match input.what.as_str() {
            "undo is flaky" if self.0.fetch_add(1, Ordering::SeqCst) < 2 => {
                Err(Transient("cut off".into()).into())
            }
            "no undo" => Err("nobody knows".into()),
            "undo panics" => panic!("while looking"),
            what => Ok(vec![write("undone", what).into()]),
        }
    }

    async fn already(&self, input: &Told, _order: &OrderKey, _site: &Site<'_>) -> Already<u32> {
        match input.what.as_str() {
            "done before" => Already::Done(77),
            "not done" => Already::NotDone,
            "already panics" => panic!("while asking"),
            _ => Already::Unknown,
        }
    }
}

fn call(what: &str) -> Action {
    let operation = OperationName::new("tell").unwrap();
    let input = json!({ "what": what }).into();
    Call { operation, input, effect: Effect::Publishes, keep_going: false }.into()
}

fn told(bench: &Bench) -> Orchestrator {
    bench.orchestrator().agents(Registry::new().operation(Tell::default()))
}

#[tokio::test]
async fn processes_of_operations_are_known_by_their_order() {
    let bench = Bench::new();
    let orchestrator = told(&bench);
    let plan = orchestrator.plan(&pipeline(vec![acts("t", vec![call("mark")])])).unwrap();
    let record = orchestrator.run(&plan, Effect::Publishes).await.unwrap();
    assert_eq!(outcomes(&record), "t: passed");
}

async fn run(bench: &Bench, tasks: Vec<TaskSpec>) -> RunRecord {
    let orchestrator = told(bench);
    let plan = orchestrator.plan(&pipeline(tasks)).unwrap();
    orchestrator.run(&plan, Effect::Publishes).await.unwrap()
}

fn said(record: &RunRecord, id: &str) -> String {
    let end = task(record, id).end.clone().unwrap();
    end.conclusion
        .map(|conclusion| conclusion.summary)
        .or(end.failure.map(|failure| failure.to_string()))
        .unwrap()
}

#[tokio::test]
async fn whatever_an_operation_does_is_its_tasks_matter() {
    let bench = Bench::new();
    let names = ["ok", "fail", "panic", "no undo", "undo panics"];
    let mut tasks: Vec<_> =
        names.iter().map(|what| acts(&what.replace(' ', "-"), vec![call(what)])).collect();
    let operation = OperationName::new("tel").unwrap();
    let unknown = Call { operation, input: json!({}).into(), effect: Effect::Publishes, keep_going: false };
    tasks.push(acts("unknown", vec![unknown.clone().into()]));
    let operation = OperationName::new("tell").unwrap();
    let bad = Call { operation: operation.clone(), input: json!({ "wat": 1 }).into(), ..unknown.clone() };
    tasks.push(acts("bad-input", vec![bad.into()]));
    let low = Call { operation, input: json!({ "what": "low" }).into(), effect: Effect::Reads, ..unknown };
    tasks.push(acts("too-low", vec![low.into()]));
    tasks.push(acts("last", vec![call("last")]));
    let record = run(&bench, tasks).await;
    assert_eq!(
        outcomes(&record),
        "ok: passed, fail: failed, panic: failed, no-undo: failed, undo-panics: failed, unknown: failed, \
         bad-input: failed, too-low: failed, last: passed"
    );
    assert_eq!(said(&record, "fail"), "it broke");
    assert_eq!(said(&record, "panic"), "the agent panicked while performing it: on purpose");
    assert_eq!(said(&record, "unknown"), "unknown operation `tel`; did you mean `tell`?");
    assert_eq!(said(&record, "too-low"), "operation `tell` is `publishes`, and the action says `reads`");
    assert!(said(&record, "bad-input").contains("missing field `what`"), "{}", said(&record, "bad-input"));
    assert!(said(&record, "no-undo").contains("nobody knows"), "{}", said(&record, "no-undo"));
    assert!(said(&record, "undo-panics").contains("while looking"), "{}", said(&record, "undo-panics"));
    assert_eq!(bench.read("log"), "ok\nfail\npanic\nlast\n", "nothing is called that cannot be undone");
}

#[tokio::test]
async fn only_what_a_retry_can_cure_is_tried_again() {
    let bench = Bench::new();
    let tasks = ["flaky", "fail"].map(|what| acts(what, vec![call(what)]).retry(3, Duration::from_millis(1)));
    let record = run(&bench, tasks.to_vec()).await;
    assert_eq!(outcomes(&record), "flaky: passed, fail: failed");
    assert_eq!((task(&record, "flaky").attempt, task(&record, "fail").attempt), (3, 1));
    assert_eq!(bench.read("log"), "flaky\nflaky\nflaky\nfail\n");
    assert_eq!(task(&record, "flaky").past[0].failure.message, "not yet");
}

/// A cut at the question what would undo it is cured as one at the call is; what was not begun needs no undoing.
#[tokio::test]
async fn what_would_undo_it_is_asked_again_where_a_retry_can_cure_that() {
    let bench = Bench::new();
    let tasks = ["undo is flaky", "no undo"]
        .map(|what| acts(&what.replace(' ', "-"), vec![call(what)]).retry(3, Duration::from_millis(1)));
    let record = run(&bench, tasks.to_vec()).await;
    assert_eq!(outcomes(&record), "undo-is-flaky: passed, no-undo: failed");
    let (flaky, never) = (task(&record, "undo-is-flaky"), task(&record, "no-undo"));
    assert_eq!((flaky.attempt, never.attempt, bench.read("log").as_str()), (3, 1, "undo is flaky\n"));
    let refused = flaky.past[0].rounds[0].steps[0].receipt.clone().unwrap();
    assert!(refused.unbegun && refused.status.to_string().contains("is not known: cut off"), "{refused:?}");
    let rollback = told(&bench).rollback(&record.run).await.unwrap();
    assert_eq!((rollback.steps.len(), rollback.irreversible.len()), (1, 0));
}

/// Attempts are as few as the task has: then it fails, and says why.
#[tokio::test]
async fn a_question_that_is_cut_off_each_time_fails_its_task() {
    let bench = Bench::new();
    let record =
        run(&bench, vec![acts("t", vec![call("undo is flaky")]).retry(2, Duration::from_millis(1))]).await;
    assert_eq!((outcomes(&record).as_str(), task(&record, "t").attempt), ("t: failed", 2));
    assert!(said(&record, "t").contains("cut off"), "{}", said(&record, "t"));
    assert!(!bench.root().join("log").exists(), "nothing was called");
}

#[tokio::test]
async fn the_undo_of_a_call_is_what_a_rollback_does() {
    let bench = Bench::new();
    let record = run(&bench, vec![acts("t", vec![call("this")])]).await;
    let orchestrator = told(&bench);
    let plan = orchestrator.rollback(&record.run).await.unwrap().plan.unwrap();
    orchestrator.run(&plan, Effect::Writes).await.unwrap();
    assert_eq!(bench.read("undone"), "this");
}

/// The journal of a run whose process died while the operation was called.
#[tokio::test]
async fn an_interrupted_call_is_asked_about_first() {
    for (what, calls) in [("done before", 0), ("not done", 1), ("not known", 0), ("already panics", 0)] {
        let (whole, cut) = (Bench::new(), Bench::new());
        let record = run(&whole, vec![acts("t", vec![call(what)])]).await;
        let journal = whole.store().load(&record.run).await.unwrap();
        let started =
            |record: &crate::event::Record| matches!(record.event, crate::event::Event::ActionStarted { .. });
        let upto = journal.records.iter().position(started).unwrap();
        let store = cut.store();
        store.create(&record.run, &journal.plan).await.unwrap();
        store.append(&record.run, &journal.records[..=upto]).await.unwrap();
        store.close(&record.run).await;
        let resumed = told(&cut).resume(&record.run, RunOptions::new(Effect::Reads)).await;
        let log = std::fs::read_to_string(cut.root().join("log")).unwrap_or_default();
        assert_eq!(log.lines().count(), calls, "{what}");
        match what {
            "done before" => {
                assert_eq!(receipts(&resumed.unwrap(), "t")[0].output.value(), json!(77));
            }
            "not done" => assert_eq!(outcomes(&resumed.unwrap()), "t: passed"),
            _ => assert!(resumed.unwrap_err().to_string().contains("whether `t` went out is not known")),
        }
    }
}
