//! A candidate that is worked on: opened on its base, brought forward step by step, each by compare-and-swap.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site, Transient};
use orchestrator_core::path::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::branches::{TRAILER, tip};
use super::base;
use super::commit::{NewCommit, commit_tree, signs};
use super::restore::{RestoreCandidate, RestoreInput};
use super::scribe::{Scribe, mover};
use crate::merge::record::{Checked, Kind, Record, Step, reference};
use crate::ops::git::{Git, Ready};
use crate::ops::here::{Here, blocking};

/// The digest of what a step asks for.
pub(in crate::merge) fn key(asked: &impl Serialize) -> Result<String, BoxError> {
    Ok(Digest::of(serde_json::to_string(asked)?.as_bytes()).to_string())
}

/// The candidate of a branch, as it stands.
#[derive(Debug, Clone)]
pub(in crate::merge) struct Candidate {
    branch: String,
    /// The commit that holds the record; none before it was stored.
    own: Option<String>,
    record: Record,
}

impl Candidate {
    /// The candidate that this run works on: the one that it has, else one on the base as it is now. Steps of an earlier run on the
    /// same base are kept as long as this run asks for the same ones.
    pub(in crate::merge) fn open(
        here: &Here,
        branch: &str,
        remote: Option<&str>,
        order: &OrderKey,
    ) -> Result<Self, BoxError> {
        let there = Record::read(&Git::new(here), branch)?;
        Self::go_on(here, there, branch, remote, order)
    }

    /// The same, where the record that is there was read before.
    pub(in crate::merge) fn go_on(
        here: &Here,
        there: Option<(String, Record)>,
        branch: &str,
        remote: Option<&str>,
        order: &OrderKey,
    ) -> Result<Self, BoxError> {
        let git = Git::new(here);
        if let Some((own, record)) = &there
            && record.run == order.run
        {
            return Ok(Self { branch: branch.to_owned(), own: Some(own.clone()), record: record.clone() });
        }
        let base = base::find(here, branch, remote, true)?.commit;
        let run = order.run.clone();
        let own = there.as_ref().map(|(own, _)| own.clone());
        let record = match there {
            Some((own, record)) if record.base == base => record.continued(run, own),
            Some((own, _)) => Record { previous: Some(own), ..Record::new(run, base) },
            None => Record::new(run, base),
        };
        let mut opened = Self { branch: branch.to_owned(), own, record };
        opened.store(&git)?;
        Ok(opened)
    }

    /// The commit that a run is to release: the tip of its candidate, or of the branch where it has none.
    pub(in crate::merge) fn released(
        git: &Git<'_>,
        branch: &str,
        order: &OrderKey,
    ) -> Result<String, BoxError> {
        match Self::of(git, branch, order)? {
            Some(candidate) => Ok(candidate.record.tip),
            None => tip(git, branch),
        }
    }

    /// The candidate that a run works on; none where it has none.
    pub(in crate::merge) fn of(
        git: &Git<'_>,
        branch: &str,
        order: &OrderKey,
    ) -> Result<Option<Self>, BoxError> {
        let there = Record::read(git, branch)?.filter(|(_, record)| record.run == order.run);
        Ok(there.map(|(own, record)| Self { branch: branch.to_owned(), own: Some(own), record }))
    }

    /// What is recorded.
    pub(in crate::merge) fn record(&self) -> &Record {
        &self.record
    }

    /// Its newest commit.
    pub(in crate::merge) fn tip(&self) -> &str {
        &self.record.tip
    }

    /// The step that was asked for before: by this run, or by an earlier one that did the same until then.
    pub(in crate::merge) fn take_over(&mut self, git: &Git<'_>, key: &str) -> Result<Option<Step>, BoxError> {
        if let Some(step) = self.record.steps.iter().find(|step| step.key == key) {
            return Ok(Some(step.clone()));
        }
        if self.record.earlier.is_empty() {
            return Ok(None);
        }
        let Some(step) = self.record.take_over(key).cloned() else { return Ok(None) };
        self.store(git)?;
        Ok(Some(step))
    }

    /// Puts a commit on top: makes it, with trailers that tell where it is from, and moves the candidate.
    pub(in crate::merge) fn commit(
        &mut self,
        git: &Git<'_>,
        order: &OrderKey,
        made: Made<'_>,
    ) -> Result<String, BoxError> {
        let Made { kind, tree, merged, message, mut trailers, key } = made;
        trailers.insert(0, (TRAILER.to_owned(), order.to_string()));
        let from = self.record.tip.clone();
        let mut parents = vec![&*from];
        parents.extend(merged.filter(|_| kind == Kind::Merge).map(|(_, tip)| tip));
        let new = NewCommit { tree, parents: &parents, message, trailers: &trailers, author: &[] };
        let to = commit_tree(git, &new, signs(git)?)?;
        self.step(
            git,
            Step {
                key,
                order: order.to_string(),
                kind,
                branch: merged.map(|(branch, _)| branch.to_owned()),
                merged: merged.map(|(_, tip)| tip.to_owned()),
                message: message.lines().next().unwrap_or_default().to_owned(),
                solved: Vec::new(),
                from,
                to: to.clone(),
            },
        )?;
        Ok(to)
    }

    /// Moves the candidate by a step whose commits are made.
    pub(in crate::merge) fn step(&mut self, git: &Git<'_>, step: Step) -> Result<(), BoxError> {
        self.record.push(step);
        self.store(git)
    }

    /// The same for a step whose last commit has this tree, by what got ready meanwhile.
    pub(in crate::merge) fn step_by(
        &mut self,
        by: &Scribe<'_>,
        step: Step,
        tree: &str,
    ) -> Result<(), BoxError> {
        self.record.push(step);
        let (parents, message) = self.stored()?;
        let parents: Vec<&str> = parents.iter().map(|parent| &**parent).collect();
        match by.write(tree, &parents, &message) {
            Some(own) => self.swap(by.mover()?, own),
            None => self.store(by.git()),
        }
    }

    /// Records what was found good.
    pub(in crate::merge) fn checked(&mut self, git: &Git<'_>, checked: Checked) -> Result<(), BoxError> {
        if self.record.checked.as_ref() == Some(&checked) {
            return Ok(());
        }
        self.record.checked = Some(checked);
        self.store(git)
    }

    /// Takes back the release commit and what is above it, so that only what was merged is left.
    pub(in crate::merge) fn without_release(&mut self, git: &Git<'_>) -> Result<(), BoxError> {
        let Some(at) = self.record.steps.iter().position(|step| step.kind == Kind::Commit) else {
            return Ok(());
        };
        self.record.tip.clone_from(&self.record.steps[at].from);
        self.record.steps.truncate(at);
        self.store(git)
    }

    /// The step that an order made.
    pub(in crate::merge) fn made_by(&self, order: &OrderKey) -> Option<&Step> {
        let order = order.to_string();
        self.record.steps.iter().find(|step| step.order == order)
    }

    /// Forgets the candidate: its ref goes, if nobody moved it.
    pub(in crate::merge) fn drop(self, git: &Git<'_>) -> Result<(), BoxError> {
        let Some(own) = self.own else { return Ok(()) };
        git.bytes(["update-ref", "-d", &reference(&self.branch), &own])?;
        Ok(())
    }

    /// The same steps on another base, as far as they are made: replaces what is recorded.
    pub(super) fn replace(&mut self, git: &Git<'_>, record: Record) -> Result<(), BoxError> {
        self.record = record;
        self.store(git)
    }

    /// The branch that it is for.
    pub(in crate::merge) fn branch(&self) -> &str {
        &self.branch
    }

    /// Writes the record, and moves the ref if it is where it was read.
    fn store(&mut self, git: &Git<'_>) -> Result<(), BoxError> {
        let (parents, message) = self.stored()?;
        let tree = format!("{}^{{tree}}", self.record.tip);
        let mut args = vec!["-c", "i18n.commitEncoding=UTF-8", "commit-tree"];
        args.extend(parents.iter().flat_map(|parent| ["-p", parent]));
        args.extend(["-F", "-", &tree]);
        // It gets ready while the commit is made.
        let swap = mover(git)?;
        let own = git.input(&args, message.into_bytes())?;
        self.swap(swap, own)
    }

    /// The parents and the message of the commit that holds the record.
    fn stored(&mut self) -> Result<(Vec<String>, String), BoxError> {
        self.record.previous.clone_from(&self.own);
        let mut parents = vec![self.record.tip.clone()];
        // What may be taken over must not be collected as garbage meanwhile: the record before is a parent.
        for other in [Some(&self.record.base), self.own.as_ref()].into_iter().flatten() {
            if !parents.contains(other) {
                parents.push(other.clone());
            }
        }
        Ok((parents, self.record.message(&self.branch)?))
    }

    /// Moves the ref to the commit that holds the record, if it is where it was read.
    fn swap(&mut self, swap: Ready<'_>, own: String) -> Result<(), BoxError> {
        let name = reference(&self.branch);
        let line = match &self.own {
            Some(expected) => format!("update {name}\0{own}\0{expected}\0"),
            None => format!("create {name}\0{own}\0"),
        };
        swap.input(line.into_bytes()).map_err(|error| {
            let moved = format!("the candidate of `{}` was moved by somebody else: {error}", self.branch);
            BoxError::from(Transient(moved.into()))
        })?;
        self.own = Some(own);
        Ok(())
    }
}

/// A commit for the candidate.
#[derive(Debug)]
pub(in crate::merge) struct Made<'a> {
    /// What it does.
    pub(in crate::merge) kind: Kind,
    /// Its tree.
    pub(in crate::merge) tree: &'a str,
    /// The branch that it merges, and the tip of that.
    pub(in crate::merge) merged: Option<(&'a str, &'a str)>,
    /// Its message.
    pub(in crate::merge) message: &'a str,
    /// More trailers.
    pub(in crate::merge) trailers: Vec<(String, String)>,
    /// Digest of what was asked for.
    pub(in crate::merge) key: String,
}

/// Opens the candidate of a branch: what a run is to land starts from here. Its undo puts back what was there before.
#[derive(Debug, Clone, Copy)]
pub struct OpenCandidate;

/// For which branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CandidateInput {
    /// The branch.
    pub branch: String,
    /// The remote whose tip of it counts; none where the local branch alone does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

/// A candidate that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    /// The branch.
    pub branch: String,
    /// The commit that it starts from.
    pub base: String,
    /// How many steps of an earlier run may be taken over.
    pub earlier: usize,
}

impl Opened {
    fn of(candidate: &Candidate) -> Self {
        let Record { base, earlier, .. } = candidate.record();
        Self { branch: candidate.branch.clone(), base: base.clone(), earlier: earlier.len() }
    }
}

#[async_trait]
impl Operation for OpenCandidate {
    const NAME: &'static str = "open-candidate";
    const EFFECT: Effect = Effect::Writes;
    type Input = CandidateInput;
    type Output = Opened;

    async fn call(
        &self,
        input: CandidateInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Opened, BoxError> {
        let order = order.clone();
        blocking(site, move |here| {
            let candidate = Candidate::open(here, &input.branch, input.remote.as_deref(), &order)?;
            Ok(Opened::of(&candidate))
        })
        .await
    }

    async fn undo(&self, input: &CandidateInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        undo_of(input.branch.clone(), site).await
    }

    async fn already(&self, input: &CandidateInput, order: &OrderKey, site: &Site<'_>) -> Already<Opened> {
        let (input, order) = (input.clone(), order.clone());
        let found = blocking(site, move |here| Candidate::of(&Git::new(here), &input.branch, &order)).await;
        match found {
            Ok(Some(candidate)) => Already::Done(Opened::of(&candidate)),
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

/// What puts a branch's candidate back to what it is now.
pub(in crate::merge) async fn undo_of(branch: String, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
    blocking(site, move |here| {
        let name = format!("{}^{{commit}}", reference(&branch));
        let to = Git::new(here).maybe(["rev-parse", "--quiet", "--verify", &name])?;
        Ok(vec![RestoreCandidate::action(&RestoreInput { branch, to })?])
    })
    .await
}
