//! TypeScript and JavaScript.

use std::ops::Range;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;

use super::config::Template;
use super::language::{Generated, Language, Printed, Ran, Runner, Source};

/// TypeScript and JavaScript.
pub(super) struct TypeScript;

impl Language for TypeScript {
    fn read_and_write(source: &Source<'_>) -> Result<Generated, BoxError> {
        Err(format!("`{}` cannot be read yet", source.path).into())
    }

    fn test_file(path: &RelPath, _look: &Workspace) -> RelPath {
        path.clone()
    }

    fn runner(_test_file: &RelPath, _look: &Workspace) -> Option<Runner> {
        None
    }

    fn missing(_test_file: &RelPath, _look: &Workspace) -> String {
        "vitest or jest is not installed in the project".into()
    }

    fn ran(_tool: &str, _printed: &Printed<'_>) -> Ran {
        Ran::default()
    }

    fn find(_path: &RelPath, _text: &str, _cases: &[String]) -> Vec<(String, Range<usize>)> {
        Vec::new()
    }

    const COMMENT: &'static str = "//";
    const TEMPLATES: &'static [Template] = &[Template::Service, Template::Route, Template::Config];
}
