//! When each request is due. Pure: times are counted from the start of the load.

use std::time::Duration;

use super::plan::{Arrivals, Plan};
use super::random::Random;

/// The times at which requests are due, in order.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    rate: f64,
    arrivals: Arrivals,
    random: Random,
    requests: u64,
    until: Duration,
    next: u64,
    /// Seconds until the latest of random arrivals.
    at: f64,
}

impl Schedule {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            rate: plan.rate,
            arrivals: plan.arrivals,
            random: Random::new(plan.seed),
            requests: plan.requests.unwrap_or(u64::MAX),
            until: plan.duration_ms.map_or(Duration::MAX, Duration::from_millis),
            next: 0,
            at: 0.0,
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.next >= self.requests {
            return None;
        }
        let seconds = match self.arrivals {
            // From its number, so that no error adds up.
            Arrivals::Even => self.next as f64 / self.rate,
            Arrivals::Poisson => {
                self.at += -(1.0 - self.random.share()).ln() / self.rate;
                self.at
            }
        };
        self.next += 1;
        Some(Duration::try_from_secs_f64(seconds).ok()?).filter(|due| *due < self.until)
    }
}
