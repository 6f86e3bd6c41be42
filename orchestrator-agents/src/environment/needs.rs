//! The programs that the tasks of a plan need.

use std::collections::BTreeSet;

use orchestrator_core::agent::Agent;
use orchestrator_core::plan::{Plan, PlannedTask};
use serde_json::Value;

use super::{CheckTool, Probing, tools};

/// The programs that the tasks of a plan need and that no check of another plan is about, in order.
pub fn unchecked(plan: &Plan, checks: &Plan) -> BTreeSet<String> {
    let checked: Vec<String> = checks
        .tasks()
        .iter()
        .filter(|task| task.agent.as_str() == Probing::<CheckTool>::NAME)
        .filter_map(|task| Some(task.config.value().get("tool")?.as_str()?.to_owned()))
        .collect();
    let same = |one: &str, two: &str| {
        let known = tools::find(one).map(|known| known.name);
        one == two || known.is_some() && known == tools::find(two).map(|known| known.name)
    };
    let needed = plan.tasks().iter().flat_map(programs);
    needed.filter(|program| !checked.iter().any(|tool| same(tool, program))).collect()
}

/// Words that a shell knows itself.
const BUILT_IN: &[&str] = &[
    ".", ":", "[", "alias", "bg", "break", "case", "cd", "command", "continue", "echo", "eval", "exec",
    "exit", "export", "false", "fg", "for", "getopts", "hash", "if", "jobs", "kill", "printf", "pwd", "read",
    "readonly", "return", "set", "shift", "source", "test", "time", "times", "trap", "true", "type",
    "ulimit", "umask", "unalias", "unset", "until", "wait", "while", "!", "{", "(",
];

/// The programs that a task starts, as far as its agent or its command line says. Those of the checkout are left out:
/// they may be built by another task.
pub fn programs(task: &PlannedTask) -> Vec<String> {
    let config = task.config.value();
    let first = |key: &str, default: &str| {
        let word = config.get(key).and_then(|argv| argv.get(0)?.as_str());
        word.unwrap_or(default).to_owned()
    };
    let agent = task.agent.as_str();
    let program = match agent {
        "command" => return command(&config).into_iter().collect(),
        "npm-install" | "npm-script" => {
            config.get("manager").and_then(Value::as_str).unwrap_or("npm").to_owned()
        }
        "pytest" | "python-compile" => first("python", "python3"),
        "ruff" | "ruff-format" => first("ruff", "ruff"),
        "phpunit" => "php".into(),
        "composer-script" => "composer".into(),
        "merge-branch" | "version" | "changelog" | "tag" | "push" => "git".into(),
        _ if agent.starts_with("cargo-") => "cargo".into(),
        _ if agent.starts_with("go-") => "go".into(),
        _ => return Vec::new(),
    };
    Some(program).filter(|program| is_installed_one(program)).into_iter().collect()
}

/// The first word of a command line that is a program.
fn command(config: &Value) -> Option<String> {
    let run = config.get("run")?;
    let word = match run {
        Value::Array(argv) => argv.first()?.as_str()?.to_owned(),
        Value::String(line) => line
            .split_whitespace()
            // `NAME=value program`
            .find(|word| !word.split_once('=').is_some_and(|(name, _)| is_variable(name)))?
            .trim_end_matches([';', '&', '|'])
            .to_owned(),
        _ => return None,
    };
    let shell = run.is_string();
    (is_installed_one(&word) && !(shell && BUILT_IN.contains(&word.as_str()))).then_some(word)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A plain word, and no path into the checkout.
fn is_installed_one(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    !word.is_empty() && !word.starts_with(['-', '.']) && word.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn the_first_word_is_the_program() {
        for (run, expected) in [
            (json!(["cargo", "test"]), Some("cargo")),
            (json!(["./gradlew", "test"]), None),
            (json!(["target/debug/x"]), None),
            (json!("A=1 B=c make all"), Some("make")),
            (json!("echo hello; ls"), None),
            (json!("test -e x || exit 3"), None),
            (json!(["test", "-e", "x"]), Some("test")),
            (json!("jq . < a"), Some("jq")),
            (json!("$TOOL x"), None),
            (json!("(cd a && make)"), None),
            (json!(""), None),
            (json!(["--version"]), None),
        ] {
            let found = super::command(&json!({ "run": run }));
            assert_eq!(found.as_deref(), expected, "{run}");
        }
    }
}
