//! What earlier runs left behind that died: temporary folders, half-made backups, worktrees, pid files. Found by a look first,
//! then removed by name; whatever belongs to a run that goes on, or may, stays.

use std::fs;
use std::io;
use std::path::Path;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{OrderKey, RunId};
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bundle;
use super::pid_file::{self, PidFile};
use super::prune::is_half;
use super::runs;
use crate::backup::keep::{RunSeen, Stands};
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking, remove_tree};

/// Finds what dead runs left behind.
#[derive(Debug, Clone, Copy)]
pub struct FindLeftovers;

/// Where to look besides the state folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftoversInput {
    /// The folder of all snapshots.
    pub backups: RelPath,
    /// Pid files of the project's programs.
    #[serde(default)]
    pub pid_files: Vec<RelPath>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// What is to be removed.
    pub stale: Vec<Leftover>,
    /// What looks like it and stays.
    pub stays: Vec<Leftover>,
}

/// Something that was left behind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Leftover {
    /// What it is.
    pub kind: Kind,
    /// Its name: below the root for pid files, in their folder for the others.
    pub name: String,
    /// Why it goes, or stays.
    pub why: String,
}

/// What was left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A pid file.
    PidFile,
    /// A temporary folder of a run.
    Scratch,
    /// A backup that was being made or removed.
    Backup,
    /// A worktree of a run, as git remembers it.
    Worktree,
}

impl Kind {
    /// What people call it.
    pub fn about(self) -> &'static str {
        match self {
            Self::PidFile => "pid file",
            Self::Scratch => "temporary folder",
            Self::Backup => "half-made backup",
            Self::Worktree => "worktree",
        }
    }
}

#[async_trait]
impl Operation for FindLeftovers {
    const NAME: &'static str = "find-leftovers";
    const EFFECT: Effect = Effect::Reads;
    type Input = LeftoversInput;
    type Output = Found;

    async fn call(
        &self,
        input: LeftoversInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Found, BoxError> {
        let runs = needed_runs(site, &input.backups).await?;
        let own = order.run.clone();
        blocking(site, move |here| find(here, &input, &runs, &own)).await
    }

    async fn already(&self, _: &LeftoversInput, _: &OrderKey, _: &Site<'_>) -> Already<Found> {
        Already::NotDone
    }
}

/// Removes what was found, where it is still stale.
#[derive(Debug, Clone, Copy)]
pub struct RemoveLeftovers;

/// What is to be removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToRemove {
    /// The folder of all snapshots.
    pub backups: RelPath,
    /// What was found.
    pub stale: Vec<Leftover>,
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Swept {
    /// What is gone.
    pub gone: Vec<Leftover>,
    /// Bytes on disk that it took.
    pub freed: u64,
}

#[async_trait]
impl Operation for RemoveLeftovers {
    const NAME: &'static str = "remove-leftovers";
    const EFFECT: Effect = Effect::Writes;
    type Input = ToRemove;
    type Output = Swept;

    async fn call(&self, input: ToRemove, order: &OrderKey, site: &Site<'_>) -> Result<Swept, BoxError> {
        let runs = needed_runs(site, &input.backups).await?;
        let own = order.run.clone();
        blocking(site, move |here| remove(here, input, &runs, &own)).await
    }

    /// What is gone already is not missed, so it is simply done again.
    async fn already(&self, _: &ToRemove, _: &OrderKey, _: &Site<'_>) -> Already<Swept> {
        Already::NotDone
    }
}

/// The runs, where something lies about that may be of one.
async fn needed_runs(site: &Site<'_>, backups: &RelPath) -> Result<Vec<RunSeen>, BoxError> {
    let (scratch, backups) = (site.state.join("scratch"), backups.under(site.root));
    let any = blocking(site, move |_| {
        Ok(!names(&scratch)?.is_empty() || names(&backups)?.iter().any(|name| is_half(name)))
    });
    if any.await? { runs::look(site.state, &[]).await } else { Ok(Vec::new()) }
}

fn find(here: &Here, input: &LeftoversInput, runs: &[RunSeen], own: &RunId) -> Result<Found, BoxError> {
    let mut found = Found::default();
    let git = bundle::repository(here)?;
    for path in &input.pid_files {
        pid_file(here, git.as_ref(), path, &mut found)?;
    }
    for name in names(&here.state.join("scratch"))? {
        let owner = RunId::new(name.get(..23).unwrap_or_default()).ok();
        let left = |why| Leftover { kind: Kind::Scratch, name: name.clone(), why };
        match owner.map(|run| stands(runs, own, &run).map_err(|why| (run, why))) {
            Some(Ok(why)) => found.stale.push(left(why)),
            Some(Err((_, why))) => found.stays.push(left(why)),
            None => found.stays.push(left("it is of no run".into())),
        }
    }
    let backups = input.backups.under(&here.root);
    for name in names(&backups)?.into_iter().filter(|name| is_half(name)) {
        // The time in its name is that of the run that makes it.
        let digits: String = name.chars().filter(char::is_ascii_digit).take(14).collect();
        let makes = |run: &&RunSeen| run.run.as_str().starts_with(&digits) && run.stands != Stands::Over;
        let left = |why| Leftover { kind: Kind::Backup, name: name.clone(), why };
        match runs.iter().find(makes) {
            Some(run) => found.stays.push(left(format!("run {} goes on or can be resumed", run.run))),
            None if own.as_str().starts_with(&digits) => found.stays.push(left("it is of this run".into())),
            None => found.stale.push(left("its run is over or gone".into())),
        }
    }
    if let Some(git) = &git {
        for path in lost_worktrees(here, git)? {
            let why = "its folder is gone".to_owned();
            found.stale.push(Leftover { kind: Kind::Worktree, name: path, why });
        }
    }
    Ok(found)
}

/// Why what is left of a run goes; or why it stays.
fn stands(runs: &[RunSeen], own: &RunId, run: &RunId) -> Result<String, String> {
    if run == own {
        return Err("it is of this run".into());
    }
    match runs.iter().find(|seen| seen.run == *run).map(|seen| seen.stands) {
        None => Ok(format!("run {run} is gone")),
        Some(Stands::Over) => Ok(format!("run {run} is over")),
        Some(Stands::Live) => Err(format!("run {run} is under way")),
        Some(Stands::Open) => Err(format!("run {run} can be resumed")),
        Some(Stands::Unreadable) => Err(format!("the journal of run {run} cannot be read")),
    }
}

fn pid_file(here: &Here, git: Option<&Git<'_>>, path: &RelPath, found: &mut Found) -> Result<(), BoxError> {
    let full = path.under(&here.root);
    let left = |why: String| Leftover { kind: Kind::PidFile, name: path.to_string(), why };
    let mut above =
        Path::new(path.as_str()).ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    if above.any(|folder| here.root.join(folder).is_symlink()) {
        found.stays.push(left("a link leads to it".into()));
        return Ok(());
    }
    match pid_file::look(&full).map_err(|error| format!("`{path}` could not be read: {error}"))? {
        PidFile::Absent => {}
        PidFile::Stays(why) => found.stays.push(left(why)),
        PidFile::Stale(why) => {
            let literal = format!(":(literal){path}");
            let kept = match git {
                Some(git) => !git.text(["ls-files", "--cached", "--", &literal])?.is_empty(),
                None => false,
            };
            if kept { found.stays.push(left("git keeps it".into())) } else { found.stale.push(left(why)) }
        }
    }
    Ok(())
}

/// The names in a folder, in order; none where there is none.
fn names(folder: &Path) -> Result<Vec<String>, BoxError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| format!("`{}` could not be read: {error}", folder.display()))?,
    };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Worktrees below the state folder that git remembers and that are not there any more.
fn lost_worktrees(here: &Here, git: &Git<'_>) -> Result<Vec<String>, BoxError> {
    let state = here.state.canonicalize().unwrap_or_else(|_| here.state.clone());
    let list = git.text(["worktree", "list", "--porcelain"])?;
    let mut lost = Vec::new();
    for entry in list.split("\n\n") {
        let Some(path) = entry.lines().find_map(|line| line.strip_prefix("worktree ")) else { continue };
        let is_lost = entry.lines().any(|line| line.starts_with("prunable"));
        if is_lost && Path::new(path).starts_with(&state) && !Path::new(path).exists() {
            lost.push(path.to_owned());
        }
    }
    Ok(lost)
}

fn remove(here: &Here, input: ToRemove, runs: &[RunSeen], own: &RunId) -> Result<Swept, BoxError> {
    let pid_files = input.stale.iter().filter(|left| left.kind == Kind::PidFile);
    let pid_files = pid_files.map(|left| RelPath::new(&left.name)).collect::<Result<Vec<_>, _>>()?;
    let now = find(here, &LeftoversInput { backups: input.backups.clone(), pid_files }, runs, own)?;
    let is_stale =
        |left: &Leftover| now.stale.iter().any(|now| (now.kind, &now.name) == (left.kind, &left.name));
    let mut swept = Swept::default();
    for left in input.stale {
        here.go_on()?;
        if !is_stale(&left) {
            continue;
        }
        let path = match left.kind {
            Kind::PidFile => here.root.join(&left.name),
            Kind::Scratch => here.state.join("scratch").join(&left.name),
            Kind::Backup => input.backups.under(&here.root).join(&left.name),
            Kind::Worktree => {
                Git::new(here).bytes(["worktree", "remove", "--force", &left.name])?;
                swept.gone.push(left);
                continue;
            }
        };
        swept.freed += bytes(&path);
        remove_tree(&path).map_err(|error| format!("`{}` could not be removed: {error}", path.display()))?;
        swept.gone.push(left);
    }
    // A temporary folder that held a worktree leaves git's memory of it.
    if let Some(git) = bundle::repository(here)? {
        for path in lost_worktrees(here, &git)? {
            git.bytes(["worktree", "remove", "--force", &path])?;
        }
    }
    Ok(swept)
}

/// Bytes on disk below a path; what cannot be read counts for nothing.
fn bytes(path: &Path) -> u64 {
    let (mut files, mut bytes) = (0, 0);
    let _ = super::caches::measure(path, &mut files, &mut bytes);
    bytes
}
