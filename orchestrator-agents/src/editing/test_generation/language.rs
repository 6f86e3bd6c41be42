//! What a language gives: the reader of its sources and writer of its tests. Nothing here acts; a runner is a command line.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use serde::{Deserialize, Serialize};

use super::config::Template;

/// What was generated for a source file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Generated {
    /// The test file.
    pub(crate) text: String,
    /// Names of the written cases, as the runner tells them.
    pub(crate) cases: Vec<String>,
    /// What was not written.
    pub(crate) person: Vec<NeedsPerson>,
}

/// Something of a source file that no true case could be derived for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NeedsPerson {
    /// What it is called in the source.
    pub(crate) what: String,
    /// Its line, from 1; 0 where it has none.
    pub(crate) line: u32,
    /// Why.
    pub(crate) why: String,
}

/// What a language generates from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The source file.
    pub(crate) path: &'a RelPath,
    /// Its text.
    pub(crate) text: &'a str,
    /// Where the tests go.
    pub(crate) test_file: &'a RelPath,
    /// What it is looked at as; never empty.
    pub(crate) templates: &'a [Template],
    /// The folder of the project's own templates.
    pub(crate) template_folder: &'a RelPath,
    /// The project.
    pub(crate) look: &'a Workspace,
}

/// How a test file is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Runner {
    /// What people call it: `vitest`.
    pub(crate) tool: &'static str,
    /// Program and arguments, seen from `cwd`.
    pub(crate) argv: Vec<String>,
    /// Where it runs.
    pub(crate) cwd: RelPath,
}

/// What a runner printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printed<'a> {
    /// Whether it ended well.
    pub(crate) ok: bool,
    /// Standard output.
    pub(crate) stdout: &'a str,
    /// Standard error.
    pub(crate) stderr: &'a str,
}

/// What that means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ran {
    /// How many cases passed; none where the runner does not say.
    pub(crate) passed: Option<usize>,
    /// Names of cases that failed, each with the runner's words.
    pub(crate) failed: Vec<(String, String)>,
    /// The runner's words, where it is not about single cases.
    pub(crate) said: String,
}

/// A language that tests are generated for.
pub(crate) trait Language {
    /// Reads the source and writes tests. An error names line and column of what could not be read.
    fn read_and_write(source: &Source<'_>) -> Result<Generated, BoxError>;

    /// Where the tests of a file go by default.
    fn test_file(path: &RelPath, look: &Workspace) -> RelPath;

    /// How the test file is run; none where no runner is installed.
    fn runner(test_file: &RelPath, look: &Workspace) -> Option<Runner>;

    /// What is missing where there is no runner: `vitest is not installed in web`.
    fn missing(test_file: &RelPath, look: &Workspace) -> String;

    /// What the runner's output means. By default only its words are known.
    fn ran(_tool: &str, printed: &Printed<'_>) -> Ran {
        let said = if printed.stdout.trim().is_empty() { printed.stderr } else { printed.stdout };
        Ran { said: said.to_owned(), ..Ran::default() }
    }

    /// The source text of each of these cases in a test file, as byte ranges of whole lines, so that they can be taken
    /// out. By default none is found, so that a file with a case that fails is not kept.
    fn find(_path: &RelPath, _text: &str, _cases: &[String]) -> Vec<(String, std::ops::Range<usize>)> {
        Vec::new()
    }

    /// How a comment of one line begins.
    const COMMENT: &'static str;

    /// What a file is looked at as, where nobody says.
    const TEMPLATES: &'static [Template];
}
