//! Recording a result: only if all that it depends on is as it was before, and what it did is known as files.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;

use super::{Fresh, Reuse, Spec};
use crate::action::Action;
use crate::agent::Conclusion;
use crate::cache::{Entry, Made, Recorded};
use crate::effect::Effect;
use crate::id::{RunId, TaskId};
use crate::json::Json;
use crate::operation::Operation as _;
use crate::order::{Artifact, Receipt, Status};
use crate::path::RelPath;
use crate::patterns::{Pattern, Patterns};
use crate::state::Round;

/// A task that passed, and what it did.
pub(crate) struct Passed<'a> {
    pub(crate) run: &'a RunId,
    pub(crate) task: &'a TaskId,
    pub(crate) rounds: &'a [Round],
    pub(crate) conclusion: &'a Conclusion<Json>,
}

impl Reuse {
    /// Records the result of a task that passed. Blocks. What keeps it from being reused is remembered for `why`.
    pub(crate) fn store(&self, spec: &Spec, fresh: &Fresh, passed: &Passed<'_>) {
        let name = passed.task.as_str();
        match self.try_store(spec, fresh, passed) {
            Ok(result) => Self::learn(&mut self.inventory(), name, fresh.key, &result),
            Err(Refused::Note(note)) => {
                tracing::debug!(task = name, note, "its result is not stored");
                self.inventory().forget(name, Some(note));
            }
            Err(Refused::Io(error)) => {
                self.cache.cannot_store(&error);
                self.inventory().forget(name, Some(format!("it could not be stored: {error}")));
            }
        }
    }

    fn try_store(&self, spec: &Spec, fresh: &Fresh, passed: &Passed<'_>) -> Result<Recorded, Refused> {
        let written = known_changes(passed.rounds)?;
        self.unchanged(spec, fresh, passed.task.as_str())?;
        let made = self.made(spec, written)?;
        let mut captured: Vec<Artifact> = Vec::new();
        let mut took_ms = 0.0;
        for receipt in receipts(passed.rounds) {
            took_ms += receipt.took_ms;
            captured.extend(receipt.stdout.iter().chain(&receipt.stderr).chain(&receipt.artifacts).cloned());
        }
        for artifact in &captured {
            let (digest, _) = self.cache.keep(&self.cache.of_run(artifact, passed.run))?;
            if digest != artifact.digest {
                return Err(Refused::Note(format!("`{}` changed after it was captured", artifact.name)));
            }
        }
        let (run, at, conclusion) = (passed.run.clone(), jiff::Timestamp::now(), passed.conclusion.clone());
        let result = Recorded { run, at, took_ms, conclusion, captured, made };
        let (fingerprint, task) = (fresh.fingerprint.clone(), passed.task.clone());
        let entry = Entry { fingerprint, task, result };
        if self.cache.store(fresh.key, &entry) {
            Ok(entry.result)
        } else {
            Err(Refused::Note("it could not be stored".into()))
        }
    }

    /// Whether all that the result depends on is as it was before the task ran.
    fn unchanged(&self, spec: &Spec, fresh: &Fresh, name: &str) -> Result<(), Refused> {
        let mut inventory = self.inventory();
        inventory.refresh(&fresh.looked.files, &fresh.looked.folders);
        if inventory.sum(&fresh.looked) == fresh.sum {
            return Ok(());
        }
        let now = Self::fresh(&mut inventory, name, spec).map_err(Refused::Note)?;
        if now.key == fresh.key {
            return Ok(());
        }
        let changes = now.fingerprint.changes(&fresh.fingerprint);
        let shown: Vec<String> = changes.iter().take(3).map(ToString::to_string).collect();
        Err(Refused::Note(format!("what it depends on changed while it ran: {}", shown.join(", "))))
    }

    /// Keeps the files that a task made.
    fn made(&self, spec: &Spec, written: BTreeSet<RelPath>) -> Result<Vec<Made>, Refused> {
        let patterns = Patterns::parse(&spec.base.outputs).map_err(Refused::Note)?;
        let expanded = self.inventory().expand(&patterns, true).map_err(Refused::Note)?;
        let root = self.look.root();
        let mut made = Vec::new();
        for path in patterns.wanted().iter().filter_map(|pattern| match pattern {
            Pattern::Path(path) => Some(path),
            Pattern::Glob { .. } => None,
        }) {
            if path.under(root).symlink_metadata().is_err() {
                return Err(Refused::Note(format!("it did not make its declared output `{path}`")));
            }
        }
        let declared = expanded.files.iter().filter_map(|path| RelPath::new(path).ok());
        for path in declared.chain(written).collect::<BTreeSet<_>>() {
            let full = path.under(root);
            let meta = full.symlink_metadata()?;
            if !meta.is_file() {
                return Err(Refused::Note(format!("its output `{path}` is no plain file")));
            }
            let (digest, bytes) = self.cache.keep(&full)?;
            made.push(Made { path, digest, bytes, mode: meta.mode() & 0o7777 });
        }
        Ok(made)
    }
}

/// Why a result is not stored.
enum Refused {
    Note(String),
    Io(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn receipts(rounds: &[Round]) -> impl Iterator<Item = &Receipt> {
    rounds.iter().flat_map(|round| &round.steps).filter_map(|step| step.receipt.as_deref())
}

/// The files that a task's actions wrote. Actions whose changes are not known as files keep its result from being reused.
fn known_changes(rounds: &[Round]) -> Result<BTreeSet<RelPath>, Refused> {
    let mut written = BTreeSet::new();
    let note = |text: &str| Err(Refused::Note(text.to_owned()));
    for (action, step) in rounds.iter().flat_map(|round| round.actions.iter().zip(&round.steps)) {
        let status = step.receipt.as_ref().map(|receipt| &receipt.status);
        match action {
            _ if action.effect() == Effect::Publishes => {
                return note("it publishes, and that is never reused");
            }
            _ if matches!(status, Some(Status::AssumedDone)) => return note("a person said how it ended"),
            Action::Run(_) => {}
            Action::Write(write) => drop(written.insert(write.path.clone())),
            Action::Remove(_) => return note("it removes files"),
            Action::Await(_) => return note("it waited for something from outside"),
            Action::Call(call) if call.effect == Effect::Reads => {}
            Action::Call(call) if call.operation.as_str() == super::restore::Restore::NAME => {}
            Action::Call(_) => return note("it changes more than files that it declares"),
        }
    }
    Ok(written)
}
