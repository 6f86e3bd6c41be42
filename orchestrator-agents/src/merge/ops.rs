//! The operations of the merge phase: the only code of it that touches the world.

mod branches;
pub(super) mod candidate;
mod check_out;
mod conflict;
mod drop_conflict;
mod known;
mod land;
mod merge;
mod next_version;
mod picks;
mod preview;
mod published;
mod push;
mod refusal;
mod release_commit;
mod restart;
mod restore_ref;
mod restore_tag;
mod solve;
mod tag;
mod tree;
mod workshop;

pub use candidate::{
    CandidateInput, CandidateRestored, OpenCandidate, Opened, RestoreCandidate, RestoreInput,
};
pub use check_out::{CheckOut, CheckOutInput, CheckedOut, RecordChecked, RecordInput, Recorded, StepMade};
pub use conflict::{Conflict, ConflictFile, Solved};
pub use drop_conflict::{ConflictDropped, DropConflict, DropInput};
pub use land::{LandCandidate, LandInput, Landed};
pub use merge::{MergeInput, MergeIntoBranch, Merged};
pub use next_version::{NextVersion, VersionFound, VersionInput};
pub use preview::{BranchPreviewed, FilePreviewed, PreviewBranch, PreviewInput, PreviewMerges, Previewed};
pub use push::{Proposed, PushInput, PushRelease, Pushed};
pub use release_commit::{Committed, ReleaseCommit, ReleaseInput};
pub use restart::{RestartInput, RestartRelease, Restarted};
pub use restore_ref::{RefInput, RefRestored, RestoreRef};
pub use restore_tag::{RestoreTag, RestoredTags, TagObjects};
pub use tag::{CreateTag, DeleteTag, DeletedTags, TagInput, TagNames, Tagged};
