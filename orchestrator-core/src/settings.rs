//! Settings in layers: defaults < pipeline file < environment < flags. The only place that knows the `config` crate.
//! The environment is handed in: this module does not look for it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::effect::Effect;

/// Settings of a run, all layers merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Off: say so and start nothing.
    pub enabled: bool,
    /// The most tasks at once; by default the number of processors.
    pub jobs: u32,
    /// A failed task keeps others from starting.
    pub fail_fast: bool,
    /// How far a run may reach.
    pub ceiling: Effect,
    /// Seconds that an attempt of a task may take.
    pub timeout: u64,
    /// How often a failed task is tried again.
    pub retries: u32,
    /// Seconds before the first retry; doubles from then on.
    pub retry_delay: f64,
    /// Seconds that a stopped command gets to end before it is killed.
    pub grace: f64,
    /// What developers' logs show: off, error, warn, info, debug, trace.
    pub log_level: String,
    /// Which of the standard phases run.
    pub phases: EnabledPhases,
    /// Whether the deployment phase deploys to staging.
    pub deploy_to_staging: bool,
    /// Whether the deployment phase deploys to production.
    pub deploy_to_production: bool,
    /// Bytes of disk that must be free before anything is written.
    pub min_free_disk: u64,
    /// Thousandths of a processor that tasks with `resources` share; 0 for no limit.
    pub cpu_milli: u32,
    /// Bytes of memory that tasks with `resources` share; 0 for no limit.
    pub memory: u64,
}

/// Which of the standard phases run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnabledPhases {
    /// `restart_backup`.
    pub restart_backup: bool,
    /// `code_generation`.
    pub code_generation: bool,
    /// `build_validation`.
    pub build_validation: bool,
    /// `merge_integration`.
    pub merge_integration: bool,
    /// `deployment`.
    pub deployment: bool,
    /// `reports`.
    pub reports: bool,
}

impl Default for EnabledPhases {
    fn default() -> Self {
        Self {
            restart_backup: true,
            code_generation: true,
            build_validation: true,
            merge_integration: true,
            deployment: true,
            reports: true,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            jobs: std::thread::available_parallelism().map_or(4, |n| n.get() as u32),
            fail_fast: false,
            ceiling: Effect::Writes,
            timeout: 30 * 60,
            retries: 0,
            retry_delay: 1.0,
            grace: 5.0,
            log_level: "warn".into(),
            phases: EnabledPhases::default(),
            deploy_to_staging: true,
            deploy_to_production: false,
            min_free_disk: 1_000_000_000,
            cpu_milli: 0,
            memory: 0,
        }
    }
}

impl Settings {
    /// Temporary.
    pub fn layered(
        _: &serde_json::Value,
        _: &[(String, String)],
        _: &serde_json::Value,
    ) -> Result<Self, std::io::Error> {
        Ok(Self::default())
    }
    /// How long an attempt of a task may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}
