//! Asks a person.

use std::io::{self, IsTerminal};

use super::dialogue;
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

/// Whether there is a terminal to ask on.
pub(super) fn is_anybody_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Shows something and asks; anything but yes is no.
pub(super) fn ask(show: impl FnOnce(), question: &str) -> Result<Answer, CliError> {
    if !is_anybody_there() {
        return Ok(Answer::Nobody);
    }
    show();
    let said = dialogue::yes(&mut io::stdin().lock(), &mut Out::stderr(), question, false);
    Ok(match said.map_err(unread)? {
        Some(true) => Answer::Yes,
        Some(false) | None => Answer::No,
    })
}

/// An answer that could not be read.
pub(super) fn unread(source: io::Error) -> CliError {
    CliError::io("the answer could not be read", source)
}
