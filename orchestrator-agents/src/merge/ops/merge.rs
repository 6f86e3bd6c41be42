//! Merges a branch into the candidate of another, by a strategy, conflicts solved by rule or by a person.

use std::cell::Cell;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::TRAILER;
use super::candidate::{Candidate, NewCommit, Scribe, key, undo_of};
use super::conflict::{Conflict, Solved};
use super::drop_conflict::{DropConflict, DropInput};
use super::known::{Known, known};
use super::picks::{self, Pick, Way, way};
use super::solve::{Case, Settled, look, solve};
use super::tree::{MergedTree, Sides, Waiting, merge_tree, unrelated, waiting};
use super::workshop::Workshop;
use crate::merge::merge_branch::Strategy;
use crate::merge::record::{Kind, MERGED, Step, reference};
use crate::merge::rules::Rules;
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

/// Merges a branch into the candidate of another: neither the user's tree nor any branch changes. What no rule solves waits in a
/// worktree below the state folder. Its undo takes the candidate back, and that worktree away.
#[derive(Debug, Clone, Copy)]
pub struct MergeIntoBranch;

/// What to merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeInput {
    /// The branch to merge: a local one, or `origin/x`.
    pub branch: String,
    /// The branch that it is to go into.
    pub into: String,
    /// The remote whose tip of that branch counts; none where the local branch alone does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// How.
    #[serde(default)]
    pub strategy: Strategy,
    /// The commit message; one that fits the strategy by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How conflicts are solved.
    #[serde(default)]
    pub rules: Rules,
}

/// What came of a merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Merged {
    /// Where the candidate stands now.
    pub commit: String,
    /// Where it stood before.
    pub previous: String,
    /// Nothing was to be done: everything was merged before.
    pub already_so: bool,
    /// Conflicts that were solved, and by which rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub solved: Vec<Solved>,
    /// What waits for a person; the candidate stands where it stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
}

impl Merged {
    fn stays(at: &str, already_so: bool, conflict: Option<Conflict>) -> Self {
        let (commit, previous) = (at.to_owned(), at.to_owned());
        Self { commit, previous, already_so, solved: Vec::new(), conflict }
    }

    fn by(step: &Step, already_so: bool) -> Self {
        let solved = step.solved.clone();
        Self { commit: step.to.clone(), previous: step.from.clone(), already_so, solved, conflict: None }
    }
}

#[async_trait]
impl Operation for MergeIntoBranch {
    const NAME: &'static str = "merge-branch";
    const EFFECT: Effect = Effect::Writes;
    type Input = MergeInput;
    type Output = Merged;

    async fn call(&self, input: MergeInput, order: &OrderKey, site: &Site<'_>) -> Result<Merged, BoxError> {
        let order = order.clone();
        blocking(site, move |here| Merging::new(here, &input, &order)?.merge()).await
    }

    async fn undo(&self, input: &MergeInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let MergeInput { branch, into, .. } = input.clone();
        let mut actions = undo_of(into.clone(), site).await?;
        actions.push(DropConflict::action(&DropInput { branch, into })?);
        Ok(actions)
    }

    async fn already(&self, input: &MergeInput, order: &OrderKey, site: &Site<'_>) -> Already<Merged> {
        let (input, order) = (input.clone(), order.clone());
        let found = blocking(site, move |here| {
            let candidate = Candidate::of(&Git::new(here), &input.into, &order)?;
            let step = candidate.as_ref().and_then(|candidate| candidate.made_by(&order));
            Ok(step.map(|step| Merged::by(step, false)))
        });
        match found.await {
            Ok(Some(merged)) => Already::Done(merged),
            // What was prepared so far is found again.
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

/// A merge on its way.
struct Merging<'a> {
    here: &'a Here,
    input: &'a MergeInput,
    order: &'a OrderKey,
    git: Git<'a>,
    workshop: Workshop<'a>,
    /// A commit whose tree is known, and that tree.
    known: Option<(String, String)>,
    /// The merge of the two tips, which gets ready while they are looked up.
    waiting: Cell<Option<Waiting<'a>>>,
    scribe: Scribe<'a>,
}

/// What a merge comes to.
struct Tip {
    commit: String,
    /// Its tree, where that is known.
    tree: Option<String>,
    solved: Vec<Solved>,
}

/// A conflict of one commit: its tree, or what waits.
enum OfCommit {
    Tree(String, Vec<Solved>),
    Waits(Conflict),
}

impl<'a> Merging<'a> {
    fn new(here: &'a Here, input: &'a MergeInput, order: &'a OrderKey) -> Result<Self, BoxError> {
        let git = Git::new(here);
        input.rules.check()?;
        let workshop = Workshop::of(here, &input.into, &input.branch);
        let waiting = (input.strategy == Strategy::Merge).then(|| waiting(&git, &reference(&input.into)));
        let (waiting, scribe) = (Cell::new(waiting.transpose()?), Scribe::new(&git)?);
        Ok(Self { here, input, order, git, workshop, known: None, waiting, scribe })
    }

    fn merge(&mut self) -> Result<Merged, BoxError> {
        let MergeInput { branch, into, remote, strategy, message, rules } = self.input;
        let Known { theirs, there, tree } = known(&self.git, branch, into)?;
        self.known = there.as_ref().zip(tree).map(|((_, record), tree)| (record.tip.clone(), tree));
        // Only a candidate of this run stays where it was seen: nobody else moves it.
        if there.as_ref().is_none_or(|(_, record)| record.run != self.order.run) {
            self.waiting.take();
        }
        let mut candidate = Candidate::go_on(self.here, there, into, remote.as_deref(), self.order)?;
        let key = key(&(strategy, &theirs, message, rules))?;
        if let Some(step) = candidate.take_over(&self.git, &key)? {
            return Ok(Merged::by(&step, true));
        }
        let ours = candidate.tip().to_owned();
        let way = match strategy {
            // Whether it is merged already is asked once there is reason to.
            Strategy::Merge => Way::Picks(vec![picks::merge(branch, &theirs, message.as_deref())]),
            _ => way(&self.git, *strategy, &ours, branch, &theirs, message.as_deref())?,
        };
        self.here.progress.step(format!("merging {branch} into {into}"), None);
        let made = match way {
            Way::AlreadySo => return Ok(Merged::stays(&ours, true, None)),
            Way::FastForward => Ok(Tip { commit: theirs.clone(), tree: None, solved: Vec::new() }),
            Way::Picks(picks) => self.make(&ours, &theirs, &picks)?,
        };
        let Tip { commit: to, tree, solved } = match made {
            Ok(made) => made,
            Err(conflict) => return Ok(Merged::stays(&ours, false, Some(conflict))),
        };
        if *strategy == Strategy::Rebase {
            self.nothing_is_lost(&ours, &theirs, &to)?;
        }
        if to == ours {
            // All that it changes is there already, in commits of others.
            return Ok(Merged::stays(&ours, true, None));
        }
        let step = Step {
            key,
            order: self.order.to_string(),
            kind: strategy.kind(),
            branch: Some(branch.clone()),
            merged: Some(theirs),
            message: message.clone().unwrap_or_default().lines().next().unwrap_or_default().to_owned(),
            solved,
            from: ours,
            to,
        };
        let merged = Merged::by(&step, false);
        match tree {
            Some(tree) => candidate.step_by(&self.scribe, step, &tree)?,
            None => candidate.step(&self.git, step)?,
        }
        self.workshop.remove()?;
        self.workshop.forget()?;
        Ok(merged)
    }

    /// Fails where merges within the branch, which a rebase leaves out, brought more than they merged.
    fn nothing_is_lost(&self, ours: &str, theirs: &str, to: &str) -> Result<(), BoxError> {
        let not = format!("^{ours}");
        if self.git.text(["rev-list", "--merges", "--max-count=1", theirs, &not, "--"])?.is_empty() {
            return Ok(());
        }
        let merged = merge_tree(&self.git, Sides { ours, theirs, base: None })?;
        if merged.clean && merged.tree == tree_of(&self.git, to)? {
            return Ok(());
        }
        let branch = &self.input.branch;
        Err(format!("the merges in `{branch}` changed more than they merged, which a rebase would lose; merge or squash it").into())
    }

    /// Makes the commits; the newest one, and what was solved on the way.
    fn make(&self, ours: &str, theirs: &str, picks: &[Pick]) -> Result<Result<Tip, Conflict>, BoxError> {
        let (mut tip, mut of, mut all) = (ours.to_owned(), None, Vec::new());
        for (at, pick) in picks.iter().enumerate() {
            self.here.go_on()?;
            let (tree, solved) = match self.settle(&tip, pick, picks.len() > 1)? {
                OfCommit::Tree(tree, solved) => (tree, solved),
                OfCommit::Waits(conflict) => return Ok(Err(conflict)),
            };
            let is_last = at + 1 == picks.len();
            if pick.empty || self.is_new(&tip, pick, &tree)? {
                tip = self.commit(&tip, theirs, pick, &tree, &solved, is_last)?;
                of = Some(tree);
            }
            all.extend(solved);
        }
        Ok(Ok(Tip { commit: tip, tree: of, solved: all }))
    }

    fn commit(
        &self,
        tip: &str,
        theirs: &str,
        pick: &Pick,
        tree: &str,
        solved: &[Solved],
        is_last: bool,
    ) -> Result<String, BoxError> {
        let mut trailers = pick.trailers.clone();
        let mut add = |name: &str, value: &str| trailers.push((name.to_owned(), value.to_owned()));
        add(TRAILER, &self.order.to_string());
        if is_last {
            add(MERGED, theirs);
            if self.input.strategy != Strategy::Merge {
                add("Orchestrate-Strategy", self.input.strategy.name());
            }
        }
        for Solved { path, rule } in solved.iter().take(100) {
            add("Orchestrate-Solved", &format!("{path} by {rule}"));
        }
        let parents = [tip, &pick.theirs];
        let parents = if pick.merges { &parents[..] } else { &parents[..1] };
        let new =
            NewCommit { tree, parents, message: &pick.message, trailers: &trailers, author: &pick.author };
        self.scribe.commit(&new)
    }

    /// Whether a commit would bring anything: another tree, or history that is not there yet.
    fn is_new(&self, tip: &str, pick: &Pick, tree: &str) -> Result<bool, BoxError> {
        let same = match &self.known {
            Some((at, of)) if at == tip => tree == of,
            _ => tree == tree_of(&self.git, tip)?,
        };
        Ok(!same || pick.merges && !self.git.is_ancestor(&pick.theirs, tip)?)
    }

    /// What git makes of a merge; what will write its commit gets ready meanwhile.
    fn merged(&self, sides: Sides<'_>) -> Result<MergedTree, BoxError> {
        match self.waiting.take().filter(|_| sides.base.is_none()) {
            Some(mut waiting) => {
                waiting.begin(sides.ours, sides.theirs);
                self.scribe.get_ready()?;
                waiting.end(&self.git)
            }
            None => merge_tree(&self.git, sides),
        }
    }

    /// The tree of one commit.
    fn settle(&self, tip: &str, pick: &Pick, is_one_of_many: bool) -> Result<OfCommit, BoxError> {
        let MergeInput { branch, into, rules, .. } = self.input;
        let sides = Sides { ours: tip, theirs: &pick.theirs, base: pick.base.as_deref() };
        let merged = self.merged(sides).map_err(|error| {
            if unrelated(&error) {
                format!("`{branch}` has no common history with `{into}`; nothing was changed").into()
            } else {
                error
            }
        })?;
        if merged.clean {
            return Ok(OfCommit::Tree(merged.tree, Vec::new()));
        }
        // By trees: commits that are made anew have other names each time.
        let key = key(&(tree_of(&self.git, tip)?, &pick.theirs, &pick.base, rules))?;
        if let Some((_, tree, solved)) = self.workshop.solutions().into_iter().find(|(own, _, _)| *own == key)
        {
            return Ok(OfCommit::Tree(tree, solved));
        }
        let case = Case { here: self.here, order: self.order, rules, ours: tip, key: &key };
        let mut said = Vec::new();
        let settled = match self.workshop.note() {
            Some(note) if note.key == key => look(&case, &self.workshop, note)?,
            Some(_) => {
                let kept = super::solve::keep_the_work(&case, &self.workshop)?;
                said.push(format!("`{into}` or `{branch}` moved meanwhile: it is merged anew{kept}"));
                solve(&case, &self.workshop, &merged)?
            }
            None => solve(&case, &self.workshop, &merged)?,
        };
        Ok(match settled {
            Settled::Tree(tree, solved) => {
                self.workshop.keep(&key, &tree, &solved)?;
                self.workshop.remove()?;
                OfCommit::Tree(tree, solved)
            }
            Settled::Left(files, more) => {
                said.extend(more);
                let commit = is_one_of_many.then(|| pick.theirs.clone());
                OfCommit::Waits(Conflict { folder: self.workshop.shown(), commit, files, said })
            }
        })
    }
}

fn tree_of(git: &Git<'_>, commit: &str) -> Result<String, BoxError> {
    Ok(git.text(["rev-parse", "--verify", &format!("{commit}^{{tree}}")])?)
}

impl Strategy {
    fn kind(self) -> Kind {
        match self {
            Self::Merge => Kind::Merge,
            Self::Squash => Kind::Squash,
            Self::Rebase => Kind::Rebase,
            Self::FastForward => Kind::FastForward,
        }
    }
}
