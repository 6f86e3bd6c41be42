//! The merge phase on real repositories and a real bare remote.

mod delivery;
mod draft;
mod merging;
mod pushing;
mod releasing;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;

use super::ops::{
    CreateTag, DeleteTag, MergeInput, MergeIntoBranch, Merged, PushInput, PushRelease, ReleaseCommit,
    RestoreRef, RestoreTag, TagInput, TagNames,
};
use crate::rig::Rig;

fn merge_input(branch: &str) -> MergeInput {
    MergeInput { branch: branch.into(), into: "main".into(), message: format!("Merge branch '{branch}'") }
}

async fn merge(rig: &Rig, branch: &str) -> Result<Merged, BoxError> {
    rig.call(MergeIntoBranch, merge_input(branch)).await
}

/// Performs undo actions, as a rollback does.
async fn perform(rig: &Rig, actions: Vec<Action>) -> Result<(), BoxError> {
    for action in actions {
        let Action::Call(call) = action else { panic!("not a call: {action}") };
        match call.operation.as_str() {
            "restore-ref" => drop(rig.call(RestoreRef, call.input.parse()?).await?),
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
