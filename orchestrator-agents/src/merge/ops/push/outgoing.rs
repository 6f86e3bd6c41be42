//! What is to go out, looked at before anything does: the tree that was checked, on the base that it was made for.

use std::collections::BTreeMap;

use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;

use super::super::branches::branch_ref;
use super::super::candidate::Candidate;
use super::super::land::{comes_from_base, tree};
use super::super::published::Published;
use super::{PushInput, Pushed};
use crate::ops::git::Git;
use crate::ops::here::Here;

/// Why nothing goes out.
#[derive(Debug, thiserror::Error)]
enum OutgoingError {
    #[error(
        "the candidate of `{branch}` is {now} instead of {expected}, which was looked at; nothing was published"
    )]
    Other { branch: String, now: String, expected: String },
    #[error("{commit} does not come from {base}, its base, by first parents; nothing was published")]
    NotAbove { commit: String, base: String },
    #[error("{commit} was not checked (its tree is {tree}); nothing was published")]
    Unchecked { commit: String, tree: String },
    #[error("tag `{tag}` names {there} instead of {commit}, which is to be released; nothing was published")]
    TagElsewhere { tag: String, there: String, commit: String },
    #[error("there is no `{0}` to push")]
    Absent(String),
}

/// What is to go out.
pub(super) struct Outgoing {
    /// The full name of the branch.
    pub(super) branch: String,
    /// The commit that it is to be at.
    pub(super) commit: String,
    /// The commit that this was prepared for.
    pub(super) base: String,
    /// Full names of tags with their objects.
    pub(super) tags: BTreeMap<String, String>,
    /// The name of the branch that asks for it.
    pub(super) proposal: String,
}

impl Outgoing {
    pub(super) fn of(here: &Here, input: &PushInput, order: &OrderKey) -> Result<Self, BoxError> {
        let git = Git::new(here);
        let branch = branch_ref(&git, &input.branch)?;
        let candidate = Candidate::of(&git, &input.branch, order)?;
        let commit = Candidate::released(&git, &input.branch, order)?;
        if let Some(expected) = input.commit.as_ref().filter(|expected| **expected != commit) {
            let (branch, expected) = (input.branch.clone(), expected.clone());
            return Err(OutgoingError::Other { branch, now: commit, expected }.into());
        }
        let base =
            candidate.as_ref().map_or_else(|| commit.clone(), |candidate| candidate.record().base.clone());
        if !comes_from_base(&git, &commit, &base)? {
            return Err(OutgoingError::NotAbove { commit, base }.into());
        }
        if input.checked {
            let tree = tree(&git, &commit)?;
            let checked = candidate.as_ref().and_then(|candidate| candidate.record().checked.as_ref());
            if checked.is_none_or(|checked| checked.tree != tree || checked.commit != commit) {
                return Err(OutgoingError::Unchecked { commit, tree }.into());
            }
        }
        let mut tags = BTreeMap::new();
        for tag in &input.tags {
            let name = format!("refs/tags/{tag}");
            let object = git.maybe(["rev-parse", "--quiet", "--verify", &name])?;
            let object = object.ok_or_else(|| OutgoingError::Absent(name.clone()))?;
            let there = git.commit(&name)?.unwrap_or_default();
            // A tag of an earlier release is on the branch already: nothing new is released.
            if candidate.is_some() && there != commit && !git.is_ancestor(&there, &base)? {
                let (tag, commit) = (tag.clone(), commit);
                return Err(OutgoingError::TagElsewhere { tag, there, commit }.into());
            }
            tags.insert(name, object);
        }
        let proposal = format!("refs/heads/release/{}", input.tags.first().map_or("next", String::as_str));
        Ok(Self { branch, commit, base, tags, proposal })
    }

    /// Names to ask the remote about.
    pub(super) fn asked(&self) -> Vec<String> {
        [&self.branch, &self.proposal].into_iter().chain(self.tags.keys()).cloned().collect()
    }

    /// What the remote has when all is out.
    pub(super) fn pushed(&self) -> Pushed {
        let branch = (self.branch.clone(), self.commit.clone());
        Pushed { refs: std::iter::once(branch).chain(self.tags.clone()).collect(), ..Pushed::default() }
    }

    /// Whether the remote has all of it.
    pub(super) fn is_there(&self, there: &Published) -> bool {
        there.object(&self.branch) == Some(&*self.commit) && self.tags_there(there) == self.tags.len()
    }

    /// How many of the tags the remote has.
    pub(super) fn tags_there(&self, there: &Published) -> usize {
        self.tags.iter().filter(|(name, object)| there.object(name) == Some(object.as_str())).count()
    }

    /// What the remote does not have.
    pub(super) fn missing(&self, there: &Published) -> String {
        let refs = self.pushed().refs;
        let missing = refs.iter().filter(|(name, object)| there.object(name) != Some(object.as_str()));
        missing.map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }

    /// Fails where the remote has one of the tags for something else.
    pub(super) fn tags_are_free(&self, there: &Published) -> Result<(), BoxError> {
        for (name, object) in &self.tags {
            if let Some(other) = there.object(name).filter(|other| other != object) {
                return Err(format!(
                    "the remote has a tag `{name}` already, {other} instead of {object}; fetch its tags or give another version; nothing was published"
                )
                .into());
            }
        }
        Ok(())
    }

    /// The command that sends it: the branch if it is where it was seen, tags if they are not there, all or nothing.
    pub(super) fn args(&self, remote: &str, at: Option<&str>) -> Vec<String> {
        let mut args: Vec<String> =
            ["push", "--atomic", "--porcelain", "--no-follow-tags"].map(str::to_owned).into();
        let mut specs = Vec::new();
        if at != Some(&*self.commit) {
            args.push(format!("--force-with-lease={}:{}", self.branch, at.unwrap_or_default()));
            specs.push(format!("{}:{}", self.commit, self.branch));
        }
        for (name, object) in &self.tags {
            args.push(format!("--force-with-lease={name}:"));
            specs.push(format!("{object}:{name}"));
        }
        args.extend(["--".to_owned(), remote.to_owned()]);
        args.extend(specs);
        args
    }
}
