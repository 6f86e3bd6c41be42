//! What a rollback falls back on: the backup that the run itself made and verified. Never another's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;
use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Call, Expects};
use orchestrator_core::agent::Agent;
use orchestrator_core::effect::Effect;
use orchestrator_core::operation::Operation;
use orchestrator_core::orchestrator::{Fallback, Lost, Restoration};
use orchestrator_core::outcome::Outcome;
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::plan::PlannedTask;
use orchestrator_core::state::{RunState, TaskState};
use serde::Deserialize;

use super::manifest::Name;
use super::ops::{
    CheckoutInput, ClearPaths, CreateBackup, Looked, Replace, RestoreCheckout, ScriptInput, SnapshotInput,
    VerifyInput, VerifySnapshot, WriteRollbackScript, look,
};
use super::{Backup, RollbackScript, VerifyBackup};
use crate::merge::ops::{RefInput, RestoreRef};

/// The most that is listed of what would change.
const LISTED: usize = 200;

/// The backup of the very run that is rolled back, if it was verified and has its script.
#[derive(Debug, Clone)]
pub struct OwnBackup {
    /// The root of the checkout.
    pub root: PathBuf,
    /// The state folder.
    pub state: PathBuf,
    /// The environment that commands get.
    pub env: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    /// Restores also over work that is newer than the run.
    pub force: bool,
    /// Now: what is replaced is backed up under a name of this time.
    pub now: Timestamp,
}

/// A backup, as the journal of its run tells it.
struct Made {
    snapshot: RelPath,
    manifest: Digest,
    at: Timestamp,
    input: SnapshotInput,
    took_ms: Option<f64>,
}

/// What outputs of several tasks have in common.
#[derive(Deserialize)]
struct Told {
    snapshot: RelPath,
    manifest: Digest,
}

#[derive(Deserialize)]
struct Tried {
    script: RelPath,
    restore_ms: f64,
}

#[async_trait]
impl Fallback for OwnBackup {
    async fn restoration(&self, lost: &Lost<'_>) -> Result<Option<Restoration>, BoxError> {
        let Some(made) = Made::of(lost.state) else { return Ok(None) };
        if lost.kept.iter().any(|(at, action)| *at > Some(made.at) && touches_the_checkout(action)) {
            return Ok(None);
        }
        let covers: Vec<usize> = (0..lost.actions.len())
            .filter(|at| {
                lost.actions[*at].at > Some(made.at) && touches_the_checkout(&lost.actions[*at].action)
            })
            .collect();
        let Some(until) = lost.state.last().filter(|_| !covers.is_empty()) else { return Ok(None) };
        let later = |at: &Option<Timestamp>| *at > Some(made.at);
        let undo: Vec<(usize, &[Action])> = lost
            .undo
            .iter()
            .enumerate()
            .filter(|(_, (at, _))| later(at))
            .map(|(n, (_, undo))| (n, *undo))
            .collect();
        let mine = Replace::Made { until, during: lost.spans.to_vec() };
        let paths = undo.iter().flat_map(|(_, undo)| undo.iter().filter_map(path_of)).cloned().collect();
        let (root, state) = (self.root.clone(), self.state.clone());
        let seen = look(root, state, self.env.clone(), made.snapshot.clone(), mine.clone(), paths).await?;
        if !needed(&seen, &undo) {
            return Ok(None);
        }
        let replace = if self.force { Replace::Anything } else { mine };
        let instead_of = undo.iter().filter(|(_, undo)| undo.iter().all(|action| restored(action, &seen)));
        Ok(Some(Restoration {
            name: made.snapshot.to_string(),
            at: made.at,
            actions: self.actions(&made, replace)?,
            covers,
            instead_of: instead_of.map(|(n, _)| *n).collect(),
            changes: changes(&seen),
            newer: seen.newer,
            took_ms: made.took_ms,
        }))
    }
}

impl OwnBackup {
    /// The backup proven once more, what is there backed up and proven, then the restoration.
    fn actions(&self, made: &Made, replace: Replace) -> Result<Vec<Action>, BoxError> {
        let Made { snapshot, manifest, input, .. } = made;
        let name = format!("{}-before-rollback", self.now.strftime("%Y-%m-%d-%H%M%S"));
        let before = input.to.join(&name)?;
        let fresh = SnapshotInput { name, ..input.clone() };
        let restore = CheckoutInput {
            snapshot: snapshot.clone(),
            manifest: *manifest,
            replace,
            before: before.clone(),
        };
        Ok(vec![
            VerifySnapshot::action(&VerifyInput { snapshot: snapshot.clone(), manifest: Some(*manifest) })?,
            CreateBackup::action(&fresh)?,
            VerifySnapshot::action(&VerifyInput { snapshot: before.clone(), manifest: None })?,
            WriteRollbackScript::action(&ScriptInput { snapshot: before })?,
            RestoreCheckout::action(&restore)?,
        ])
    }
}

impl Made {
    /// The last backup that the run itself made, verified, and wrote a script for.
    fn of(state: &RunState) -> Option<Self> {
        let tasks = || state.tasks().iter().zip(state.plan().tasks()).filter(|(task, _)| made_here(task));
        let by = |name: &'static str| {
            tasks().filter(move |(_, planned): &(_, &PlannedTask)| planned.agent.as_str() == name)
        };
        let told = |task: &TaskState| -> Option<Told> { task.output()?.parse().ok() };
        let verified: Vec<Told> = by(VerifyBackup::NAME).filter_map(|(task, _)| told(task)).collect();
        let tried: Vec<Tried> =
            by(RollbackScript::NAME).filter_map(|(task, _)| task.output()?.parse().ok()).collect();
        let made = by(Backup::NAME).filter_map(|(task, _)| {
            let Told { snapshot, manifest } = told(task)?;
            let sound = |other: &Told| other.snapshot == snapshot && other.manifest == manifest;
            verified.iter().any(sound).then_some(())?;
            let within = format!("{snapshot}/");
            let tried = tried.iter().find(|tried| tried.script.as_str().starts_with(&within))?;
            let input = task.receipts().find_map(|(action, _)| match action {
                Action::Call(Call { operation, input, .. }) if operation.as_str() == CreateBackup::NAME => {
                    input.parse().ok()
                }
                _ => None,
            })?;
            Some(Self { snapshot, manifest, at: task.ended?, input, took_ms: Some(tried.restore_ms) })
        });
        made.max_by_key(|made| made.at)
    }
}

/// Whether a task passed in this very run.
fn made_here(task: &TaskState) -> bool {
    task.outcome() == Some(Outcome::Passed) && task.end.as_ref().is_some_and(|end| end.from_run.is_none())
}

/// Whether an action may have changed what a backup holds. Of operations that publish none does; those of backups do not.
fn touches_the_checkout(action: &Action) -> bool {
    let apart = [CreateBackup::NAME, WriteRollbackScript::NAME, ClearPaths::NAME];
    match action {
        Action::Call(call) => call.effect == Effect::Writes && !apart.contains(&call.operation.as_str()),
        Action::Run(run) => run.effect > Effect::Reads,
        Action::Write(_) | Action::Remove(_) => true,
        Action::Await(_) => false,
    }
}

fn path_of(action: &Action) -> Option<&RelPath> {
    match action {
        Action::Write(write) => Some(&write.path),
        Action::Remove(remove) => Some(&remove.path),
        Action::Run(_) | Action::Call(_) | Action::Await(_) => None,
    }
}

fn ref_of(action: &Action) -> Option<RefInput> {
    let Action::Call(call) = action else { return None };
    if call.operation.as_str() == RestoreRef::NAME { call.input.parse().ok() } else { None }
}

fn name(path: &RelPath) -> Name {
    Name(path.as_str().into())
}

/// Whether restoring brings back what an undo action would.
fn restored(action: &Action, seen: &Looked) -> bool {
    let file = path_of(action).is_some_and(|path| seen.files.contains_key(&name(path)));
    file || ref_of(action).is_some_and(|branch| seen.refs.contains(&branch.reference))
}

/// Whether something differs that the undo actions do not bring back by themselves.
fn needed(seen: &Looked, undo: &[(usize, &[Action])]) -> bool {
    let all = || undo.iter().flat_map(|(_, undo)| undo.iter());
    let mut now: BTreeMap<&RelPath, Option<Digest>> =
        seen.digests.iter().map(|(path, is)| (path, *is)).collect();
    let mut good: BTreeSet<Name> = BTreeSet::new();
    for action in all() {
        let (path, expects, gives) = match action {
            Action::Write(write) => (&write.path, write.expects, write.content.digest()),
            Action::Remove(remove) => (&remove.path, remove.expects, None),
            Action::Run(_) | Action::Call(_) | Action::Await(_) => continue,
        };
        let is = now.get(path).copied().flatten();
        let fits = match expects {
            Expects::Anything => true,
            Expects::Absent => is.is_none(),
            Expects::Digest(digest) => is == Some(digest),
        };
        if fits || is == gives {
            now.insert(path, gives);
            good.insert(name(path));
        } else {
            good.remove(&name(path));
        }
    }
    let branches: BTreeSet<String> = all().filter_map(ref_of).map(|branch| branch.reference).collect();
    let moves = !branches.is_empty();
    // A branch that goes back takes along what is as it was committed.
    let explained = |path: &Name| good.contains(path) || (moves && !seen.uncommitted.contains(path));
    seen.files.keys().any(|path| !explained(path)) || seen.refs.iter().any(|name| !branches.contains(name))
}

fn changes(seen: &Looked) -> Vec<String> {
    let files = seen.files.iter().map(|(path, letter)| format!("{letter} {path}"));
    let refs = seen.refs.iter().map(|name| format!("{name} goes back to where it was"));
    let mut changes: Vec<String> = files.chain(refs).collect();
    let more = changes.len().saturating_sub(LISTED);
    changes.truncate(LISTED);
    changes.extend((more > 0).then(|| format!("and {more} more")));
    changes
}
