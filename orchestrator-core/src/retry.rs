//! When a failed task is tried again: exponential backoff with jitter. What fails and when is in events; this is arithmetic.

use std::time::Duration;

use crate::id::OrderKey;
use crate::path::Digest;
use crate::pipeline::Retry;

/// The longest pause between attempts.
pub const LONGEST: Duration = Duration::from_mins(5);

/// How long to wait after attempt `key.attempt` failed: the delay, doubled for each attempt before, at most five minutes;
/// of that a random half to all. The jitter comes from the key, so a resumed run computes the same.
pub fn pause(retry: &Retry, key: &OrderKey) -> Duration {
    let doublings = key.attempt.saturating_sub(1).min(30);
    let whole = retry.delay.saturating_mul(1 << doublings).min(LONGEST);
    let digest = Digest::of(key.to_string().as_bytes()).to_string();
    let random = u32::from_str_radix(&digest[..8], 16).unwrap_or_default();
    whole.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{RunId, TaskId};

    #[test]
    fn pauses_double_up_to_a_limit() {
        let retry = Retry { attempts: 9, delay: Duration::from_secs(1), explicit: true };
        for attempt in 1..40 {
            let (run, task) = (RunId::new("20260101000000-00000000").unwrap(), TaskId::new("t").unwrap());
            let pause = pause(&retry, &OrderKey { run, task, attempt, round: 0, index: 0 });
            let whole = Duration::from_secs(1 << (attempt - 1).min(20)).min(LONGEST);
            assert!(pause >= whole / 2 && pause <= whole, "{attempt}: {pause:?}");
        }
    }
}
