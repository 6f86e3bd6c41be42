//! Messages to people.

mod ops;
mod slack;
mod text;

pub use ops::{PostInput, PostMessage, Posted};
pub use slack::{SlackConfig, SlackMessage};

#[cfg(test)]
mod tests;
