//! Programs that rules run.

use std::process::Command;
use std::time::Duration;

use orchestrator_core::BoxError;

use crate::ops::here::Here;
use crate::ops::process::{self, Output, ProcessError};

/// The longest that a tool may take.
const LIMIT: Duration = Duration::from_mins(15);

/// Runs a tool; what it printed, or why it did not do it in one line.
pub(super) fn run(here: &Here, command: Command) -> Result<Result<Output, String>, BoxError> {
    let program = command.get_program().to_string_lossy().into_owned();
    match process::run(here, command, None, Some(LIMIT)) {
        Ok(output) if output.status.success() => Ok(Ok(output)),
        Ok(output) => {
            let said = output.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim();
            let said: String = said.chars().take(200).collect();
            let status = output.status;
            Ok(Err(if said.is_empty() {
                format!("`{program}` failed, {status}")
            } else {
                format!("`{program}` failed: {said}")
            }))
        }
        Err(ProcessError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Err(format!("`{program}` is not installed")))
        }
        Err(ProcessError::Stopped(stopped)) => Err(stopped.into()),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// Whether a text has lines that git writes around what conflicts.
pub(super) fn has_markers(bytes: &[u8]) -> bool {
    let starts = |sign: &[u8]| {
        bytes.split(|byte| *byte == b'\n').any(|line| {
            line.strip_prefix(sign).is_some_and(|rest| rest.is_empty() || rest[0] == b' ' || rest[0] == b'\r')
        })
    };
    starts(b"<<<<<<<") || starts(b">>>>>>>")
}
