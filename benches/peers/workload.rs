//! What is measured.

use crate::work::{Act, Work};
use std::path::PathBuf;

const TASKS: usize = 1000;
const CHAIN: usize = 200;
const LAYERS: usize = 20;

/// One column of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Workload {
    Wide,
    Chain,
    Layers,
    First,
    Unchanged,
    Changed,
    Version,
    List,
    Memory,
}

/// A folder's contents: workloads of the same shape share it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Shape {
    Wide,
    Chain,
    Layers,
    Files,
}

impl Workload {
    pub(crate) const ALL: [Self; 9] = [
        Self::Wide,
        Self::Chain,
        Self::Layers,
        Self::First,
        Self::Unchanged,
        Self::Changed,
        Self::Version,
        Self::List,
        Self::Memory,
    ];

    /// For `--only`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Chain => "chain",
            Self::Layers => "layers",
            Self::First => "first",
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Version => "version",
            Self::List => "list",
            Self::Memory => "memory",
        }
    }

    /// For people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Wide => "1,000 `true`, 8 at once",
            Self::Chain => "chain of 200 `true`",
            Self::Layers => "1,000 `true` in 20 layers",
            Self::First => "1,000 tasks x 10 files, first run",
            Self::Unchanged => "1,000 tasks x 10 files, unchanged",
            Self::Changed => "1,000 tasks x 10 files, one changed",
            Self::Version => "`--version`",
            Self::List => "list 1,000 tasks",
            Self::Memory => "1,000 tasks x 10 files, unchanged: peak memory",
        }
    }

    /// What the folder holds.
    pub(crate) fn shape(self) -> Shape {
        match self {
            Self::Wide | Self::List | Self::Version => Shape::Wide,
            Self::Chain => Shape::Chain,
            Self::Layers => Shape::Layers,
            Self::First | Self::Unchanged | Self::Changed | Self::Memory => Shape::Files,
        }
    }

    /// A number with its unit.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Memory => format!("{:.0} MB", value / 1e6),
            _ if value < 0.01 => format!("{:.1} ms", value * 1e3),
            _ => format!("{:.0} ms", value * 1e3),
        }
    }
}

impl Shape {
    /// The work, with what the tasks of the first three do.
    pub(crate) fn work(self, act: Act, said: PathBuf) -> Work {
        match self {
            Self::Wide => Work::wide(TASKS, act, said),
            Self::Chain => Work::chain(CHAIN, act, said),
            Self::Layers => Work::layers(TASKS, LAYERS, act, said),
            Self::Files => Work::files(TASKS, said),
        }
    }
}
