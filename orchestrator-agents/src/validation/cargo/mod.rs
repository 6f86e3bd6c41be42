//! Cargo: formatting, lints, builds and tests.

mod build;
mod clippy;
mod fmt;
mod libtest;
mod messages;
mod test;

pub use build::{Built, CargoBuild, CargoBuildConfig, Executable};
pub use clippy::{CargoClippy, CargoClippyConfig, Linted};
pub use fmt::{CargoFmt, CargoFmtConfig, Formatted};
pub use test::{CargoTest, CargoTestConfig};

use super::tool::Wants;

const ENV: &[(&str, &str)] = &[("CARGO_TERM_COLOR", "never"), ("CARGO_TERM_PROGRESS_WHEN", "never")];

fn cargo() -> Wants {
    Wants::new("cargo", "see https://rustup.rs")
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
