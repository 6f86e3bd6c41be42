//! Checkpoints: validations that measure whether what was worked for is so. What could not be measured is Failed with
//! the reason and the next step, never passed.

mod all_critical_tested;
mod ci_passing;
pub(crate) mod coverage;
mod coverage_threshold;
mod deployment_working;
mod e2e_passing;
pub mod ops;
mod percent;

pub use all_critical_tested::{AllCriticalTested, Critical, CriticalConfig, CriticalTested};
pub use ci_passing::{CiConfig, CiPassing, CiState, How};
pub use coverage::{Counts, Measure, Totals};
pub use coverage_threshold::{Coverage, CoverageConfig, CoverageThreshold, PythonCoverage};
pub use deployment_working::{DeploymentWorking, WorkingConfig};
pub use e2e_passing::{E2eConfig, E2ePassing, E2eResult};
pub use ops::{AskCi, AskUrl, MeasureCoverage};
pub use percent::Percent;

#[cfg(test)]
pub(crate) mod tests;
