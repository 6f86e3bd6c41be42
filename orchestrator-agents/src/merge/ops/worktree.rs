//! Worktrees of our own, below the state folder, where files are needed.

use std::path::Path;

use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;
use orchestrator_core::stop::Stop;

use crate::ops::git::Git;
use crate::ops::here::{Here, Scratch};

/// A detached worktree below the state folder, gone when this is.
pub(super) struct Worktree<'a> {
    main: Git<'a>,
    here: &'a Here,
    scratch: Scratch,
}

impl<'a> Worktree<'a> {
    pub(super) fn new(here: &'a Here, order: &OrderKey, commit: &str) -> Result<Self, BoxError> {
        let scratch = here.scratch(order, "tree")?;
        let main = Git::new(here);
        // Forgets worktrees of killed runs, whose folders are gone by now.
        main.bytes(["worktree", "prune"])?;
        let worktree = Self { main, here, scratch };
        let path = worktree.path().as_os_str();
        let args = ["worktree", "add", "--quiet", "--detach"].map(AsRef::as_ref);
        worktree.main.bytes(args.into_iter().chain([path, commit.as_ref()]))?;
        Ok(worktree)
    }

    pub(super) fn path(&self) -> &Path {
        self.scratch.path()
    }

    pub(super) fn git(&self) -> Git<'a> {
        self.main.at(self.path())
    }
}

impl Drop for Worktree<'_> {
    fn drop(&mut self) {
        // Also when the run is being stopped. What stays is pruned by the next one.
        let here = Here { stop: Stop::new(), ..self.here.clone() };
        let path = self.path().as_os_str();
        let args = ["worktree", "remove", "--force", "--force"].map(AsRef::as_ref);
        let _ = Git::new(&here).bytes(args.into_iter().chain([path]));
    }
}
