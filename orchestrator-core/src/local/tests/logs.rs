//! The log of a run.

use std::fs;

use super::*;
use crate::id::RunId;
use crate::layout::Layout;
use crate::lock::{Lock, Owner};
use crate::run_log::RunLog;

fn layout(bench: &Bench) -> Layout {
    Layout::new(bench.root().join(".orchestrate"))
}

async fn logged(bench: &Bench, keep: u32, tasks: Vec<TaskSpec>) -> RunId {
    let orchestrator = bench.orchestrator().observer(RunLog::new(layout(bench), keep));
    let plan = orchestrator.plan(&pipeline(tasks)).unwrap();
    orchestrator.run(&plan, Effect::Writes).await.unwrap().run
}

fn logs(bench: &Bench) -> Vec<RunId> {
    let entries = fs::read_dir(layout(bench).run_logs()).unwrap();
    let mut runs: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| RunId::new(name.strip_suffix(".log").unwrap()).unwrap())
        .collect();
    runs.sort();
    runs
}

#[tokio::test]
async fn it_tells_what_happened_and_why() {
    let bench = Bench::new();
    let fails = r"printf 'one\n\033[31mtwo\033[0m\n' >&2; exit 3";
    let tasks = vec![acts("edit", vec![write("f", "x").into()]), acts("fails", vec![shell(fails).into()])];
    let run = logged(&bench, 20, tasks).await;
    let log = fs::read_to_string(layout(&bench).run_log(&run)).unwrap();
    for part in [
        &format!("run {run} started: `test`, up to `writes`, 2 tasks"),
        "edit: attempt 1 started",
        "edit:   write f (1 bytes) [writes]",
        "edit: action 1 begins (can be undone)",
        "edit: passed in ",
        "fails: action 1: exit code 3, ",
        "\n    | one\n    | two\n",
        "fails: failed in ",
        "run finished: failed in ",
        "1 passed, 1 failed",
    ] {
        assert!(log.contains(part), "`{part}` is missing:\n{log}");
    }
    let mode = fs::metadata(layout(&bench).run_log(&run)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn the_last_are_kept_and_those_of_live_runs() {
    let bench = Bench::new();
    let tasks = || vec![acts("look", vec![look("true").into()])];
    let [one, two, three] = [
        logged(&bench, 9, tasks()).await,
        logged(&bench, 9, tasks()).await,
        logged(&bench, 9, tasks()).await,
    ];
    fs::write(layout(&bench).run_logs().join("notes.txt"), "mine").unwrap();
    let lock = Lock::acquire(&layout(&bench).run_lock(&one), &Owner::here(one.clone(), "")).unwrap();
    let four = logged(&bench, 2, tasks()).await;
    fs::remove_file(layout(&bench).run_logs().join("notes.txt")).unwrap();
    assert_eq!(logs(&bench), [one.clone(), three, four.clone()], "{two} is gone");
    drop(lock);
    let five = logged(&bench, 2, tasks()).await;
    assert_eq!(logs(&bench), [four, five]);
    let six = logged(&bench, 0, tasks()).await;
    assert_eq!((logs(&bench).len(), logs(&bench).contains(&six)), (3, true), "0 keeps all");
}

#[tokio::test]
async fn a_log_that_cannot_be_written_fails_nothing() {
    let bench = Bench::new();
    let tasks = || vec![acts("look", vec![look("true").into()])];
    fs::create_dir(layout(&bench).state()).unwrap();
    fs::write(layout(&bench).run_logs(), "no folder").unwrap();
    logged(&bench, 20, tasks()).await;
    assert_eq!(logs(&bench).len(), 1, "what was no folder is set aside");
    fs::remove_dir_all(layout(&bench).run_logs()).unwrap();
    // Nothing can be made in there, whoever asks.
    std::os::unix::fs::symlink("/proc/self", layout(&bench).run_logs()).unwrap();
    logged(&bench, 20, tasks()).await;
}
