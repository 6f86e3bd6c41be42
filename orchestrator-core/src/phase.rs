//! Phases: stages of delivery that draft tasks for a project. They exist only while planning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::BoxError;
use crate::id::{GroupName, PhaseName};
use crate::pipeline::{GroupSpec, TaskSpec};
use crate::project::Project;
use crate::settings::Settings;

/// A stage of delivery. Same project, same draft.
pub trait Phase: Send + Sync + 'static {
    /// Its name: pipelines find it by the name of their phase, or by `use: NAME`.
    fn name(&self) -> PhaseName;
    /// What people read.
    fn title(&self) -> &str;
    /// Drafts groups of tasks for a project.
    fn draft(&self, project: &Project, draft: &mut Draft<'_>) -> Result<(), BoxError>;
}

/// Phases by name.
pub type Phases = BTreeMap<PhaseName, Arc<dyn Phase>>;

/// What a phase writes its tasks into.
#[derive(Debug)]
pub struct Draft<'a> {
    settings: &'a Settings,
    run: BTreeSet<String>,
    with: &'a Value,
    groups: Vec<GroupSpec>,
    notes: Vec<String>,
}

impl<'a> Draft<'a> {
    /// An empty draft.
    pub fn new(settings: &'a Settings, with: &'a Value) -> Self {
        Self { settings, with, run: BTreeSet::new(), groups: Vec::new(), notes: Vec::new() }
    }

    /// With the phases that the run drafts tasks of, itself included.
    #[must_use]
    pub fn among(mut self, phases: impl IntoIterator<Item = String>) -> Self {
        self.run.extend(phases);
        self
    }

    /// Whether the run has tasks that the registered phase of that name drafts.
    pub fn is_run(&self, phase: &str) -> bool {
        self.run.contains(phase)
    }

    /// The settings of the run.
    pub fn settings(&self) -> &Settings {
        self.settings
    }

    /// The phase's `with:`, read into a type; its defaults where there is none.
    pub fn with<T: DeserializeOwned>(&self) -> Result<T, BoxError> {
        let with =
            if self.with.is_null() { Value::Object(serde_json::Map::new()) } else { self.with.clone() };
        serde_path_to_error::deserialize(&with).map_err(|error| {
            let (way, text) = (error.path().to_string(), text_at(&with, error.path()).map(str::to_owned));
            let message = error.into_inner().to_string();
            // Parsers of addresses and the like do not say what they were given.
            match text.filter(|text| !message.contains(text.as_str())) {
                Some(text) => format!("`with.{way}`: `{}`: {message}", text.escape_debug()).into(),
                None => format!("`with.{way}`: {message}").into(),
            }
        })
    }

    /// Adds a group; a group of the same name is continued.
    pub fn group(&mut self, name: &str) -> Result<&mut GroupSpec, BoxError> {
        let name = GroupName::new(name)?;
        let at = self.groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
            self.groups.push(GroupSpec::new(name));
            self.groups.len() - 1
        });
        Ok(&mut self.groups[at])
    }

    /// Adds a task to a group.
    pub fn task(&mut self, group: &str, task: TaskSpec) -> Result<(), BoxError> {
        self.group(group)?.tasks.push(task);
        Ok(())
    }

    /// Says what was left out and why, for people who read the plan.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// What was drafted, and the notes.
    pub fn finish(self) -> (Vec<GroupSpec>, Vec<String>) {
        (self.groups, self.notes)
    }
}

/// The text at a way, where there is a short one.
fn text_at<'v>(mut value: &'v Value, path: &serde_path_to_error::Path) -> Option<&'v str> {
    use serde_path_to_error::Segment;
    for segment in path {
        value = match segment {
            Segment::Map { key } => value.get(key)?,
            Segment::Seq { index } => value.get(index)?,
            Segment::Enum { .. } | Segment::Unknown => return None,
        };
    }
    value.as_str().filter(|text| text.len() <= 100)
}
