//! Work on the files of a project: edits of configuration and code, generated tests and files, and what needs a person.
//! Everything here decides from the text of files what they are to be; the writing is actions like any other.

#[cfg(feature = "editing")]
pub mod config_edit;
pub mod file_generation;
pub mod formatter;
pub mod generated;
pub mod manual;
#[cfg(feature = "editing")]
pub mod test_generation;
#[cfg(feature = "editing")]
mod workflow;
