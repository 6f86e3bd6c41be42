//! Processes that outlive the one which started them, and the lock of the checkout.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::event::RunOutcome;
use crate::orchestrator::{OrchestratorError, RunOptions};
use crate::state::RunStatus;
use crate::store::{Store, StoreError};

const CHILD: &str = "ORCHESTRATE_TEST_RUN_IN";

/// Processes that carry an order of this checkout; those that are just ending are waited for.
pub(super) async fn left_over(bench: &Bench) -> Vec<u32> {
    let mut found = orders(bench);
    for _ in 0..500 {
        if found.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        found = orders(bench);
    }
    found
}

fn orders(bench: &Bench) -> Vec<u32> {
    let mark = format!("ORCHESTRATE_ORDER={}/", bench.root().display());
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable.starts_with(mark.as_bytes()))
    })
    .collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited a minute for: {what}");
}

/// Runs until it is told to go; will not end for less than a KILL, and starts ever new processes.
fn stubborn() -> Run {
    shell(
        "[ -e .orchestrate/go ] && exit 0; trap '' TERM; touch .orchestrate/up; while :; do sleep 0.05; done",
    )
}

fn tasks() -> Pipeline {
    let first = acts("first", vec![shell("echo first >> log").into()]);
    pipeline(vec![
        first,
        acts("stubborn", vec![stubborn().into()]),
        acts("last", vec![write("last", "x").into()]),
    ])
}

/// Not a test of its own: what the child of the next ones does.
#[tokio::test]
#[ignore = "started by those below"]
async fn run_until_killed() {
    let Some(root) = std::env::var_os(CHILD) else { return };
    let local = Local::new(&root).environment([("PATH".into(), std::env::var_os("PATH").unwrap())]);
    let store = JsonlStore::open(Path::new(&root).join(".orchestrate")).unwrap();
    let orchestrator = Orchestrator::new(local, store).agent(Acts);
    let plan = orchestrator.plan(&tasks()).unwrap();
    let _ = orchestrator.run(&plan, Effect::Writes).await;
}

/// A checkout in which a run was killed while a command of it runs.
async fn killed() -> Bench {
    let bench = Bench::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "local::tests::survivors::run_until_killed", "--ignored", "--nocapture"])
        .env(CHILD, bench.root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the command of the child", || bench.root().join(".orchestrate/up").exists()).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!orders(&bench).is_empty(), "its command outlives it");
    std::fs::write(bench.root().join(".orchestrate/go"), "").unwrap();
    bench
}

#[tokio::test]
async fn a_resumed_run_ends_what_its_dead_process_left_and_goes_on() {
    let bench = killed().await;
    let orchestrator = bench.orchestrator();
    let run = orchestrator.runs().await.unwrap().remove(0);
    assert!(!orchestrator.is_live(&run));
    let record = orchestrator.resume(&run, RunOptions::new(Effect::Reads)).await.unwrap();
    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed));
    assert_eq!(bench.read("log"), "first\n", "what was finished did not run again");
    assert_eq!(orders(&bench), Vec::<u32>::new());
    let over = orchestrator.resume(&run, RunOptions::new(Effect::Reads)).await.unwrap_err();
    assert!(matches!(over, OrchestratorError::Over(_)));
}

#[tokio::test]
async fn a_new_run_ends_what_a_dead_one_left() {
    let bench = killed().await;
    let dead = bench.store().list().await.unwrap().remove(0);
    let record = bench.run(vec![acts("t", vec![look("true").into()])], Effect::Reads).await;
    assert_eq!(outcomes(&record), "t: passed");
    assert_eq!(orders(&bench), Vec::<u32>::new());
    let resumed = bench.orchestrator().resume(&dead, RunOptions::new(Effect::Reads)).await.unwrap();
    assert_eq!(resumed.state.status(), RunStatus::Finished(RunOutcome::Passed));
}

#[tokio::test]
async fn time_that_is_up_leaves_nobody_of_the_group() {
    let bench = Bench::new();
    let line = "(trap '' TERM; sleep 1000 & while :; do sleep 0.05; done) & sleep 1000";
    let slow = acts("slow", vec![shell(line).into(), write("after", "x").into()]);
    let record = bench.run(vec![slow.timeout(Duration::from_millis(400))], Effect::Writes).await;
    assert_eq!(outcomes(&record), "slow: failed");
    assert_eq!(receipts(&record, "slow").remove(0).status, Status::TimedOut);
    assert_eq!(left_over(&bench).await, Vec::<u32>::new());
    assert!(!bench.root().join("after").exists());
}

/// Runs until the test says so.
fn patient(run: fn(&str) -> Run) -> Pipeline {
    let line = "touch .orchestrate/up; while [ ! -e .orchestrate/go ]; do sleep 0.02; done";
    pipeline(vec![acts("patient", vec![run(line).into()])])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_run_at_a_time_writes() {
    let bench = Bench::new();
    let holder = Arc::new(bench.orchestrator());
    let plan = holder.plan(&patient(shell)).unwrap();
    let first = tokio::spawn({
        let (holder, plan) = (holder.clone(), plan.clone());
        async move { holder.run(&plan, Effect::Writes).await }
    });
    until("the first run", || bench.root().join(".orchestrate/up").exists()).await;
    let run = holder.runs().await.unwrap().remove(0);
    let second = Arc::new(bench.orchestrator());
    let error = second.run(&plan, Effect::Writes).await.unwrap_err();
    assert!(matches!(error, OrchestratorError::Locked(_)), "{error:?}");
    let named = format!("is held by run `{run}` (process {}", std::process::id());
    assert!(error.to_string().contains(&named), "{error}");
    let error = second.resume(&run, RunOptions::new(Effect::Reads)).await.unwrap_err();
    assert!(error.to_string().contains(run.as_str()), "{error}");
    // Looking needs no lock.
    let looking = second.plan(&pipeline(vec![acts("t", vec![look("true").into()])])).unwrap();
    assert_eq!(outcomes(&second.run(&looking, Effect::Reads).await.unwrap()), "t: passed");
    let waiting = tokio::spawn({
        let (second, options) =
            (second.clone(), RunOptions { wait: true, ..RunOptions::new(Effect::Writes) });
        async move { second.run_with(&plan, options).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished() && !first.is_finished());
    assert_eq!(second.runs().await.unwrap().len(), 2, "the one that waits has not begun");
    std::fs::write(bench.root().join(".orchestrate/go"), "").unwrap();
    assert_eq!(outcomes(&first.await.unwrap().unwrap()), "patient: passed");
    assert_eq!(outcomes(&waiting.await.unwrap().unwrap()), "patient: passed");
}

/// A dry run holds no lock, so only its journal tells that it is alive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_alive_is_not_resumed_elsewhere() {
    let bench = Bench::new();
    let holder = Arc::new(bench.orchestrator());
    let plan = holder.plan(&patient(look)).unwrap();
    let first = tokio::spawn({
        let holder = holder.clone();
        async move { holder.run(&plan, Effect::Reads).await }
    });
    until("the run", || bench.root().join(".orchestrate/up").exists()).await;
    let run = holder.runs().await.unwrap().remove(0);
    assert!(bench.store().is_live(&run));
    let error = bench.orchestrator().resume(&run, RunOptions::new(Effect::Reads)).await.unwrap_err();
    assert!(matches!(error, OrchestratorError::Store(StoreError::Busy { .. })), "{error:?}");
    assert!(!orders(&bench).is_empty(), "its commands go on");
    std::fs::write(bench.root().join(".orchestrate/go"), "").unwrap();
    assert_eq!(outcomes(&first.await.unwrap().unwrap()), "patient: passed");
}
