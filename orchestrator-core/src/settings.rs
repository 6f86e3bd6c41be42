//! Settings in layers: defaults < pipeline file < environment < flags. The only place that knows the `config` crate.
//! The environment is handed in: this module does not look for it.

use std::time::Duration;

use config::{Config, ConfigError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::effect::Effect;
use crate::problem::{self, Problem, Problems};
use crate::units;

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
            min_free_disk: 1_000_000_000,
            cpu_milli: processors().saturating_mul(1000),
            memory: rustix::system::sysinfo().totalram as u64,
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

fn processors() -> u32 {
    std::thread::available_parallelism().map_or(4, |n| n.get() as u32)
}

impl Settings {
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

/// What a setting looks like.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Flag,
    Count(u32, u32),
    /// Whole seconds, at least one.
    Timeout,
    /// Seconds, also none.
    Delay,
    Bytes,
    /// Lower case; in the environment also upper case.
    Word(&'static [&'static str]),
}

/// A setting: its name, the environment variable for it, its shape and its meaning.
struct Setting(&'static str, Option<&'static str>, Shape, &'static str);

const CEILINGS: Shape = Shape::Word(&["reads", "writes", "publishes"]);
const LEVELS: Shape = Shape::Word(&["off", "error", "warn", "info", "debug", "trace"]);

static SETTINGS: [Setting; 20] = [
    Setting("enabled", Some("ORCHESTRATION_ENABLED"), Shape::Flag, "Off: say so and start nothing."),
    Setting(
        "jobs",
        None,
        Shape::Count(1, 1_024),
        "The most tasks at once; by default the number of processors.",
    ),
    Setting("fail_fast", None, Shape::Flag, "A failed task keeps others from starting."),
    Setting("ceiling", None, CEILINGS, "How far a run may reach."),
    Setting(
        "timeout",
        Some("ORCHESTRATION_TIMEOUT"),
        Shape::Timeout,
        "How long an attempt of a task may take.",
    ),
    Setting(
        "retries",
        Some("ORCHESTRATION_RETRY_COUNT"),
        Shape::Count(0, 99),
        "How often a failed task is tried again.",
    ),
    Setting("retry_delay", None, Shape::Delay, "Before the first retry; doubles from then on."),
    Setting("grace", None, Shape::Delay, "What a stopped command gets to end before it is killed."),
    Setting("log_level", Some("LOG_LEVEL"), LEVELS, "What developers' logs show."),
    Setting(
        "deploy_to_staging",
        Some("DEPLOY_TO_STAGING"),
        Shape::Flag,
        "Whether the deployment phase deploys to staging.",
    ),
    Setting(
        "deploy_to_production",
        Some("DEPLOY_TO_PRODUCTION"),
        Shape::Flag,
        "Whether the deployment phase deploys to production.",
    ),
    Setting("min_free_disk", None, Shape::Bytes, "Disk that must be free before anything is written."),
    Setting(
        "cpu_milli",
        None,
        Shape::Count(0, u32::MAX),
        "Thousandths of a processor that tasks with `resources` share; by default the machine's, 0 for no limit.",
    ),
    Setting(
        "memory",
        None,
        Shape::Bytes,
        "Memory that tasks with `resources` share; by default the machine's, 0 for no limit.",
    ),
    Setting(
        "phases.restart_backup",
        Some("ENABLE_BACKUP_PHASE"),
        Shape::Flag,
        "Whether `restart_backup` runs.",
    ),
    Setting(
        "phases.code_generation",
        Some("ENABLE_CODE_GENERATION"),
        Shape::Flag,
        "Whether `code_generation` runs.",
    ),
    Setting(
        "phases.build_validation",
        Some("ENABLE_BUILD_VALIDATION"),
        Shape::Flag,
        "Whether `build_validation` runs.",
    ),
    Setting(
        "phases.merge_integration",
        Some("ENABLE_MERGE_INTEGRATION"),
        Shape::Flag,
        "Whether `merge_integration` runs.",
    ),
    Setting("phases.deployment", Some("ENABLE_DEPLOYMENT"), Shape::Flag, "Whether `deployment` runs."),
    Setting("phases.reports", Some("ENABLE_REPORTS"), Shape::Flag, "Whether `reports` runs."),
];

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// There is none of that name.
    Name(String),
    /// It does not take that value.
    Value(String),
}

/// The one group of settings.
const SECTION: &str = "phases";

/// Whether a key of the settings holds further settings.
pub(crate) fn is_section(key: &str) -> bool {
    key == SECTION
}

/// Reads a setting by its name (`jobs`, `phases.reports`), with the readable forms of durations and sizes.
pub(crate) fn read(name: &str, value: &Value) -> Result<Value, Wrong> {
    if let Some(Setting(_, _, shape, _)) = SETTINGS.iter().find(|setting| setting.0 == name) {
        return shape.read(value).map_err(Wrong::Value);
    }
    if is_section(name) {
        return Err(Wrong::Value("expected a map of phases to `true` or `false`".into()));
    }
    let names = SETTINGS.iter().map(|setting| setting.0);
    Err(Wrong::Name(match name.split_once('.') {
        Some((SECTION, phase)) => {
            let phases = names.filter_map(|name| name.strip_prefix("phases."));
            problem::unknown("phase setting", phase, phases)
        }
        _ => problem::unknown("setting", name, names.filter(|name| !name.contains('.')).chain([SECTION])),
    }))
}

impl Shape {
    fn read(self, value: &Value) -> Result<Value, String> {
        let written = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match self {
            Self::Flag if value.is_boolean() => Ok(value.clone()),
            Self::Flag => Err(format!("`{written}` is neither `true` nor `false`")),
            Self::Count(least, most) => {
                let fits = |count: &u64| (u64::from(least)..=u64::from(most)).contains(count);
                let wrong = || format!("`{written}` is not a whole number from {least} to {most}");
                value.as_u64().filter(fits).map(Value::from).ok_or_else(wrong)
            }
            Self::Timeout => {
                let duration = units::duration(&written)?;
                if duration < Duration::from_secs(1) {
                    return Err(format!("`{written}` is less than one second"));
                }
                Ok(Value::from(duration.as_secs() + u64::from(duration.subsec_nanos() > 0)))
            }
            Self::Delay => Ok(Value::from(units::duration(&written)?.as_secs_f64())),
            Self::Bytes => Ok(Value::from(units::size(&written)?)),
            Self::Word(words) => {
                let word = words.iter().find(|word| value.as_str() == Some(word));
                word.map(|word| Value::from(*word))
                    .ok_or_else(|| format!("`{written}` is not one of {}", words.join(", ")))
            }
        }
    }

    /// Reads the text of an environment variable.
    fn read_text(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(Value::from(true)),
                "false" | "0" | "no" | "off" => Ok(Value::from(false)),
                _ => Err(format!("`{text}` is not one of true, false, 1, 0, yes, no, on, off")),
            },
            Self::Count(..) => {
                self.read(&text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from))
            }
            Self::Word(_) => self.read(&Value::from(text.to_ascii_lowercase())),
            Self::Timeout | Self::Delay | Self::Bytes => self.read(&Value::from(text)),
        }
    }

    fn schema(self) -> Value {
        match self {
            Self::Flag => json!({ "type": "boolean" }),
            Self::Count(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Self::Timeout => json!({ "anyOf": [
                { "type": "number", "minimum": 1 },
                { "type": "string", "pattern": units::DURATION },
            ] }),
            Self::Delay => json!({ "anyOf": [
                { "type": "number", "minimum": 0 },
                { "type": "string", "pattern": units::DURATION },
            ] }),
            Self::Bytes => json!({ "anyOf": [
                { "type": "number", "minimum": 0 },
                { "type": "string", "pattern": units::SIZE },
            ] }),
            Self::Word(words) => json!({ "enum": words }),
        }
    }
}

/// Puts a value where its dotted name says.
fn insert(layer: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => drop(layer.insert(name.to_owned(), value)),
        Some((section, name)) => {
            let section = layer.entry(section).or_insert_with(|| json!({}));
            if let Value::Object(fields) = section {
                fields.insert(name.to_owned(), value);
            }
        }
    }
}

fn object_layer(from: &str, layer: &Value, wrong: &mut Vec<Problem>) -> Value {
    let mut read_layer = Map::new();
    let mut each = |name: String, value: &Value| match read(&name, value) {
        Ok(value) => insert(&mut read_layer, &name, value),
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
    for (variable, text) in env {
        let Some(Setting(name, _, shape, _)) =
            SETTINGS.iter().find(|setting| setting.1 == Some(variable.as_str()))
        else {
            continue;
        };
        match text.trim() {
            "" => {}
            text => match shape.read_text(text) {
                Ok(value) => insert(&mut layer, name, value),
                Err(message) => wrong.push(Problem::new(variable, message)),
            },
        }
    }
    Value::Object(layer)
}

/// The settings as schemas by name; those of phases under `phases`.
pub(crate) fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    for Setting(name, variable, shape, about) in &SETTINGS {
        let mut schema = shape.schema();
        let about = variable.map_or_else(
            || (*about).to_owned(),
            |variable| format!("{about} In the environment: {variable}."),
        );
        schema["description"] = Value::from(about);
        insert(&mut all, name, schema);
    }
    all
}
