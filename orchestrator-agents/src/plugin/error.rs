//! Why a plug-in gave no answer that can be used.

use std::io;

use super::PROTOCOL;
use super::ops::{MOST_ACTIONS, MOST_LINE};

/// A plug-in gave no answer that can be used; its process was ended.
#[derive(Debug, thiserror::Error)]
#[error("the plug-in `{program}`, asked to {asked}, {why}")]
pub struct PluginError {
    /// The program.
    pub program: String,
    /// What it was asked for: `describe`, `plan`, `conclude`.
    pub asked: &'static str,
    /// Why.
    pub why: Why,
    /// The end of what it printed on standard error; nothing where it printed nothing.
    #[source]
    pub said: Option<Said>,
}

/// The end of what a plug-in printed on standard error.
#[derive(Debug, thiserror::Error)]
#[error("it printed on standard error: {0}")]
pub struct Said(pub String);

/// Why an answer cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// It could not be started, or its pipes broke.
    #[error("could not be run: {0}")]
    Io(#[from] io::Error),
    /// It ended first.
    #[error("ended before it answered ({0})")]
    Ended(String),
    /// Its time was up.
    #[error("did not answer within {0} s and was ended")]
    Late(u64),
    /// The task that asked is over.
    #[error("was ended with the task that asked")]
    Gone,
    /// An answer that is too long.
    #[error("answered with a line of more than {} MiB", MOST_LINE >> 20)]
    Long,
    /// An answer to nothing.
    #[error("printed a line that nobody asked for")]
    Unasked,
    /// No JSON.
    #[error("printed what is no JSON: {error} (`{line}`); only answers belong on standard output")]
    NoJson {
        /// What is wrong with it.
        error: String,
        /// How it begins.
        line: String,
    },
    /// The answer to another question.
    #[error("answered the question {got}, not {wanted}")]
    Id {
        /// The id that it gave.
        got: String,
        /// The id that was asked under.
        wanted: u64,
    },
    /// It says that it cannot.
    #[error("said: {0}")]
    Error(String),
    /// An answer of another shape.
    #[error("gave an answer of the wrong shape: {0}")]
    Shape(String),
    /// It speaks another version.
    #[error("speaks protocol {0}, and this is protocol {PROTOCOL}")]
    Protocol(String),
    /// It is another one.
    #[error("says that it is `{0}`")]
    Name(String),
    /// A schema that is none.
    #[error("has a {field} that is no JSON Schema: {error}")]
    Schema {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        error: String,
    },
    /// Too many actions.
    #[error("answered with {0} actions; at most {MOST_ACTIONS} are taken")]
    Many(usize),
}
