//! Files from templates: fixtures, helpers, `conftest.py`, a workflow for rolling back, runbooks and guides.
//!
//! # Nothing that a person wrote is lost
//!
//! What was written last, what stands and what would be written now are merged (see [`super::generated`]). Where that
//! cannot be done for one file of a task, none of its files is written.
//!
//! # What a file says is true of the project
//!
//! Templates get facts that were read from its manifests (`facts`). What is not known is left out, and the conclusion lists it
//! as what needs a person. A helper for a library that the project does not use is refused.
//!
//! # Whose template
//!
//! A name is a template that ships (`builtin`), unless the project has its own of that name in `orchestration/templates`.
//! A path is a template of the project; what it includes or extends lies in its folder, or ships.

mod agent;
mod builtin;
mod config;
mod draft;
mod facts;
mod helpers;
mod merging;
mod render;
mod source;
mod target;

pub use agent::{FileGeneration, Generated, GeneratedFile};
pub use config::FileGenerationConfig;

#[cfg(test)]
mod tests;
