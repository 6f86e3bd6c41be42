//! Code generation: files rendered from templates and a spec.
//!
//! # Formatted files stay in step
//!
//! A formatter that rewrites files in place would make every run render, differ and write again. So a formatter here is
//! a filter: it reads the rendered text and prints the formatted one. Running it reads only, so a dry run does it too:
//!
//! 1. `survey` renders and says, for each target, what is there now (its digest) and what becomes of it.
//! 2. `plan` runs the filter over each rendered text that needs one; without a filter it writes at once.
//! 3. `conclude` compares what the filters printed with the digests of the survey and asks for a second round that
//!    writes only what differs.
//!
//! A second run with nothing changed therefore plans no write, and a dry run shows exactly the writes of the real one.

mod config;
mod render;
mod spec;
mod templates;

pub mod phase;

pub use config::{Filter, RenderConfig, Spec, TemplateConfig};
pub use templates::{RenderTemplates, Rendered};

#[cfg(test)]
mod tests;
