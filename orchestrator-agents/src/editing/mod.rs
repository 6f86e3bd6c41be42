//! Work on the files of a project: edits of configuration and code, generated tests and files, and what needs a person.
//! Everything here decides from the text of files what they are to be; the writing is actions like any other.

#[cfg(feature = "editing")]
mod config_edit;
pub mod formatter;
pub mod generated;
#[cfg(feature = "editing")]
#[cfg_attr(not(test), expect(dead_code, reason = "the agent `config_edit` is to list these actions"))]
mod workflow;
