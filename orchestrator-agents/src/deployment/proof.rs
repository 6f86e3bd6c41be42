//! What a service must answer, and what is wrong with an answer. Pure: the asking is in `ops`.

mod expect;
mod header;
mod health;
mod json_path;
mod pattern;
mod schema;
mod smoke;
#[cfg(test)]
mod tests;

pub use expect::Expect;
pub use header::HeaderCheck;
pub use health::Health;
pub use json_path::{JsonPath, PathCheck};
pub use pattern::Pattern;
pub use schema::AnswerSchema;
pub(crate) use schema::LARGEST as LARGEST_SCHEMA;
pub(in crate::deployment) use smoke::probes;
pub use smoke::{Method, Saved, SmokeTest};
