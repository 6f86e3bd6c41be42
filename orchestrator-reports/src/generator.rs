//! The reports that there are, by name.

use orchestrator_core::report::ReportGenerator;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::html::{Html, RUN_FOLDER};
use crate::json::Json;
use crate::markdown::Markdown;

/// A report, as pipelines name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Generator {
    /// `summary.json`, for other programs.
    Json,
    /// `index.html`, one self-contained page.
    Html,
    /// `summary.md`, for the job page of a CI system.
    Markdown,
}

impl Generator {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Json, Self::Html, Self::Markdown];

    /// The file that it renders.
    pub fn file(self) -> &'static str {
        match self {
            Self::Json => Json::FILE,
            Self::Html => Html::FILE,
            Self::Markdown => Markdown::FILE,
        }
    }

    /// The generator; `base` leads from the folder of the report to the folder of the run, for links.
    pub fn generator(self, base: Option<&str>) -> Box<dyn ReportGenerator> {
        match self {
            Self::Json => Box::new(Json),
            Self::Html => Box::new(Html::with_base(base)),
            Self::Markdown => Box::new(Markdown),
        }
    }
}

/// All generators, for a folder below the run's own.
pub fn generators() -> Vec<Box<dyn ReportGenerator>> {
    Generator::ALL.into_iter().map(|one| one.generator(Some(RUN_FOLDER))).collect()
}
