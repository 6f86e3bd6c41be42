//! Python: tests, syntax and lints.

mod compile;
mod pytest;
mod ruff;

pub use compile::{Compiled, PythonCompile, PythonCompileConfig};
pub use pytest::{Pytest, PytestConfig};
pub use ruff::{Ruff, RuffConfig, RuffFormat, RuffFormatConfig};

use super::tool::Wants;

fn python() -> Vec<String> {
    vec!["python3".into()]
}

fn wants(python: &[String]) -> Wants {
    Wants::new(python.first().map_or("python3", String::as_str), "see https://www.python.org/downloads")
}
