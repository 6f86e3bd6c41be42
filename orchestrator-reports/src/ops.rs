//! The operation `render-report`: reads the journal of its own run, folds it, and writes reports of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Content, Expects, Remove, Write};
use orchestrator_core::effect::Effect;
use orchestrator_core::event::Record;
use orchestrator_core::id::{OrderKey, RunId};
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use orchestrator_core::plan::Plan;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::{ApplyError, RunState};

use crate::agent::{Rendered, RunReportConfig};
use crate::html::RUN_FOLDER;
use crate::write::write_reports;

/// Renders reports of its own run into the run's folder and, where told, copies them into the checkout.
#[derive(Debug, Clone, Copy, Default)]
pub struct RenderReport;

/// The journal of a run could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A file could not be read.
    #[error("`{path}` could not be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What it holds makes no sense.
    #[error("{place} is damaged")]
    Damaged {
        /// The file, with the line where there is one.
        place: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A record does not fit what came before it.
    #[error(transparent)]
    Fold(#[from] ApplyError),
}

/// The record of a run, from `plan.json` and `journal.jsonl` in its folder. A torn last line is left out. Blocks.
pub fn load_run(folder: &Path, run: RunId) -> Result<RunRecord, JournalError> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).map_err(|source| JournalError::Io { path, source })
    };
    let plan: Plan = serde_json::from_slice(&read("plan.json")?)
        .map_err(|source| JournalError::Damaged { place: "`plan.json`".into(), source })?;
    let mut state = RunState::new(Arc::new(plan));
    for (at, line) in read("journal.jsonl")?.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // A line without its end is still being written.
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let record = Record::parse(line).map_err(|source| JournalError::Damaged {
            place: format!("line {} of `journal.jsonl`", at + 1),
            source,
        })?;
        state.apply(record)?;
    }
    Ok(RunRecord::new(run, state))
}

/// The way from a folder of the checkout to the run's folder, with a slash at its end; none where that lies outside.
fn way_back(to: &RelPath, root: &Path, run: &Path) -> Option<String> {
    let below = run.strip_prefix(root).ok()?.to_str()?;
    let depth = if to.is_root() { 0 } else { to.as_str().split('/').count() };
    Some(format!("{}{below}/", "../".repeat(depth)))
}

fn render(config: &RunReportConfig, run: &RunId, root: &Path, state: &Path) -> Result<Rendered, BoxError> {
    let folder = state.join("runs").join(run.as_str());
    let record = load_run(&folder, run.clone())?;
    let generators =
        |base: Option<&str>| -> Vec<_> { config.generators.iter().map(|one| one.generator(base)).collect() };
    let files = write_reports(&record, &generators(Some(RUN_FOLDER)), &folder.join("reports"))?;
    if let Some(to) = &config.to {
        let base = way_back(to, root, &folder);
        write_reports(&record, &generators(base.as_deref()), &to.under(root))?;
    }
    Ok(Rendered { files, upto: record.upto })
}

/// What puts a file of the checkout back as it is now.
fn restore(path: RelPath, root: &Path) -> io::Result<Action> {
    match fs::read(path.under(root)) {
        Ok(bytes) => {
            let content = Content::new(bytes);
            Ok(Write { path, content, mode: None, expects: Expects::Anything }.into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Remove { path, expects: Expects::Anything }.into())
        }
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Operation for RenderReport {
    const NAME: &'static str = "render-report";
    const EFFECT: Effect = Effect::Writes;
    type Input = RunReportConfig;
    type Output = Rendered;

    async fn call(
        &self,
        input: RunReportConfig,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Rendered, BoxError> {
        let (run, root, state) = (order.run.clone(), site.root.to_path_buf(), site.state.to_path_buf());
        tokio::task::spawn_blocking(move || render(&input, &run, &root, &state)).await?
    }

    /// Only what is copied into the checkout is put back; the run's own folder is its record.
    async fn undo(&self, input: &RunReportConfig, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let Some(to) = &input.to else { return Ok(Vec::new()) };
        let files = input.generators.iter().map(|one| to.join(one.file()));
        files.map(|path| Ok(restore(path?, site.root)?)).collect()
    }

    /// Rendering again does no harm.
    async fn already(&self, _: &RunReportConfig, _: &OrderKey, _: &Site<'_>) -> Already<Rendered> {
        Already::NotDone
    }
}
