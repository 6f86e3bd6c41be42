//! Cargo: formatting, lints, builds and tests.

mod build;
mod clippy;
mod fmt;
pub(in crate::validation) mod libtest;
mod messages;
mod test;

pub use build::{Built, CargoBuild, CargoBuildConfig, Executable};
pub use clippy::{CargoClippy, CargoClippyConfig, Linted};
pub use fmt::{CargoFmt, CargoFmtConfig, Formatted};
pub use test::{CargoTest, CargoTestConfig};

use orchestrator_core::agent::Dependencies;
use orchestrator_core::effect::Effect;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;

use super::tool::{Wants, everything};

const ENV: &[(&str, &str)] = &[("CARGO_TERM_COLOR", "never"), ("CARGO_TERM_PROGRESS_WHEN", "never")];

fn cargo() -> Wants {
    Wants::new("cargo", "see https://rustup.rs")
}

/// The whole tree, the lock file although it may be ignored, the compiler and the program.
fn depends_on(program: &str, cwd: &RelPath) -> Dependencies {
    let mut all = everything(program, cwd);
    all.files.extend(cwd.join("Cargo.lock").map(|lock| lock.to_string()));
    all.tools.extend(["rustc".to_owned(), "cargo".to_owned()]);
    all
}

/// Building leaves the checkout as git sees it, unless there is no lock file yet: then cargo writes one.
fn effect(cwd: &RelPath, look: &Workspace) -> Effect {
    let mut folder = cwd.as_str();
    loop {
        let lock = RelPath::new(format!("{folder}/Cargo.lock"));
        if lock.is_ok_and(|lock| look.exists(&lock)) {
            return Effect::Reads;
        }
        folder = match folder.rsplit_once('/') {
            Some((above, _)) => above,
            None if folder == "." => return Effect::Writes,
            None => ".",
        };
    }
}

/// `cargo COMMAND`, with `--workspace` where wanted, machine-readable messages, and the config's arguments.
fn argv(command: &[&str], workspace: bool, args: &[String]) -> Vec<String> {
    let mut line = vec!["cargo".to_owned()];
    line.extend(command.iter().map(|&word| word.to_owned()));
    if workspace {
        line.push("--workspace".into());
    }
    line.push("--message-format=json".into());
    line.extend_from_slice(args);
    line
}
