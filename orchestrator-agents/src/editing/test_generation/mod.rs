//! `test_generation`: tests that are made of what a source file says, and kept only if they pass.
//!
//! 1. The survey reads the target with a parser of its language and makes the text of the test file. It is a pure function
//!    of the source: same file, same text.
//! 2. The project's own formatter, where it has one, is run as a filter. It reads only.
//! 3. What is generated is merged with what stands. What stands already gives no action.
//! 4. Otherwise one round writes the file and runs it once with the project's own runner. Cases that fail are taken out
//!    and listed; a file that does not pass without them either is put back as it was, and the task fails.
//!
//! Cases that were taken out are named in a comment of the generated file, with a digest of their text. So the next run
//! knows of them without running anything, also in another checkout, and tries again once they would be other ones.

mod agent;
mod config;
mod language;
mod languages;
mod left_out;
mod python;
mod rust;
mod template;
mod trial;
mod typescript;

pub use agent::{GeneratedTests, Person, TestGeneration};
pub use config::{LanguageName, Template, TestGenerationConfig, TestType};

#[cfg(test)]
mod tests;
