//! "Over 1 % for 5 minutes": a guard over the last while, with a bound that holds over all looks.
//!
//! The plain mean over such a while is over 1 % again and again where 0.9 % of the requests fail. So the while must show a share over the
//! limit by a bet of its own (`wealth.rs`): one begins with each tenth of the time, and is judged when its time is over. Of the level, the
//! k-th spends `1 / (k (k + 1))`, which together is all of it, by Markov's inequality alone. And it must have *lasted*: half of the tenths that
//! saw requests were over the limit each, so that a burst does not pass for five bad minutes.

use serde::{Deserialize, Serialize};

use super::wealth::Bets;

/// Parts of its time.
const PARTS: usize = 10;

/// The last while, in parts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    /// Newest last, which is being filled.
    parts: Vec<Part>,
    /// Milliseconds in the last part.
    filled: u64,
    /// How often it was judged.
    count: u32,
    /// By what the last time.
    judged: Judged,
}

/// A tenth of the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    /// Requests in it, and bad ones.
    all: u64,
    bad: u64,
    /// The bet that began with it, and goes on in those after it.
    bets: Bets,
}

/// By what it was judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Judged {
    /// Requests in the while, and bad ones.
    pub(super) all: u64,
    pub(super) bad: u64,
    /// Evidence, and how much was needed.
    pub(super) evidence: f64,
    pub(super) needed: f64,
}

/// What must not last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// The share.
    pub(super) share: f64,
    /// Milliseconds.
    pub(super) during: u64,
    /// Requests that must have been seen.
    pub(super) least: u64,
    /// The probability of being wrong.
    pub(super) alpha: f64,
}

impl Window {
    /// Takes in what came in the last `ms`; says whether the limit was exceeded for all of its time.
    pub(super) fn take(&mut self, ms: u64, all: u64, bad: u64, limit: Limit) -> bool {
        if self.parts.is_empty() {
            self.parts.push(Part::new());
        }
        if all > 0 {
            let odds = bad as f64 / all as f64 / limit.share;
            self.parts.iter_mut().for_each(|part| part.bets.take(odds, 0.0));
        }
        if let Some(last) = self.parts.last_mut() {
            (last.all, last.bad) = (last.all.saturating_add(all), last.bad.saturating_add(bad));
        }
        self.filled = self.filled.saturating_add(ms);
        if self.filled < (limit.during / PARTS as u64).max(1) {
            return false;
        }
        self.filled = 0;
        let full = self.parts.len() == PARTS;
        let exceeded = full && self.judge(limit);
        if full {
            self.parts.remove(0);
        }
        self.parts.push(Part::new());
        exceeded
    }

    fn judge(&mut self, limit: Limit) -> bool {
        self.count += 1;
        let needed = f64::from(self.count) * f64::from(self.count + 1) / limit.alpha;
        let mut judged = Judged { all: 0, bad: 0, evidence: self.parts[0].bets.evidence(), needed };
        let (mut over, mut seen) = (0, 0);
        for part in self.parts.iter().filter(|part| part.all > 0) {
            judged.all = judged.all.saturating_add(part.all);
            judged.bad = judged.bad.saturating_add(part.bad);
            over += usize::from(part.bad as f64 > limit.share * part.all as f64);
            seen += 1;
        }
        self.judged = judged;
        judged.all >= limit.least && over * 2 >= seen && judged.evidence >= needed
    }

    /// By what it was judged the last time.
    pub(super) const fn judged(&self) -> Judged {
        self.judged
    }
}

impl Part {
    const fn new() -> Self {
        Self { all: 0, bad: 0, bets: Bets::of(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { share: 0.01, during: 300_000, least: 100, alpha: 2.5e-4 };

    /// When it was exceeded first, in seconds.
    fn first(window: &mut Window, seconds: u64, of: impl Fn(u64) -> (u64, u64)) -> Option<u64> {
        (1..=seconds).find(|second| {
            let (all, bad) = of(*second);
            window.take(1000, all, bad, LIMIT)
        })
    }

    #[test]
    fn what_lasts_is_found_when_its_time_is_over() {
        assert_eq!(first(&mut Window::default(), 3600, |_| (20, 1)), Some(300));
        // 100 of 5,000 requests, but all of them at once.
        let burst = |second| if second == 40 { (50, 50) } else { (10, 0) };
        assert_eq!(first(&mut Window::default(), 3600, burst), None);
        // Exactly at the limit, and over it with too few requests.
        assert_eq!(first(&mut Window::default(), 3600, |s| (10, u64::from(s % 10 == 0))), None);
        assert_eq!(first(&mut Window::default(), 3600, |s| (u64::from(s % 30 == 0), 1)), None);
    }

    #[test]
    fn what_was_good_for_long_is_forgotten_in_its_time() {
        let mut window = Window::default();
        assert_eq!(first(&mut window, 3000, |_| (100, 0)), None);
        let found = first(&mut window, 600, |_| (100, 10)).unwrap();
        assert!((150..=300).contains(&found), "{found}");
    }
}
