//! Looks of a watch on a host that are journaled together: one question each. So whoever watches hears between two of them what a person
//! says here, where the run is; nothing of that is told to the host.

use std::time::Duration;

use orchestrator_core::id::OrderKey;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{Operation, Site};

use super::act::{AT_ONCE, OnHostInput};
use super::error::HostError;
use super::reach::{PATIENT, Reach};
use crate::deployment::Environment;
use crate::deployment::analysis::{Observed, Sample};
use crate::deployment::hosts::wire::{Answer, Ordered, Request};
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::observe::{Heard, pause, until_news};
use crate::deployment::ops::place::Place;
use crate::deployment::ops::{ConfirmClaim, ConfirmInput, Observe, ObserveInput};

/// Looks that are to be made on a host.
pub(super) struct Looks {
    heard: Heard,
    /// Of the environment, on this machine.
    place: Place,
    environment: Environment,
}

impl Looks {
    /// Where an operation is some looks; none where it is anything else, or one look alone.
    pub(super) fn of(input: &OnHostInput, order: &OrderKey, site: &Site<'_>) -> Option<Self> {
        if input.operation != Observe::NAME {
            return None;
        }
        input.input.parse::<ObserveInput>().ok().filter(|input| input.looks > 1)?;
        let place = Place::new(site.state, &input.environment);
        Some(Self { heard: Heard::now(&place, order, site), place, environment: input.environment.clone() })
    }

    /// Looks until there is something to decide or to hear, or until it was looked often enough. What was seen before the host was not
    /// reached any more counts.
    pub(super) fn made(&self, order: &Ordered, reach: &Reach, halt: &Halt) -> Result<Json, HostError> {
        let nonsense = |error: serde_json::Error| HostError::Nonsense {
            host: reach.host.name.to_string(),
            said: error.to_string(),
        };
        let input = order.input.parse::<ObserveInput>().map_err(nonsense)?;
        let first = input.look;
        let claimed = self.is_claimed(order, reach, PATIENT, halt)?;
        let one = |input: &ObserveInput| {
            let input = ObserveInput { looks: 1, watcher: None, ..input.clone() };
            match look(&input, order, reach, halt) {
                Err(error) if input.look > first && error.may_return() => Ok(None),
                looked => looked.map(Some),
            }
        };
        let goes_on = || {
            if !pause(&self.place, &self.heard, halt)? {
                return Ok(false);
            }
            match self.is_claimed(order, reach, AT_ONCE, halt) {
                Err(error) if error.may_return() => Ok(true),
                now => Ok(now? == claimed),
            }
        };
        let samples = until_news(input, one, goes_on)?;
        let observed = Observed::of(&samples).expect("there is one look at least");
        Json::of(&observed).map_err(nonsense)
    }

    /// Whether the environment is claimed there by the task that watches; where its claim cannot be read it is.
    fn is_claimed(
        &self,
        order: &Ordered,
        reach: &Reach,
        patience: Duration,
        halt: &Halt,
    ) -> Result<bool, HostError> {
        let input = ConfirmInput { environment: self.environment.clone() };
        let operation = ConfirmClaim::NAME.to_owned();
        let order = Ordered { operation, input: json(&input, reach)?, ..order.clone() };
        match reach.ask(&Request::Call { order, reads: true }, patience, halt) {
            Ok(_) | Err(HostError::Said { transient: true, .. }) => Ok(true),
            Err(HostError::Said { transient: false, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn look(input: &ObserveInput, order: &Ordered, reach: &Reach, halt: &Halt) -> Result<Sample, HostError> {
    let nonsense = |said: String| HostError::Nonsense { host: reach.host.name.to_string(), said };
    let order = Ordered { input: json(input, reach)?, ..order.clone() };
    match reach.ask(&Request::Call { order, reads: true }, PATIENT, halt)? {
        Answer::Output(seen) => {
            let seen: Observed = seen.parse().map_err(|error| nonsense(error.to_string()))?;
            Ok(seen.first)
        }
        other => Err(nonsense(format!("{other:?}").chars().take(200).collect())),
    }
}

fn json(input: &impl serde::Serialize, reach: &Reach) -> Result<Json, HostError> {
    Json::of(input)
        .map_err(|error| HostError::Nonsense { host: reach.host.name.to_string(), said: error.to_string() })
}
