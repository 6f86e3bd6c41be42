//! Snapshots that are listed, kept and removed; also through the phase, as people run it.

use std::collections::BTreeSet;

use orchestrator_core::effect::Effect;
use orchestrator_core::id::{AgentName, GroupName, PhaseName, TaskId};
use orchestrator_core::local::Local;
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::outcome::Outcome;
use orchestrator_core::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use orchestrator_core::report::RunRecord;
use orchestrator_core::settings::Settings;
use orchestrator_core::store::{JsonlStore, Store};
use serde_json::{Value, json};

use super::*;
use crate::backup::keep::{Held, Keep};
use crate::backup::ops::{Listed, RemoveBackups, RemoveInput, listed};

async fn made(rig: &Rig, name: &str, index: u32) -> Snapshot {
    let input = SnapshotInput { to: path("backups"), name: name.into(), include: vec![], databases: vec![] };
    rig.call_as(CreateBackup, input, index).await.unwrap()
}

async fn list(rig: &Rig) -> Listed {
    listed(&rig.root, &rig.root.join(".orchestrate"), &path("backups")).await.unwrap()
}

fn names(rig: &Rig) -> BTreeSet<String> {
    let entries = fs::read_dir(rig.root.join("backups")).unwrap().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name != ".gitignore")
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn orchestrator(rig: &Rig) -> Orchestrator {
    let state = rig.root.join(".orchestrate");
    let executor = Local::new(&rig.root).state(&state).environment(rig.env.clone());
    Orchestrator::new(executor, JsonlStore::open(&state).unwrap())
        .settings(Settings { min_free_disk: 1, ..Settings::default() })
        .agents(crate::standard())
}

async fn run(rig: &Rig, pipeline: &Pipeline, ceiling: Effect) -> RunRecord {
    let orchestrator = orchestrator(rig);
    orchestrator.run(&orchestrator.plan(pipeline).unwrap(), ceiling).await.unwrap()
}

fn phase(with: Value) -> Pipeline {
    let mut phase = PhaseSpec::new(PhaseName::new("restart_backup").unwrap());
    phase.uses = Some("standard".into());
    phase.with = with;
    Pipeline::new("delivery").phase(phase)
}

fn prune(keep: Value) -> Pipeline {
    let task = TaskSpec::new(
        TaskId::new("prune").unwrap(),
        AgentName::new("prune-backups").unwrap(),
        json!({ "keep": keep }),
    );
    let group = GroupSpec::new(GroupName::new("main").unwrap()).task(task);
    Pipeline::new("house").phase(PhaseSpec::new(PhaseName::new("house").unwrap()).group(group))
}

fn findings(record: &RunRecord, task: &str) -> Vec<String> {
    let (planned, tasks) = (record.plan().tasks(), record.state.tasks());
    let (_, task) = planned.iter().zip(tasks).find(|(planned, _)| planned.id.as_str() == task).unwrap();
    let conclusion = task.end.as_ref().unwrap().conclusion.as_ref().unwrap();
    conclusion.findings.iter().map(|finding| finding.message.clone()).collect()
}

fn all_passed(record: &RunRecord) -> bool {
    record.state.tasks().iter().all(|task| task.outcome() == Some(Outcome::Passed))
}

#[tokio::test]
async fn a_list_tells_what_is_there_and_what_is_wrong() {
    let rig = Rig::new();
    assert_eq!(list(&rig).await, Listed::default());
    let one = made(&rig, "2026-11-01-100000", 1).await;
    let two = made(&rig, "2026-11-02-100000", 2).await;
    made(&rig, "2026-11-03-100000", 3).await;
    verify(&rig, &one).await.unwrap();
    rig.write("backups/notes/x", "x\n");
    rig.write("backups/.partial-2026-11-04-100000/manifest.json", "{");
    let linked = rig.root.join("backups/2026-11-03-100000/shared");
    fs::hard_link(archive(&rig, "backups/2026-11-02-100000"), &linked).unwrap();
    rig.write("backups/2026-11-05-100000/manifest.json", "not JSON");
    let Listed { shelf, held } = list(&rig).await;
    let [first, second, third, broken] = shelf.snapshots.as_slice() else { panic!("{shelf:?}") };
    assert_eq!(first.at.to_string(), "2026-11-01T10:00:00Z");
    let holds = first.holds.clone().unwrap();
    assert_eq!((holds.files, holds.head, holds.refs), (one.files, one.head, true));
    assert!(first.verified.as_ref().is_some_and(|verified| verified.restore_ms > 0.0));
    assert!(second.verified.is_none() && second.bytes == second.added && second.bytes >= two.bytes);
    assert!(third.added < third.bytes, "the shared part counts once: {third:?}");
    assert_eq!(shelf.bytes, shelf.snapshots.iter().map(|known| known.added).sum::<u64>());
    assert!(broken.damaged.as_ref().is_some_and(|why| why.contains("manifest.json")), "{broken:?}");
    assert_eq!(
        (shelf.strangers, shelf.leftovers),
        (vec!["notes".into()], vec![".partial-2026-11-04-100000".into()])
    );
    assert_eq!(held, [("2026-11-01-100000".to_owned(), Held::NewestVerified)].into());
    fs::write(archive(&rig, "backups/2026-11-01-100000"), "cut").unwrap();
    let Listed { shelf, held } = list(&rig).await;
    assert!(shelf.snapshots[0].damaged.as_ref().is_some_and(|why| why.contains("3 bytes instead of")));
    assert!(held.is_empty(), "one that is damaged is no verified one");
}

#[tokio::test]
async fn only_what_no_rule_keeps_goes() {
    let rig = Rig::new();
    for (index, day) in (1..).zip(["01", "02", "09", "20", "21"]) {
        made(&rig, &format!("2026-11-{day}-100000"), index).await;
    }
    let verified = made(&rig, "2026-11-01-090000", 9).await;
    verify(&rig, &verified).await.unwrap();
    rig.write("backups/notes/x", "x\n");
    rig.write("backups/2026-10-01-100000/manifest.json", "not JSON");
    let before = names(&rig);
    let none = run(&rig, &prune(Value::Null), Effect::Writes).await;
    assert!(all_passed(&none) && names(&rig) == before, "without a policy all stay");
    let policy = json!({ "last": 1, "weekly": 2 });
    let dry = run(&rig, &prune(policy.clone()), Effect::Reads).await;
    let withheld = dry.withheld().to_string();
    assert!(
        withheld.contains(r#""remove":["2026-11-01-100000","2026-11-02-100000","2026-11-20-100000"]"#),
        "{withheld}"
    );
    assert_eq!(names(&rig), before);
    let real = run(&rig, &prune(policy.clone()), Effect::Writes).await;
    assert!(all_passed(&real));
    let said = findings(&real, "prune").join("\n");
    for line in [
        "2026-11-02-100000 removed: no rule keeps it",
        "2026-11-01-090000 stays: the newest that was verified",
        "2026-10-01-100000 stays: damaged",
        "2026-11-21-100000 stays: last, weekly 2026-W47",
        "notes left alone: it is no backup",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    // Week 47 begins on the 16th and has the 20th and the 21st; the other week with one is that of the 9th.
    let left = ["2026-10-01-100000", "2026-11-01-090000", "2026-11-09-100000", "2026-11-21-100000", "notes"];
    assert_eq!(names(&rig), set(&left));
    assert!(all_passed(&run(&rig, &prune(policy), Effect::Writes).await));
    assert_eq!(names(&rig), set(&left));
    let nothing = run(&rig, &prune(json!({})), Effect::Writes).await;
    assert!(!all_passed(&nothing), "a policy that keeps nothing is refused");
}

#[tokio::test]
async fn what_was_cut_off_is_finished_and_what_is_needed_by_now_stays() {
    let rig = Rig::new();
    for (index, name) in (1..).zip(["2026-11-01-100000", "2026-11-02-100000", "2026-11-03-100000"]) {
        made(&rig, name, index).await;
    }
    // Killed after the rename.
    fs::rename(rig.root.join("backups/2026-11-01-100000"), rig.root.join("backups/.gone-2026-11-01-100000"))
        .unwrap();
    // Named by a run that began since: its plan is all that there is of it.
    let store = JsonlStore::open(rig.root.join(".orchestrate")).unwrap();
    let run = orchestrator_core::id::RunId::new("20261121000000-00000001").unwrap();
    store.create(&run, br#"{"restores": "backups/2026-11-02-100000"}"#).await.unwrap();
    let input = RemoveInput {
        of: path("backups"),
        keep: Keep { last: 1, ..Keep::default() },
        remove: ["2026-11-01-100000", "2026-11-02-100000", "2026-11-03-100000", "../src"]
            .map(str::to_owned)
            .into(),
    };
    let removed = rig.call(RemoveBackups, input).await.unwrap();
    assert_eq!(removed.stayed["2026-11-02-100000"], format!("run {run} can be resumed and may need it"));
    assert_eq!(removed.stayed["2026-11-03-100000"], "last");
    assert_eq!(removed.gone, ["2026-11-01-100000", "../src"], "neither is there");
    assert_eq!(names(&rig), set(&["2026-11-02-100000", "2026-11-03-100000"]));
}

#[tokio::test]
async fn the_phase_keeps_by_its_policy_and_never_its_own() {
    let rig = Rig::new();
    rig.write(".gitignore", "target/\n*.pid\n");
    rig.write("Cargo.toml", "");
    rig.commit("chore: stack");
    rig.write("target/debug/incremental/a", "x\n");
    rig.write("app.pid", "1999999999\n");
    let with = json!({ "keep": { "last": 1 }, "known_caches": true, "pid_files": ["app.pid"] });
    for old in ["2026-01-01-100000", "2026-01-02-100000"] {
        made(&rig, old, if old.contains("01-01") { 1 } else { 2 }).await;
    }
    let dry = run(&rig, &phase(with.clone()), Effect::Reads).await;
    let withheld = dry.withheld().to_string();
    for shown in [
        "call remove-leftovers",
        "app.pid",
        "call create-backup",
        "call remove-backups",
        "2026-01-01-100000",
        r#"call clear-paths {"paths":["target/debug/incremental"],"bytes":"#,
    ] {
        assert!(withheld.contains(shown), "{shown} in {withheld}");
    }
    assert!(rig.root.join("app.pid").exists() && names(&rig).len() == 2);
    let real = run(&rig, &phase(with), Effect::Writes).await;
    let ended: Vec<_> = real.state.tasks().iter().map(|task| task.end.clone()).collect();
    assert!(all_passed(&real), "{ended:#?}");
    assert!(!rig.root.join("app.pid").exists() && !rig.root.join("target/debug/incremental").exists());
    let [own] = <[String; 1]>::try_from(names(&rig).into_iter().collect::<Vec<_>>()).unwrap();
    let said = findings(&real, "prune-backups").join("\n");
    assert!(said.contains(&format!("{own} stays: run {} is under way, last", real.run)), "{said}");
    let held = list(&rig).await.held;
    assert_eq!(held[&own], Held::Delivery { run: real.run.to_string() });
}

#[test]
fn a_policy_that_keeps_nothing_is_an_error_of_the_plan() {
    let rig = Rig::new();
    let error = orchestrator(&rig).plan(&phase(json!({ "keep": {} }))).unwrap_err().to_string();
    assert!(error.contains("keeps nothing"), "{error}");
    let error = orchestrator(&rig).plan(&phase(json!({ "keep": { "lats": 3 } }))).unwrap_err().to_string();
    assert!(error.contains("lats"), "{error}");
}
