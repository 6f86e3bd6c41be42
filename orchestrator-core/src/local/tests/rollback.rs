//! Rollback from the journal.

use super::*;
use crate::event::RunOutcome;
use crate::orchestrator::Rollback;
use crate::state::RunStatus;

/// New, changed, removed, a mode, big contents, one file twice, one not changed at all.
fn edits() -> Vec<TaskSpec> {
    let big = "n".repeat(10_000);
    vec![
        acts("new", vec![write("new/deep/f", "1").into(), write("new/deep/f", "2").into()]),
        acts("changed", vec![write("changed", "after").into(), write("big", big).into()]),
        acts("removed", vec![remove("removed").into(), remove("never there").into()]),
        acts("mode", vec![Write { mode: Some(0o644), ..write("tool", "#!") }.into()]),
        acts("same", vec![write("same", "same").into()]),
    ]
}

fn checkout() -> Bench {
    let bench = Bench::new();
    bench.put("changed", "before");
    bench.put("big", "o".repeat(9_000));
    bench.put("removed", [0, 159, 146, 150]);
    bench.chmod("removed", 0o600);
    bench.put("tool", "#!");
    bench.chmod("tool", 0o755);
    bench.put("same", "same");
    bench
}

async fn roll_back(bench: &Bench, run: &RunRecord) -> (Rollback, RunRecord) {
    let orchestrator = bench.orchestrator();
    let rollback = orchestrator.rollback(&run.run).await.unwrap();
    let plan = rollback.plan.clone().unwrap();
    let record = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    (rollback, record)
}

#[tokio::test]
async fn a_rollback_brings_every_file_back_and_may_be_repeated() {
    let bench = checkout();
    let before = bench.files();
    let run = bench.run(edits(), Effect::Writes).await;
    assert_eq!(run.state.status(), RunStatus::Finished(RunOutcome::Passed));
    assert_ne!(bench.files(), before);
    for time in ["first", "second"] {
        let (rollback, record) = roll_back(&bench, &run).await;
        assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed), "{time}");
        assert_eq!(rollback.reach, Effect::Writes);
        assert_eq!(rollback.irreversible, []);
        assert_eq!(bench.files(), before, "{time}");
    }
}

#[tokio::test]
async fn a_rollback_is_shown_like_any_run_and_shows_what_it_does() {
    let bench = checkout();
    let run = bench.run(edits(), Effect::Writes).await;
    let (after, orchestrator) = (bench.tree(), bench.orchestrator());
    let plan = orchestrator.rollback(&run.run).await.unwrap().plan.unwrap();
    let shown = orchestrator.run(&plan, Effect::Reads).await.unwrap().withheld().to_string();
    assert_eq!(bench.tree(), after);
    assert!(shown.contains("remove new/deep/f (if it is content"), "{shown}");
    assert!(shown.contains("write removed (4 bytes, mode 600, replaces no file)"), "{shown}");
    assert!(!shown.contains("same"), "nothing is to be undone there: {shown}");
}

#[tokio::test]
async fn a_file_that_was_edited_since_is_not_overwritten() {
    let bench = checkout();
    let run = bench.run(edits(), Effect::Writes).await;
    bench.put("changed", "by hand");
    let (_, record) = roll_back(&bench, &run).await;
    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Failed));
    assert_eq!(bench.read("changed"), "by hand");
    let failed = record.state.tasks().iter().find(|task| task.outcome() == Some(Outcome::Failed)).unwrap();
    let said = failed.end.as_ref().unwrap().conclusion.as_ref().unwrap().summary.clone();
    assert!(said.contains("`changed` changed meanwhile") && said.ends_with("nothing was touched"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_undone_is_listed_and_what_a_command_declares_is_run() {
    let bench = Bench::new();
    let undoable = Run { undo: vec![shell("rm made").into()], ..shell("touch made") };
    let tasks = vec![
        acts("undoable", vec![undoable.into()]),
        acts("final", vec![shell("touch kept").into(), look("true").into()]),
        acts("failing", vec![shell("exit 3").into()]),
    ];
    let run = bench.run(tasks, Effect::Writes).await;
    assert_eq!(outcomes(&run), "undoable: passed, final: passed, failing: failed");
    let (rollback, record) = roll_back(&bench, &run).await;
    let listed: Vec<_> =
        rollback.irreversible.iter().map(|it| format!("{}: {}", it.task, it.action)).collect();
    assert_eq!(listed, ["failing: run exit 3 [writes]", "final: run touch kept [writes]"]);
    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed));
    assert_eq!(bench.files().into_keys().collect::<Vec<_>>(), ["kept"]);
}

/// A run that was stopped half-way is reversed as far as it came; the first capture of what was there counts.
#[tokio::test]
async fn a_broken_off_run_is_reversed_as_far_as_it_came() {
    let bench = checkout();
    let before = bench.files();
    let tasks = vec![
        acts("t", vec![write("changed", "1").into(), look("exit 1").into()])
            .retry(2, std::time::Duration::from_millis(1)),
    ];
    let run = bench.run(tasks, Effect::Writes).await;
    assert_eq!((outcomes(&run).as_str(), task(&run, "t").attempt), ("t: failed", 2));
    let (_, record) = roll_back(&bench, &run).await;
    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed));
    assert_eq!(bench.files(), before);
}
