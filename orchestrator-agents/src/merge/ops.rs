//! The operations of the merge phase: the only code of it that touches the world.

mod land;
mod merge;
mod next_version;
mod published;
mod push;
mod refusal;
mod release_commit;
mod restore_ref;
mod tag;

pub use merge::{MergeInput, MergeIntoBranch, Merged};
pub use next_version::{NextVersion, VersionFound, VersionInput};
pub use push::{PushInput, PushRelease, Pushed};
pub use release_commit::{Committed, ReleaseCommit, ReleaseInput};
pub use restore_ref::{RefInput, RefRestored, RestoreRef};
pub use tag::{CreateTag, DeleteTag, DeletedTags, TagInput, TagNames, Tagged};
