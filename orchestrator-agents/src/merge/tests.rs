//! The merge phase on real repositories and a real bare remote.

mod candidate;
mod conflicts;
mod corpus;
mod delivery;
mod draft;
mod going_out;
mod killing;
mod landing;
mod merging;
mod pushing;
mod releasing;
mod strategies;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;

use super::ops::{
    CreateTag, DeleteTag, DropConflict, LandCandidate, LandInput, Landed, MergeInput, MergeIntoBranch,
    Merged, PushInput, PushRelease, ReleaseCommit, RestoreCandidate, RestoreRef, RestoreTag, TagInput,
    TagNames,
};
use super::{Rules, Strategy};
use crate::rig::Rig;

fn merge_input(branch: &str) -> MergeInput {
    let (branch, into, strategy) = (branch.into(), "main".into(), Strategy::Merge);
    MergeInput { branch, into, remote: None, strategy, message: None, rules: Rules::default() }
}

fn by(strategy: Strategy, branch: &str) -> MergeInput {
    MergeInput { strategy, ..merge_input(branch) }
}

async fn merge(rig: &Rig, branch: &str) -> Result<Merged, BoxError> {
    rig.call(MergeIntoBranch, merge_input(branch)).await
}

async fn land(rig: &Rig) -> Result<Landed, BoxError> {
    rig.call(LandCandidate, land_input()).await
}

fn land_input() -> LandInput {
    LandInput { branch: "main".into(), commit: None, remote: None }
}

/// All refs but candidates, where HEAD is, and what git says of the tree.
fn seen_by_the_user(rig: &Rig) -> String {
    let refs = rig.git(&["for-each-ref", "--exclude=refs/orchestrate/"]);
    let head = rig.git(&["rev-parse", "--symbolic-full-name", "HEAD"]);
    [refs, head, rig.git(&["status", "--porcelain"])].join("\n")
}

/// The tip of a branch's candidate, if there is one.
fn candidate(rig: &Rig, branch: &str) -> Option<String> {
    let names =
        rig.git(&["for-each-ref", "--format=%(parent)", &format!("refs/orchestrate/candidate/{branch}")]);
    names.split(' ').next().filter(|tip| !tip.is_empty()).map(str::to_owned)
}

/// Performs undo actions, as a rollback does.
async fn perform(rig: &Rig, actions: Vec<Action>) -> Result<(), BoxError> {
    for action in actions {
        let Action::Call(call) = action else { panic!("not a call: {action}") };
        match call.operation.as_str() {
            "restore-ref" => drop(rig.call(RestoreRef, call.input.parse()?).await?),
            "restore-candidate" => drop(rig.call(RestoreCandidate, call.input.parse()?).await?),
            "drop-conflict" => drop(rig.call(DropConflict, call.input.parse()?).await?),
            "delete-tag" => drop(rig.call(DeleteTag, call.input.parse()?).await?),
            "restore-tag" => drop(rig.call(RestoreTag, call.input.parse()?).await?),
            "release-commit" => drop(rig.call(ReleaseCommit, call.input.parse()?).await?),
            other => panic!("unknown operation {other}"),
        }
    }
    Ok(())
}

fn worktrees(rig: &Rig) -> usize {
    rig.git(&["worktree", "list"]).lines().count()
}
