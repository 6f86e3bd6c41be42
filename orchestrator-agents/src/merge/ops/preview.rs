//! Tells what merges would come to: nothing changes, not even a ref.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::any_tip;
use super::conflict::{Planned, files};
use super::picks::{Way, way};
use super::tree::{Sides, merge_tree, unrelated};
use crate::merge::history::{History, Released};
use crate::merge::merge_branch::Strategy;
use crate::merge::rules::{Rules, Use};
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

/// Tells of branches whether they would merge, one after the other, and which rules would solve what conflicts.
#[derive(Debug, Clone, Copy)]
pub struct PreviewMerges;

/// Which merges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewInput {
    /// The branch that they are to go into, as it is known here.
    pub into: String,
    /// The remote whose tip of that branch counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The branches, in order.
    pub branches: Vec<PreviewBranch>,
    /// How conflicts would be solved.
    #[serde(default)]
    pub rules: Rules,
}

/// A branch, and how it would be merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewBranch {
    /// Its name.
    pub branch: String,
    /// How.
    #[serde(default)]
    pub strategy: Strategy,
}

/// What would come of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Previewed {
    /// Each branch.
    pub branches: Vec<BranchPreviewed>,
}

/// What would come of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BranchPreviewed {
    /// Its name.
    pub branch: String,
    /// Why it could not be merged at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
    /// Everything is merged already.
    pub already_so: bool,
    /// What conflicts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FilePreviewed>,
}

/// A file that would conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FilePreviewed {
    /// Its path.
    pub path: String,
    /// What kind of conflict.
    pub kind: String,
    /// The rule that would be tried; none where only a person could solve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

#[async_trait]
impl Operation for PreviewMerges {
    const NAME: &'static str = "preview-merges";
    const EFFECT: Effect = Effect::Reads;
    type Input = PreviewInput;
    type Output = Previewed;

    async fn call(&self, input: PreviewInput, _: &OrderKey, site: &Site<'_>) -> Result<Previewed, BoxError> {
        blocking(site, move |here| preview(here, &input)).await
    }

    async fn already(&self, _: &PreviewInput, _: &OrderKey, _: &Site<'_>) -> Already<Previewed> {
        Already::NotDone
    }
}

fn preview(here: &Here, input: &PreviewInput) -> Result<Previewed, BoxError> {
    let PreviewInput { into, remote, branches, rules } = input;
    let git = Git::new(here);
    rules.check()?;
    let of = Released { branch: into, remote: remote.as_deref(), including: &[] };
    let mut tip = History::new(&git, &of, None)?.tip().to_owned();
    let mut all = Vec::new();
    for PreviewBranch { branch, strategy } in branches {
        here.go_on()?;
        let mut found =
            BranchPreviewed { branch: branch.clone(), fails: None, already_so: false, files: Vec::new() };
        match one(here, &git, &tip, branch, *strategy, rules) {
            Ok(One::AlreadySo) => found.already_so = true,
            Ok(One::Merged(commit)) => tip = commit,
            Ok(One::Conflicts(files)) => found.files = files,
            Err(error) if unrelated(&error) => found.fails = Some("there is no common history".to_owned()),
            Err(error) => found.fails = Some(error.to_string()),
        }
        all.push(found);
    }
    Ok(Previewed { branches: all })
}

enum One {
    AlreadySo,
    /// The commit that it would be.
    Merged(String),
    Conflicts(Vec<FilePreviewed>),
}

fn one(
    here: &Here,
    git: &Git<'_>,
    ours: &str,
    branch: &str,
    strategy: Strategy,
    rules: &Rules,
) -> Result<One, BoxError> {
    let theirs = any_tip(git, branch)?;
    let picks = match way(git, strategy, ours, branch, &theirs, None)? {
        Way::AlreadySo => return Ok(One::AlreadySo),
        Way::FastForward => return Ok(One::Merged(theirs)),
        Way::Picks(picks) => picks,
    };
    let mut tip = ours.to_owned();
    for pick in picks {
        here.go_on()?;
        let merged = merge_tree(git, Sides { ours: &tip, theirs: &pick.theirs, base: pick.base.as_deref() })?;
        if !merged.clean {
            let files = files(&merged).into_iter().map(|file| {
                let rule = file.planned(rules)?;
                Ok(FilePreviewed { path: file.name(), kind: file.kind(), rule: named(&rule, rules) })
            });
            return Ok(One::Conflicts(files.collect::<Result<_, BoxError>>()?));
        }
        // An object that no ref names; neither signed nor kept.
        let mut args = vec!["commit-tree", "-p", &tip, "-m", "preview"];
        if pick.merges {
            args.extend(["-p", &pick.theirs]);
        }
        args.push(&merged.tree);
        tip = git.text(args)?;
    }
    Ok(One::Merged(tip))
}

/// What would be tried.
fn named(planned: &Planned<'_>, rules: &Rules) -> Option<String> {
    Some(
        match planned {
            Planned::Side(Use::Theirs) => "theirs",
            Planned::Side(_) => "ours",
            Planned::Union => "union",
            Planned::Changelog => "changelog",
            Planned::Lockfile(tool) => tool.update.first().and_then(|line| line.first()).copied()?,
            Planned::Regenerate(_) => "regenerate",
            Planned::Attempts if rules.builtin.rerere && rules.builtin.mergiraf => "rerere or mergiraf",
            Planned::Attempts if rules.builtin.rerere => "rerere",
            Planned::Attempts if rules.builtin.mergiraf => "mergiraf",
            Planned::Attempts | Planned::Person(_) => return None,
        }
        .to_owned(),
    )
}
