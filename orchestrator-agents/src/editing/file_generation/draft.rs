//! The files of a task as they would be generated now, and what stands in their places.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use serde::{Deserialize, Serialize};

use super::config::FileGenerationConfig;
use super::facts::{Facts, Files};
use super::render::render;
use super::source::{Source, Wanted};
use super::target;
use crate::editing::formatter::formatter;
use crate::editing::generated;

/// The most templates of a task.
const TEMPLATES: usize = 32;
/// The most bytes of variables.
const VARIABLES: usize = 256 << 10;
/// The largest file that is merged, in bytes.
const LARGEST: usize = 4 << 20;

/// A file as it would be generated, and what stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Draft {
    pub(super) path: RelPath,
    /// What is generated now, formatted or not.
    pub(super) now: String,
    /// The formatter that is to see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<Vec<String>>,
    /// What stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stands: Option<String>,
    /// What was generated last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<String>,
}

/// All files of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Drafts {
    pub(super) files: Vec<Draft>,
    /// What is left for a person, in order.
    pub(super) needs_person: Vec<String>,
}

impl Drafts {
    /// Renders every template and reads what stands.
    pub(super) fn of(config: &FileGenerationConfig, look: &Workspace) -> Result<Self, BoxError> {
        let FileGenerationConfig { target, templates, variables, language } = config;
        check(config)?;
        let facts = Facts::of(target, &Files::of(look));
        let wanted = Wanted { file: target::file(target), language: *language, project: facts.language };
        let mut drafts = Self::default();
        let mut made: BTreeMap<RelPath, &str> = BTreeMap::new();
        for template in templates {
            let source = Source::of(template, wanted, look)?;
            let path = target::place(target, &source.file)?;
            if let Some(other) = made.insert(path.clone(), template) {
                return Err(format!("`{path}` is made twice: of `{other}` and of `{template}`").into());
            }
            let rendered = render(&source, &path, &facts, variables, look)?;
            for need in rendered.needs {
                if !drafts.needs_person.contains(&need) {
                    drafts.needs_person.push(need);
                }
            }
            drafts.files.push(Draft::of(path, rendered.text, look)?);
        }
        Ok(drafts)
    }

    /// Whether a formatter is to see a file.
    pub(super) fn unformatted(&self) -> bool {
        self.files.iter().any(|draft| draft.format.is_some())
    }
}

fn check(config: &FileGenerationConfig) -> Result<(), BoxError> {
    let FileGenerationConfig { target, templates, variables, .. } = config;
    if templates.is_empty() {
        return Err("no template is named; give at least one in `templates`".into());
    }
    if templates.len() > TEMPLATES {
        return Err(format!(
            "{} templates are too many for one task; give at most {TEMPLATES}",
            templates.len()
        )
        .into());
    }
    if templates.len() > 1 && target::file(target).is_some() {
        let all = templates.join("`, `");
        return Err(format!("`{target}` is one file, and `{all}` make several; give a folder").into());
    }
    let bytes = serde_json::to_string(variables)?.len();
    if bytes > VARIABLES {
        return Err(format!(
            "`variables` has {bytes} bytes, which is too much; at most {VARIABLES} are taken"
        )
        .into());
    }
    Ok(())
}

impl Draft {
    fn of(path: RelPath, now: String, look: &Workspace) -> Result<Self, BoxError> {
        let stands = standing(&path, look)?;
        let base = standing(&generated::base(&path)?, look)?;
        let format = formatter(&path, look).filter(|argv| {
            // One that is no file of the project has to be on the machine.
            argv.first().is_some_and(|program| program.contains('/') || look.tool_version(program).is_some())
        });
        Ok(Self { path, now, format, stands, base })
    }
}

/// The text that stands at a path which can be written.
fn standing(path: &RelPath, look: &Workspace) -> Result<Option<String>, BoxError> {
    if !look.is_own(path) {
        return Err(format!(
            "`{path}` is a link, or lies behind one that leads out of the checkout; put a file there instead"
        )
        .into());
    }
    let text = look.read_text(path).map_err(|error| -> BoxError {
        match error.kind() {
            ErrorKind::IsADirectory => {
                format!("`{path}` is a folder where a file is to be; move it away, or name a file in it").into()
            }
            ErrorKind::InvalidData => {
                format!("`{path}` stands there and is not UTF-8, so it cannot be merged; move it away, or make it UTF-8").into()
            }
            _ => error.into(),
        }
    })?;
    match text {
        Some(text) if text.len() > LARGEST => {
            Err(format!("`{path}` has {} bytes, which is too much to merge; move it away", text.len()).into())
        }
        text => Ok(text),
    }
}
