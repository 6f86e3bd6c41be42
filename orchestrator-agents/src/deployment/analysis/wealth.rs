//! A bet against "it is no worse than that": an e-process, whose value is evidence at any time, however often one looks.
//!
//! Each step shows a share `x` between 0 and 1, and the hypothesis says that whatever came before, its mean is at most `m`. A gambler
//! who stakes the fraction `b < 1` of what they have multiplies it by `1 - b + b x / m`: under the hypothesis by 1 in the mean, at
//! most. So what they have is a nonnegative supermartingale, and by Ville's inequality it ever reaches `1 / a` with a probability of
//! at most `a`: over all looks, and wherever one stops (Ville 1939; Robbins 1970; Howard and others 2021,
//! "Time-uniform, nonparametric, nonasymptotic confidence sequences"; Waudby-Smith and Ramdas 2024, "Estimating means of bounded random
//! variables by betting"). Nothing is assumed of how the requests *within* a step depend on each other: a step is one observation.
//!
//! Two mixtures, which are supermartingales again with the same bound:
//!
//! - over fractions, since how bad a version is decides which one grows fastest;
//! - over the step at which the gambler begins, so that a version that turns bad late is found as soon: what was lost before does not
//!   matter (Shin, Ramdas and Rinaldo 2023, "E-detectors"). A half begins at once, a half is spread over the watch, and of what comes
//!   after it, each time as long has half of the one before.
//!
//! A factor may be cut and wealth may be capped: both only take from it.

use serde::{Deserialize, Serialize};

/// What the gamblers stake of what they have.
const FRACTIONS: [f64; 5] = [0.9, 0.45, 0.2, 0.08, 0.03];

/// The most that one step multiplies by: one step alone proves nothing, however bad it is.
const MOST: f64 = 60.0;

/// The most that one gambler has.
const CAP: f64 = 1e12;

/// What gamblers have who began together, one for each fraction: evidence of the steps since then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Bets([f64; FRACTIONS.len()]);

impl Bets {
    /// Each begins with that.
    pub(super) const fn of(stake: f64) -> Self {
        Self([stake; FRACTIONS.len()])
    }

    /// A step whose share was `odds` times what the hypothesis says at most, before which each got `more`.
    pub(super) fn take(&mut self, odds: f64, more: f64) {
        for (have, fraction) in self.0.iter_mut().zip(FRACTIONS) {
            let factor = (1.0 - fraction + fraction * odds).min(MOST);
            *have = ((*have + more) * factor).min(CAP);
        }
    }

    /// The evidence.
    pub(super) fn evidence(&self) -> f64 {
        self.0.iter().sum::<f64>() / FRACTIONS.len() as f64
    }
}

/// Evidence of a whole watch, wherever in it a version turned bad.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Wealth {
    have: Bets,
    /// Steps so far.
    steps: u64,
}

impl Default for Wealth {
    fn default() -> Self {
        Self { have: Bets::of(0.0), steps: 0 }
    }
}

impl Wealth {
    /// A step that showed the share `seen`, where the hypothesis says `mean` at most. The watch is `horizon` steps long.
    pub(super) fn take(&mut self, seen: f64, mean: f64, horizon: u64) {
        let begins = begins(self.steps, horizon.max(60));
        self.steps += 1;
        self.have.take(seen / mean, begins);
    }

    /// The evidence: under the hypothesis it ever reaches `1 / a` with a probability of at most `a`.
    pub(super) fn evidence(&self) -> f64 {
        self.have.evidence()
    }
}

/// The part of the stake with which gamblers begin at a step; all steps together have 1.
fn begins(step: u64, horizon: u64) -> f64 {
    let later = 0.5 / (horizon as f64) * 0.5_f64.powi((step / horizon).min(1000) as i32 + 1);
    if step == 0 { 0.5 + later } else { later }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stakes_add_up_to_one_at_most() {
        for horizon in [60, 600, 3600] {
            let all: f64 = (0..horizon * 40).map(|step| begins(step, horizon)).sum();
            assert!((0.999..=1.0 + 1e-9).contains(&all), "{horizon}: {all}");
        }
    }

    /// The hypothesis at its edge, exactly: the mean over both outcomes of a step is what there was, and what began.
    #[test]
    fn a_fair_game_gives_nothing_in_the_mean() {
        for mean in [0.02, 0.1, 0.5] {
            let mut before = Wealth::default();
            before.take(0.3, mean, 600);
            let (mut bad, mut good) = (before.clone(), before.clone());
            bad.take(1.0, mean, 600);
            good.take(0.0, mean, 600);
            let later = mean * bad.evidence() + (1.0 - mean) * good.evidence();
            assert!(later <= before.evidence() + begins(1, 600) + 1e-12, "{mean}: {later}");
            assert!(later >= before.evidence() * 0.99, "nothing was cut here");
        }
    }

    #[test]
    fn one_step_alone_proves_nothing() {
        let mut wealth = Wealth::default();
        wealth.take(1.0, 1e-6, 600);
        assert!(wealth.evidence() < 4000.0);
    }

    proptest! {
        /// More bad is never less evidence, and a milder hypothesis never more.
        #[test]
        fn it_grows_with_what_was_bad(
            steps in prop::collection::vec((0.0..=1.0_f64, 0.0..=1.0_f64), 1..200),
            mean in 1e-6..=1.0_f64,
            more in 1.0..=10.0_f64,
        ) {
            let (mut low, mut high, mut mild) = (Wealth::default(), Wealth::default(), Wealth::default());
            for (a, b) in steps {
                low.take(a.min(b), mean, 600);
                high.take(a.max(b), mean, 600);
                mild.take(a.min(b), (mean * more).min(1.0), 600);
                prop_assert!(low.evidence() <= high.evidence());
                prop_assert!(mild.evidence() <= low.evidence() * (1.0 + 1e-12));
                prop_assert!(high.evidence().is_finite() && low.evidence() >= 0.0);
            }
        }
    }
}
