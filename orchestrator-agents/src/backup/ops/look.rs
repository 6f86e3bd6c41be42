//! A look at a checkout and at a snapshot of it, for who plans a rollback.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

use orchestrator_core::BoxError;
use orchestrator_core::id::TaskId;
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::progress::ProgressSink;
use orchestrator_core::stop::Stop;

use super::differences::{Differences, Replace, differences, digest_of, newer, uncommitted};
use crate::backup::manifest::Name;
use crate::ops::here::Here;

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(in crate::backup) struct Looked {
    /// Files that restoring would change, and how.
    pub(in crate::backup) files: BTreeMap<Name, char>,
    /// Refs that it would move or bring back.
    pub(in crate::backup) refs: BTreeSet<String>,
    /// What of both may not be replaced, in words.
    pub(in crate::backup) newer: Vec<String>,
    /// Paths that are not as they were committed.
    pub(in crate::backup) uncommitted: BTreeSet<Name>,
    /// Digests of the files that were asked for.
    pub(in crate::backup) digests: BTreeMap<RelPath, Option<Digest>>,
}

/// Looks what restoring a snapshot would change, and how the files are that were asked for. Changes nothing.
pub(in crate::backup) async fn look(
    root: PathBuf,
    state: PathBuf,
    env: Vec<(OsString, OsString)>,
    snapshot: RelPath,
    replace: Replace,
    paths: BTreeSet<RelPath>,
) -> Result<Looked, BoxError> {
    let progress = ProgressSink::none(TaskId::new("rollback")?);
    let here = Here { root, state, env: env.into(), stop: Stop::new(), progress };
    tokio::task::spawn_blocking(move || {
        let found = differences(&here, &snapshot)?;
        let newer = newer(&here, &found, &replace)?;
        let Differences { files, refs } = found;
        let uncommitted = if refs.is_empty() { BTreeSet::new() } else { uncommitted(&here)? };
        let digests = paths.into_iter().map(|path| Ok((path.clone(), digest_of(&here, &path)?)));
        let digests = digests.collect::<Result<_, BoxError>>()?;
        let files = files.into_iter().map(|changed| (changed.path, changed.letter)).collect();
        Ok(Looked {
            files,
            refs: refs.into_iter().map(|(name, _)| name).collect(),
            newer,
            uncommitted,
            digests,
        })
    })
    .await?
}
