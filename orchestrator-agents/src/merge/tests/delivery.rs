//! Backup and release as a user runs them: through the orchestrator, dry first, then for real, then back.

use orchestrator_core::effect::Effect;
use orchestrator_core::id::PhaseName;
use orchestrator_core::local::Local;
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::outcome::Outcome;
use orchestrator_core::pipeline::{PhaseSpec, Pipeline};
use orchestrator_core::report::RunRecord;
use orchestrator_core::settings::Settings;
use orchestrator_core::store::jsonl::JsonlStore;
use serde_json::{Value, json};

use super::*;

pub(super) fn phase(name: &str, with: Value) -> PhaseSpec {
    let mut phase = PhaseSpec::new(PhaseName::new(name).unwrap());
    phase.uses = Some("standard".into());
    phase.with = with;
    phase
}

pub(super) fn outcomes(record: &RunRecord) -> Vec<(String, Option<Outcome>, String)> {
    let tasks = record.plan().tasks().iter().zip(record.state.tasks());
    tasks
        .map(|(planned, task)| {
            let end = task.end.as_ref().unwrap();
            let summary = end.conclusion.as_ref().map(|conclusion| conclusion.summary.clone());
            let why = end.failure.as_ref().map(ToString::to_string);
            (planned.id.to_string(), task.outcome(), summary.or(why).unwrap_or_default())
        })
        .collect()
}

#[tokio::test]
async fn a_release_goes_out_and_its_local_part_comes_back() {
    let rig = Rig::new();
    let remote = rig.remote();
    rig.write(".gitignore", "cache/\n");
    rig.write("cache/x", "x\n");
    rig.commit("chore: ignore");
    rig.branch("feature", "new.txt", "new\n", "feat: new");
    let state = rig.root.join(".orchestrate");
    let executor = Local::new(&rig.root).state(&state).environment(rig.env.clone());
    let orchestrator = Orchestrator::new(executor, JsonlStore::open(&state).unwrap())
        .settings(Settings { min_free_disk: 1, ..Settings::default() })
        .agents(crate::standard());
    let pipeline =
        Pipeline::new("delivery").phase(phase("restart_backup", json!({ "caches": ["cache"] }))).phase(
            phase("merge_integration", json!({ "branches": ["feature"], "validate": ["test -f new.txt"] })),
        );
    let plan = orchestrator.plan(&pipeline).unwrap();
    let old = rig.git(&["rev-parse", "main"]);

    let dry = orchestrator.run(&plan, Effect::Reads).await.unwrap();
    let withheld = dry.withheld().to_string();
    for shown in ["call create-backup", "call merge-branch", "chore(release): v0.1.0", "call push-release"] {
        assert!(withheld.contains(shown), "{shown} in {withheld}");
    }
    let preview = outcomes(&dry).into_iter().find(|(id, _, _)| id == "preview-merge").unwrap();
    assert_eq!((preview.1, &*preview.2), (Some(Outcome::Passed), "feature merges without conflict"));
    assert_eq!(rig.git(&["for-each-ref", "refs/orchestrate"]), "");
    assert_eq!(rig.git(&["rev-parse", "main"]), old);
    assert!(!rig.root.join("backups").exists() && rig.root.join("cache/x").exists());
    assert_eq!(rig.git(&["status", "--porcelain"]), "");

    let real = orchestrator.run(&plan, Effect::Publishes).await.unwrap();
    let ended = outcomes(&real);
    assert!(ended.iter().all(|(_, outcome, _)| *outcome == Some(Outcome::Passed)), "{ended:#?}");
    assert_eq!(rig.git_at(&remote, &["rev-parse", "main"]), rig.git(&["rev-parse", "main"]));
    assert_eq!(rig.git_at(&remote, &["tag"]).lines().count(), 2);
    assert!(!rig.root.join("cache").exists() && rig.root.join("CHANGELOG.md").exists());
    assert_eq!(rig.git(&["status", "--porcelain"]), "");

    let back = orchestrator.rollback(&real.run).await.unwrap();
    let undone = orchestrator.run(&back.plan.unwrap(), Effect::Writes).await.unwrap();
    let ended = outcomes(&undone);
    assert!(ended.iter().all(|(_, outcome, _)| *outcome == Some(Outcome::Passed)), "{ended:#?}");
    assert_eq!((rig.git(&["rev-parse", "main"]), rig.git(&["tag"])), (old, String::new()));
    assert_eq!(rig.git(&["for-each-ref", "refs/orchestrate"]), "");
    assert!(rig.root.join("backups").exists(), "a backup survives a rollback");
}
