use std::collections::BTreeMap;

use insta::assert_snapshot;
use orchestrator_core::path::RelPath;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::project::{Found, Project, Stack};
use orchestrator_core::settings::Settings;
use serde_json::{Value, json};

use crate::codegen::phase::CodeGeneration;
use crate::validation::phase::BuildValidation;

fn drafted(phase: &dyn Phase, stacks: Vec<Found>, with: &Value) -> String {
    let settings = Settings::default();
    let mut draft = Draft::new(&settings, with);
    phase.draft(&Project { stacks, ..Project::default() }, &mut draft).unwrap();
    let (groups, notes) = draft.finish();
    let mut text = String::new();
    for group in groups {
        for task in group.tasks {
            text += &format!("{} {}: {} {}\n", group.name, task.id, task.agent, task.config());
        }
    }
    for note in notes {
        text += &format!("note: {note}\n");
    }
    text
}

fn found(stack: Stack, folder: &str, scripts: &[(&str, &str)], tools: &[&str]) -> Found {
    let folder = RelPath::new(folder).unwrap();
    let manifest = folder.join("manifest").unwrap();
    let scripts: BTreeMap<_, _> = scripts.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let tools = tools.iter().map(|&tool| tool.into()).collect();
    Found { stack, folder, manifest, name: None, version: None, scripts, tools }
}

#[test]
fn drafts_what_the_project_uses() {
    let stacks = vec![
        found(Stack::Cargo, ".", &[], &[]),
        found(Stack::Npm, "web", &[("lint", "eslint ."), ("test", "vitest run"), ("dev", "vite")], &["pnpm"]),
        found(Stack::Python, "tools", &[], &["uv", "ruff"]),
        found(Stack::Go, "svc", &[], &[]),
    ];
    assert_snapshot!(drafted(&BuildValidation, stacks, &json!({"profile": "release"})), @"");
}

#[test]
fn says_what_is_left_out() {
    let init = "echo \"Error: no test specified\" && exit 1";
    let mut all =
        drafted(&BuildValidation, vec![found(Stack::Npm, ".", &[("test", init)], &[])], &Value::Null);
    all += &drafted(&BuildValidation, Vec::new(), &Value::Null);
    let both = vec![found(Stack::Cargo, ".", &[], &[]), found(Stack::Php, ".", &[], &["phpunit"])];
    all += &drafted(&BuildValidation, both, &Value::Null);
    all += &drafted(&CodeGeneration, Vec::new(), &Value::Null);
    all += &drafted(
        &CodeGeneration,
        Vec::new(),
        &json!({"spec": "a.yaml", "templates": [{"template": "t", "to": "x"}]}),
    );
    assert_snapshot!(all, @"");
}

#[test]
fn unknown_options_are_errors() {
    let settings = Settings::default();
    let with = json!({"profil": "x"});
    let mut draft = Draft::new(&settings, &with);
    let error = BuildValidation.draft(&Project::default(), &mut draft).unwrap_err();
    assert!(error.to_string().contains("unknown field `profil`"), "{error}");
}
