//! What looks at the world for checkpoints. All of them only read.

mod ask_ci;
mod ask_url;
mod measure;

pub use ask_ci::{AskCi, AskCiInput, CiRun, CiRuns};
pub use ask_url::{Answered, AskUrl, AskUrlInput};
pub use measure::{Least, MeasureCoverage, MeasureInput, Measured, Reported, Stale};
