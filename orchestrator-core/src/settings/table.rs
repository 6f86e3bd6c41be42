//! The table of settings: names, environment variables, shapes and meanings. What reads a setting, from any layer, reads it here.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{problem, units};

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
    /// Any text.
    Text,
}

/// A setting: its name, the environment variable for it, its shape and its meaning.
struct Setting(&'static str, Option<&'static str>, Shape, &'static str);

const CEILINGS: Shape = Shape::Word(&["reads", "writes", "publishes"]);
const LEVELS: Shape = Shape::Word(&["off", "error", "warn", "info", "debug", "trace"]);

const REMEDIES: Shape = Shape::Word(&["auto", "ask", "off"]);

static SETTINGS: [Setting; 39] = [
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
    Setting(
        "shadow",
        None,
        Shape::Flag,
        "Whether watches of deployments only tell what they would do: time alone moves traffic.",
    ),
    Setting("min_free_disk", None, Shape::Bytes, "Disk that must be free before anything is written."),
    Setting(
        "reuse",
        None,
        Shape::Flag,
        "Whether results of earlier runs are reused while all that they depend on holds.",
    ),
    Setting(
        "remedies",
        None,
        REMEDIES,
        "What happens when a check knows a safe remedy: auto performs it, ask waits for a person, off fails.",
    ),
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
    Setting(
        "ttl.toolchain",
        None,
        Shape::Timeout,
        "How long the version of a compiler or interpreter is believed.",
    ),
    Setting(
        "ttl.package_manager",
        None,
        Shape::Timeout,
        "How long the version of a package manager is believed.",
    ),
    Setting(
        "ttl.lockfile",
        None,
        Shape::Timeout,
        "How long a lockfile in sync with its manifest is believed to stay so.",
    ),
    Setting(
        "ttl.dependencies",
        None,
        Shape::Timeout,
        "How long synced dependencies are believed to stay so.",
    ),
    Setting(
        "ttl.virtual_environment",
        None,
        Shape::Timeout,
        "How long a healthy virtual environment is believed to stay so.",
    ),
    Setting("ttl.quality", None, Shape::Timeout, "How long the result of a quality check is reused."),
    Setting("ttl.platform", None, Shape::Timeout, "How long the set-up of the machine is believed."),
    Setting("keep.logs", None, Shape::Count(0, 100_000), "How many logs of runs are kept; 0 for all."),
    Setting("keep.runs", None, Shape::Count(0, 1_000_000), "How many runs are kept; 0 for no limit."),
    Setting("keep.run_age", None, Shape::Timeout, "How old a kept run may be."),
    Setting("keep.run_size", None, Shape::Bytes, "How much disk kept runs may use; 0 for no limit."),
    Setting("keep.cache_age", None, Shape::Timeout, "How long a cached result may lie unused."),
    Setting("keep.cache_size", None, Shape::Bytes, "How much disk cached results may use."),
    Setting(
        "shared.url",
        Some("ORCHESTRATE_SHARED"),
        Shape::Text,
        "Where a team shares results and runs: file:///PATH, s3://BUCKET/PREFIX?endpoint=..&region=.. or redis://HOST:PORT/DB; without credentials.",
    ),
    Setting("shared.timeout", None, Shape::Timeout, "How long the shared place may take for an answer."),
    Setting(
        "shared.write",
        None,
        Shape::Flag,
        "Whether results and runs are also put into the shared place.",
    ),
];

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// There is none of that name.
    Name(String),
    /// It does not take that value.
    Value(String),
}

/// The groups of settings, each with what it is about.
pub(crate) const SECTIONS: [(&str, &str); 4] = [
    ("phases", "Which of the standard phases run."),
    ("ttl", "How long facts from outside the tree are believed; what lies in the tree is always looked at."),
    ("keep", "What is kept of earlier runs. What is live is never removed."),
    ("shared", "A place that a team shares for results and runs."),
];

/// Whether a key of the settings holds further settings.
pub(crate) fn is_section(key: &str) -> bool {
    SECTIONS.iter().any(|(section, _)| *section == key)
}

/// Reads a setting by its name (`jobs`, `phases.reports`), with the readable forms of durations and sizes.
pub(crate) fn read(name: &str, value: &Value) -> Result<Value, Wrong> {
    if let Some(Setting(_, _, shape, _)) = SETTINGS.iter().find(|setting| setting.0 == name) {
        return shape.read(value).map_err(Wrong::Value);
    }
    if is_section(name) {
        return Err(Wrong::Value(match name {
            "phases" => "expected a map of phases to `true` or `false`".into(),
            _ => format!("expected a map of settings below `{name}`"),
        }));
    }
    let names = SETTINGS.iter().map(|setting| setting.0);
    Err(Wrong::Name(match name.split_once('.') {
        Some((section, inner)) if is_section(section) => {
            let known = names.filter_map(|name| name.strip_prefix(section)?.strip_prefix('.'));
            let what =
                if section == "phases" { "phase setting".into() } else { format!("`{section}` setting") };
            problem::unknown(&what, inner, known)
        }
        _ => {
            let sections = SECTIONS.iter().map(|(section, _)| *section);
            problem::unknown("setting", name, names.filter(|name| !name.contains('.')).chain(sections))
        }
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
            Self::Text if value.is_string() => Ok(value.clone()),
            Self::Text => Err(format!("`{written}` is no text")),
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
            Self::Timeout | Self::Delay | Self::Bytes | Self::Text => self.read(&Value::from(text)),
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
            Self::Text => json!({ "type": "string" }),
        }
    }
}

/// Reads an environment variable: the name of its setting and the value; none where it is no setting's.
pub(super) fn read_variable(variable: &str, text: &str) -> Option<(&'static str, Result<Value, String>)> {
    let Setting(name, _, shape, _) = SETTINGS.iter().find(|setting| setting.1 == Some(variable))?;
    Some((name, shape.read_text(text)))
}

/// Puts a value where its dotted name says.
pub(super) fn insert(layer: &mut Map<String, Value>, name: &str, value: Value) {
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

/// The settings as schemas by name; those of a section under its name.
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
