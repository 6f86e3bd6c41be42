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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::ops::{MergeInput, MergeIntoBranch};
    use crate::ops::here::blocking;
    use crate::rig::Rig;

    async fn look(rig: &Rig, branch: &'static str) -> Result<Known, BoxError> {
        let state = rig.root.join(".orchestrate");
        let Rig { root, stop, progress, env, secrets, .. } = rig;
        let site = orchestrator_core::operation::Site { root, state: &state, progress, stop, secrets, env };
        blocking(&site, move |here| known(&Git::new(here), branch, "main")).await
    }

    #[tokio::test]
    async fn only_refs_of_exactly_that_name_count() {
        let rig = Rig::new();
        rig.branch("team/a", "a.txt", "a\n", "feat: a");
        for no in ["team", "team/*", "team/a^", "team/a~0", "refs/heads/team/a", "--all", ""] {
            let error = look(&rig, no).await.unwrap_err().to_string();
            assert_eq!(error, format!("there is no branch `{no}`"));
        }
        let tip = rig.git(&["rev-parse", "team/a"]);
        assert_eq!(
            look(&rig, "team/a").await.unwrap(),
            Known { theirs: tip.clone(), there: None, tree: None }
        );
        // A local branch goes before one of a remote.
        rig.git(&["update-ref", "refs/remotes/team/a", "main"]);
        assert_eq!(look(&rig, "team/a").await.unwrap().theirs, tip);
        rig.git(&["update-ref", "refs/remotes/origin/far", &tip]);
        assert_eq!(look(&rig, "origin/far").await.unwrap().theirs, tip);
    }

    #[tokio::test]
    async fn what_is_there_already_makes_no_commit_and_an_equal_tree_does() {
        let rig = Rig::new();
        let merge = |branch: &str| MergeInput {
            branch: branch.into(),
            into: "main".into(),
            remote: None,
            strategy: crate::merge::Strategy::Merge,
            message: None,
            rules: crate::merge::Rules::default(),
        };
        rig.branch("a", "a.txt", "a\n", "feat: a");
        rig.git(&["branch", "older", "main"]);
        let a = rig.call(MergeIntoBranch, merge("a")).await.unwrap();
        let Known { there, tree, .. } = look(&rig, "a").await.unwrap();
        assert_eq!(there.unwrap().1.tip, a.commit);
        assert_eq!(tree.unwrap(), rig.git(&["rev-parse", &format!("{}^{{tree}}", a.commit)]));
        let older = rig.call(MergeIntoBranch, merge("older")).await.unwrap();
        assert!(older.already_so && older.commit == a.commit);
        rig.git(&["branch", "same", &rig.git(&["commit-tree", "-p", "a", "-m", "fix: x", "a^{tree}"])]);
        let same = rig.call(MergeIntoBranch, merge("same")).await.unwrap();
        assert!(!same.already_so && same.previous == a.commit && same.commit != a.commit);
    }
}
