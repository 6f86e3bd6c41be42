//! Languages by name.

use std::ops::Range;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;

use super::config::{LanguageName, Template};
use super::language::{Generated, Language, Printed, Ran, Runner, Source};
use super::python::Python;
use super::rust::Rust;
use super::typescript::TypeScript;

/// Calls a function of the language's own type.
macro_rules! of {
    ($name:expr, $call:ident $args:tt) => {
        match $name {
            LanguageName::Typescript | LanguageName::Javascript => TypeScript::$call $args,
            LanguageName::Python => Python::$call $args,
            LanguageName::Rust => Rust::$call $args,
        }
    };
}

impl LanguageName {
    /// The language of a file, by its extension.
    pub(super) fn of(path: &RelPath) -> Result<Self, BoxError> {
        let extension = path.as_str().rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension {
            "ts" | "mts" | "cts" => Ok(Self::Typescript),
            "js" | "mjs" | "cjs" => Ok(Self::Javascript),
            "py" => Ok(Self::Python),
            "rs" => Ok(Self::Rust),
            _ => Err(format!(
                "the language of `{path}` is not known by its extension; say `language: typescript`, `javascript`, \
                 `python` or `rust`"
            )
            .into()),
        }
    }

    pub(super) fn read_and_write(self, source: &Source<'_>) -> Result<Generated, BoxError> {
        of!(self, read_and_write(source))
    }

    pub(super) fn test_file(self, path: &RelPath, look: &Workspace) -> RelPath {
        of!(self, test_file(path, look))
    }

    pub(super) fn runner(self, test_file: &RelPath, look: &Workspace) -> Option<Runner> {
        of!(self, runner(test_file, look))
    }

    pub(super) fn missing(self, test_file: &RelPath, look: &Workspace) -> String {
        of!(self, missing(test_file, look))
    }

    pub(super) fn ran(self, tool: &str, printed: &Printed<'_>) -> Ran {
        of!(self, ran(tool, printed))
    }

    pub(super) fn find(self, path: &RelPath, text: &str, cases: &[String]) -> Vec<(String, Range<usize>)> {
        of!(self, find(path, text, cases))
    }

    /// How a comment of one line begins.
    pub(super) fn comment(self) -> &'static str {
        match self {
            Self::Typescript | Self::Javascript => TypeScript::COMMENT,
            Self::Python => Python::COMMENT,
            Self::Rust => Rust::COMMENT,
        }
    }

    /// What a file is looked at as, where nobody says.
    pub(super) fn templates(self) -> &'static [Template] {
        match self {
            Self::Typescript | Self::Javascript => TypeScript::TEMPLATES,
            Self::Python => Python::TEMPLATES,
            Self::Rust => Rust::TEMPLATES,
        }
    }
}
