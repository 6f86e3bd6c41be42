//! Settings in layers: defaults < pipeline file < environment < flags. The only place that knows the `config` crate.
//! The environment is handed in: this module does not look for it.

mod table;

use std::sync::OnceLock;
use std::time::Duration;

use config::{Config, ConfigError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::agent::Fact;
use crate::effect::Effect;
use crate::problem::{Problem, Problems};
pub(crate) use table::{SECTIONS, Wrong, is_section, read, schemas};

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
    /// Whether watches of deployments only tell what they would do: time alone moves traffic.
    pub shadow: bool,
    /// Bytes of disk that must be free before anything is written.
    pub min_free_disk: u64,
    /// Thousandths of a processor that tasks with `resources` share; 0 for no limit.
    pub cpu_milli: u32,
    /// Bytes of memory that tasks with `resources` share; 0 for no limit.
    pub memory: u64,
    /// Whether results of earlier runs are reused while all that they depend on holds.
    pub reuse: bool,
    /// What happens when a check knows a safe remedy.
    pub remedies: Remedies,
    /// How long facts from outside the tree are believed.
    pub ttl: Lifetimes,
    /// What is kept of earlier runs.
    pub keep: Keep,
    /// A place that a team shares.
    pub shared: SharedPlace,
}

/// What happens when a check fails and knows a remedy that is safe and local.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Remedies {
    /// It is performed, and the check is run again.
    #[default]
    Auto,
    /// The run waits until a person agrees.
    Ask,
    /// The check fails and says what would help.
    Off,
}

/// How long facts from outside the tree are believed, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lifetimes {
    /// The version of a compiler or interpreter.
    pub toolchain: u64,
    /// The version of a package manager.
    pub package_manager: u64,
    /// A lockfile in sync with its manifest.
    pub lockfile: u64,
    /// Synced dependencies.
    pub dependencies: u64,
    /// A healthy virtual environment.
    pub virtual_environment: u64,
    /// The result of a quality check.
    pub quality: u64,
    /// The set-up of the machine.
    pub platform: u64,
}

impl Lifetimes {
    /// How long facts of a kind are believed.
    pub fn of(&self, fact: Fact) -> Duration {
        Duration::from_secs(match fact {
            Fact::Toolchain => self.toolchain,
            Fact::PackageManager => self.package_manager,
            Fact::Lockfile => self.lockfile,
            Fact::Dependencies => self.dependencies,
            Fact::VirtualEnvironment => self.virtual_environment,
            Fact::Quality => self.quality,
            Fact::Platform => self.platform,
        })
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        let (minute, hour) = (60, 3600);
        Self {
            toolchain: hour,
            package_manager: hour,
            lockfile: 5 * minute,
            dependencies: 30 * minute,
            virtual_environment: 10 * minute,
            quality: 10 * minute,
            platform: hour,
        }
    }
}

/// What is kept of earlier runs; ages in seconds, sizes in bytes. 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// How many logs of runs.
    pub logs: u32,
    /// How many runs.
    pub runs: u32,
    /// How old a kept run may be.
    pub run_age: u64,
    /// How much disk kept runs may use.
    pub run_size: u64,
    /// How long a cached result may lie unused.
    pub cache_age: u64,
    /// How much disk cached results may use.
    pub cache_size: u64,
}

impl Default for Keep {
    fn default() -> Self {
        let day = 24 * 3600;
        Self {
            logs: 20,
            runs: 200,
            run_age: 30 * day,
            run_size: 5_000_000_000,
            cache_age: 30 * day,
            cache_size: 5_000_000_000,
        }
    }
}

/// A place that a team shares for results and runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SharedPlace {
    /// Its address, without credentials; empty for none.
    pub url: String,
    /// Seconds that it may take for an answer, and for each further MiB.
    pub timeout: u64,
    /// Whether results and runs are also put there.
    pub write: bool,
}

impl Default for SharedPlace {
    fn default() -> Self {
        Self { url: String::new(), timeout: 10, write: true }
    }
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
            jobs: processors(),
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
            shadow: false,
            min_free_disk: Self::MIN_FREE_DISK,
            cpu_milli: processors().saturating_mul(1000),
            memory: rustix::system::sysinfo().totalram as u64,
            reuse: true,
            remedies: Remedies::default(),
            ttl: Lifetimes::default(),
            keep: Keep::default(),
            shared: SharedPlace::default(),
        }
    }
}

/// Settings that do not make sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Names or values, each with its layer: `settings.jobs`, the name of a variable, `flags.jobs`.
    #[error(transparent)]
    Wrong(#[from] Problems),
    /// Layers that do not merge.
    #[error("the settings do not merge: {0}")]
    Merge(String),
}

impl From<ConfigError> for SettingsError {
    fn from(error: ConfigError) -> Self {
        Self::Merge(error.to_string())
    }
}

/// How many processors there are to use. Asked once: the answer is in several files.
pub fn processors() -> u32 {
    static KNOWN: OnceLock<u32> = OnceLock::new();
    *KNOWN.get_or_init(|| std::thread::available_parallelism().map_or(4, |n| n.get() as u32))
}

impl Settings {
    /// The default of `min_free_disk`.
    pub const MIN_FREE_DISK: u64 = 1_000_000_000;

    /// Merges the layers: defaults < `settings:` of the pipeline < environment < flags.
    /// Flags are an object with the names of the settings, or `null`.
    pub fn layered(pipeline: &Value, env: &[(String, String)], flags: &Value) -> Result<Self, SettingsError> {
        let mut wrong = Vec::new();
        let layers = [
            object_layer("settings", pipeline, &mut wrong),
            env_layer(env, &mut wrong),
            object_layer("flags", flags, &mut wrong),
        ];
        if !wrong.is_empty() {
            return Err(Problems::new(None, wrong).into());
        }
        let mut merged = Config::builder().add_source(Config::try_from(&Self::default())?);
        for layer in layers {
            merged = merged.add_source(Config::try_from(&layer)?);
        }
        Ok(merged.build()?.try_deserialize()?)
    }

    /// How long an attempt of a task may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

fn object_layer(from: &str, layer: &Value, wrong: &mut Vec<Problem>) -> Value {
    let mut read_layer = Map::new();
    let mut each = |name: String, value: &Value| match read(&name, value) {
        Ok(value) => table::insert(&mut read_layer, &name, value),
        Err(Wrong::Name(message) | Wrong::Value(message)) => {
            wrong.push(Problem::new(format!("{from}.{name}"), message));
        }
    };
    match layer {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Object(inner) if is_section(name) => {
                        inner.iter().for_each(|(key, value)| each(format!("{name}.{key}"), value));
                    }
                    value => each(name.clone(), value),
                }
            }
        }
        _ => wrong.push(Problem::new(from, "expected a map of settings")),
    }
    Value::Object(read_layer)
}

/// The settings among the variables of an environment; an empty variable is an unset one.
fn env_layer(env: &[(String, String)], wrong: &mut Vec<Problem>) -> Value {
    let mut layer = Map::new();
    for (variable, text) in env.iter().filter(|(_, text)| !text.trim().is_empty()) {
        match table::read_variable(variable, text.trim()) {
            Some((name, Ok(value))) => table::insert(&mut layer, name, value),
            Some((_, Err(message))) => wrong.push(Problem::new(variable, message)),
            None => {}
        }
    }
    Value::Object(layer)
}
