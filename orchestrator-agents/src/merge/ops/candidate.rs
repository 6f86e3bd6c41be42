//! The candidate of a branch: all that a release is to be, made beside the user's tree and refs, until it lands.

mod base;
mod commit;
mod open;
mod replay;
mod restore;
mod scribe;

pub(super) use base::find as find_base;
pub(super) use commit::NewCommit;
use commit::{commit_tree, signs};
pub(in crate::merge) use open::{Candidate, Made, key, undo_of};
pub use open::{CandidateInput, OpenCandidate, Opened};
pub use restore::{CandidateRestored, RestoreCandidate, RestoreInput};
pub(super) use scribe::Scribe;
