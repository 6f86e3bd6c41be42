//! The `orchestrate` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator_cli::Cli::standard().run()
}
