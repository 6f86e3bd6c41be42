//! The recording of a watch as values: what was looked for, what each look saw, what was decided; and its replay. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Decision, Sample, WatchConfig, Watcher};

/// The number of the rules that a [`Watcher`] decides by. It grows with every change by which the same samples are decided, or told, otherwise:
/// a recording of earlier rules is then not taken for one that is wrong.
pub const RULES: u32 = 1;

/// A line of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", untagged)]
pub enum Line {
    /// A watch began.
    Watch {
        /// What it looks for.
        config: Box<WatchConfig>,
        /// By which rules it decides; 0 of those that had no number yet.
        #[serde(default)]
        rules: u32,
    },
    /// A look.
    Sample {
        /// Which one, from 0.
        look: u64,
        /// What it saw.
        sample: Box<Sample>,
    },
    /// What a look decided.
    Decision {
        /// Which one.
        look: u64,
        /// What was decided.
        decision: Decision,
    },
}

/// The recording of one watch. A watch that began again, or a look that was taken again, replaces what was recorded of it before.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// What it looked for.
    pub config: WatchConfig,
    /// By which rules it was decided.
    pub rules: u32,
    /// What each look saw, from the first on.
    pub samples: Vec<Sample>,
    /// What was decided, by look. The last may be missing, where the watch was cut off.
    pub decisions: BTreeMap<u64, Decision>,
    /// Lines that a crash cut off.
    pub torn: u64,
}

/// A recording that cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// It does not say what was looked for.
    #[error(
        "it does not begin with a line `{{\"config\": ..}}`; name a file `watch/RELEASE.jsonl` of an environment"
    )]
    NoConfig,
    /// A look is missing.
    #[error(
        "look {missing} is missing before line {line}: it could not be recorded, so what follows cannot be replayed"
    )]
    Missing {
        /// Which one.
        missing: u64,
        /// Where it should have been.
        line: usize,
    },
    /// There is no look in it.
    #[error("it has no look")]
    Empty,
}

impl Recording {
    /// Reads a recording.
    pub fn read(text: &str) -> Result<Self, RecordingError> {
        let mut found: Option<Self> = None;
        let mut torn = 0;
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let Ok(line) = serde_json::from_str::<Line>(line) else {
                torn += 1;
                continue;
            };
            if let Line::Watch { config, rules } = line {
                let (samples, decisions) = (Vec::new(), BTreeMap::new());
                found = Some(Self { config: *config, rules, samples, decisions, torn: 0 });
            } else {
                found.as_mut().ok_or(RecordingError::NoConfig)?.take(line, at + 1)?;
            }
        }
        let mut found = found.ok_or(RecordingError::NoConfig)?;
        if found.samples.is_empty() {
            return Err(RecordingError::Empty);
        }
        found.torn = torn;
        Ok(found)
    }

    fn take(&mut self, line: Line, at: usize) -> Result<(), RecordingError> {
        match line {
            Line::Watch { .. } => {}
            Line::Sample { look, sample } => {
                let known = self.samples.len() as u64;
                if look > known {
                    return Err(RecordingError::Missing { missing: known, line: at });
                }
                self.samples.truncate(look as usize);
                self.decisions.split_off(&look);
                self.samples.push(*sample);
            }
            Line::Decision { look, decision } => {
                if look < self.samples.len() as u64 {
                    self.decisions.insert(look, decision);
                }
            }
        }
        Ok(())
    }

    /// Decides again, by the config that it was watched with or by another one. With another one it is what that would have decided,
    /// as long as traffic was what it was. Of a recording by other [`RULES`] only verdicts are compared.
    pub fn replay(&self, config: Option<&WatchConfig>) -> Replay {
        let mut watcher = Watcher::new(config.unwrap_or(&self.config));
        let decisions: Vec<Decision> = self.samples.iter().map(|sample| watcher.look(sample)).collect();
        let other_rules = self.rules != RULES;
        let text = |decision: &Decision| serde_json::to_string(decision).unwrap_or_default();
        let same = |one: &Decision, other: &Decision| {
            let alike = (one.verdict, one.would) == (other.verdict, other.would);
            alike && (other_rules || text(one) == text(other))
        };
        let mut differ = self.decisions.iter().filter(|(look, recorded)| {
            decisions.get(**look as usize).is_none_or(|decided| !same(decided, recorded))
        });
        let differs = differ.next().map(|(look, _)| *look);
        Replay { decisions, compared: self.decisions.len(), differs, other_rules }
    }
}

/// What a recording decides when it is replayed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replay {
    /// One for each look.
    pub decisions: Vec<Decision>,
    /// How many of them were recorded too.
    pub compared: usize,
    /// The first look whose recorded decision is not the same, byte for byte; none where all are.
    pub differs: Option<u64>,
    /// Whether it was recorded by other rules than these: then `differs` is about verdicts alone.
    pub other_rules: bool,
}
