//! The end of a deployment to several hosts: the last migrations once all of them serve it, and the claims. Pure.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Status;

use super::super::DeployConfig;
use super::super::rounds::Concluded;
use super::super::unread::{PAUSE, TRIES};
use super::{Course, Part, Round, State, Step, on, told};
use crate::deployment::migrations;
use crate::deployment::ops::{
    AppliedMigrations, ConfirmClaim, ConfirmInput, PruneInput, PruneOutput, PruneReleases,
    ReleaseEnvironment, ReleaseInput,
};
use crate::deployment::{Ended, Ending};
use crate::said::outcome;

impl Course<'_> {
    /// All serve it: what no version before it bears may be applied, on each of them, since nobody else knows whose database is whose. One
    /// that they share has nothing pending the second time.
    pub(super) fn settle(self) -> Concluded {
        self.settle_after(Round::default())
    }

    /// The same after what `round` holds.
    fn settle_after(self, mut round: Round) -> Concluded {
        let contract = self.contract()?;
        if !contract.is_empty() {
            let confirm = ConfirmInput { environment: self.config.environment.clone() };
            for at in 0..self.fleet.hosts.len() {
                let confirm = ConfirmClaim::action(&confirm)?;
                round.push(Part::Confirm, at, on(self.config, &self.fleet, at, confirm)?);
            }
            for at in 0..self.fleet.hosts.len() {
                for action in contract.clone() {
                    round.push(Part::Contract, at, on(self.config, &self.fleet, at, action)?);
                }
            }
        }
        self.promotes(&mut round, None)?;
        self.prunes(&mut round)?;
        self.more(Step::Settle, round)
    }

    /// What is too much on each of them goes when all else is done.
    fn prunes(&self, round: &mut Round) -> Result<(), BoxError> {
        let DeployConfig { environment, keep, .. } = self.config;
        for at in (0..self.fleet.hosts.len()).filter(|_| *keep > 0) {
            let input = PruneInput { environment: environment.clone(), keep: *keep, releases: None };
            let prune = on(self.config, &self.fleet, at, PruneReleases::action(&input)?)?;
            round.push(Part::Prune, at, prune.keep_going());
        }
        Ok(())
    }

    /// What was removed, and what could not be.
    fn pruned(&mut self) {
        let told: Vec<(usize, Result<PruneOutput, String>)> =
            self.about(Part::Prune).map(|(at, receipt)| (at, outcome(Some(receipt)))).collect();
        for (at, pruned) in told {
            let notes = match pruned {
                Ok(pruned) => pruned.said().into_iter().chain(pruned.failed).collect(),
                Err(why) => vec![format!("earlier releases were not pruned: {why}")],
            };
            self.fleet.hosts[at].noted(notes);
        }
    }

    fn contract(&self) -> Result<Vec<Action>, BoxError> {
        match (&self.config.migrations, &self.fleet.migrations) {
            (Some(migrations), Some(files)) => {
                migrations::contract_actions(migrations, files, &self.config.environment)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Tells each history that it was promoted, and releases the claim.
    fn promotes(&self, round: &mut Round, why: Option<&str>) -> Result<(), BoxError> {
        for (at, member) in self.fleet.hosts.iter().enumerate() {
            let output = member.said.output.as_ref();
            let watched = output.and_then(|output| output.watch.as_ref()).map(|watch| watch.why.as_str());
            let why = why.or(watched).unwrap_or_default();
            let ended = Ended {
                version: self.config.version.value()?.clone(),
                release: output.map(|output| output.release.clone()),
                verdict: Ending::Promoted,
                why: why.lines().next().unwrap_or_default().chars().take(500).collect(),
            };
            round.push(Part::Release, at, self.released(at, Some(ended))?);
        }
        Ok(())
    }

    /// Releases the claim of that host; one that does not answer keeps no other from it.
    pub(super) fn released(&self, at: usize, ended: Option<Ended>) -> Result<Action, BoxError> {
        let input = ReleaseInput { environment: self.config.environment.clone(), ended, run: None };
        Ok(on(self.config, &self.fleet, at, ReleaseEnvironment::action(&input)?)?.keep_going())
    }

    pub(super) fn settled(mut self) -> Concluded {
        let mut applied: Vec<(usize, AppliedMigrations)> = Vec::new();
        for (at, receipt) in self.about(Part::Contract).filter(|(_, receipt)| receipt.ok()) {
            applied.push((at, outcome(Some(receipt))?));
        }
        for (at, applied) in &applied {
            self.fleet.hosts[*at].said.metrics.extend(migrations::metrics(applied));
        }
        self.pruned();
        if let Some(round) = self.once_more() {
            return self.settle_after(round);
        }
        if let Some((part, at, receipt)) = self.failure() {
            let what = if part == Part::Contract { "failed" } else { "were not applied" };
            let why = format!("its last migrations {what}: {}: {}", self.name(at), receipt.status);
            let mut round = Round::default();
            self.promotes(&mut round, Some(&why))?;
            return self.more(Step::Unfinished(why), round);
        }
        // Claims are not asked for again where nothing was left to do: what releases them tells whose they were.
        let lost = told::taken_over(&self);
        if lost.is_empty() { Ok(told::passed(&self)) } else { Ok(told::lost(&self, &lost.join("; "))) }
    }

    /// The wait before another try where a claim could not be read, or its host was not reached: neither says that it is lost. None where
    /// it is, or where it was tried often enough.
    fn once_more(&mut self) -> Option<Round> {
        let (Part::Confirm, at, receipt) = self.failure()? else { return None };
        if !matches!(receipt.status, Status::Failed { transient: true, .. }) || self.fleet.unread >= TRIES {
            return None;
        }
        let message =
            format!("the claim of {} on {} to be read again", self.config.environment, self.name(at));
        self.fleet.unread += 1;
        let mut round = Round::default();
        round.push(Part::Wait, at, Await { signal: None, seconds: Some(PAUSE), message }.into());
        Some(round)
    }

    /// What is claimed yet is released: of hosts whose turn never came, and of the one that failed, where its own deployment did not do it.
    pub(super) fn leave(self) -> Concluded {
        let mut round = Round::default();
        for (at, member) in self.fleet.hosts.iter().enumerate() {
            if matches!(member.state, State::Waits | State::Failed | State::LeftOut) {
                round.push(Part::Release, at, self.released(at, None)?);
            }
        }
        if round.actions.is_empty() {
            return Ok(told::left(&self, None));
        }
        self.more(Step::Leave(None), round)
    }
}
