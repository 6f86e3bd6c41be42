//! Roadmaps: the dialect with `orchestrator:`, `phase_N:` and `checkpoints:`, and the example that is carried out in full.
//!
//! What needs node, pytest or linters of workflows is ignored here and run by `tests/run`, which installs them.

mod example;
mod generated;
mod running;
mod telling;
mod tree;

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{Folder, Said};

/// Records of a run, from `--format json` or its journal.
pub(super) struct Records(Vec<Value>);

impl Records {
    /// What `run --format json` printed.
    fn printed(said: &Said) -> Self {
        Self(said.json())
    }

    /// The journal of the latest run in a folder.
    fn journal(folder: &Folder) -> Self {
        let text = fs::read_to_string(folder.journal()).unwrap();
        Self(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// What events of a kind hold, in order.
    fn all<'r>(&'r self, kind: &'r str) -> impl Iterator<Item = &'r Value> {
        self.0.iter().filter_map(move |record| record["event"].get(kind))
    }

    /// How each task ended, by id.
    fn ends(&self) -> BTreeMap<&str, &Value> {
        self.all("task_finished").map(|end| (end["task"].as_str().unwrap(), end)).collect()
    }

    /// `1.1: failed, 1.2: skipped`, in the order of ids.
    fn outcomes(&self) -> String {
        let ends = self.ends();
        let one = |(task, end): (&&str, &&Value)| format!("{task}: {}", end["outcome"].as_str().unwrap());
        ends.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// Runs with lines for programs.
#[track_caller]
fn run(folder: &Folder, flags: &str, code: i32) -> Records {
    Records::printed(&folder.orchestrate(&format!("run --format json {flags}")).exits(code))
}
