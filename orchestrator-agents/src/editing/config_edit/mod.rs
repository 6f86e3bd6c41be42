//! Edits of configuration and code that is there: comments, order and formatting stay.
//!
//! An edit is a change of values first (`value`): what the file says now, and what it is to say. A format (`yaml`, `toml`,
//! `json`, `script`) makes the smallest change of text for it, the new text is read again and must say exactly that, and
//! the edit made once more must find nothing to do. Otherwise it is an error and nothing is written. Named actions
//! (`actions`) are such edits with a name, made where they are looked for.

pub(crate) mod actions;
mod agent;
mod braces;
mod config;
pub(crate) mod edited;
mod facts;
mod format;
mod frame;
mod json;
mod script;
mod several;
mod structural;
mod toml;
mod value;
mod way;
mod work;
mod yaml;

#[cfg(test)]
mod tests;

pub use agent::ConfigEdit;
pub use config::{ActionName, Edit, EditConfig, EditOutput, Language, Remove, Replace, Set};
pub use way::{Part, Way, WayError};
