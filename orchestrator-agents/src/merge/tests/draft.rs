use std::collections::BTreeMap;

use orchestrator_core::path::RelPath;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::project::{Found, Git, Project, Stack};
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
    let (full, notes) = drafted(&MergeIntegration, true, true, with.clone());
    assert_eq!(
        full,
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
    assert!(matches!(&*notes, [note] if note.contains("what is merged will not land")), "{notes:?}");
    let (ids, notes) = drafted(&MergeIntegration, true, false, Value::Null);
    assert_eq!(
        (ids.join(" "), notes.len()),
        ("candidate version changelog check-merged tag land".to_owned(), 1)
    );
    for validate in [json!([]), json!(["make test"])] {
        let mut with = with.clone();
        with["validate"] = validate;
        assert_eq!(drafted(&MergeIntegration, true, true, with), (full.clone(), Vec::new()));
    }
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

fn found(stack: Stack, folder: &str, scripts: &[(&str, &str)], tools: &[&str]) -> Found {
    let folder = RelPath::new(folder).unwrap();
    let manifest = folder.join("manifest").unwrap();
    let scripts = scripts.iter().map(|(name, line)| ((*name).into(), (*line).into())).collect();
    let tools = tools.iter().map(|&tool| tool.into()).collect();
    Found { stack, folder, manifest, name: None, version: None, scripts, requires: [].into(), tools }
}

/// What is run on what lands where a project has these stacks, and what is said of it.
fn checks(stacks: Vec<Found>, with: &Value) -> (Vec<Value>, String) {
    let git = Git { main: Some("main".into()), head: Some("2fc9a99c".into()), ..Git::default() };
    let remotes = BTreeMap::from([("origin".into(), "x".into())]);
    let project = Project { git: Some(Git { remotes, ..git }), stacks, ..Project::default() };
    let settings = Settings::default();
    let mut draft = Draft::new(&settings, with);
    MergeIntegration.draft(&project, &mut draft).unwrap();
    let (groups, notes) = draft.finish();
    let tasks = groups.iter().flat_map(|group| &group.tasks);
    let configs = tasks.filter(|task| ["check-merged", "push"].contains(&task.id.as_str()));
    (
        configs.map(|task| task.config().parse::<Value>().unwrap()["validate"].clone()).collect(),
        notes.join("\n"),
    )
}

#[test]
fn the_tests_of_known_stacks_are_run_on_what_is_merged() {
    let with = json!({ "branches": ["a"] });
    let (configs, note) = checks(vec![found(Stack::Cargo, ".", &[], &[])], &with);
    let cargo = json!(["cargo", "test", "--workspace"]);
    assert_eq!(configs, [json!([cargo]), json!([cargo])]);
    assert_eq!(note, "no `validate` is named: what is merged is checked by `cargo test --workspace`");

    let stacks = vec![
        found(Stack::Npm, ".", &[("test", "vitest run")], &["yarn"]),
        found(Stack::Npm, "web", &[("test", "echo no test specified")], &[]),
        found(Stack::Python, "a", &[], &["uv", "pytest"]),
        found(Stack::Python, "b", &[], &[".venv/bin/python3", "pytest"]),
        found(Stack::Php, "c", &[], &["phpunit"]),
        found(Stack::Go, "d", &[], &[]),
    ];
    let (configs, note) = checks(stacks, &with);
    let install =
        "if [ -f yarn.lock ]; then yarn install --frozen-lockfile; else yarn install --no-lockfile; fi";
    let expected = json!([
        install,
        ["yarn", "run", "test"],
        { "run": ["uv", "run", "python3", "-m", "pytest"], "cwd": "a" },
        { "run": ["composer", "--no-interaction", "install"], "cwd": "c" },
        { "run": ["vendor/bin/phpunit"], "cwd": "c" },
        { "run": ["go", "test", "./..."], "cwd": "d" },
    ]);
    assert_eq!(configs, [expected.clone(), expected]);
    assert!(note.ends_with("; nothing is known that checks `web/manifest`, `b/manifest`"), "{note}");

    // What is not merged was checked where it is checked out; what is named is what is meant.
    let cargo = || vec![found(Stack::Cargo, ".", &[], &[])];
    assert_eq!(checks(cargo(), &json!({})), (vec![Value::Null; 2], String::new()));
    let meant = json!({ "branches": ["a"], "validate": [] });
    assert_eq!(checks(cargo(), &meant), (vec![json!([]); 2], String::new()));
}
