//! The agent `config_edit`: reads the file, edits its text, plans one write.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Content, Expects, Write};
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use serde::{Deserialize, Serialize};

use super::config::{EditConfig, EditOutput};
use super::edited::Facts;
use super::facts;
use super::work::{Done, work};

/// The largest file that is edited, in bytes.
const LARGEST: usize = 4 << 20;

/// Edits one configuration or code file; comments, order and formatting stay.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConfigEdit;

/// What survey saw and conclude must know.
#[derive(Serialize, Deserialize)]
struct Seen {
    changed: bool,
    said: Vec<String>,
}

impl Agent for ConfigEdit {
    const NAME: &'static str = "config_edit";
    const ABOUT: &'static str = "edit a configuration or code file; comments, order and formatting stay";
    const PLANS_LONG: bool = true;
    type Config = EditConfig;
    type Output = EditOutput;

    async fn survey(&self, task: &Task<EditConfig>, look: &Workspace) -> Result<Json, BoxError> {
        Ok(edited(&task.config, look)?.0)
    }

    async fn plan(&self, task: &Task<EditConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(edited(&task.config, look)?.1)
    }

    async fn prepare(
        &self,
        task: &Task<EditConfig>,
        look: &Workspace,
    ) -> Result<Option<(Json, Vec<Action>)>, BoxError> {
        edited(&task.config, look).map(Some)
    }

    fn touches(&self, config: &EditConfig) -> Vec<RelPath> {
        vec![config.target.clone()]
    }

    fn conclude(
        &self,
        task: &Task<EditConfig>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<EditOutput>, BoxError> {
        let Seen { changed, said } = serde_json::from_str(task.carried.text())?;
        let path = task.config.target.clone();
        if let Some(failed) = receipts.iter().find(|receipt| !receipt.ok()) {
            return Ok(Verdict::failed(format!("`{path}` was not written: {}", failed.status)));
        }
        let summary =
            if changed { format!("changed `{path}`: {}", said.join("; ")) } else { already_so(&path, &said) };
        Ok(Verdict::passed(summary, EditOutput { path, changed, said }))
    }
}

fn already_so(path: &RelPath, said: &[String]) -> String {
    let said: Vec<_> = said.iter().map(|line| line.strip_prefix("already so: ").unwrap_or(line)).collect();
    format!("already so: `{path}`: {}", said.join("; "))
}

/// What was seen, and the write.
fn edited(config: &EditConfig, look: &Workspace) -> Result<(Json, Vec<Action>), BoxError> {
    let (there, done) = edit(config, look)?;
    let seen = Json::of(&Seen { changed: done.text.is_some(), said: done.said })?;
    let Some(text) = done.text else { return Ok((seen, Vec::new())) };
    let expects = Expects::exactly(Some(there.as_bytes()));
    let path = config.target.clone();
    Ok((seen, vec![Write { path, content: Content::new(text), mode: None, expects }.into()]))
}

/// The text of the file, and what becomes of it.
fn edit(config: &EditConfig, look: &Workspace) -> Result<(String, Done), BoxError> {
    let path = &config.target;
    own(path, look)?;
    let bytes = look.read(path)?;
    let bytes = bytes.ok_or_else(|| {
        format!("`{path}` is missing; `file_generation` makes files, this edits those that are there")
    })?;
    if bytes.len() > LARGEST {
        return Err(format!("`{path}` has {} bytes; up to {LARGEST} are edited", bytes.len()).into());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        format!("`{path}` is not UTF-8 from byte {} on; convert it first", error.utf8_error().valid_up_to())
    })?;
    let facts = if config.action.is_some() { facts::see(look) } else { Facts::default() };
    let done = work(config, &text, &facts).map_err(|error| format!("`{path}`: {error}"))?;
    Ok((text, done))
}

/// Files are not edited through links: a write replaces the link, or changes what lies elsewhere.
fn own(path: &RelPath, look: &Workspace) -> Result<(), BoxError> {
    let full = path.under(look.root());
    if full.is_symlink() {
        return Err(format!("`{path}` is a symbolic link; name the file that it leads to").into());
    }
    let root = look.root().canonicalize()?;
    let near = full.ancestors().skip(1).find_map(|folder| folder.canonicalize().ok());
    if near.is_none_or(|near| !near.starts_with(&root)) {
        return Err(format!("`{path}` lies behind a symbolic link that leads out of the repository").into());
    }
    Ok(())
}
