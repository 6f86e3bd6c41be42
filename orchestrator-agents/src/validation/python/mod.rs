//! Python: tests, syntax and lints.

mod compile;
pub(in crate::validation) mod pytest;
mod ruff;

pub use compile::{Compiled, PythonCompile, PythonCompileConfig};
pub use pytest::{Pytest, PytestConfig};
pub use ruff::{Ruff, RuffConfig, RuffFormat, RuffFormatConfig};

use orchestrator_core::agent::Dependencies;
use orchestrator_core::path::RelPath;

use super::tool::{Wants, everything};

fn python() -> Vec<String> {
    vec!["python3".into()]
}

/// The whole tree, the interpreter, and what is installed in a virtual environment; that is ignored, so it is named.
fn depends_on(program: &str, cwd: &RelPath) -> Dependencies {
    let mut all = everything(program, cwd);
    for folder in [".venv", "venv"] {
        let installed = cwd.join(format!("{folder}/lib/*/site-packages/*.dist-info/RECORD"));
        all.files.extend(installed.map(|installed| installed.to_string()));
    }
    all
}

fn wants(python: &[String]) -> Wants {
    Wants::new(python.first().map_or("python3", String::as_str), "see https://www.python.org/downloads")
}
