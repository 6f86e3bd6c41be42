//! What came of tests that change something, told while they are sent: whoever is asked again, after a cut or a crash, sends none of it twice.
//!
//! A file for each order, `smoke/ORDER.jsonl`, of lines that are only added; one that was cut off counts for nothing. What answers gave for later
//! tests is in it, so nobody else may read it; once all tests were sent it holds the results alone, for a week: so long somebody may ask.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrator_core::id::OrderKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SmokeOutput;
use super::sending::Turn;
use crate::deployment::Saved;
use crate::deployment::ops::error::{DeployError, Tried};

/// How long results stay.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The next request of the test that stands there is one that changes something, and is sent now.
    Sends(usize),
    /// It was answered: how that test stands, and what answers gave so far; earlier versions wrote numbers as texts.
    Stands(usize, Turn, BTreeMap<Saved, Value>),
    /// All were sent.
    Over(SmokeOutput),
}

/// What is known of earlier tries.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    /// How tests stand, in their order.
    pub(super) turns: Vec<Turn>,
    pub(super) saved: BTreeMap<Saved, Value>,
    /// Which test was sent and not answered, as far as anybody knows.
    pub(super) unanswered: Option<usize>,
    pub(super) over: Option<SmokeOutput>,
}

/// The file of an order.
pub(super) struct Memory {
    path: PathBuf,
    file: File,
}

fn path(state: &Path, order: &OrderKey) -> PathBuf {
    let OrderKey { run, task, attempt, round, index } = order;
    state.join("smoke").join(format!("{run}-{task}-{attempt}.{round}.{index}.jsonl"))
}

/// What is known of an order, and how much of its file that is.
fn read(path: &Path) -> Result<(Recalled, u64), DeployError> {
    let mut recalled = Recalled::default();
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((recalled, 0)),
        bytes => bytes.tried("read", path)?,
    };
    let mut whole = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let malformed = |source| DeployError::Malformed { path: path.to_owned(), source };
        match serde_json::from_slice(line).map_err(malformed)? {
            Line::Sends(at) => recalled.unanswered = Some(at),
            Line::Stands(at, turn, saved) => {
                recalled.turns.truncate(at);
                recalled.turns.push(turn);
                (recalled.saved, recalled.unanswered) = (saved, None);
            }
            Line::Over(output) => recalled.over = Some(output),
        }
        whole += line.len() as u64 + 1;
    }
    Ok((recalled, whole))
}

/// The results of an order that was carried out.
pub(super) fn over(state: &Path, order: &OrderKey) -> Result<Option<SmokeOutput>, DeployError> {
    Ok(read(&path(state, order))?.0.over)
}

impl Memory {
    /// Opens the file of an order, with what earlier tries told. Files of others that nobody will ask for go.
    pub(super) fn of(state: &Path, order: &OrderKey) -> Result<(Self, Recalled), DeployError> {
        let path = path(state, order);
        let folder = path.parent().expect("it lies in a folder");
        fs::create_dir_all(folder).tried("created", folder)?;
        tidy(folder);
        let (recalled, whole) = read(&path)?;
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = file.tried("opened", &path)?;
        file.set_len(whole).tried("written", &path)?;
        Ok((Self { path, file }, recalled))
    }

    /// A request is sent now. On the disk before that: what was sent is known even where the machine dies.
    pub(super) fn sends(&mut self, at: usize) -> Result<(), DeployError> {
        self.add(&Line::Sends(at))?;
        self.file.sync_data().tried("written", &self.path)
    }

    /// It was answered.
    pub(super) fn stands(
        &mut self,
        at: usize,
        turn: &Turn,
        saved: &BTreeMap<Saved, Value>,
    ) -> Result<(), DeployError> {
        self.add(&Line::Stands(at, turn.clone(), saved.clone()))
    }

    /// All were sent: what was needed on the way goes.
    pub(super) fn over(self, output: &SmokeOutput) -> Result<(), DeployError> {
        let line = line(&Line::Over(output.clone()));
        let fresh = self.path.with_extension("fresh");
        let written = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&fresh);
        let written = written.and_then(|mut file| file.write_all(&line).and_then(|()| file.sync_data()));
        written.and_then(|()| fs::rename(&fresh, &self.path)).tried("written", &self.path)
    }

    fn add(&mut self, said: &Line) -> Result<(), DeployError> {
        self.file.write_all(&line(said)).tried("written", &self.path)
    }
}

fn line(said: &Line) -> Vec<u8> {
    let mut line = serde_json::to_vec(said).expect("lines are JSON");
    line.push(b'\n');
    line
}

/// Removes what is too old. What cannot be removed now goes another time.
fn tidy(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|found| found.modified());
        if modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > KEPT)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
