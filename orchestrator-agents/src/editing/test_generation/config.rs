//! Config of `test_generation`.

use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Config of `test_generation`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestGenerationConfig {
    /// The source file that the tests are about.
    pub target: RelPath,
    /// Where the tests go. By default where the project keeps its tests, under the name of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_file: Option<RelPath>,
    /// The language of the target. By default by its extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<LanguageName>,
    /// Which kind of tests: `unit` or `integration`. By default all that the file allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_type: Option<TestType>,
    /// What the file is looked at as; by default as all that its language has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<Template>,
    /// How many cases somebody expects; only said beside how many there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cases: Option<u32>,
    /// The folder of the project's own templates, which replace those that ship: `service.ts.j2`, `route.ts.j2`,
    /// `config.ts.j2`, `python.py.j2`, `rust.rs.j2`.
    #[serde(default = "own_templates")]
    pub template_folder: RelPath,
}

fn own_templates() -> RelPath {
    RelPath::new("orchestration/templates").expect("the name of a folder is a path")
}

/// Languages that tests are generated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LanguageName {
    /// `.ts`, `.mts`, `.cts`.
    Typescript,
    /// `.js`, `.mjs`, `.cjs`.
    Javascript,
    /// `.py`.
    Python,
    /// `.rs`.
    Rust,
}

/// Kinds of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TestType {
    /// Functions and classes, with their collaborators mocked; configuration.
    Unit,
    /// Routes, through the framework that they are registered with.
    Integration,
}

/// What a source file is looked at as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// Classes with collaborators, and functions.
    Service,
    /// Routes of Fastify.
    Route,
    /// Configuration that is read from the environment.
    Config,
    /// Python functions and classes.
    Python,
    /// Rust functions.
    Rust,
}

impl Template {
    /// Whether it makes tests of that kind.
    pub(super) fn fits(self, kind: Option<TestType>) -> bool {
        match kind {
            None => true,
            Some(TestType::Unit) => self != Self::Route,
            Some(TestType::Integration) => !matches!(self, Self::Service | Self::Config),
        }
    }
}
