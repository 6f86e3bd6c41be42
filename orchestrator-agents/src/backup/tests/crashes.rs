//! The phase, cut off at every boundary of its journal and resumed: one snapshot, verified, with its script.

use orchestrator_core::effect::Effect;
use orchestrator_core::event::RunOutcome;
use orchestrator_core::id::PhaseName;
use orchestrator_core::local::Local;
use orchestrator_core::orchestrator::{Orchestrator, RunOptions};
use orchestrator_core::pipeline::{PhaseSpec, Pipeline};
use orchestrator_core::settings::Settings;
use orchestrator_core::state::RunStatus;
use orchestrator_core::store::Store;
use orchestrator_core::store::jsonl::JsonlStore;

use super::*;
use orchestrator_core::testkit::Dying;

fn orchestrator(rig: &Rig, store: impl Store + 'static) -> Orchestrator {
    let state = rig.root.join(".orchestrate");
    Orchestrator::new(Local::new(&rig.root).state(state).environment(rig.env.clone()), store)
        .settings(Settings { min_free_disk: 1, ..Settings::default() })
        .agents(crate::standard())
}

/// Runs the phase with a process that dies at that append, then goes on. Whether it died.
async fn cut_off(at: u64, told: bool) -> bool {
    let rig = Rig::new();
    rig.write("src/main.rs", "fn main() {}\n");
    rig.write(".gitignore", "cache/\n");
    rig.commit("feat: main");
    rig.write("cache/x", "x\n");
    let head = rig.git(&["rev-parse", "HEAD"]);
    let mut phase = PhaseSpec::new(PhaseName::new("restart_backup").unwrap());
    phase.uses = Some("standard".into());
    phase.with = serde_json::json!({ "caches": ["cache"] });
    let pipeline = Pipeline::new("backup").phase(phase);
    let journal = || JsonlStore::open(rig.root.join(".orchestrate")).unwrap();
    let first = orchestrator(&rig, Dying::after(at, told, journal()));
    let plan = first.plan(&pipeline).unwrap();
    let died = first.run(&plan, Effect::Writes).await.is_err();
    drop(first);
    let second = orchestrator(&rig, journal());
    let run = second.runs().await.unwrap().pop();
    let record = match run {
        _ if !died => None,
        Some(run) => match second.resume(&run, RunOptions::new(Effect::Writes)).await {
            // It died before its first record: there is nothing to go on with.
            Err(error) if error.to_string().contains("never began") => None,
            // With its last record it was over.
            Err(error) if error.to_string().contains("is over") => Some(second.status(&run).await.unwrap()),
            resumed => Some(resumed.unwrap_or_else(|error| panic!("append {at}: {error}"))),
        },
        None => None,
    };
    let record = match record {
        Some(record) => record,
        None if died => second.run(&plan, Effect::Writes).await.unwrap(),
        None => return false,
    };
    let status = record.state.status();
    assert_eq!(status, RunStatus::Finished(RunOutcome::Passed), "append {at}, told: {told}");
    let backups = rig.root.join("backups");
    let mut names: Vec<String> = fs::read_dir(&backups)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!((names.len(), &*names[0]), (2, ".gitignore"), "append {at}: {names:?}");
    for file in ["verification.json", "rollback.sh", "manifest.json"] {
        assert!(backups.join(&names[1]).join(file).exists(), "append {at}: {file}");
    }
    assert!(!rig.root.join("cache").exists());
    assert_eq!((rig.git(&["rev-parse", "HEAD"]), rig.git(&["status", "--porcelain"])), (head, String::new()));
    assert_eq!(fs::read_dir(rig.root.join(".orchestrate/scratch")).unwrap().count(), 0, "append {at}");
    true
}

async fn cut_off_at_every_boundary(told: bool) {
    let mut at = u64::from(!told);
    while cut_off(at, told).await {
        at += 1;
    }
    assert!(at > 10, "{at} boundaries: that is not the whole phase");
}

#[tokio::test]
async fn cut_off_before_every_boundary_and_resumed_there_is_one_verified_snapshot() {
    cut_off_at_every_boundary(true).await;
}

#[tokio::test]
async fn cut_off_after_every_boundary_and_resumed_there_is_one_verified_snapshot() {
    cut_off_at_every_boundary(false).await;
}
