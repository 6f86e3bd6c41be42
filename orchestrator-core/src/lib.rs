//! Placeholder.

#[cfg(feature = "testkit")]
#[doc(hidden)]
pub mod bench;
#[cfg_attr(not(test), expect(dead_code, reason = "the local executor is built on it"))]
mod executor;
mod stop;

pub use stop::{Stop, StopLevel};
