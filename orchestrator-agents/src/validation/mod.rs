//! Build and validation: one agent per tool. Each runs one command and reads what it printed to counts and findings.
//!
//! All of them only read: what a build or a test run leaves behind lies in folders that git ignores. A figure is given
//! only where it was read from an output, and says which; a check that did not run is never reported as passed.

mod checks;
mod config;
mod counts;
pub(crate) mod ran;
pub(crate) mod recognized;
pub(crate) mod text;
mod tool;

pub mod cargo;
pub mod go;
pub mod npm;
pub mod phase;
pub mod php;
pub mod python;

pub(crate) use checks::checks;
pub use config::Common;
pub use counts::{TestCounts, Tests};
pub use ran::Ran;
pub(crate) use recognized::recognized;
pub use tool::{Check, Tool, Wants};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
