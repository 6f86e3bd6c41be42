//! The candidate of a branch: all that a release is to be, made beside the user's tree and refs, until it lands.

mod base;
mod commit;
mod open;
mod replay;
mod restore;

pub(super) use base::find as find_base;
pub(super) use commit::{NewCommit, commit_tree, signs};
pub(in crate::merge) use open::{Candidate, Made, key, undo_of};
pub use open::{CandidateInput, OpenCandidate, Opened};
pub use restore::{CandidateRestored, RestoreCandidate, RestoreInput};
