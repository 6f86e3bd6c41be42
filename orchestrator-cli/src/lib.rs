//! The `orchestrate` command line: arguments in, a run on the screen, an exit code out.
//!
//! All decisions are the library's. Only this crate looks at the arguments, the terminal, the environment and signals. A
//! program with agents of its own is the same command line with one more line:
//!
//! ```no_run
//! # fn agents() -> orchestrator_core::registry::Registry { Default::default() }
//! fn main() -> std::process::ExitCode {
//!     orchestrator_cli::Cli::standard().agents(agents()).run()
//! }
//! ```

mod args;
mod ci;
mod cli;
mod commands;
mod compiled;
pub mod console;
mod demo;
mod error;
pub mod exit;
mod front;
mod here;
pub mod json;
mod log;
mod mended;
mod out;
mod own;
mod plugins;
mod questions;
mod runs;
#[cfg(test)]
mod sample;
mod secrets;
mod shared;
mod signals;
mod watch;

pub use cli::Cli;
pub use console::Console;
pub use exit::Exit;
pub use json::JsonLines;
pub use secrets::EnvSecrets;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
