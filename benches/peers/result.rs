//! What came of a workload.

use crate::measure::median;
use crate::workload::Workload;

/// Values by round; a round may be without one.
#[derive(Clone, Default)]
pub(crate) struct Series(Vec<(usize, f64)>);

impl Series {
    /// Round 0 does not count.
    pub(crate) fn push(&mut self, round: usize, value: f64) {
        if round > 0 {
            self.0.push((round, value));
        }
    }

    pub(crate) fn rounds(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn median(&self) -> Option<f64> {
        median(self.0.iter().map(|(_, value)| *value).collect())
    }

    /// The median of the ratios, round by round.
    pub(crate) fn over(&self, other: &Self) -> Option<f64> {
        let beside = |round| other.0.iter().find(|(at, _)| *at == round).map(|(_, value)| *value);
        median(self.0.iter().filter_map(|(round, value)| Some(value / beside(*round)?)).collect())
    }
}

/// What came of a tool.
pub(crate) enum Outcome {
    /// Not among those that were asked for.
    NotRun,
    NotInstalled,
    /// Why; then there is no number.
    Failed(String),
    Measured(Series),
}

/// A workload's results, in the order of the tools; the first is ours.
pub(crate) struct Table {
    pub(crate) workload: Workload,
    pub(crate) floors: Vec<(&'static str, Series)>,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Table {
    pub(crate) fn ours(&self) -> Option<&Series> {
        match self.outcomes.first() {
            Some(Outcome::Measured(series)) => Some(series),
            _ => None,
        }
    }
}
