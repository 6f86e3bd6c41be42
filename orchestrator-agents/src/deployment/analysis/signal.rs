//! One way in which requests can be bad, followed as evidence that the version is too bad *and* worse than the one before.
//!
//! Both must be shown. A version over the objective that is no worse than the one before gains nothing from going back, and one that
//! is worse but within the objective is healthy. So whichever of the two is not true, showing both wrongly is at most as likely as
//! showing that one wrongly: no level is split between them. Where no version before is known, the objective alone counts.
//!
//! *Worse than the one before* is one bet with two kinds of steps. While both get traffic: of `n + o` requests in a step, `k` bad ones
//! went to the new version. Were it no worse, then given the number of bad ones its share of them would be `n / (n + o)` in the mean at
//! most, whatever befell both at once: a database that fails takes part in both (the test of two proportions conditioned on its margin,
//! as an e-process: Turner, Ly and Grünwald 2024, "Generic E-variables for exact sequential k-sample tests"). While only the new one
//! does: its share must be under what the share of the one before is at most (`before.rs`). Should that bound be wrong, so may the bet
//! be: half of the level is the bound's.

use serde::{Deserialize, Serialize};

use super::before::{Before, Bound};
use super::wealth::Wealth;

/// Requests, and bad ones among them, without which no statistics send a version back.
const FEWEST: (u64, u64) = (10, 3);

/// One way in which requests can be bad.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Signal {
    over: Wealth,
    worse: Wealth,
    pub(super) before: Before,
    pub(super) all: u64,
    pub(super) bad: u64,
}

/// Requests of one step, and bad ones among them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Step {
    pub(super) new: (u64, u64),
    pub(super) old: (u64, u64),
    /// How many steps the watch has.
    pub(super) horizon: u64,
}

impl Signal {
    /// A step of the watch, where a share of `bar` is allowed.
    pub(super) fn take(&mut self, step: Step, bar: f64, how: Bound, alpha: f64) {
        let Step { new: (all, bad), old: (old, old_bad), horizon } = step;
        self.all = self.all.saturating_add(all);
        self.bad = self.bad.saturating_add(bad);
        if all > 0 {
            let seen = bad as f64 / all as f64;
            self.over.take(seen, bar, horizon);
            // What the bound is now was known before this step.
            match self.before.most() {
                Some(most) if old < all.div_ceil(4) => self.worse.take(seen, most, horizon),
                _ if old > 0 && (bad > 0 || old_bad > 0) => {
                    let part = all as f64 / (all as f64 + old as f64);
                    self.worse.take(bad as f64 / (bad as f64 + old_bad as f64), part, horizon);
                }
                _ => {}
            }
        }
        if old > 0 {
            self.before.take(old, old_bad, how, alpha);
        }
    }

    /// The share of bad requests.
    pub(super) fn share(&self) -> f64 {
        self.bad as f64 / self.all.max(1) as f64
    }

    /// Evidence that it is over the bar.
    pub(super) fn over(&self) -> f64 {
        self.over.evidence()
    }

    /// Evidence that it is worse than the version before; none where that one is not known.
    pub(super) fn worse(&self) -> Option<f64> {
        self.before.most().map(|_| self.worse.evidence())
    }

    /// Evidence that it must go: with a good version it ever reaches `1 / a` with a probability of at most `a`, where the bounds of
    /// `before` were made with `a / 2`.
    pub(super) fn evidence(&self) -> f64 {
        if self.all < FEWEST.0 || self.bad < FEWEST.1 {
            return 0.0;
        }
        self.worse().map_or(self.over(), |worse| self.over().min(worse / 2.0))
    }
}
