//! What the operations of this crate share. Only operations may use it.

pub(crate) mod git;
pub(crate) mod here;
pub(crate) mod http;
pub(crate) mod process;
