use std::collections::BTreeMap;

use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::project::{Git, Project};
use orchestrator_core::settings::Settings;
use serde_json::{Value, json};

use crate::backup::RestartBackup;
use crate::merge::MergeIntegration;

fn drafted(phase: &dyn Phase, git: bool, remote: bool, with: Value) -> (Vec<String>, Vec<String>) {
    let remotes = if remote { BTreeMap::from([("origin".into(), "x".into())]) } else { BTreeMap::new() };
    let head = Some("2fc9a99c".into());
    let git = git.then(|| Git { main: Some("main".into()), head, remotes, ..Git::default() });
    drafted_for(phase, Project { git, ..Project::default() }, &with)
}

fn drafted_for(phase: &dyn Phase, project: Project, with: &Value) -> (Vec<String>, Vec<String>) {
    let settings = Settings::default();
    let mut draft = Draft::new(&settings, with);
    phase.draft(&project, &mut draft).unwrap();
    let (groups, notes) = draft.finish();
    let registry = crate::standard();
    let tasks = groups.iter().flat_map(|group| &group.tasks);
    let ids = tasks.map(|task| {
        registry.agents()[&task.agent].check(&task.config()).unwrap();
        task.id.to_string()
    });
    (ids.collect(), notes)
}

#[test]
fn a_release_is_drafted_as_far_as_it_can_go() {
    let squashed = json!({ "branch": "b", "strategy": "squash", "message": "feat: b" });
    let rules = json!([{ "paths": ["docs"], "use": "ours" }]);
    let with = json!({ "branches": ["feature/x", squashed], "bump": true, "rules": rules, "builtin": { "mergiraf": false } });
    let (ids, notes) = drafted(&MergeIntegration, true, true, with.clone());
    assert_eq!(
        ids,
        [
            "preview-merge",
            "candidate",
            "merge-feature-x",
            "merge-b",
            "version",
            "changelog",
            "check-merged",
            "tag",
            "push",
            "land"
        ]
    );
    assert!(notes.is_empty());
    let (ids, notes) = drafted(&MergeIntegration, true, false, Value::Null);
    assert_eq!(
        (ids.join(" "), notes.len()),
        ("candidate version changelog check-merged tag land".to_owned(), 1)
    );
    let (ids, notes) = drafted(&MergeIntegration, false, false, with);
    assert_eq!((ids.len(), notes.len()), (0, 1));
}

#[test]
fn there_is_nothing_to_release_before_the_first_commit() {
    let project = Project { git: Some(Git::default()), ..Project::default() };
    let (ids, notes) = drafted_for(&MergeIntegration, project, &Value::Null);
    assert_eq!((ids.len(), notes.len()), (0, 1));
    assert!(notes[0].contains("no commit yet"), "{notes:?}");
}

#[test]
fn a_backup_is_always_drafted() {
    let (ids, notes) =
        drafted(&RestartBackup, true, false, json!({ "caches": ["target"], "min_free": "2 GB" }));
    assert_eq!(
        ids,
        ["reset-environment", "check-disk", "backup", "verify-backup", "rollback-script", "clear-caches"]
    );
    assert!(notes.is_empty());
    assert_eq!(drafted(&RestartBackup, false, false, Value::Null).1.len(), 1);
}

#[test]
fn names_are_valid() {
    let operations = crate::standard().operations().unwrap();
    assert!(operations.iter().any(|operation| operation.name().as_str() == "merge-branch"));
}
