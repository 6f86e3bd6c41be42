//! The recording of a watch: `watch/RELEASE.jsonl`, lines that are only added to. A look that is taken again adds its line again, and the later one
//! counts; a line that was cut off is closed, so that what follows stands by itself.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ObserveInput;
use crate::deployment::Environment;
use crate::deployment::analysis::{Decision, Line, RULES, Sample};
use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::halt::blocking;
use crate::deployment::ops::place::Place;

/// The most bytes of a recording: a day of looks.
const LARGEST: u64 = 256 << 20;

/// Which decision to keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordDecisionInput {
    /// Where.
    pub environment: Environment,
    /// Which release was watched.
    pub release: String,
    /// Of which look it is.
    pub look: u64,
    /// What was decided.
    pub decision: Decision,
}

/// Adds the last decision of a watch to its recording; the others are added by the look that follows them.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordDecision;

#[async_trait]
impl Operation for RecordDecision {
    const NAME: &'static str = "record-decision";
    const EFFECT: Effect = Effect::Reads;
    type Input = RecordDecisionInput;
    type Output = ();

    async fn call(
        &self,
        input: RecordDecisionInput,
        _order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<(), BoxError> {
        let place = Place::new(site.state, &input.environment);
        let RecordDecisionInput { environment: _, release, look, decision } = input;
        blocking(site, move |_| add(&place, &release, &[Line::Decision { look, decision }])).await
    }

    /// The same line again changes nothing.
    async fn already(&self, _: &RecordDecisionInput, _: &OrderKey, _: &Site<'_>) -> Already<()> {
        Already::NotDone
    }
}

/// Adds a look to the recording: what it looks for, what the one before decided, what it saw.
pub(super) fn keep(place: &Place, input: &ObserveInput, sample: &Sample) -> Result<(), DeployError> {
    let config = input.config.clone().map(|config| Line::Watch { config: Box::new(config), rules: RULES });
    let before = input.look.checked_sub(1).zip(input.decided.clone());
    let decision = before.map(|(look, decision)| Line::Decision { look, decision });
    let sample = Line::Sample { look: input.look, sample: Box::new(sample.clone()) };
    let lines: Vec<Line> = config.into_iter().chain(decision).chain([sample]).collect();
    add(place, &input.new.release, &lines)
}

fn add(place: &Place, release: &str, lines: &[Line]) -> Result<(), DeployError> {
    let Some(path) = place.recording(release) else {
        return Err(DeployError::NoRelease {
            environment: place.environment.clone(),
            release: release.to_owned(),
        });
    };
    let folder = path.parent().expect("it lies in a folder");
    fs::create_dir_all(folder).tried("created", folder)?;
    let mut text = Vec::new();
    for line in lines {
        text.extend(serde_json::to_vec(line).expect("lines are JSON"));
        text.push(b'\n');
    }
    let file = OpenOptions::new().create(true).read(true).append(true).open(&path);
    file.and_then(|file| append(file, text)).tried("added to", &path)
}

fn append(mut file: File, mut text: Vec<u8>) -> io::Result<()> {
    let length = file.seek(SeekFrom::End(0))?;
    if length + text.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it would exceed {LARGEST} bytes")));
    }
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.insert(0, b'\n');
        }
    }
    // One write: another process never sees half of a look.
    file.write_all(&text)
}
