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
    ask_for(show, question, false)
}

/// The same with a default for an empty answer.
pub(super) fn ask_for(show: impl FnOnce(), question: &str, default: bool) -> Result<Answer, CliError> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(Answer::Nobody);
    }
    show();
    let choice = if default { "[Y/n]" } else { "[y/N]" };
    Out::stderr().text(&format!("\n{question} {choice} "));
    let mut line = String::new();
    let read = std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|source| CliError::io("the answer could not be read", source))?;
    Ok(match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Answer::Yes,
        // The end of the input is no answer.
        "" if default && read > 0 => Answer::Yes,
        _ => Answer::No,
    })
}
