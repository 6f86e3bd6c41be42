//! `deploy`: what is deployed, also outside of a run.

mod replay;

use crate::args::DeployCommand;
use crate::error::CliError;
use crate::exit::Exit;

/// Does what was typed; `dir` is where relative files begin.
pub(super) fn deploy(dir: &std::path::Path, command: DeployCommand) -> Result<Exit, CliError> {
    match command {
        DeployCommand::Replay(args) => replay::replay(dir, &args),
    }
}
