//! Work on the files of a project: edits of configuration and code, generated tests and files, and what needs a person.
//! Everything here decides from the text of files what they are to be; the writing is actions like any other.

pub mod formatter;
pub mod generated;
pub mod manual;
