//! The cases as a file: a template, that of this crate or the project's own, and values.

use orchestrator_core::BoxError;
use serde::Serialize;

use super::super::language::Source;
use super::super::template;
use super::case::Case;

/// The template of this crate.
const TEMPLATE: &str = include_str!("../templates/python.py.j2");

/// Cases of one class, or of none.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Group {
    pub(super) class: Option<String>,
    pub(super) cases: Vec<Case>,
}

/// What the template gets.
#[derive(Debug, Serialize)]
struct Values<'a> {
    /// The name of the module.
    module: &'a str,
    /// What is imported from it.
    imports: &'a [String],
    /// Names of `unittest.mock` that are used.
    mocks: Vec<&'a str>,
    /// Whether these are used.
    pytest: bool,
    asyncio: bool,
    /// The mark of tests that await; empty where there is none.
    mark: &'a str,
    groups: &'a [Group],
}

/// The text of a test file.
pub(super) fn render(
    source: &Source<'_>,
    module: &str,
    imports: &[String],
    mark: &str,
    groups: &[Group],
) -> Result<String, BoxError> {
    let lines = || groups.iter().flat_map(|group| &group.cases).flat_map(|case| &case.lines);
    let uses = |word: &str| lines().any(|line| line.contains(word));
    let mocks: Vec<&str> = [("AsyncMock(", "AsyncMock"), ("= Mock(", "Mock"), ("[call(", "call")]
        .into_iter()
        .filter(|(word, name)| uses(word) || (*name == "Mock" && uses("=Mock(")))
        .map(|(_, name)| name)
        .collect();
    let awaits = groups.iter().flat_map(|group| &group.cases).any(|case| case.asynchronous);
    let (pytest, asyncio) = (awaits || uses("pytest.raises("), uses("asyncio.run("));
    template::render(
        source,
        "python.py.j2",
        TEMPLATE,
        Values { module, imports, mocks, pytest, asyncio, mark, groups },
    )
}
