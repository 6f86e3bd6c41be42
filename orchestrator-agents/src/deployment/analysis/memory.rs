//! Whether resident memory keeps growing: a straight line through all looks, by least squares. It is told and decides nothing.

use serde::{Deserialize, Serialize};

/// Looks without which nothing is told.
const FEWEST: f64 = 60.0;
/// The least growth that is told, in MiB and as a part of what there was.
const LEAST: (f64, f64) = (16.0, 0.2);
/// How much of the variance the line must explain.
const FIT: f64 = 0.8;

/// Sums over looks: of seconds since the first, and of MiB over the first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    first: f64,
    n: f64,
    t: f64,
    m: f64,
    tt: f64,
    tm: f64,
    mm: f64,
    last: f64,
}

impl Memory {
    /// A look, `ms` after the watch began.
    pub(super) fn take(&mut self, ms: u64, rss_kib: u64) {
        // No machine has a PiB.
        let mib = rss_kib.min(1 << 40) as f64 / 1024.0;
        if self.n == 0.0 {
            self.first = mib;
        }
        self.last = mib;
        let (t, m) = (ms as f64 / 1e3, mib - self.first);
        self.n += 1.0;
        self.t += t;
        self.m += m;
        self.tt += t * t;
        self.tm += t * m;
        self.mm += m * m;
    }

    /// MiB at the last look; none where it was never seen.
    pub(super) fn now(&self) -> Option<f64> {
        (self.n > 0.0).then_some(self.last)
    }

    /// MiB an hour, where it keeps growing.
    pub(super) fn leak(&self) -> Option<f64> {
        let Self { first, n, t, m, tt, tm, mm, last } = *self;
        let (times, both, sizes) = (n * tt - t * t, n * tm - t * m, n * mm - m * m);
        if n < FEWEST || times <= 0.0 || sizes <= 0.0 || last - first < LEAST.0.max(first * LEAST.1) {
            return None;
        }
        let fit = both * both / (times * sizes);
        (both > 0.0 && fit >= FIT).then_some(both / times * 3600.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(of: impl Fn(u64) -> u64) -> Memory {
        let mut memory = Memory::default();
        (0..600).for_each(|second| memory.take(second * 1000, of(second) * 1024));
        memory
    }

    #[test]
    fn growth_that_goes_on_is_told() {
        let leak = watched(|second| 50 + second / 10 + second % 3).leak().unwrap();
        assert!((350.0..370.0).contains(&leak), "{leak}");
        assert_eq!(watched(|second| 50 + second % 30).leak(), None);
        // A cache that fills and is full then.
        assert_eq!(watched(|second| 50 + second.min(60)).leak(), None);
        assert_eq!(watched(|second| 500 - second / 10).leak(), None);
        assert_eq!(watched(|_| u64::MAX / 1024).leak(), None);
        assert_eq!(watched(|second| 50 + second / 10).now(), Some(109.0));
    }
}
