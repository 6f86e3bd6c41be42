//! Claims of hosts whose turn it is not: while another one is watched they hear now and then that their deployment goes on. Pure.
//!
//! A claim on a host holds as long as it is connected, and for a minute more. In a long watch nobody would notice that the connection to
//! another host was cut, and a run that was resumed connects to the watched one alone.

use std::time::Duration;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::operation::Operation;

use super::super::known::Step as Inner;
use super::{Course, Part, Round, State, target};
use crate::deployment::ops::{HoldClaims, HoldInput, HoldOutput};
use crate::said::outcome;

/// Milliseconds after which they hear of it again: a connection that was cut is made anew before its claim is free.
const OFTEN: u64 = 20_000;
/// The same where one did not answer, since the watched one is not looked at meanwhile.
const SELDOM: u64 = 60_000;

impl Course<'_> {
    /// What the round took, and whether all of them heard of it.
    pub(super) fn read_held(&mut self) {
        let took: f64 = self.inner.iter().map(|receipt| receipt.took_ms).sum();
        let took = Duration::try_from_secs_f64(took / 1000.0).unwrap_or_default();
        let held: Option<Result<HoldOutput, String>> =
            self.about(Part::Hold).next().map(|(_, receipt)| outcome(Some(receipt)));
        if let Some(held) = held {
            self.fleet.quiet_ms = 0;
            self.fleet.unheard = held.is_ok_and(|held| !held.unheard.is_empty());
        }
        self.fleet.quiet_ms = self.fleet.quiet_ms.saturating_add(took.as_millis() as u64);
    }

    /// What comes before the next look at the host of that place, where the others have heard nothing for a while.
    pub(super) fn held(&mut self, at: usize, next: &[Action]) -> Result<Round, BoxError> {
        let mut round = Round::default();
        let known = self.fleet.hosts[at].known.as_ref();
        let often = if self.fleet.unheard { SELDOM } else { OFTEN };
        if known.is_some_and(|known| known.step == Inner::Watch) && self.fleet.quiet_ms >= often {
            let target = target(self.config).ok_or("the target has no hosts")?;
            let others = self.fleet.hosts.iter().enumerate().filter(|(other, member)| {
                *other != at && matches!(member.state, State::Waits | State::Serves)
            });
            let hosts = others.map(|(_, member)| target.only(&member.host).host());
            let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
            if !hosts.is_empty() {
                let input = HoldInput { environment: self.config.environment.clone(), hosts };
                round.push(Part::Hold, at, HoldClaims::action(&input)?.keep_going());
            }
        }
        let waits = next.iter().filter_map(|action| match action {
            Action::Await(wait) => wait.seconds,
            _ => None,
        });
        let waits = waits.fold(0_u64, u64::saturating_add).saturating_mul(1000);
        self.fleet.quiet_ms = self.fleet.quiet_ms.saturating_add(waits);
        Ok(round)
    }
}
