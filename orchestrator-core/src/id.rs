//! Names and keys. Parsing is the only way in, so a name that exists is a name that is valid.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name that is accepted, in bytes.
pub const MAX_NAME: usize = 128;

/// A name that does not fit its pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a valid {kind}: it must match {pattern} and have at most {MAX_NAME} characters")]
pub struct NameError {
    name: String,
    kind: &'static str,
    pattern: &'static str,
}

fn is_task_id(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $check:ident, $kind:literal, $pattern:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the name against its pattern.
            pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
                let name = name.as_ref();
                if name.len() <= MAX_NAME && $check(name) {
                    Ok(Self(name.into()))
                } else {
                    let short: String = name.chars().take(MAX_NAME).collect();
                    Err(NameError { name: short, kind: $kind, pattern: $pattern })
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{}`", self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(name).map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": concat!("^", $pattern, "$"), "maxLength": MAX_NAME })
            }
        }
    )*};
}

names! {
    /// Id of a task, unique in its pipeline.
    TaskId: is_task_id, "task id", "[A-Za-z0-9][A-Za-z0-9._-]*";
    /// Name of a phase, unique in its pipeline.
    PhaseName: is_name, "phase name", "[a-z][a-z0-9_-]*";
    /// Name of a group, unique in its phase.
    GroupName: is_name, "group name", "[a-z][a-z0-9_-]*";
    /// Name of an agent, as pipelines use it.
    AgentName: is_name, "agent name", "[a-z][a-z0-9_-]*";
    /// Name of an operation.
    OperationName: is_name, "operation name", "[a-z][a-z0-9_-]*";
    /// Name of a signal that a run may wait for.
    SignalName: is_task_id, "signal name", "[A-Za-z0-9][A-Za-z0-9._-]*";
    /// Id of a run: `YYYYMMDDHHMMSS-XXXXXXXX`, start time in UTC and eight random hexadecimal digits.
    RunId: is_run_id, "run id", "[0-9]{14}-[0-9a-f]{8}";
}

fn is_run_id(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() == 23
        && bytes[..14].iter().all(u8::is_ascii_digit)
        && bytes[14] == b'-'
        && bytes[15..].iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl RunId {
    /// The id of a run that started at `at`. Ids sort by time: after the second come its 4096th part and the lower 20 bits of
    /// `random`, which tell apart what started together.
    pub fn at(at: jiff::Timestamp, random: u32) -> Self {
        let nanos = u64::from(at.subsec_nanosecond().unsigned_abs());
        let part = (nanos << 12) / 1_000_000_000;
        let id = format!("{}-{part:03x}{:05x}", at.strftime("%Y%m%d%H%M%S"), random & 0xf_ffff);
        Self::new(id).expect("a timestamp of four-digit years gives 14 digits")
    }
}

/// Names one order for good: the same key is the same piece of work, also after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderKey {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskId,
    /// Attempt of the task, from 1.
    pub attempt: u32,
    /// Round of the attempt, from 0; `Verdict::More` opens the next.
    pub round: u32,
    /// Place of the action in its round, from 0.
    pub index: u32,
}

impl OrderKey {
    /// A file name for what belongs to this order: `TASK-1.0.0`.
    pub fn file_stem(&self) -> String {
        format!("{}-{}.{}.{}", self.task, self.attempt, self.round, self.index)
    }
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, task, attempt, round, index } = self;
        write!(f, "{run}/{task}#{attempt}.{round}.{index}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!(TaskId::new("1.1").is_ok() && TaskId::new("a_B-c.d").is_ok());
        for bad in ["", ".a", "-a", "a b", "a/b", "ä", &"x".repeat(129)] {
            assert!(TaskId::new(bad).is_err(), "{bad}");
        }
        for bad in ["", "A", "1a", "a.b", "a b"] {
            assert!(PhaseName::new(bad).is_err(), "{bad}");
        }
        assert!(RunId::new("20261120234433-00ff00ff").is_ok());
        assert!(RunId::new("20261120234433-00FF00FF").is_err());
        let error = PhaseName::new("A").unwrap_err().to_string();
        assert!(error.contains("`A` is not a valid phase name"), "{error}");
    }

    #[test]
    fn run_ids_show_their_second() {
        let at = "2026-11-20T23:44:33Z".parse().unwrap();
        assert_eq!(RunId::at(at, 0xab).as_str(), "20261120234433-000000ab");
        let late = "2026-11-20T23:44:33.999999999Z".parse().unwrap();
        assert_eq!(RunId::at(late, u32::MAX).as_str(), "20261120234433-ffffffff");
    }

    #[test]
    fn run_ids_sort_by_time_within_a_second() {
        let at = |millis| {
            RunId::at(
                jiff::Timestamp::from_millisecond(millis).unwrap(),
                (millis.unsigned_abs() as u32).wrapping_mul(77),
            )
        };
        let ids: Vec<RunId> = (1_795_000_000_000..1_795_000_002_000).map(at).collect();
        assert!(ids.is_sorted());
    }
}
