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
        Ok(output) => Ok(Err(match telling(&output) {
            said if said.is_empty() => format!("`{program}` failed, {}", output.status),
            said => format!("`{program}` failed: {said}"),
        })),
        Err(ProcessError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Err(format!("`{program}` is not installed")))
        }
        Err(ProcessError::Stopped(stopped)) => Err(stopped.into()),
        Err(error) => Ok(Err(error.to_string())),
    }
}

/// Of what a tool printed, the lines that tell why it failed: at most two, where it marks them; else the last one.
fn telling(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let both = [&*output.stderr, &*stdout].map(|text| {
        text.lines().map(plain).filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    });
    // Some tools tell on standard output.
    let marked: Vec<&str> =
        both.iter().flatten().map(String::as_str).filter(|line| tells(line)).take(2).collect();
    let last = both.iter().find_map(|lines| lines.last().cloned());
    let said = if marked.is_empty() { last.unwrap_or_default() } else { marked.join("; ") };
    said.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// A line without what npm and pnpm put in front of each; empty where it only points elsewhere.
fn plain(line: &str) -> &str {
    let line = line.trim();
    let told = ["npm error", "npm ERR!"].iter().find_map(|start| line.strip_prefix(start));
    let line = told.unwrap_or(line).trim();
    let is_noise =
        ["code ", "errno ", "syscall ", "A complete log "].iter().any(|word| line.starts_with(word));
    if told.is_some() && is_noise { "" } else { line }
}

/// Whether a line is about what went wrong.
fn tells(line: &str) -> bool {
    let line = line.to_lowercase();
    let signs =
        ["error", "err_", "could not", "cannot", "can only", "does not exist", "no such", "not found"];
    let is_aside = ["warn", "npm warn", "this error happened"].iter().any(|start| line.starts_with(start));
    !is_aside && signs.iter().any(|sign| line.contains(sign))
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
