//! Reports rendered from the journal of a run.
pub mod json;
pub mod measured;
pub mod summary;
