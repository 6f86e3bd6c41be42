//! Pruning of real runs, room on the disk, and state that is broken.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use super::*;
use crate::event::RunOutcome;
use crate::id::RunId;
use crate::layout::Layout;
use crate::lock::{Lock, Owner};
use crate::orchestrator::{OrchestratorError, RunOptions};
use crate::prune::{Because, Pruned, Pruning, Unreadable, Want};
use crate::settings::{Keep, Settings};
use crate::state::RunStatus;

fn keep(runs: u32) -> Keep {
    Keep { runs, run_age: 0, run_size: 0, ..Keep::default() }
}

fn layout(bench: &Bench) -> Layout {
    Layout::new(bench.root().join(".orchestrate"))
}

async fn prunable(bench: &Bench, keep: &Keep) -> Pruning {
    let want = Want { keep, in_use: &BTreeSet::new(), unreadable: Unreadable::SetAside };
    bench.orchestrator().prunable(want, None).await.unwrap()
}

async fn prune(bench: &Bench, keep: &Keep) -> Pruned {
    bench.orchestrator().prune(prunable(bench, keep).await).await
}

/// A run that leaves nothing to undo.
async fn harmless(bench: &Bench) -> RunId {
    bench.run(vec![acts("look", vec![look("echo seen").into()])], Effect::Writes).await.run
}

fn names(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(layout(bench).runs()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != ".known.json");
    names.sort();
    names
}

fn made<const N: usize>(runs: [&RunId; N]) -> Vec<String> {
    runs.map(ToString::to_string).into()
}

#[tokio::test]
async fn the_oldest_go_and_what_can_be_undone_stays_until_it_is_undone() {
    let bench = Bench::new();
    bench.put("f", "before");
    let edit = bench.run(vec![acts("edit", vec![write("f", "after").into()])], Effect::Writes).await.run;
    let [one, two, three] = [harmless(&bench).await, harmless(&bench).await, harmless(&bench).await];
    let pruning = prunable(&bench, &keep(2)).await;
    assert_eq!(pruning.goes.iter().map(|goes| &goes.run).collect::<Vec<_>>(), [&one]);
    assert!(pruning.goes[0].bytes > 0 && pruning.bytes > pruning.goes[0].bytes);
    assert_eq!((&pruning.stays[0].run, &pruning.stays[0].because), (&edit, &Because::Undo));
    assert_eq!(names(&bench), made([&edit, &one, &two, &three]), "looking removes nothing");
    assert_eq!(prune(&bench, &keep(2)).await.gone, [one]);
    assert_eq!(names(&bench), made([&edit, &two, &three]));

    let orchestrator = bench.orchestrator();
    let plan = orchestrator.rollback(&edit).await.unwrap().plan.unwrap();
    let options = |ceiling| RunOptions { parent: Some(edit.clone()), ..RunOptions::new(ceiling) };
    let dry = orchestrator.run_with(&plan, options(Effect::Reads)).await.unwrap();
    assert!(prunable(&bench, &keep(1)).await.goes.iter().all(|goes| goes.run != edit), "shown is not done");
    let back = orchestrator.run_with(&plan, options(Effect::Writes)).await.unwrap();
    assert_eq!(back.state.status(), RunStatus::Finished(RunOutcome::Passed));
    let pruned = prune(&bench, &keep(1)).await;
    assert_eq!(pruned.gone, [dry.run, three, two, edit]);
    assert_eq!(pruned.failed, [""; 0]);
    assert_eq!(names(&bench), made([&back.run]));
}

#[tokio::test]
async fn a_run_that_somebody_took_up_meanwhile_stays() {
    let bench = Bench::new();
    let (one, two, last) = (harmless(&bench).await, harmless(&bench).await, harmless(&bench).await);
    let pruning = prunable(&bench, &keep(1)).await;
    assert_eq!(pruning.goes.len(), 2);
    let lock = Lock::acquire(&layout(&bench).run_lock(&one), &Owner::here(one.clone(), "resume")).unwrap();
    // Of this one the journal went on.
    let journal = layout(&bench).journal(&two);
    fs::write(&journal, fs::read(&journal).unwrap().repeat(2)).unwrap();
    assert_eq!(bench.orchestrator().prune(pruning).await, Pruned::default());
    assert_eq!(names(&bench), made([&one, &two, &last]));
    let pruning = prunable(&bench, &keep(1)).await;
    assert!(pruning.stays.iter().any(|stays| stays.run == one && stays.because == Because::Running));
    drop(lock);
}

#[tokio::test]
async fn what_can_be_resumed_stays_until_it_is_old_and_what_waits_stays_for_good() {
    let bench = Bench::new();
    let signal = Some(crate::id::SignalName::new("approve").unwrap());
    let wait = crate::action::Await { signal, seconds: None, message: "look".into() };
    let waits = bench.run(vec![acts("asks", vec![wait.into()])], Effect::Writes).await;
    assert_eq!(waits.state.status(), RunStatus::Stopped(crate::event::Stopped::Waiting));
    let orchestrator = bench.orchestrator();
    let plan = orchestrator.plan(&pipeline(vec![acts("look", vec![look("true").into()])])).unwrap();
    let stopped = RunOptions::new(Effect::Writes);
    stopped.stop.raise(crate::stop::StopLevel::Graceful);
    let stopped = orchestrator.run_with(&plan, stopped).await.unwrap().run;
    harmless(&bench).await;
    let stays = |pruning: &Pruning| -> Vec<Because> {
        pruning.stays.iter().map(|stays| stays.because.clone()).collect()
    };
    let pruning = prunable(&bench, &keep(1)).await;
    assert_eq!(stays(&pruning), [Because::Resumable, Because::Waiting]);
    let years_ago = std::time::SystemTime::now() - Duration::from_hours(20_000);
    for run in [&waits.run, &stopped] {
        let journal = fs::File::options().append(true).open(layout(&bench).journal(run)).unwrap();
        journal.set_modified(years_ago).unwrap();
    }
    let old = Keep { run_age: 3600, ..keep(0) };
    let pruning = prunable(&bench, &old).await;
    assert_eq!(stays(&pruning), [Because::Waiting]);
    assert_eq!(bench.orchestrator().prune(pruning).await.gone, [stopped]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resume_and_a_removal_that_race_leave_a_whole_run_or_none() {
    let bench = Arc::new(Bench::new());
    let orchestrator = bench.orchestrator();
    let plan = orchestrator.plan(&pipeline(vec![acts("look", vec![look("true").into()])])).unwrap();
    let old = Keep { run_age: 3600, ..keep(0) };
    let (mut gone, mut resumed) = (0, 0);
    for round in 0..40 {
        let options = RunOptions::new(Effect::Writes);
        options.stop.raise(crate::stop::StopLevel::Graceful);
        let run = orchestrator.run_with(&plan, options).await.unwrap().run;
        let years_ago = std::time::SystemTime::now() - Duration::from_hours(20_000);
        let journal = fs::File::options().append(true).open(layout(&bench).journal(&run)).unwrap();
        journal.set_modified(years_ago).unwrap();
        let pruning = prunable(&bench, &old).await;
        assert_eq!(pruning.goes.len(), 1);
        let removal = tokio::spawn({
            let bench = bench.clone();
            async move {
                tokio::time::sleep(Duration::from_micros(200 * (round % 8))).await;
                bench.orchestrator().prune(pruning).await
            }
        });
        let result = bench.orchestrator().resume(&run, RunOptions::new(Effect::Reads)).await;
        let pruned = removal.await.unwrap();
        assert_eq!(pruned.failed, [""; 0]);
        match bench.orchestrator().status(&run).await {
            Ok(record) => {
                assert!(pruned.gone.is_empty());
                // A lock that was held for a moment is an answer as well.
                if result.is_ok() {
                    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed));
                    resumed += 1;
                }
                fs::remove_dir_all(layout(&bench).run_dir(&run)).unwrap();
            }
            Err(error) => {
                assert!(result.is_err() && pruned.gone == [run.clone()], "{error}");
                assert!(!layout(&bench).run_dir(&run).exists(), "nothing is left of it");
                gone += 1;
            }
        }
    }
    println!("{gone} gone, {resumed} resumed");
    assert_eq!(names(&bench), [""; 0]);
}

#[tokio::test]
async fn what_a_killed_removal_or_making_left_is_deleted() {
    let bench = Bench::new();
    let run = harmless(&bench).await;
    let runs = layout(&bench).runs();
    for name in [".gone-x", ".new-old", ".new-young", ".known.1.new"] {
        fs::create_dir(runs.join(name)).unwrap();
        fs::write(runs.join(name).join("plan.json"), "{}").unwrap();
    }
    let hours_ago = std::time::SystemTime::now() - Duration::from_hours(2);
    for name in [".new-old", ".known.1.new"] {
        fs::File::open(runs.join(name)).unwrap().set_modified(hours_ago).unwrap();
    }
    let pruned = prune(&bench, &keep(100)).await;
    assert_eq!(pruned, Pruned::default());
    assert_eq!(names(&bench), [".new-young".to_owned(), run.to_string()]);
}

#[tokio::test]
async fn an_unfinished_rollback_keeps_the_bytes_that_it_reads() {
    let bench = Bench::new();
    bench.put("f", "o".repeat(9_000));
    let edit = bench.run(vec![acts("edit", vec![write("f", "after").into()])], Effect::Writes).await.run;
    harmless(&bench).await;
    assert_eq!(prune(&bench, &keep(1)).await, Pruned::default());
    let orchestrator = bench.orchestrator();
    let plan = orchestrator.rollback(&edit).await.unwrap().plan.unwrap();
    orchestrator.run(&plan, Effect::Writes).await.unwrap();
    assert_eq!(fs::read(bench.root().join("f")).unwrap(), "o".repeat(9_000).as_bytes());
}

#[tokio::test]
async fn broken_journals_are_set_aside_whole_and_only_over_a_limit() {
    let bench = Bench::new();
    let (broken, last) = (harmless(&bench).await, harmless(&bench).await);
    let journal = layout(&bench).journal(&broken);
    let text = format!("garbage\n{}", fs::read_to_string(&journal).unwrap());
    fs::write(&journal, &text).unwrap();
    assert_eq!(prune(&bench, &keep(2)).await, Pruned::default());
    let pruned = prune(&bench, &keep(1)).await;
    let [(run, to)] = pruned.aside.as_slice() else { panic!("{pruned:?}") };
    assert_eq!((run, names(&bench)), (&broken, made([&last])));
    assert_eq!(fs::read_to_string(to.join("journal.jsonl")).unwrap(), text);
}

#[tokio::test]
async fn a_server_may_prune_in_a_task_of_its_runtime() {
    let bench = Bench::new();
    let (one, two) = (harmless(&bench).await, harmless(&bench).await);
    let orchestrator = bench.orchestrator();
    let pruned = tokio::spawn(async move {
        let (keep, in_use) = (keep(1), BTreeSet::new());
        let want = Want { keep: &keep, in_use: &in_use, unreadable: Unreadable::Stay };
        let pruning = orchestrator.prunable(want, None).await.unwrap();
        orchestrator.prune(pruning).await
    });
    assert_eq!(pruned.await.unwrap().gone, [one]);
    assert_eq!(names(&bench), made([&two]));
}

#[tokio::test]
async fn what_is_remembered_of_runs_may_be_broken() {
    let bench = Bench::new();
    let (one, two) = (harmless(&bench).await, harmless(&bench).await);
    let known = layout(&bench).runs().join(".known.json");
    for broken in ["", "garbage", "{\"version\":1,\"runs\":[]}", "{\"version\":9,\"runs\":{}}"] {
        fs::write(&known, broken).unwrap();
        let pruning = prunable(&bench, &keep(1)).await;
        assert_eq!((pruning.goes.len(), pruning.runs), (1, 2), "{broken}");
    }
    let remembered: serde_json::Value = serde_json::from_slice(&fs::read(&known).unwrap()).unwrap();
    assert_eq!(remembered["runs"].as_object().unwrap().len(), 2, "it is made anew");
    fs::remove_file(&known).unwrap();
    fs::create_dir(&known).unwrap();
    assert_eq!(prune(&bench, &keep(1)).await.gone, [one]);
    assert!(layout(&bench).run_dir(&two).is_dir());
}

#[tokio::test]
async fn nothing_is_written_without_room_for_it() {
    let bench = Bench::new();
    let orchestrator =
        || bench.orchestrator().settings(Settings { min_free_disk: u64::MAX, ..Settings::default() });
    let plan =
        bench.orchestrator().plan(&pipeline(vec![acts("edit", vec![write("f", "x").into()])])).unwrap();
    let error = orchestrator().run(&plan, Effect::Writes).await.unwrap_err();
    let OrchestratorError::NoRoom { free, wanted, .. } = &error else { panic!("{error}") };
    assert!(*free > 0 && *wanted == u64::MAX);
    assert!(error.to_string().contains("`settings.min_free_disk`"), "{error}");
    assert!(!layout(&bench).runs().exists(), "no run was made");
    let dry = orchestrator().run(&plan, Effect::Reads).await.unwrap();
    assert_eq!(outcomes(&dry), "edit: withheld", "a look needs no room");
    // A run that is to end is let end.
    let stopped = RunOptions { ceiling: Effect::Writes, ..RunOptions::new(Effect::Writes) };
    stopped.stop.raise(crate::stop::StopLevel::Graceful);
    let run = bench.orchestrator().run_with(&plan, stopped).await.unwrap().run;
    let resumed = orchestrator().resume(&run, RunOptions::new(Effect::Reads)).await.unwrap_err();
    assert!(matches!(resumed, OrchestratorError::NoRoom { .. }), "{resumed}");
    orchestrator().cancel(&run).await.unwrap();
    let ended = orchestrator().resume(&run, RunOptions::new(Effect::Reads)).await.unwrap();
    assert_eq!(ended.state.status(), RunStatus::Finished(RunOutcome::Cancelled));
}

#[tokio::test]
async fn a_state_folder_whose_parts_are_broken_takes_a_new_run() {
    let bench = Bench::new();
    let state = layout(&bench).state().to_owned();
    fs::create_dir(&state).unwrap();
    for name in ["runs", "logs"] {
        fs::write(state.join(name), "no folder").unwrap();
    }
    fs::create_dir_all(state.join("checkout.lock/x")).unwrap();
    assert!(bench.orchestrator().runs().await.unwrap().is_empty());
    let run = harmless(&bench).await;
    assert_eq!(
        bench.orchestrator().status(&run).await.unwrap().state.status(),
        RunStatus::Finished(RunOutcome::Passed)
    );
    assert!(fs::read_dir(layout(&bench).set_aside()).unwrap().count() >= 2);
    // Of earlier runs everything may be broken.
    let dir = layout(&bench).run_dir(&run);
    for broken in ["plan.json", "journal.jsonl", "run.lock", "inbox", "logs", "artifacts"] {
        let path = dir.join(broken);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap();
        }
        fs::write(&path, [0xff, 0, 0xfe]).unwrap();
        fs::write(state.join("checkout.lock"), "garbage").unwrap();
        harmless(&bench).await;
        let pipeline = pipeline(vec![acts("look", vec![look("true").into()])]);
        let only = crate::planner::Selector { tasks: vec!["look".into()], ..Default::default() };
        let plan = bench.orchestrator().plan_selected(&pipeline, &only).await.unwrap();
        assert_eq!(plan.tasks().len(), 1);
    }
    assert!(bench.orchestrator().status(&run).await.is_err(), "it still says what is wrong");
}
