//! What says of a fresh checkout whether it is good, for each stack: its tests, and before them the packages that they need.

use orchestrator_core::action::CommandLine;
use orchestrator_core::project::{Found, Stack};

use super::npm::Manager;

/// The commands, for the folder of the stack; none where no tests are known, or where they would not run in a fresh checkout.
pub(crate) fn checks(found: &Found) -> Option<Vec<CommandLine>> {
    let uses = |tool: &str| found.tools.iter().any(|used| used == tool);
    match found.stack {
        Stack::Cargo => Some(vec![argv(&["cargo", "test", "--workspace"])]),
        Stack::Go => Some(vec![argv(&["go", "test", "./..."])]),
        Stack::Npm => {
            let manager = match () {
                () if uses("pnpm") => Manager::Pnpm,
                () if uses("yarn") => Manager::Yarn,
                () if uses("bun") => return None,
                () => Manager::Npm,
            };
            has_tests(found).then(|| vec![installed(manager), argv(&[manager.program(), "run", "test"])])
        }
        Stack::Python if !uses("pytest") => None,
        Stack::Python if uses("uv") => Some(vec![argv(&["uv", "run", "python3", "-m", "pytest"])]),
        // What is installed in a folder that git ignores is not in a fresh checkout.
        Stack::Python if found.tools.iter().any(|tool| tool.contains("/bin/")) => None,
        Stack::Python => Some(vec![argv(&["python3", "-m", "pytest"])]),
        Stack::Php => {
            let test: &[&str] = match () {
                () if has_tests(found) => &["composer", "--no-interaction", "run-script", "test"],
                () if uses("phpunit") => &["vendor/bin/phpunit"],
                () => return None,
            };
            Some(vec![argv(&["composer", "--no-interaction", "install"]), argv(test)])
        }
    }
}

/// A script `test` that is not the one that `npm init` puts there, which always fails.
fn has_tests(found: &Found) -> bool {
    found.scripts.get("test").is_some_and(|script| !script.contains("no test specified"))
}

/// Installs what the lock file says, where there is one.
fn installed(manager: Manager) -> CommandLine {
    let [locked, free] = [true, false].map(|locked| manager.install(locked).join(" "));
    let file = manager.lock_file();
    CommandLine::Shell(format!("if [ -f {file} ]; then {locked}; else {free}; fi"))
}

fn argv(words: &[&str]) -> CommandLine {
    CommandLine::Argv(words.iter().map(|&word| word.to_owned()).collect())
}
