//! Trouble on order, so that what watches the service can be shown: failing answers, and memory that is never given back.

use crate::http::Response;
use crate::Config;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// What went wrong on order so far.
#[derive(Debug, Default)]
pub struct Trouble {
    requests: AtomicU64,
    leaked: Mutex<Vec<Vec<u8>>>,
}

impl Trouble {
    /// Makes the trouble that a request to `path` meets; an answer where it gets no other. `/health`
    /// and `/metrics` are spared.
    pub fn meet(&self, config: &Config, path: &str) -> Option<Response> {
        if config.leak > 0 {
            // Filled, so that the memory is really taken.
            let mut leaked = self.leaked.lock().unwrap_or_else(PoisonError::into_inner);
            leaked.push(vec![1; config.leak]);
        }
        if config.fail_percent == 0 || matches!(path, "/health" | "/metrics") {
            return None;
        }
        let number = self.requests.fetch_add(1, Relaxed);
        // Spread evenly: of any hundred requests in a row, so many fail.
        let share = u64::from(config.fail_percent);
        let fails = (number + 1) * share / 100 > number * share / 100;
        fails.then(|| {
            eprintln!("school: error: request {number} failed on order (SCHOOL_FAIL_PERCENT)");
            Response::error(500, "failed on order")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_failing_answers_is_kept_and_health_is_spared() {
        let config = Config { fail_percent: 20, ..Config::default() };
        let trouble = Trouble::default();
        let failed = (0..200).filter(|_| trouble.meet(&config, "/students").is_some()).count();
        assert_eq!(failed, 40);
        assert!((0..200).all(|_| trouble.meet(&config, "/health").is_none()));
        assert!((0..200).all(|_| trouble.meet(&Config::default(), "/students").is_none()));
    }

    #[test]
    fn memory_is_kept() {
        let config = Config { leak: 1000, ..Config::default() };
        let trouble = Trouble::default();
        (0..5).for_each(|_| drop(trouble.meet(&config, "/")));
        assert_eq!(trouble.leaked.lock().unwrap().iter().map(Vec::len).sum::<usize>(), 5000);
    }
}
