//! What came between two looks: the difference of two samples, which is all that the rules see.

use serde::{Deserialize, Serialize};

use super::tally::{Tally, p95};
use super::{Counted, Sample, Slower, Traffic};

/// The most milliseconds between two looks that count as watched: while nobody looked, nobody watched.
const GAP: u64 = 10_000;

/// What came between two looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Milliseconds that count as watched.
    pub ms: u64,
    /// Whether traffic could be seen.
    pub seen: Seen,
    /// Whether this is the first count: what it says of the watched version may be of a life before, so it is evidence of an outage alone.
    pub first: bool,
    /// Requests to the watched version.
    pub new: Tally,
    /// Requests to the version before.
    pub old: Tally,
    /// Whether the health endpoint answered as it should; none where it was not asked.
    pub healthy: Option<bool>,
    /// The same of the probe.
    pub probed: Option<bool>,
    /// How the process is: whether nobody runs it any more.
    pub gone: bool,
    /// Whether it crashed too often to be started again.
    pub crash_loop: bool,
    /// Restarts since the first look.
    pub restarts: u64,
    /// KiB of its memory.
    pub rss_kib: Option<u64>,
}

/// Whether traffic could be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// There is no proxy that could be asked.
    #[default]
    Nothing,
    /// The proxy did not answer this time.
    Silent,
    /// It counted.
    Counted,
}

/// What the look before saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Last {
    looked: bool,
    clock: (String, u64),
    /// Boot of the proxy and its time, once it was seen.
    proxy: Option<(String, u64)>,
    new: Tally,
    old: Tally,
    restarts: Option<u64>,
    /// Microseconds over which a request is slow, once the version before is known.
    slow_over: Option<u64>,
}

/// Requests to the version before from which on its percentiles mean something.
const KNOWN: u64 = 100;

/// What counts as slow and late.
pub(super) struct Limits<'c> {
    pub(super) slower: Option<&'c Slower>,
    pub(super) late_over: Option<u64>,
}

impl Last {
    /// Microseconds over which a request is slow; none while the version before is not known.
    pub(super) const fn slow_over(&self) -> Option<u64> {
        self.slow_over
    }

    /// What came since, and what the version before had done until the first look (or until it became known).
    pub(super) fn take(&mut self, sample: &Sample, limits: &Limits<'_>) -> (Change, Baseline) {
        let mut change = self.beside(sample);
        let mut baseline = Baseline::default();
        match &sample.traffic {
            Traffic::Unseen => change.seen = Seen::Nothing,
            Traffic::Unanswered { .. } => change.seen = Seen::Silent,
            Traffic::Counted(counted) => {
                change.seen = Seen::Counted;
                change.ms = self.passed(sample, Some(counted));
                baseline = self.count(&mut change, counted, limits);
            }
        }
        if change.seen != Seen::Counted {
            change.ms = self.passed(sample, None);
        }
        self.looked = true;
        self.clock = (sample.clock.boot.clone(), sample.clock.ms);
        (change, baseline)
    }

    /// All but the traffic.
    fn beside(&mut self, sample: &Sample) -> Change {
        let mut change = Change {
            healthy: sample.health.as_ref().map(|health| health.wrong.is_none()),
            probed: sample.probe.as_ref().map(|probe| probe.wrong.is_none()),
            ..Change::default()
        };
        if let Some(life) = &sample.process {
            let first = *self.restarts.get_or_insert(life.restarts);
            change.restarts = life.restarts.saturating_sub(first);
            change.crash_loop = life.crash_loop;
            change.gone = !life.alive && !life.supervised;
            change.rss_kib = life.rss_kib;
        }
        change
    }

    /// Milliseconds since the look before, by the clock of this machine, or by the proxy's where the machine was started again.
    fn passed(&self, sample: &Sample, counted: Option<&Counted>) -> u64 {
        let passed = match (&self.proxy, counted) {
            _ if !self.looked => 0,
            _ if self.clock.0 == sample.clock.boot => sample.clock.ms.saturating_sub(self.clock.1),
            (Some((boot, at)), Some(counted)) if *boot == counted.boot => counted.at_ms.saturating_sub(*at),
            _ => 0,
        };
        passed.min(GAP)
    }

    fn count(&mut self, change: &mut Change, counted: &Counted, limits: &Limits<'_>) -> Baseline {
        let none = super::Figures::default();
        let old = counted.old.as_ref().unwrap_or(&none);
        let mut baseline = Baseline::default();
        let first = self.proxy.is_none();
        let again = self.proxy.as_ref().is_some_and(|(boot, _)| *boot != counted.boot);
        if self.slow_over.is_none() && old.requests >= KNOWN && !again {
            self.slow_over = limits.slower.zip(p95(old)).map(|(slower, p95)| slow_over(slower, p95));
            if self.slow_over.is_some() {
                // All that it did until now is the baseline, so none of it is in the difference.
                self.old = Tally::of(old, self.slow_over, limits.late_over);
                self.new.slow = Tally::of(&counted.new, self.slow_over, None).slow;
                baseline.slow = Some((self.old.requests, self.old.slow));
            }
        }
        let new = Tally::of(&counted.new, self.slow_over, limits.late_over);
        let old = Tally::of(old, self.slow_over, limits.late_over);
        if first {
            // What was before the first look is how the version before was.
            baseline.until = Some(old);
            (change.first, change.new) = (true, new);
        } else if again {
            // It began to count anew since the last look: all of it is new.
            (change.new, change.old) = (new, old);
        } else {
            (change.new, change.old) = (new.since(self.new), old.since(self.old));
        }
        (self.new, self.old) = (new, old);
        self.proxy = Some((counted.boot.clone(), counted.at_ms));
        baseline
    }
}

/// What the version before had done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Baseline {
    /// Until the first look.
    pub(super) until: Option<Tally>,
    /// Requests, and slow ones, until it was known what is slow.
    pub(super) slow: Option<(u64, u64)>,
}

#[expect(clippy::cast_sign_loss, reason = "both are positive")]
fn slow_over(slower: &Slower, p95: u64) -> u64 {
    let factor = if slower.factor.is_finite() { slower.factor.max(1.0) } else { 1.0 };
    ((p95 as f64 * factor) as u64).max(u64::from(slower.least_ms) * 1000)
}
