//! The commands that a project has: scripts of its packages, shell scripts, targets of its makefile, and the tools that its
//! manifests name.

use std::collections::BTreeMap;

use orchestrator_core::path::RelPath;
use serde::Serialize;

use super::Files;
use super::node::Node;
use super::python::Python;
use super::scripts;

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Section {
    /// Gets dependencies.
    Install,
    /// Builds.
    Build,
    /// Tests.
    Test,
    /// Checks of style and types.
    Quality,
    /// Starts it.
    Start,
    /// Changes the database.
    Migrate,
    /// Deploys.
    Deploy,
    /// Undoes the last change of the database.
    Revert,
    /// Goes back to an earlier version.
    Rollback,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct Command {
    /// As it is typed at the root.
    pub(in super::super) line: String,
    /// Where it stands.
    pub(super) from: String,
    /// What a script says of itself on top.
    pub(super) about: Vec<String>,
}

impl Command {
    pub(super) fn new(line: impl Into<String>, from: impl Into<String>) -> Self {
        Self { line: line.into(), from: from.into(), about: Vec::new() }
    }
}

type Commands = BTreeMap<Section, Vec<Command>>;

/// All commands, by what they are for; every section is there, be it empty.
pub(super) fn all(nodes: &[Node], pythons: &[Python], files: &Files<'_>) -> Commands {
    use Section::{Build, Deploy, Install, Migrate, Quality, Revert, Rollback, Start, Test};
    let sections = [Install, Build, Test, Quality, Start, Migrate, Deploy, Revert, Rollback];
    let mut commands: Commands = sections.map(|section| (section, Vec::new())).into();
    let mut add = |section: Section, command: Command| commands.entry(section).or_default().push(command);
    for node in nodes {
        of_node(node, &mut add);
    }
    for python in pythons {
        of_python(python, &mut add);
    }
    for script in scripts::all(files) {
        if let Some(section) = section(script.name()) {
            add(section, script.command());
        }
    }
    for target in makefile(files) {
        let line = format!("make {target}");
        if let Some(section) = section(&target) {
            add(section, Command::new(line, "Makefile"));
        }
    }
    if files.has(&RelPath::root(), "Cargo.toml") {
        for (section, line) in [(Build, "cargo build"), (Test, "cargo test")] {
            add(section, Command::new(line, "Cargo.toml"));
        }
    }
    commands
}

/// The command that deploys to what the variable `DEPLOY_ENVIRONMENT` names, by convention: a script `deploy:ENVIRONMENT` or
/// `deploy` of a package, a shell script `deploy` that takes it as argument, a make target.
pub(super) fn deploys(nodes: &[Node], files: &Files<'_>) -> Option<String> {
    let each = nodes.iter().find(|node| node.scripts.keys().any(|name| name.starts_with("deploy:")));
    let run = |node: &Node, name: &str| inside(&node.folder, &format!("{} run {name}", node.manager));
    let each = each.map(|node| run(node, r#""deploy:$DEPLOY_ENVIRONMENT""#));
    let one = || nodes.iter().find(|node| node.scripts.contains_key("deploy"));
    let script = || scripts::all(files).into_iter().find(|script| script.name() == "deploy");
    let make = || makefile(files).into_iter().find(|target| target == "deploy");
    each.or_else(|| one().map(|node| run(node, "deploy")))
        .or_else(|| script().map(|script| format!("{} \"$DEPLOY_ENVIRONMENT\"", script.command().line)))
        .or_else(|| make().map(|target| format!("make {target}")))
}

fn inside(folder: &RelPath, line: &str) -> String {
    if folder.is_root() { line.to_owned() } else { format!("cd {} && {line}", quoted(folder.as_str())) }
}

fn beside(folder: &RelPath, name: &str) -> String {
    if folder.is_root() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn of_node(node: &Node, add: &mut impl FnMut(Section, Command)) {
    let from = beside(&node.folder, "package.json");
    let install = match (node.manager, node.locked) {
        ("npm", true) => "npm ci",
        ("pnpm", true) => "pnpm install --frozen-lockfile",
        ("yarn", _) => "yarn install",
        ("bun", _) => "bun install",
        ("pnpm", _) => "pnpm install",
        _ => "npm install",
    };
    let command = |line: &str| Command::new(inside(&node.folder, line), from.clone());
    add(Section::Install, command(install));
    for name in node.scripts.keys() {
        let hook = ["pre", "post"]
            .iter()
            .any(|at| name.strip_prefix(at).is_some_and(|of| node.scripts.contains_key(of)));
        if let Some(section) = section(name).filter(|_| !hook) {
            add(section, command(&format!("{} run {}", node.manager, quoted(name))));
        }
    }
}

fn of_python(python: &Python, add: &mut impl FnMut(Section, Command)) {
    let pyproject = python.requirements.is_empty() || python.manager != "pip";
    let from = beside(&python.folder, if pyproject { "pyproject.toml" } else { &python.requirements[0] });
    let command = |line: &str| Command::new(inside(&python.folder, line), from.clone());
    let install = match python.manager {
        "uv" => "uv sync".to_owned(),
        "poetry" => "poetry install".to_owned(),
        _ if pyproject => {
            let extra = python.test_extra.as_ref().map(|extra| format!("[{extra}]"));
            format!("python -m pip install {}", quoted(&format!(".{}", extra.unwrap_or_default())))
        }
        _ => {
            let files: String = python.requirements.iter().map(|file| format!(" -r {file}")).collect();
            format!("python -m pip install{files}")
        }
    };
    add(Section::Install, command(&install));
    let tools = [
        ("pytest", Section::Test, "pytest"),
        ("ruff", Section::Quality, "ruff check ."),
        ("mypy", Section::Quality, "mypy ."),
    ];
    for (tool, section, line) in tools {
        if python.dependencies.contains(tool) || tool == "pytest" && python.pytest {
            add(section, command(&format!("{}{line}", python.run)));
        }
    }
    if python.dependencies.contains("alembic") {
        add(Section::Migrate, command(&format!("{}alembic upgrade head", python.run)));
    }
}

/// The targets of the makefile at the root that can be named, in order.
fn makefile(files: &Files<'_>) -> Vec<String> {
    let text = files.text_in(&RelPath::root(), "Makefile").unwrap_or_default();
    let rules = text.lines().filter(|line| !line.starts_with(['\t', ' ', '#', '.']));
    let named = rules.filter_map(|line| {
        let (names, rest) = line.split_once(':')?;
        (!rest.starts_with('=') && !names.contains('=')).then_some(names)
    });
    let mut targets: Vec<String> = Vec::new();
    for target in named.flat_map(str::split_whitespace) {
        let plain = target.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        if plain && targets.len() < 200 && !targets.iter().any(|known| known == target) {
            targets.push(target.to_owned());
        }
    }
    targets
}

/// What a script or target of this name is for: its first word that says so.
fn section(name: &str) -> Option<Section> {
    if name.len() > 100 || name.contains(char::is_control) {
        return None;
    }
    let words: Vec<&str> = name.split([':', '-', '_', '.', '/']).collect();
    if words.iter().any(|word| matches!(*word, "reset" | "make" | "create" | "new" | "status" | "watch")) {
        return None;
    }
    let rewrites = words.iter().any(|word| matches!(*word, "format" | "fmt")) && !words.contains(&"check");
    if rewrites {
        return None;
    }
    let known = |word: &&str| {
        Some(match *word {
            "test" | "tests" | "coverage" | "e2e" | "pytest" | "vitest" | "jest" => Section::Test,
            "build" | "compile" => Section::Build,
            "lint" | "format" | "fmt" | "typecheck" | "check" => Section::Quality,
            "start" | "serve" => Section::Start,
            "migrate" | "migration" | "migrations" => Section::Migrate,
            "deploy" => Section::Deploy,
            _ => return None,
        })
    };
    let back = words.iter().any(|word| matches!(*word, "rollback" | "down" | "undo"));
    let data = words.iter().any(|word| matches!(*word, "db" | "database"));
    match words.iter().find_map(known) {
        Some(Section::Migrate) if back => Some(Section::Revert),
        None if back && data => Some(Section::Revert),
        None | Some(Section::Deploy) if back => Some(Section::Rollback),
        found => found,
    }
}

/// A word of a shell line.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_commands_are_for() {
        assert_eq!(section("test:unit"), Some(Section::Test));
        assert_eq!(section("db:migrate"), Some(Section::Migrate));
        assert_eq!(section("migrate:rollback"), Some(Section::Revert));
        assert_eq!(
            (section("db:rollback"), section("rollback:staging")),
            (Some(Section::Revert), Some(Section::Rollback))
        );
        assert_eq!((section("format:check"), section("format")), (Some(Section::Quality), None));
        assert_eq!((section("dev"), section("down")), (None, Some(Section::Rollback)));
        assert_eq!((section("latest"), section("x\ny-test"), section("migrate:make")), (None, None, None));
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
