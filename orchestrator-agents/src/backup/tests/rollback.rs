//! Rollbacks that fall back on the run's own backup, through the orchestrator.

mod cut_off;

use std::os::unix::fs::MetadataExt;

use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{AgentName, GroupName, PhaseName, RunId, TaskId};
use orchestrator_core::local::Local;
use orchestrator_core::orchestrator::{Orchestrator, Rollback, RollbackOptions, RunOptions};
use orchestrator_core::outcome::Outcome;
use orchestrator_core::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use orchestrator_core::report::RunRecord;
use orchestrator_core::settings::Settings;
use orchestrator_core::store::Store;
use orchestrator_core::store::jsonl::JsonlStore;
use orchestrator_core::testkit::Acts;
use serde_json::json;

use super::*;
use crate::backup::OwnBackup;

fn orchestrator(rig: &Rig) -> Orchestrator {
    on(rig, JsonlStore::open(rig.root.join(".orchestrate")).unwrap())
}

/// The same with another store.
fn on(rig: &Rig, store: impl Store + 'static) -> Orchestrator {
    let state = rig.root.join(".orchestrate");
    let executor = Local::new(&rig.root).state(&state).environment(rig.env.clone());
    Orchestrator::new(executor, store)
        .settings(Settings { min_free_disk: 1, ..Settings::default() })
        .agents(crate::standard())
        .agent(Acts)
}

fn command(id: &str, line: &str) -> TaskSpec {
    let agent = AgentName::new("command").unwrap();
    TaskSpec::new(TaskId::new(id).unwrap(), agent, json!({ "run": line, "effect": "writes" }))
}

/// A backup, then commands one after the other.
async fn run(rig: &Rig, commands: &[(&str, &str)]) -> RunRecord {
    let mut phase = PhaseSpec::new(PhaseName::new("restart_backup").unwrap());
    phase.uses = Some("standard".into());
    let tasks = commands.iter().map(|(id, line)| command(id, line)).collect();
    let work = PhaseSpec::new(PhaseName::new("work").unwrap()).group(group(tasks));
    let orchestrator = orchestrator(rig);
    let plan = orchestrator.plan(&Pipeline::new("test").phase(phase).phase(work)).unwrap();
    let record = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    all_passed(&record);
    record
}

fn group(tasks: Vec<TaskSpec>) -> GroupSpec {
    let mut group = GroupSpec::new(GroupName::new("work").unwrap()).sequential();
    group.tasks = tasks;
    group
}

#[track_caller]
fn all_passed(record: &RunRecord) {
    for (task, planned) in record.state.tasks().iter().zip(record.plan().tasks()) {
        let why = task
            .end
            .as_ref()
            .map(|end| (end.failure.clone(), end.conclusion.as_ref().map(|it| it.summary.clone())));
        assert_eq!(task.outcome(), Some(Outcome::Passed), "{}: {why:?}", planned.id);
    }
}

async fn planned(rig: &Rig, run: &RunId, to: Option<&str>, force: bool) -> Rollback {
    let to = to.map(|to| TaskId::new(to).unwrap());
    let (root, state) = (rig.root.clone(), rig.root.join(".orchestrate"));
    let backup = OwnBackup { root, state, env: rig.env.clone(), force, now: jiff::Timestamp::now() };
    let options = RollbackOptions { to: to.as_ref(), fallback: Some(&backup) };
    orchestrator(rig).rollback_with(run, options).await.unwrap()
}

async fn perform(rig: &Rig, of: &RunId, rollback: &Rollback) -> RunRecord {
    let options = RunOptions { parent: Some(of.clone()), ..RunOptions::new(Effect::Writes) };
    orchestrator(rig).run_with(rollback.plan.as_ref().unwrap(), options).await.unwrap()
}

fn checkout() -> Rig {
    let rig = Rig::new();
    rig.write(".gitignore", "target/\n");
    rig.write("a.txt", "a\n");
    rig.write("gone.txt", "gone\n");
    rig.commit("feat: files");
    rig.write("a.txt", "a, not committed\n");
    rig
}

const WORK: [(&str, &str); 2] = [
    ("edit", "echo edited > a.txt; rm gone.txt; echo new > new.txt"),
    ("build", "mkdir -p target; echo built > target/built"),
];

#[tokio::test]
async fn what_commands_changed_comes_back_from_the_backup_and_goes_again() {
    let rig = checkout();
    let run = run(&rig, &WORK).await.run;
    let rollback = planned(&rig, &run, None, false).await;
    let restoration = rollback.restoration.as_ref().unwrap();
    assert_eq!(restoration.changes, ["M a.txt", "A gone.txt", "D new.txt"]);
    assert_eq!((restoration.newer.len(), restoration.covers.len()), (0, 2));
    assert!(restoration.took_ms.unwrap() > 0.0);
    assert_eq!((rollback.steps.len(), rollback.reach), (1, Effect::Writes));
    let apart: Vec<_> =
        rollback.irreversible.iter().filter(|it| !it.covered).map(|it| it.task.as_str()).collect();
    assert_eq!(apart, ["rollback-script", "backup"]);
    assert!(rollback.irreversible.iter().filter(|it| !it.covered).all(|it| it.advice.is_some()));

    // A dry run proves the backup once more, and changes nothing.
    let dry = orchestrator(&rig).run(rollback.plan.as_ref().unwrap(), Effect::Reads).await.unwrap();
    assert!(dry.withheld().to_string().contains("call restore-checkout"), "{}", dry.withheld());
    assert_eq!(rig.read("a.txt"), "edited\n");

    let first = perform(&rig, &run, &rollback).await;
    all_passed(&first);
    assert_eq!((rig.read("a.txt"), rig.read("gone.txt")), ("a, not committed\n".into(), "gone\n".into()));
    assert!(!rig.root.join("new.txt").exists() && rig.root.join("target/built").exists());
    assert_eq!(rig.git(&["status", "--porcelain"]), " M a.txt");
    assert_eq!(rig.git(&["show", "refs/before-rollback/1/files:a.txt"]), "edited");
    assert!(rig.root.join(".orchestrate/scratch").read_dir().unwrap().next().is_none());

    // Again: nothing is left to undo, whatever people do since.
    rig.write("a.txt", "mine\n");
    let again = planned(&rig, &run, None, false).await;
    assert!(again.plan.is_none() && again.restoration.is_none());
    assert_eq!(again.left_out.len(), 2);

    // The rollback of the rollback refuses over that work, and once it is gone brings back what the run had left.
    let back = planned(&rig, &first.run, None, false).await;
    let refused = perform(&rig, &first.run, &back).await;
    let said = refused.state.tasks()[0].end.as_ref().unwrap().conclusion.as_ref().unwrap().summary.clone();
    assert!(said.contains("newer work would be replaced, nothing was changed: a.txt"), "{said}");
    assert_eq!(rig.read("a.txt"), "mine\n");
    rig.write("a.txt", "a, not committed\n");
    let back = planned(&rig, &first.run, None, false).await;
    all_passed(&perform(&rig, &first.run, &back).await);
    assert_eq!((rig.read("a.txt"), rig.read("new.txt")), ("edited\n".into(), "new\n".into()));
    assert!(!rig.root.join("gone.txt").exists());

    // And the run can be rolled back once more.
    let third = planned(&rig, &run, None, false).await;
    assert_eq!(third.restoration.as_ref().unwrap().newer, [""; 0]);
    all_passed(&perform(&rig, &run, &third).await);
    assert_eq!((rig.read("a.txt"), rig.read("gone.txt")), ("a, not committed\n".into(), "gone\n".into()));
}

#[tokio::test]
async fn a_command_that_left_the_tree_as_it_was_needs_no_backup() {
    let rig = checkout();
    let run = run(&rig, &WORK[1..]).await.run;
    let rollback = planned(&rig, &run, None, false).await;
    assert!(rollback.plan.is_none() && rollback.restoration.is_none());
    assert_eq!(rollback.irreversible[0].task.as_str(), "build");
}

/// Waits until what is written gets a time after that of journals: the clock of files goes in steps, and lags behind by up to one.
fn files_are_later_than_now(rig: &Rig) {
    let (now, probe) = (jiff::Timestamp::now().as_nanosecond(), rig.home.join("probe"));
    for attempt in 0_u32.. {
        fs::write(&probe, attempt.to_string()).unwrap();
        let probed = fs::metadata(&probe).unwrap();
        if i128::from(probed.ctime()) * 1_000_000_000 + i128::from(probed.ctime_nsec()) > now {
            return;
        }
        assert!(attempt < 10_000, "the clock of files stands still");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[tokio::test]
async fn newer_work_is_not_replaced_unasked() {
    let rig = checkout();
    let run = run(&rig, &WORK[..1]).await.run;
    files_are_later_than_now(&rig);
    rig.write("new.txt", "mine by now\n");
    rig.write("mine.txt", "mine\n");
    let rollback = planned(&rig, &run, None, false).await;
    let restoration = rollback.restoration.as_ref().unwrap();
    assert_eq!(restoration.newer, ["mine.txt", "new.txt"]);
    let refused = perform(&rig, &run, &rollback).await;
    assert_eq!(refused.state.count(Outcome::Failed), 1);
    assert_eq!((rig.read("new.txt"), rig.read("a.txt")), ("mine by now\n".into(), "edited\n".into()));

    // Half a restoration is none.
    let forced = planned(&rig, &run, None, true).await;
    let forced = perform(&rig, &run, &forced).await;
    all_passed(&forced);
    assert_eq!(rig.read("a.txt"), "a, not committed\n");
    assert!(!rig.root.join("mine.txt").exists());
    assert_eq!(rig.git(&["show", "refs/before-rollback/1/files:mine.txt"]), "mine");
    // It comes back with the rollback of the rollback.
    let back = planned(&rig, &forced.run, None, false).await;
    all_passed(&perform(&rig, &forced.run, &back).await);
    assert_eq!((rig.read("mine.txt"), rig.read("new.txt")), ("mine\n".into(), "mine by now\n".into()));
}

#[tokio::test]
async fn commits_of_commands_go_back_and_those_of_people_do_not() {
    let rig = checkout();
    let before = rig.git(&["rev-parse", "main"]);
    let run = run(&rig, &[("commit", "git commit -q -a -m 'chore: by a command'")]).await.run;
    let after = rig.git(&["rev-parse", "main"]);
    let rollback = planned(&rig, &run, None, false).await;
    assert_eq!(rollback.restoration.as_ref().unwrap().changes, ["refs/heads/main goes back to where it was"]);
    all_passed(&perform(&rig, &run, &rollback).await);
    assert_eq!(
        (rig.git(&["rev-parse", "main"]), rig.git(&["status", "--porcelain"])),
        (before, " M a.txt".into())
    );
    assert_eq!(rig.git(&["rev-parse", "refs/before-rollback/1/heads/main"]), after);

    let rig = checkout();
    let run = self::run(&rig, &WORK[..1]).await.run;
    // Git counts whole seconds.
    let later = jiff::Timestamp::now().as_second() + 5;
    rig.git(&["add", "-A"]);
    let line = format!("GIT_COMMITTER_DATE='@{later}' git commit -q -m 'feat: mine'");
    assert!(rig.command("sh", &["-c", &line], &rig.root).status.success());
    let newer = planned(&rig, &run, None, false).await.restoration.unwrap().newer;
    assert!(newer.contains(&"refs/heads/main".to_owned()), "{newer:?}");
}

#[tokio::test]
async fn a_backup_of_before_what_is_to_stay_is_not_restored() {
    let rig = checkout();
    let run = run(&rig, &[WORK[0], ("more", "echo more > more.txt")]).await.run;
    let rollback = planned(&rig, &run, Some("more"), false).await;
    assert!(rollback.plan.is_none() && rollback.restoration.is_none());
    assert_eq!(rollback.irreversible[0].task.as_str(), "more");
    assert!(planned(&rig, &run, Some("edit"), false).await.restoration.is_some());
}

#[tokio::test]
async fn a_backup_that_is_damaged_is_not_restored() {
    let rig = checkout();
    let run = run(&rig, &WORK).await.run;
    let rollback = planned(&rig, &run, None, false).await;
    let archive = archive(&rig, &rollback.restoration.as_ref().unwrap().name);
    let mut bytes = fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).unwrap();
    let failed = perform(&rig, &run, &rollback).await;
    assert_eq!(failed.state.count(Outcome::Failed), 1);
    assert_eq!(rig.read("a.txt"), "edited\n");
    assert_eq!(
        fs::read_dir(rig.root.join("backups")).unwrap().count(),
        2,
        "no backup was made of what stays"
    );
}

/// Files that the journal itself can undo, and that a command changed since, come from the backup; others do not.
#[tokio::test]
async fn the_journal_and_the_backup_do_not_get_in_each_others_way() {
    let rig = checkout();
    let orchestrator = orchestrator(&rig);
    let mut backup = PhaseSpec::new(PhaseName::new("restart_backup").unwrap());
    backup.uses = Some("standard".into());
    let render = |id: &str, to: &str| {
        let write = json!({ "write": { "path": to, "content": { "text": "made\n" } } });
        TaskSpec::new(
            TaskId::new(id).unwrap(),
            AgentName::new("acts").unwrap(),
            json!({ "rounds": [[write]] }),
        )
    };
    let tasks = vec![
        render("kept", "kept.txt"),
        render("touched", "touched.txt"),
        command("edit", "echo >> touched.txt"),
    ];
    let work = PhaseSpec::new(PhaseName::new("work").unwrap()).group(group(tasks));
    let plan = orchestrator.plan(&Pipeline::new("test").phase(backup).phase(work)).unwrap();
    let record = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    all_passed(&record);
    let rollback = planned(&rig, &record.run, None, false).await;
    let restoration = rollback.restoration.as_ref().unwrap();
    assert_eq!((restoration.changes.len(), restoration.instead_of.len()), (2, 2), "{restoration:?}");
    all_passed(&perform(&rig, &record.run, &rollback).await);
    assert!(!rig.root.join("kept.txt").exists() && !rig.root.join("touched.txt").exists());
    let again = planned(&rig, &record.run, None, false).await;
    assert!(again.plan.is_none() && again.left_out.len() == 3, "{:?}", again.left_out);

    // Without the command, the journal is enough.
    let tasks = vec![render("kept", "kept.txt"), command("build", "mkdir -p target; echo > target/x")];
    let mut backup = PhaseSpec::new(PhaseName::new("restart_backup").unwrap());
    backup.uses = Some("standard".into());
    let work = PhaseSpec::new(PhaseName::new("work").unwrap()).group(group(tasks));
    let plan = orchestrator.plan(&Pipeline::new("test").phase(backup).phase(work)).unwrap();
    let record = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    all_passed(&record);
    let rollback = planned(&rig, &record.run, None, false).await;
    assert!(rollback.restoration.is_none() && rollback.steps.len() == 1);
    assert!(matches!(rollback.steps[0].undo[..], [Action::Remove(_)]));
}
