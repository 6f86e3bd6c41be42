//! What a merge needs to know before it starts, by one look at the refs.

use orchestrator_core::BoxError;

use super::branches::BranchError;
use crate::merge::record::{Record, reference};
use crate::ops::git::Git;

/// What is known of a branch and of the candidate that it goes into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// The commit at the tip of the branch.
    pub(super) theirs: String,
    /// The candidate's record, and the commit that holds it; none where there is none.
    pub(super) there: Option<(String, Record)>,
    /// The tree of that commit, which is that of the candidate's tip.
    pub(super) tree: Option<String>,
}

/// Looks for a branch, local or known from a remote as `origin/x`, and for the candidate of `into`.
pub(super) fn known(git: &Git<'_>, branch: &str, into: &str) -> Result<Known, BoxError> {
    let (local, tracked) = (format!("refs/heads/{branch}"), format!("refs/remotes/{branch}"));
    let candidate = reference(into);
    let format = "--format=%(refname)%00%(objectname)%00%(tree)%00%(contents)%00";
    let said = git.text(["for-each-ref", format, "--", &local, &tracked, &candidate])?;
    // Names are patterns to git: only a ref of exactly that name counts.
    let mut fields = said.split('\0');
    let (mut heads, mut remotes, mut there, mut tree) = (None, None, None, None);
    while let (Some(name), Some(object), Some(of), Some(message)) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    {
        let name = name.trim_start_matches('\n');
        if name == local {
            heads = Some(object.to_owned());
        } else if name == tracked {
            remotes = Some(object.to_owned());
        } else if name == candidate {
            there = Some(Record::found(into, object, message)?);
            tree = Some(of.to_owned()).filter(|of| !of.is_empty());
        }
    }
    let theirs = heads.or(remotes).ok_or_else(|| BranchError::NoBranch(branch.to_owned()))?;
    Ok(Known { theirs, there, tree })
}
