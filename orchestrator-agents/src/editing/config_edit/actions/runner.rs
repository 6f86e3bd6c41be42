//! Whose configuration of coverage a file is, and where in it things stand.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use serde_json::Value;

use super::super::way::Way;

/// What measures coverage, as configured in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runner {
    /// `vitest.config.*`, or `vite.config.*` with `test`.
    Vitest,
    /// `jest.config.*`.
    Jest,
    /// `jest` in `package.json`.
    JestInPackage,
    /// `tool.coverage` in `pyproject.toml`.
    Python,
}

impl Runner {
    /// By the name of the file and what it says.
    pub(super) fn of(path: &RelPath, value: &Value) -> Result<Self, BoxError> {
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        Ok(match name {
            "package.json" if value.get("jest").is_some_and(Value::is_object) => Self::JestInPackage,
            "package.json" => {
                return Err("it has no `jest` configuration; name the file that configures the tests, such as `vitest.config.ts`".into());
            }
            "pyproject.toml" => Self::Python,
            _ if name.starts_with("vitest.") || name.starts_with("vite.config.") => Self::Vitest,
            _ if name.starts_with("jest.") => Self::Jest,
            _ if value.get("test").and_then(|test| test.get("coverage")).is_some() => Self::Vitest,
            _ => {
                let known = "vitest.config.*, vite.config.*, jest.config.*, package.json, pyproject.toml";
                return Err(
                    format!("nothing is known of coverage in a file of this name; known: {known}").into()
                );
            }
        })
    }

    /// Where the sources are listed that coverage is collected from.
    pub(super) fn sources(self) -> Way {
        match self {
            Self::Vitest => Way::keys(["test", "coverage", "include"]),
            Self::Jest => Way::keys(["collectCoverageFrom"]),
            Self::JestInPackage => Way::keys(["jest", "collectCoverageFrom"]),
            Self::Python => Way::keys(["tool", "coverage", "run", "source"]),
        }
    }

    /// Where the thresholds stand.
    pub(super) fn thresholds(self) -> Way {
        match self {
            Self::Vitest => Way::keys(["test", "coverage", "thresholds"]),
            Self::Jest => Way::keys(["coverageThreshold"]),
            Self::JestInPackage => Way::keys(["jest", "coverageThreshold"]),
            Self::Python => Way::keys(["tool", "coverage", "report", "fail_under"]),
        }
    }
}
