//! `perform`: the end of a deployment over ssh that is on the host. Its input and its output are for programs.

use std::io;
use std::path::PathBuf;

use orchestrator_agents::deployment::Supervisor;
use orchestrator_agents::deployment::ops::{Performing, is_program, perform as answer};
use orchestrator_core::baseline;

use crate::args::PerformArgs;
use crate::error::CliError;
use crate::exit::Exit;

pub(super) fn perform(args: &PerformArgs) -> Result<Exit, CliError> {
    if let (Some(digest), Some(file)) = (&args.is, &args.file) {
        let unread = |source| CliError::io(format!("`{}` could not be read", file.display()), source);
        return if is_program(file, digest).map_err(unread)? {
            Ok(Exit::Passed)
        } else {
            let other = io::Error::new(io::ErrorKind::InvalidData, "it is another file, or not all of it");
            Err(CliError::io(format!("`{}` did not arrive", file.display()), other))
        };
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let home = home.ok_or_else(|| CliError::usage("`HOME` does not say where the home folder is"))?;
    let env = baseline::environment(std::env::vars_os());
    // What is deployed here is kept running by this very program.
    let supervisor = crate::own::program().ok().map(Supervisor::new);
    answer(io::stdin(), io::stdout(), Performing { home, env, supervisor })
        .map_err(|error| CliError::io("nothing can be performed here", io::Error::other(error)))?;
    Ok(Exit::Passed)
}
