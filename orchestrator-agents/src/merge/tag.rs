//! `tag`: the release gets its names.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::NameError;
use orchestrator_core::input::Input;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::main_branch;
use super::ops::{CreateTag, DeleteTag, RestoreTag, TagInput, Tagged};
use crate::said;

/// Makes annotated tags at the tip of the released branch.
#[derive(Debug, Clone, Copy)]
pub struct Tag;

/// Config of [`Tag`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TagConfig {
    /// Names of the tags.
    pub tags: Vec<Input<String>>,
    /// The branch whose tip they name; the main branch by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Whether the release is out and nothing came since: then nothing is tagged.
    #[serde(default)]
    pub nothing_new: Input<bool>,
    /// The remote that is asked whether it has a tag, before one of ours is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

impl Agent for Tag {
    const NAME: &'static str = "tag";
    const ABOUT: &'static str = "Makes annotated tags.";
    type Config = TagConfig;
    type Output = Tagged;

    async fn plan(&self, task: &Task<TagConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let tags = names(&task.config.tags)?;
        if *task.config.nothing_new.value()? {
            return Ok(Vec::new());
        }
        let remote = task.config.remote.clone();
        let branch = task.config.branch.clone().map_or_else(|| main_branch(look), Ok)?;
        let message = format!("Release {}", tags.first().map_or("nothing", String::as_str));
        Ok(vec![CreateTag::action(&TagInput { tags, branch, message, remote })?])
    }

    fn conclude(
        &self,
        task: &Task<TagConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Tagged>, BoxError> {
        if *task.config.nothing_new.value()? && receipts.is_empty() {
            let tagged = Tagged { tags: names(&task.config.tags)?, commit: None };
            return Ok(Verdict::passed("Nothing new to tag", tagged));
        }
        Ok(match said::output::<Tagged>(receipts)? {
            Ok(tagged) => Verdict::passed(format!("Tagged {}", tagged.tags.join(", ")), tagged),
            Err(why) => Verdict::failed(why),
        })
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(CreateTag)?, dyn_operation(DeleteTag)?, dyn_operation(RestoreTag)?])
    }
}

/// The values of tag names, each once.
pub(super) fn names(tags: &[Input<String>]) -> Result<Vec<String>, BoxError> {
    let mut names: Vec<String> = Vec::new();
    for tag in tags {
        let tag = tag.value()?;
        if !names.contains(tag) {
            names.push(tag.clone());
        }
    }
    Ok(names)
}
