//! Edits of one file of a project.

pub(crate) mod edited;
