//! Whether resident memory keeps growing: the slope of Theil and Sen, with a lower bound. It is told; it decides only where a guard says so.
//!
//! Looks are put together by fives, and by tens, twenties and so on as there get more, so that what is carried stays small. The slope is the
//! median of the slopes between all pairs (Sen 1968), which what goes up and down does not bend; its lower bound is the slope whose rank is
//! `(N - z sqrt(n (n - 1) (2n + 5) / 18)) / 2` of `N = n (n - 1) / 2` (Hollander and Wolfe, "Nonparametric Statistical Methods", 9.3), with
//! `z` of one in ten thousand. That level holds for noise without memory. A cache that fills is no leak, so the last half must grow as well.

use serde::{Deserialize, Serialize};

/// Looks that are put together at first.
const LOOKS: u32 = 5;
/// The most points, and those without which nothing is told.
const MOST: usize = 40;
const FEWEST: usize = 12;
/// The least growth that is told, in MiB and as a part of what there was.
const LEAST: (f64, f64) = (16.0, 0.2);
/// The quantile of the normal distribution at 0.9999.
const Z: f64 = 3.719;

/// Points over the watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// Looks in each point.
    every: u32,
    /// Milliseconds since the watch began, and KiB: means of looks.
    points: Vec<(u64, u64)>,
    /// What the next point is made of: how many looks, and their sums.
    open: (u32, u64, u64),
    /// KiB at the last look. Earlier watches carried MiB as `last`, and the sums of a line instead of points: of those it begins anew.
    #[serde(rename = "kib")]
    last: Option<u64>,
    found: Option<Leak>,
}

/// A growth that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Leak {
    /// MiB an hour.
    pub(super) mib_per_hour: f64,
    /// The same at least.
    pub(super) at_least: f64,
}

impl Default for Memory {
    fn default() -> Self {
        Self { every: LOOKS, points: Vec::new(), open: (0, 0, 0), last: None, found: None }
    }
}

impl Memory {
    /// A look, `ms` after the watch began.
    pub(super) fn take(&mut self, ms: u64, rss_kib: u64) {
        // No machine has a PiB, and no watch lasts for centuries.
        let (ms, kib) = (ms.min(1 << 42), rss_kib.min(1 << 40));
        self.last = Some(kib);
        let (looks, all_ms, all_kib) = self.open;
        self.open = (looks + 1, all_ms + ms, all_kib + kib);
        if self.open.0 < self.every {
            return;
        }
        let (looks, all_ms, all_kib) = std::mem::take(&mut self.open);
        self.points.push((all_ms / u64::from(looks), all_kib / u64::from(looks)));
        if self.points.len() >= MOST {
            let mean =
                |two: &[(u64, u64)]| (u64::midpoint(two[0].0, two[1].0), u64::midpoint(two[0].1, two[1].1));
            self.points = self.points.chunks_exact(2).map(mean).collect();
            self.every = self.every.saturating_mul(2);
        }
        self.found = self.growth();
    }

    /// MiB at the last look; none where it was never seen.
    pub(super) fn now(&self) -> Option<f64> {
        self.last.map(|kib| kib as f64 / 1024.0)
    }

    /// How it grows, where it keeps growing.
    pub(super) const fn leak(&self) -> Option<Leak> {
        self.found
    }

    fn growth(&self) -> Option<Leak> {
        let points = &self.points;
        let n = points.len();
        if n < FEWEST {
            return None;
        }
        let (first, last) = (points[0].1 as f64 / 1024.0, points[n - 1].1 as f64 / 1024.0);
        if last - first < LEAST.0.max(first * LEAST.1) {
            return None;
        }
        let all = slopes(points);
        let count = n as f64;
        let apart = Z * (count * (count - 1.0) * (2.0 * count + 5.0) / 18.0).sqrt();
        let rank = ((all.len() as f64 - apart) / 2.0).floor();
        // Ranks begin with 1.
        if rank < 1.0 {
            return None;
        }
        #[expect(clippy::cast_sign_loss, reason = "it is 1 or more")]
        let at_least = *all.get(rank as usize - 1)?;
        let mib_per_hour = median(&all)?;
        let lately = median(&slopes(&points[n / 2..]))?;
        (at_least > 0.0 && lately >= mib_per_hour / 2.0).then_some(Leak { mib_per_hour, at_least })
    }
}

/// MiB an hour between all pairs of points, the least first.
fn slopes(points: &[(u64, u64)]) -> Vec<f64> {
    let mut all = Vec::with_capacity(points.len() * points.len() / 2);
    for (at, (from_ms, from)) in points.iter().enumerate() {
        for (to_ms, to) in &points[at + 1..] {
            // A watch that went on elsewhere may have stood still.
            let hours = to_ms.saturating_sub(*from_ms).max(1) as f64 / 3.6e6;
            all.push((*to as f64 - *from as f64) / 1024.0 / hours);
        }
    }
    all.sort_by(f64::total_cmp);
    all
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MiB by the second.
    fn watched(seconds: u64, of: impl Fn(u64) -> u64) -> Memory {
        let mut memory = Memory::default();
        (0..seconds).for_each(|second| memory.take(second * 1000, of(second) * 1024));
        memory
    }

    #[test]
    fn growth_that_goes_on_is_told() {
        for seconds in [600, 3600, 20_000] {
            let leak = watched(seconds, |second| 50 + second / 10 + second % 3).leak().unwrap();
            assert!((350.0..370.0).contains(&leak.mib_per_hour), "{leak:?}");
            assert!(leak.at_least > 300.0 && leak.at_least <= leak.mib_per_hour, "{leak:?}");
        }
        // What a collector takes away again and again does not hide it.
        let leak = watched(1200, |second| 50 + second / 10 + second % 40).leak().unwrap();
        assert!((300.0..420.0).contains(&leak.mib_per_hour), "{leak:?}");
        assert_eq!(watched(600, |second| 50 + second / 10).now(), Some(109.0));
    }

    #[test]
    fn what_does_not_go_on_is_no_leak() {
        assert_eq!(watched(600, |second| 50 + second % 30).leak(), None);
        assert_eq!(watched(55, |second| 50 + second).leak(), None, "too short");
        assert_eq!(watched(600, |second| 500 - second / 10).leak(), None);
        assert_eq!(watched(600, |_| u64::MAX / 1024).leak(), None);
        assert_eq!(watched(600, |second| 500 + second / 20).leak(), None, "too little beside what there is");
        // Caches that fill, early and late, and a start that takes its time.
        for full in [20, 60, 200, 300] {
            assert_eq!(watched(900, |second| 50 + second.min(full)).leak(), None, "{full}");
        }
        assert_eq!(watched(600, |second| if second < 40 { 50 } else { 150 }).leak(), None);
    }

    #[test]
    fn noise_is_not_taken_for_growth() {
        // A linear congruential generator (Knuth's MMIX): any noise that repeats itself.
        let mut state = 7_u64;
        let mut noise = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 58
        };
        let mut told = 0;
        for _ in 0..400 {
            let mut memory = Memory::default();
            let mut ever = false;
            for second in 0..600_u64 {
                memory.take(second * 1000, (100 + noise()) * 1024);
                ever |= memory.leak().is_some();
            }
            told += u32::from(ever);
        }
        assert_eq!(told, 0, "of 400 watches");
    }

    #[test]
    fn what_is_carried_stays_small_and_earlier_records_load() {
        let memory = watched(86_400, |second| 50 + second / 100);
        assert!(memory.points.len() < MOST && serde_json::to_string(&memory).unwrap().len() < 1200);
        let old = r#"{"first":50.25,"n":3.0,"t":3.0,"m":0.5,"tt":5.0,"tm":0.5,"mm":0.25,"last":50.75}"#;
        assert_eq!(serde_json::from_str::<Memory>(old).unwrap(), Memory::default());
    }
}
