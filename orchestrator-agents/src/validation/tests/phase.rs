use std::collections::BTreeMap;
use std::fmt::Write as _;

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
            writeln!(text, "{} {}: {} {}", group.name, task.id, task.agent, task.config()).unwrap();
        }
    }
    for note in notes {
        writeln!(text, "note: {note}").unwrap();
    }
    text
}

fn found(stack: Stack, folder: &str, scripts: &[(&str, &str)], tools: &[&str]) -> Found {
    let folder = RelPath::new(folder).unwrap();
    let manifest = folder.join("manifest").unwrap();
    let scripts: BTreeMap<_, _> = scripts.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let tools = tools.iter().map(|&tool| tool.into()).collect();
    Found { stack, folder, manifest, name: None, version: None, scripts, requires: [].into(), tools }
}

#[test]
fn drafts_what_the_project_uses() {
    let stacks = vec![
        found(Stack::Cargo, ".", &[], &[]),
        found(Stack::Npm, "web", &[("lint", "eslint ."), ("test", "vitest run"), ("dev", "vite")], &["pnpm"]),
        found(Stack::Python, "tools", &[], &["uv", "ruff"]),
        found(Stack::Python, "venv", &[], &[".venv/bin/python3", "pytest", "ruff"]),
        found(Stack::Go, "svc", &[], &[]),
    ];
    assert_snapshot!(drafted(&BuildValidation, stacks, &json!({"profile": "release"})), @r#"
    cargo fmt: cargo-fmt {"remedy":"auto","workspace":true}
    cargo clippy: cargo-clippy {"all_targets":true,"deny_warnings":true,"workspace":true}
    cargo build: cargo-build {"profile":"release","workspace":true}
    cargo test: cargo-test {"require_tests":false,"workspace":true}
    npm-web web-install: npm-install {"cwd":"web","manager":"pnpm"}
    npm-web web-lint: npm-script {"cwd":"web","effect":"reads","manager":"pnpm","require_tests":false,"script":"lint","tests":false}
    npm-web web-test: npm-script {"cwd":"web","effect":"reads","manager":"pnpm","require_tests":false,"script":"test","tests":true}
    python-tools tools-compile: python-compile {"cwd":"tools","python":["uv","run","python3"]}
    python-tools tools-ruff: ruff {"cwd":"tools","ruff":["uv","run","ruff"]}
    python-venv venv-compile: python-compile {"cwd":"venv","python":[".venv/bin/python3"]}
    python-venv venv-ruff: ruff {"cwd":"venv","ruff":["ruff"]}
    python-venv venv-test: pytest {"cwd":"venv","python":[".venv/bin/python3"],"require_tests":false}
    go-svc svc-vet: go-vet {"cwd":"svc","packages":["./..."],"require_tests":false}
    go-svc svc-test: go-test {"cwd":"svc","packages":["./..."],"require_tests":false}
    note: python in tools: pytest is neither configured nor a dependency: no tests are run
    "#);
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
    assert_snapshot!(all, @r#"
    note: npm: package.json has no script `lint`, `typecheck`, `build` or `test`
    note: build and validation: no stack found (Cargo, npm, Python, PHP, Go); name tasks yourself
    cargo cargo-fmt: cargo-fmt {"remedy":"auto","workspace":true}
    cargo cargo-clippy: cargo-clippy {"all_targets":true,"deny_warnings":true,"workspace":true}
    cargo cargo-build: cargo-build {"profile":"dev","workspace":true}
    cargo cargo-test: cargo-test {"require_tests":false,"workspace":true}
    php php-test: phpunit {"phpunit":"vendor/bin/phpunit","require_tests":false}
    note: code generation: no spec and no templates given (`with: {spec, templates}`)
    render render: render-templates {"spec":"a.yaml","templates":[{"template":"t","to":"x"}]}
    "#);
}

#[test]
fn unknown_options_are_errors() {
    let settings = Settings::default();
    let with = json!({"profil": "x"});
    let mut draft = Draft::new(&settings, &with);
    let error = BuildValidation.draft(&Project::default(), &mut draft).unwrap_err();
    assert!(error.to_string().contains("unknown field `profil`"), "{error}");
}
