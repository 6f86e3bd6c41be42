//! Commits made without a worktree.

use orchestrator_core::BoxError;

use crate::merge::record::with_trailers;
use crate::ops::git::{Git, failed};

/// A commit to make.
#[derive(Debug, Clone, Default)]
pub(in crate::merge) struct NewCommit<'a> {
    /// Its tree.
    pub(in crate::merge) tree: &'a str,
    /// Its parents.
    pub(in crate::merge) parents: &'a [&'a str],
    /// Its message without trailers.
    pub(in crate::merge) message: &'a str,
    /// Its trailers.
    pub(in crate::merge) trailers: &'a [(String, String)],
    /// Whose it is: `GIT_AUTHOR_NAME` and so on; the committer's by default.
    pub(in crate::merge) author: &'a [(String, String)],
}

/// Whether commits are to be signed: `git commit-tree` itself does not look at the setting.
pub(in crate::merge) fn signs(git: &Git<'_>) -> Result<bool, BoxError> {
    Ok(git.maybe(["config", "--type=bool", "--get", "commit.gpgSign"])?.as_deref() == Some("true"))
}

/// Makes a commit, signed where that is asked for. No hook runs, no ref changes.
pub(in crate::merge) fn commit_tree(
    git: &Git<'_>,
    new: &NewCommit<'_>,
    signs: bool,
) -> Result<String, BoxError> {
    let NewCommit { tree, parents, message, trailers, author } = new;
    let mut git = git.clone();
    for (name, value) in *author {
        git = git.env(name, value);
    }
    // Messages are UTF-8 here, whatever the user writes.
    let mut args = vec!["-c", "i18n.commitEncoding=UTF-8", "commit-tree"];
    if signs {
        args.push("-S");
    }
    for parent in *parents {
        args.extend(["-p", parent]);
    }
    args.extend(["-F", "-", tree]);
    let output = git.output(&args, Some(with_trailers(message, trailers).into_bytes()))?;
    if !output.status.success() {
        return Err(failed(&args, &output).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
