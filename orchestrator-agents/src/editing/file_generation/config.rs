//! Config of `file_generation`.

use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Config of `file_generation`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileGenerationConfig {
    /// The file to make, or the folder that the files go to. A folder that is missing is made.
    pub target: RelPath,
    /// Names of templates (`users`, `runbook` ..), or paths of the project's own.
    pub templates: Vec<String>,
    /// What templates know as `vars`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
    /// The language of the files: `typescript`, `javascript`, `python` or `json`; by default that of the target, or of the
    /// project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// A language that files are made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// TypeScript.
    #[serde(alias = "ts")]
    Typescript,
    /// JavaScript, as ES modules.
    #[serde(alias = "js")]
    Javascript,
    /// Python.
    #[serde(alias = "py")]
    Python,
    /// JSON.
    Json,
    /// Markdown.
    #[serde(alias = "md")]
    Markdown,
    /// YAML.
    #[serde(alias = "yml")]
    Yaml,
}

impl Language {
    /// The language of a file's name.
    pub(super) fn of(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        Some(match extension {
            "ts" | "mts" => Self::Typescript,
            "js" | "mjs" => Self::Javascript,
            "py" => Self::Python,
            "json" => Self::Json,
            "md" => Self::Markdown,
            "yml" | "yaml" => Self::Yaml,
            _ => return None,
        })
    }

    /// As configs name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Typescript => "typescript",
            Self::Javascript => "javascript",
            Self::Python => "python",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Yaml => "yaml",
        }
    }
}
