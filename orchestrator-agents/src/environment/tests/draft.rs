use std::fmt::Write as _;

use insta::assert_snapshot;
use orchestrator_core::id::TaskId;
use orchestrator_core::path::RelPath;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::project::{Found, Git, Project, Stack};
use orchestrator_core::settings::{Remedies, Settings};
use serde_json::{Value, json};

use crate::environment::Environment;

fn found(stack: Stack, manifest: &str, requires: &[(&str, &str)], tools: &[&str]) -> Found {
    let manifest = RelPath::new(manifest).unwrap();
    let folder = manifest.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder = RelPath::new(folder).unwrap_or_default();
    let requires = requires.iter().map(|(tool, range)| ((*tool).to_owned(), (*range).to_owned())).collect();
    let tools = tools.iter().map(|tool| (*tool).to_owned()).collect();
    Found { stack, folder, manifest, name: None, version: None, scripts: [].into(), requires, tools }
}

fn drafted(stacks: Vec<Found>, with: &Value) -> Result<String, String> {
    let project = Project { name: "x".into(), git: Some(Git::default()), stacks };
    let settings = Settings { remedies: Remedies::Off, ..Settings::default() };
    let mut draft = Draft::new(&settings, with);
    Environment.draft(&project, &mut draft).map_err(|error| error.to_string())?;
    let (groups, notes) = draft.finish();
    let mut text = String::new();
    for group in groups {
        for task in group.tasks {
            let needs: Vec<&str> = task.needs.iter().map(TaskId::as_str).collect();
            writeln!(text, "{} {}: {} {} {needs:?}", group.name, task.id, task.agent, task.with).unwrap();
        }
    }
    for note in notes {
        writeln!(text, "note: {note}").unwrap();
    }
    Ok(text)
}

#[test]
fn each_stack_gets_its_checks() {
    let stacks = vec![
        found(Stack::Cargo, "Cargo.toml", &[("rustc", ">=1.85")], &[]),
        found(Stack::Npm, "package.json", &[("node", ">=20")], &[]),
        found(Stack::Npm, "web/package.json", &[("node", "^22")], &["pnpm"]),
        found(Stack::Python, "api/pyproject.toml", &[("python", ">=3.11")], &["uv"]),
        found(Stack::Python, "job/requirements.txt", &[], &["venv/bin/python3"]),
        found(Stack::Python, "lib/pyproject.toml", &[("python", ">=3.9")], &[]),
        found(Stack::Php, "shop/composer.json", &[("php", "^8.1")], &[]),
        found(Stack::Go, "cmd/go.mod", &[("go", ">=1.22")], &[]),
    ];
    assert_snapshot!(drafted(stacks, &Value::Null).unwrap(), @r#"
    tools check-git: check-tool {"tool":"git"} []
    tools check-rustc: check-tool {"declared":"Cargo.toml","requires":">=1.85","tool":"rustc"} []
    tools check-cargo: check-tool {"tool":"cargo"} []
    tools check-node: check-tool {"declared":"package.json","requires":">=20","tool":"node"} []
    tools check-npm: check-tool {"tool":"npm"} []
    tools check-node-2: check-tool {"cwd":"web","declared":"web/package.json","requires":"^22","tool":"node"} []
    tools check-pnpm: check-tool {"tool":"pnpm"} []
    tools check-uv: check-tool {"tool":"uv"} []
    tools check-python: check-tool {"tool":"python"} []
    tools check-python-2: check-tool {"cwd":"lib","declared":"lib/pyproject.toml","requires":">=3.9","tool":"python"} []
    tools check-php: check-tool {"cwd":"shop","declared":"shop/composer.json","requires":"^8.1","tool":"php"} []
    tools check-composer: check-tool {"tool":"composer"} []
    tools check-go: check-tool {"cwd":"cmd","declared":"cmd/go.mod","requires":">=1.22","tool":"go"} []
    cargo check-cargo-lockfile: check-lockfile {"manager":"cargo"} ["check-cargo"]
    npm check-npm-lockfile: check-lockfile {"manager":"npm"} ["check-npm"]
    npm check-npm-dependencies: check-dependencies {"manager":"npm","remedy":"off"} ["check-npm-lockfile"]
    npm-web check-web-lockfile: check-lockfile {"cwd":"web","manager":"pnpm"} ["check-pnpm"]
    npm-web check-web-dependencies: check-dependencies {"cwd":"web","manager":"pnpm","remedy":"off"} ["check-web-lockfile"]
    python-api check-api-lockfile: check-lockfile {"cwd":"api","manager":"uv"} ["check-uv"]
    python-api check-api-venv: check-venv {"cwd":"api","make":["uv","venv"],"path":".venv","remedy":"off"} ["check-uv"]
    python-api check-api-dependencies: check-dependencies {"cwd":"api","manager":"uv","remedy":"off"} ["check-api-lockfile", "check-api-venv"]
    python-job check-job-venv: check-venv {"cwd":"job","make":["python3","-m","venv"],"path":"venv","remedy":"off"} ["check-python"]
    python-job check-job-dependencies: check-dependencies {"cwd":"job","manager":"pip","python":"venv/bin/python","remedy":"off"} ["check-job-venv"]
    php-shop check-shop-lockfile: check-lockfile {"cwd":"shop","manager":"composer"} ["check-composer"]
    php-shop check-shop-dependencies: check-dependencies {"cwd":"shop","manager":"composer","remedy":"off"} ["check-shop-lockfile"]
    platform check-platform: check-platform {"remedy":"off"} []
    note: lib/pyproject.toml: there is no virtual environment, and nothing that asks for one
    "#);
}

#[test]
fn the_pipeline_says_what_is_wanted() {
    let with = json!({
        "tools": {"python": "3.11", "docker": {"minimum": "24", "install": "see the wiki"}, "git": "2.30"},
        "require_lockfile": true,
    });
    let stacks = vec![found(Stack::Python, "setup.py", &[], &["poetry"])];
    assert_snapshot!(drafted(stacks, &with).unwrap(), @r#"
    tools check-git: check-tool {"minimum":"2.30","tool":"git"} []
    tools check-python: check-tool {"minimum":"3.11","tool":"python"} []
    tools check-poetry: check-tool {"tool":"poetry"} []
    tools check-docker: check-tool {"install":"see the wiki","minimum":"24","tool":"docker"} []
    python check-lockfile: check-lockfile {"manager":"poetry","require_lockfile":true} ["check-poetry"]
    python check-dependencies: check-dependencies {"manager":"poetry","remedy":"off"} ["check-lockfile"]
    platform check-platform: check-platform {"remedy":"off"} []
    "#);
    for (with, said) in [
        (json!({"tools": {"python": 3.1}}), "with.tools.python"),
        (json!({"tool": {}}), "unknown field `tool`"),
        (json!({"tools": {"x": {"min": "1"}}}), "with.tools.x"),
    ] {
        let wrong = drafted(Vec::new(), &with).unwrap_err();
        assert!(wrong.contains(said), "{wrong}");
    }
}
