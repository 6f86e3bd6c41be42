//! Asks a person.

use std::io::{BufRead, IsTerminal};

use crate::error::CliError;
use crate::out::Out;

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// There is no terminal to ask on.
    Nobody,
}

/// Shows something and asks; anything but yes is no.
pub(super) fn ask(show: impl FnOnce(), question: &str) -> Result<Answer, CliError> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(Answer::Nobody);
    }
    show();
    Out::stderr().text(&format!("\n{question} [y/N] "));
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|source| CliError::io("the answer could not be read", source))?;
    Ok(if matches!(line.trim().to_lowercase().as_str(), "y" | "yes") { Answer::Yes } else { Answer::No })
}
