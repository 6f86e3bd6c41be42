//! What came of the requests to one version of a route: counters that any thread adds to and none waits for.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::protocol::VersionCounts;

/// Each power of two of microseconds has that many buckets, so each is at most 1/32 (3.2 %) wide.
const PARTS: u32 = 32;
/// The power of two that the first bucket lies in: 64 us. What took less than 98 us is in the bucket that ends at 99.
const FIRST: u32 = 6;
/// The longest time that is told from longer ones: ten minutes.
const LONGEST: u64 = 600_000_000;
const BUCKETS: usize = ((30 - FIRST) * PARTS) as usize;

/// The bucket of a time in microseconds.
fn bucket(us: u64) -> usize {
    let us = us.clamp(98, LONGEST);
    let power = us.ilog2();
    let part = (us >> (power - 5)) as u32 - PARTS;
    ((power - FIRST) * PARTS + part) as usize
}

/// The longest time in microseconds that a bucket holds.
fn upper(bucket: usize) -> u64 {
    let (power, part) = (bucket as u32 / PARTS + FIRST, bucket as u64 % u64::from(PARTS));
    ((u64::from(PARTS) + part + 1) << (power - 5)) - 1
}

/// The counters.
#[derive(Debug)]
pub struct Tally {
    requests: AtomicU64,
    errors: AtomicU64,
    gateway: AtomicU64,
    /// By the first digit of the status; 0: ended without one.
    classes: [AtomicU64; 6],
    latency: Box<[AtomicU64]>,
    latency_us: AtomicU64,
    left: AtomicU64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            gateway: AtomicU64::new(0),
            classes: Default::default(),
            latency: std::iter::repeat_with(|| AtomicU64::new(0)).take(BUCKETS).collect(),
            latency_us: AtomicU64::new(0),
            left: AtomicU64::new(0),
        }
    }
}

impl Tally {
    /// The head of an answer came, after that time.
    pub fn answered(&self, status: u16, took: Duration) {
        self.requests.fetch_add(1, Relaxed);
        self.classes[class(status)].fetch_add(1, Relaxed);
        if status >= 500 {
            self.errors.fetch_add(1, Relaxed);
        }
        self.took(took);
    }

    fn took(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(LONGEST);
        self.latency[bucket(us)].fetch_add(1, Relaxed);
        self.latency_us.fetch_add(us, Relaxed);
    }

    /// The version gave no answer: the proxy had to, with that status.
    pub fn failed(&self, status: u16, took: Duration) {
        self.gateway.fetch_add(1, Relaxed);
        self.answered(status, took);
    }

    /// An answer that had begun, and counted as none of the errors, was cut off before its end, though its client was there.
    pub fn broke_off(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    /// Its client gave up after that time, before the head of an answer. It would have taken longer, so it counts among those that took at least that.
    pub fn left(&self, after: Duration) {
        self.left.fetch_add(1, Relaxed);
        self.requests.fetch_add(1, Relaxed);
        self.classes[0].fetch_add(1, Relaxed);
        self.took(after);
    }

    /// A request was cut before the head of its answer.
    pub fn cut(&self) {
        self.requests.fetch_add(1, Relaxed);
        self.errors.fetch_add(1, Relaxed);
        self.classes[0].fetch_add(1, Relaxed);
    }

    /// How many requests by the first digit of their status; at 0 those that ended before one.
    pub fn classes(&self) -> [u64; 6] {
        std::array::from_fn(|at| self.classes[at].load(Relaxed))
    }

    /// All of it, for one who asks.
    pub fn counts(&self, route: &str, version: &str) -> VersionCounts {
        // Errors are read before requests, so that whoever adds in between never makes more errors than requests.
        let gateway = self.gateway.load(Relaxed);
        let errors = self.errors.load(Relaxed).max(gateway);
        VersionCounts {
            route: route.into(),
            version: version.into(),
            requests: self.requests.load(Relaxed).max(errors),
            errors,
            gateway,
            latency: self
                .latency
                .iter()
                .enumerate()
                .map(|(at, count)| (upper(at), count.load(Relaxed)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            latency_us: self.latency_us.load(Relaxed),
            left: self.left.load(Relaxed),
        }
    }
}

fn class(status: u16) -> usize {
    let digit = usize::from(status / 100);
    if digit < 6 { digit } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_their_times_and_are_at_most_a_twentieth_wide() {
        for us in (0..200_000u64).chain((0..4000).map(|n| 200_000 + n * 150_007)).chain([u64::MAX]) {
            let at = bucket(us);
            let end = upper(at);
            assert!(us.min(LONGEST) <= end, "{us} is over {end}");
            if at > bucket(0) {
                let width = end - upper(at - 1);
                assert!(us > upper(at - 1), "{us} belongs in an earlier bucket");
                assert!(width as f64 / end as f64 <= 0.05, "{us}: {width} of {end}");
            }
        }
        assert_eq!(upper(bucket(0)), 99);
    }

    #[test]
    fn counts_add_up() {
        let tally = Tally::default();
        tally.answered(200, Duration::from_micros(150));
        tally.answered(503, Duration::from_millis(2));
        tally.failed(502, Duration::from_secs(1));
        tally.broke_off();
        tally.cut();
        tally.left(Duration::from_secs(3));
        let counts = tally.counts("web", "1");
        assert_eq!((counts.requests, counts.errors, counts.gateway, counts.left), (5, 4, 1, 1));
        assert_eq!(counts.latency.iter().map(|(_, count)| count).sum::<u64>(), 4);
        assert_eq!(tally.classes(), [2, 0, 1, 0, 0, 2]);
    }
}
