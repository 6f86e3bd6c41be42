//! The share of bad requests to the version before: what it was, and what it is at most.

use serde::{Deserialize, Serialize};

use super::bound;

/// Requests from which on the version before counts as known.
const KNOWN: u64 = 100;

/// How the bound is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// What is bad was fixed before.
    Fixed,
    /// What is bad was picked from what was counted: the 95th percentile.
    Picked,
}

/// Counts of the version before. Its bound is made anew each time that they have doubled; of `alpha`, the k-th bound spends
/// `1 / (k (k + 1))`, so all of them hold together with a probability of `1 - alpha`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Before {
    all: u64,
    bad: u64,
    bounds: u32,
    next: u64,
    most: f64,
}

impl Before {
    /// More of its requests.
    pub(super) fn take(&mut self, all: u64, bad: u64, how: Bound, alpha: f64) {
        self.all = self.all.saturating_add(all);
        self.bad = self.bad.saturating_add(bad.min(all));
        if self.all < self.next.max(KNOWN) {
            return;
        }
        self.bounds += 1;
        self.next = self.all.saturating_mul(2);
        let alpha = alpha / (f64::from(self.bounds) * f64::from(self.bounds + 1));
        self.most = match how {
            Bound::Fixed => bound::at_most(self.all, self.bad, alpha),
            Bound::Picked => bound::at_most_anywhere(self.all, self.bad, alpha),
        };
    }

    /// The share at most; none where too few requests are known.
    pub(super) fn most(&self) -> Option<f64> {
        (self.bounds > 0).then_some(self.most)
    }

    /// The share that was counted; none where too few requests are known.
    pub(super) fn share(&self) -> Option<f64> {
        (self.bounds > 0).then(|| self.bad as f64 / self.all as f64)
    }

    /// How many requests are known.
    pub(super) const fn all(&self) -> u64 {
        self.all
    }
}
