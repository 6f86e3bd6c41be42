//! Counts of one version, reduced to what the rules look at.

use serde::{Deserialize, Serialize};

use super::Figures;

/// How many requests there were, and how many of them were bad in each way. None of those is ever more than all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// All.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Those that were slow beside the version before.
    pub slow: u64,
    /// Those over the milliseconds that the outer guard names.
    pub late: u64,
}

impl Tally {
    /// What there is in readings, where a request over those microseconds is slow, or late.
    pub(super) fn of(figures: &Figures, slow_over: Option<u64>, late_over: Option<u64>) -> Self {
        let requests = figures.requests;
        let over = |limit: Option<u64>| limit.map_or(0, |limit| over(figures, limit).min(requests));
        Self { requests, errors: figures.errors.min(requests), slow: over(slow_over), late: over(late_over) }
    }

    /// What came since `before`. Counts that went back count as none.
    pub(super) fn since(self, before: Self) -> Self {
        let requests = self.requests.saturating_sub(before.requests);
        let part = |now: u64, before: u64| now.saturating_sub(before).min(requests);
        Self {
            requests,
            errors: part(self.errors, before.errors),
            slow: part(self.slow, before.slow),
            late: part(self.late, before.late),
        }
    }

    /// Both together.
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(more.requests),
            errors: self.errors.saturating_add(more.errors),
            slow: self.slow.saturating_add(more.slow),
            late: self.late.saturating_add(more.late),
        }
    }
}

/// How many took longer. A bucket's times lie up to a twentieth below its bound, so one that only may be over does not count.
fn over(figures: &Figures, limit: u64) -> u64 {
    let limit = limit.saturating_add(limit / 20);
    let over = figures.latency.iter().filter(|(bound, _)| *bound > limit);
    over.fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// The bound under which 95 of 100 lie; none where nothing was timed.
pub(super) fn p95(figures: &Figures) -> Option<u64> {
    let mut buckets = figures.latency.clone();
    buckets.sort_unstable();
    let all = buckets.iter().fold(0_u128, |sum, (_, count)| sum + u128::from(*count));
    let mut under = 0_u128;
    buckets.into_iter().find_map(|(bound, count)| {
        under += u128::from(count);
        (count > 0 && under * 100 >= all * 95).then_some(bound)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn figures(requests: u64, errors: u64, latency: &[(u64, u64)]) -> Figures {
        Figures { requests, errors, gateway: 0, latency: latency.to_vec() }
    }

    #[test]
    fn buckets_are_counted_and_ordered() {
        let timed = figures(100, 2, &[(1_000, 90), (2_000, 5), (9_000, 4), (600_000, 1)]);
        assert_eq!(p95(&timed), Some(2_000));
        let tally = Tally::of(&timed, Some(2_000), Some(500_000));
        assert_eq!(tally, Tally { requests: 100, errors: 2, slow: 5, late: 1 });
        // A bucket around the limit may hold requests under it.
        assert_eq!(Tally::of(&timed, Some(8_700), None).slow, 1);
        assert_eq!(p95(&figures(0, 0, &[])), None);
        assert_eq!(p95(&figures(9, 0, &[(5, u64::MAX), (3, u64::MAX)])), Some(5));
    }

    proptest! {
        #[test]
        fn parts_are_never_more_than_all(now: [u64; 4], before: [u64; 4], buckets: Vec<(u64, u64)>) {
            let tally = |n: [u64; 4]| Tally { requests: n[0], errors: n[1], slow: n[2], late: n[3] };
            for found in [
                tally(now).since(tally(before)),
                Tally::of(&figures(now[0], now[1], &buckets), Some(now[2]), Some(now[3])),
            ] {
                prop_assert!(found.errors.max(found.slow).max(found.late) <= found.requests);
            }
        }
    }
}
