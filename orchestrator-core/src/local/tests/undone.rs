//! Rollbacks that know what was rolled back: again, to a task, of a rollback, cut off at every boundary.

use super::*;
use crate::event::RunOutcome;
use crate::id::RunId;
use crate::orchestrator::{OrchestratorError, Rollback, RollbackOptions, RunOptions};
use crate::state::RunStatus;
use crate::testkit::Dying;

/// Files, one of them twice, and commands that say what undoes them, and leave word of it outside of the checkout.
fn work(bench: &Bench) -> Vec<TaskSpec> {
    let log = bench.root().join(".orchestrate/undone");
    let told = |what: &str| shell(&format!("echo {what} >> {}", log.display()));
    let command = |what: &str| {
        let undo = vec![told(&format!("{what}-1")).into(), told(&format!("{what}-2")).into()];
        Run { undo, ..shell("true") }
    };
    vec![
        acts("one", vec![write("a", "1").into(), command("one").into()]),
        acts("two", vec![write("a", "2").into(), write("b", "1").into()]),
        acts("three", vec![command("three").into(), write("c", "1").into(), remove("old").into()]),
    ]
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.put("old", "old");
    bench.put("b", "0");
    bench
}

/// What commands that undo said, in order.
fn said(bench: &Bench) -> Vec<String> {
    let text = std::fs::read_to_string(bench.root().join(".orchestrate/undone")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn planned(bench: &Bench, run: &RunId, to: Option<&str>) -> Rollback {
    let to = to.map(|to| TaskId::new(to).unwrap());
    let options = RollbackOptions { to: to.as_ref(), ..RollbackOptions::default() };
    bench.orchestrator().rollback_with(run, options).await.unwrap()
}

/// Plans a rollback and runs it as front doors do.
async fn roll_back(bench: &Bench, run: &RunId, to: Option<&str>) -> Option<RunRecord> {
    let plan = planned(bench, run, to).await.plan?;
    let options = RunOptions { parent: Some(run.clone()), ..RunOptions::new(Effect::Publishes) };
    let record = bench.orchestrator().run_with(&plan, options).await.unwrap();
    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed), "{}", outcomes(&record));
    Some(record)
}

const ALL: [&str; 4] = ["three-1", "three-2", "one-1", "one-2"];

#[tokio::test]
async fn what_is_undone_is_not_undone_again() {
    let bench = bench();
    let before = bench.files();
    let run = bench.run(work(&bench), Effect::Writes).await.run;
    let after = bench.files();
    let first = roll_back(&bench, &run, None).await.unwrap();
    assert_eq!((bench.files(), said(&bench)), (before.clone(), ALL.map(str::to_owned).into()));
    // Work goes on, on the same files.
    bench.put("b", "mine");
    let again = planned(&bench, &run, None).await;
    assert!(again.plan.is_none() && again.steps.is_empty() && again.irreversible.is_empty());
    assert_eq!(again.left_out.len(), 7);
    assert!(again.left_out.iter().all(|left_out| left_out.by == first.run));
    assert_eq!(bench.read("b"), "mine");
    bench.put("b", "0");

    // The rollback of the rollback brings the files back; what its commands said stays said, and is listed.
    let back = planned(&bench, &first.run, None).await;
    let listed: Vec<_> = back.irreversible.iter().map(|it| it.task.to_string()).collect();
    assert_eq!((back.steps.len(), listed.len()), (4, 4), "{listed:?}");
    let second = roll_back(&bench, &first.run, None).await.unwrap();
    assert_eq!(bench.files(), after);

    // Then the run may be rolled back again; what could not be brought back is not undone twice.
    let third = planned(&bench, &run, None).await;
    assert_eq!(third.steps.len(), 4, "{:?}", third.steps);
    assert_eq!(third.left_out.len(), 2, "the commands, whose undo nobody took back");
    roll_back(&bench, &run, None).await.unwrap();
    assert_eq!((bench.files(), said(&bench).len()), (before, 4));
    // And so for ever: the rollback of the rollback of the rollback.
    assert!(planned(&bench, &second.run, None).await.plan.is_some());
}

#[tokio::test]
async fn back_to_before_a_task_undoes_it_and_what_came_after() {
    let bench = bench();
    let before = bench.files();
    let run = bench.run(work(&bench), Effect::Writes).await.run;
    let two = planned(&bench, &run, Some("two")).await;
    let undone: Vec<_> = two.steps.iter().map(|step| step.task.to_string()).collect();
    assert_eq!(undone, ["three", "three", "three", "two", "two"]);
    roll_back(&bench, &run, Some("two")).await.unwrap();
    assert_eq!((bench.read("a"), bench.read("b"), bench.read("old")), ("1".into(), "0".into(), "old".into()));
    assert_eq!(said(&bench), ["three-1", "three-2"]);
    assert!(planned(&bench, &run, Some("two")).await.plan.is_none());
    let rest = planned(&bench, &run, None).await;
    assert_eq!((rest.steps.len(), rest.left_out.len()), (2, 5));
    roll_back(&bench, &run, None).await.unwrap();
    assert_eq!((bench.files(), said(&bench)), (before, ALL.map(str::to_owned).into()));
}

#[tokio::test]
async fn a_task_that_is_not_there_or_did_nothing() {
    let bench = bench();
    let mut tasks = work(&bench);
    tasks.push(acts("fails", vec![look("false").into()]));
    tasks.push(acts("never", vec![write("d", "1").into()]).needs([TaskId::new("fails").unwrap()]));
    let run = bench.run(tasks, Effect::Writes).await.run;
    for idle in ["fails", "never"] {
        let nothing = planned(&bench, &run, Some(idle)).await;
        assert!(nothing.plan.is_none() && nothing.left_out.is_empty(), "{idle}");
    }
    let to = TaskId::new("tow").unwrap();
    let options = RollbackOptions { to: Some(&to), ..RollbackOptions::default() };
    let wrong = bench.orchestrator().rollback_with(&run, options).await.unwrap_err();
    assert!(matches!(wrong, OrchestratorError::NoTask { .. }));
    assert!(wrong.to_string().contains("unknown task `tow`; did you mean `two`?"), "{wrong}");
}

/// How a rollback that was cut off is gone on with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    Resume,
    Anew,
}

/// Cuts a rollback off before a record. False where it has not so many.
async fn cut_off_and_gone_on_with(from: u64, then: Then) -> bool {
    let bench = bench();
    let before = bench.files();
    let run = bench.run(work(&bench), Effect::Writes).await.run;
    let plan = planned(&bench, &run, None).await.plan.unwrap();
    let dying = Dying::before(from, bench.store());
    let orchestrator = Orchestrator::new(bench.local(), dying).agent(Acts);
    let options = || RunOptions { parent: Some(run.clone()), ..RunOptions::new(Effect::Writes) };
    let cut = orchestrator.run_with(&plan, options()).await.is_err();
    drop(orchestrator);
    let rollback = bench.orchestrator().runs().await.unwrap().remove(0);
    assert_ne!(rollback, run);
    if then == Then::Resume && cut {
        let record = bench.orchestrator().resume(&rollback, RunOptions::new(Effect::Reads)).await.unwrap();
        assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed), "cut before {from}");
    } else if cut {
        let rest = planned(&bench, &run, None).await;
        assert_eq!(rest.cut_off, if from > 1 { vec![rollback] } else { vec![] });
        if let Some(plan) = rest.plan {
            let record = bench.orchestrator().run_with(&plan, options()).await.unwrap();
            assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed), "cut before {from}");
        }
    }
    assert_eq!(bench.files(), before, "cut before {from}, {then:?}");
    // Of a command that was under way when it died nobody knows whether it ended: that one alone is repeated.
    let mut said = said(&bench);
    let all = said.len();
    said.dedup();
    assert_eq!(said, ALL, "cut before {from}, {then:?}");
    assert!(all <= ALL.len() + 1, "cut before {from}, {then:?}: {all}");
    let left = planned(&bench, &run, None).await;
    assert!(left.plan.is_none() && left.irreversible.is_empty(), "cut before {from}, {then:?}");
    cut
}

#[tokio::test]
async fn a_rollback_cut_off_at_any_record_ends_the_same() {
    for then in [Then::Resume, Then::Anew] {
        let mut from = if then == Then::Resume { 2 } else { 1 };
        while cut_off_and_gone_on_with(from, then).await {
            from += 1;
        }
        assert!(from > 20, "{from} records");
    }
}

/// The rollback of a rollback, killed too.
#[tokio::test]
async fn a_rollback_of_a_rollback_cut_off_at_any_record_ends_the_same() {
    for from in 2.. {
        let bench = bench();
        let run = bench.run(work(&bench), Effect::Writes).await.run;
        let after = bench.files();
        let first = roll_back(&bench, &run, None).await.unwrap().run;
        let plan = planned(&bench, &first, None).await.plan.unwrap();
        let dying = Dying::before(from, bench.store());
        let options = RunOptions { parent: Some(first.clone()), ..RunOptions::new(Effect::Writes) };
        let cut = Orchestrator::new(bench.local(), dying).agent(Acts).run_with(&plan, options).await.is_err();
        if !cut {
            assert!(from > 10, "{from} records");
            break;
        }
        roll_back(&bench, &first, None).await;
        assert_eq!(bench.files(), after, "cut before {from}");
    }
}

/// An action that was under way when the run died is undone; where the run goes on, it is done and undone again.
#[tokio::test]
async fn what_is_done_again_after_a_rollback_is_undone_again() {
    let bench = bench();
    let orchestrator = bench.orchestrator();
    let plan = orchestrator
        .plan(&pipeline(vec![acts("t", vec![write("a", "1").into(), write("b", "1").into()])]))
        .unwrap();
    // Record 5 says that the first write is done.
    let dying = Dying::before(5, bench.store());
    let cut = Orchestrator::new(bench.local(), dying).agent(Acts).run(&plan, Effect::Writes).await;
    assert!(cut.is_err() && bench.files().contains_key("a"));
    let run = orchestrator.runs().await.unwrap().remove(0);
    roll_back(&bench, &run, None).await.unwrap();
    assert!(!bench.files().contains_key("a"));
    assert!(planned(&bench, &run, None).await.plan.is_none());
    orchestrator.resume(&run, RunOptions::new(Effect::Reads)).await.unwrap();
    assert_eq!((bench.read("a"), bench.read("b")), ("1".into(), "1".into()));
    assert_eq!(planned(&bench, &run, None).await.steps.len(), 2);
    roll_back(&bench, &run, None).await.unwrap();
    assert!(!bench.files().contains_key("a") && bench.read("b") == "0");
}

#[tokio::test]
async fn advice_is_what_a_command_said() {
    let bench = Bench::new();
    let run =
        bench.run(vec![acts("t", vec![shell("echo made 3 rows; touch x").into()])], Effect::Writes).await.run;
    let listed = planned(&bench, &run, None).await.irreversible;
    let advice = listed[0].advice.clone().unwrap();
    assert!(advice.ends_with("; it said: made 3 rows") && advice.contains("not known"), "{advice}");
    assert!(listed[0].at.is_some() && !listed[0].covered);
}

/// What a rollback may have published is not published again by the next one: a person says what became of it.
#[tokio::test]
async fn what_a_rollback_may_have_published_is_not_repeated() {
    let bench = bench();
    let publish = Run::line(Effect::Publishes, CommandLine::Shell("echo out >> .orchestrate/undone".into()));
    let task = acts("t", vec![Run { undo: vec![publish.into()], ..shell("true") }.into()]);
    let run = bench.run(vec![task], Effect::Writes).await.run;
    let plan = planned(&bench, &run, None).await.plan.unwrap();
    // Record 5 says that the command has ended.
    let dying = Dying::before(5, bench.store());
    let options = RunOptions { parent: Some(run.clone()), ..RunOptions::new(Effect::Publishes) };
    assert!(Orchestrator::new(bench.local(), dying).agent(Acts).run_with(&plan, options).await.is_err());
    assert_eq!(said(&bench), ["out"]);
    let refused = bench.orchestrator().rollback(&run).await.unwrap_err();
    assert!(matches!(refused, OrchestratorError::HalfPublished { .. }), "{refused}");
    let (rollback, task) =
        (bench.orchestrator().runs().await.unwrap().remove(0), TaskId::new("undo.1.t").unwrap());
    let assume = [(task, crate::orchestrator::Assume::Done)].into();
    let options = RunOptions { assume, ..RunOptions::new(Effect::Reads) };
    bench.orchestrator().resume(&rollback, options).await.unwrap();
    assert!(planned(&bench, &run, None).await.plan.is_none());
    assert_eq!(said(&bench), ["out"]);
}
