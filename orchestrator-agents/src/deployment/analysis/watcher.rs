//! The watcher: a fold over samples.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Decision, Sample, Verdict, WatchConfig};

/// Watches a version: a pure fold over samples, carried from round to round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watcher {
    config: WatchConfig,
    looks: u64,
    stage: usize,
    unhealthy: u32,
}

impl Watcher {
    /// A watcher that has not looked yet.
    pub fn new(config: &WatchConfig) -> Self {
        Self { config: config.clone(), looks: 0, stage: 0, unhealthy: 0 }
    }

    /// How often it looked.
    pub const fn looks(&self) -> u64 {
        self.looks
    }

    /// The percentage of the traffic that the watched version should have now.
    pub fn percent(&self) -> u32 {
        self.config.canary.get(self.stage).copied().unwrap_or(100)
    }

    /// Takes one sample in and says what is to be done. After [`Verdict::Step`], [`Self::percent`] is the next share.
    pub fn look(&mut self, sample: &Sample) -> Decision {
        self.looks += 1;
        let wrong = sample.health.as_ref().and_then(|health| health.wrong.clone());
        self.unhealthy = if wrong.is_some() { self.unhealthy + 1 } else { 0 };
        let numbers = BTreeMap::from([("health.failures".to_owned(), f64::from(self.unhealthy))]);
        let (verdict, why) = if self.unhealthy >= self.config.guards.health_failures {
            let why = format!("{} health checks failed one after the other", self.unhealthy);
            (Verdict::RollBack, why)
        } else {
            (Verdict::Hold, "watching".into())
        };
        Decision { verdict, why, numbers, would: None, told: Vec::new() }
    }
}
