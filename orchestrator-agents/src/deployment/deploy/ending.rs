//! How a deployment ends: promoted, rolled back, given up. Pure.

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::Verdict;
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Receipt;

use super::DeployConfig;
use super::known::{Known, Part, Step};
use super::rounds::{Concluded, Course, Round};
use super::told;
use crate::deployment::Ending;
use crate::deployment::migrations;
use crate::deployment::ops::{
    Drained, PromoteOutput, PruneInput, PruneOutput, PruneReleases, ReadInput, ReadTraffic, Switched, Traffic,
};
use crate::deployment::targets::Now;
use crate::said::outcome;

/// Migrations that only the new version bears, once it counts.
fn contract(config: &DeployConfig, known: &Known) -> Result<Vec<Action>, BoxError> {
    match (&config.migrations, &known.migrations) {
        // On one of several hosts they wait until all of them serve it.
        (Some(migrations), Some(files)) if known.among.is_none() => {
            migrations::contract_actions(migrations, files, &config.environment)
        }
        _ => Ok(Vec::new()),
    }
}

/// Milliseconds until the traffic was given back, and what was drained then.
fn went_back(receipt: &Receipt) -> (Option<f64>, Vec<Drained>) {
    let now = receipt.output.parse::<PromoteOutput>().ok();
    let ready = now.as_ref().and_then(|now| now.ready_ms).unwrap_or_default();
    let switched = now.map_or_else(|| receipt.output.parse::<Switched>().ok(), |now| now.traffic);
    let took = switched.as_ref().and_then(|switched| switched.took_ms).map(|took| took + ready);
    (took.or(Some(receipt.took_ms)), switched.map_or_else(Vec::new, |switched| switched.drained))
}

impl Course<'_> {
    /// It counts from now on.
    pub(super) fn finish(mut self, mut round: Round) -> Concluded {
        round.extend(self.last_words()?);
        round.extend(self.confirm()?);
        let started = self.started()?;
        round.extend(self.target.finish(started)?.into_iter().map(|action| (Part::Finish, action)));
        round.extend(contract(self.config, &self.known)?.into_iter().map(|action| (Part::Contract, action)));
        let why = self
            .known
            .watch
            .as_ref()
            .and_then(|watch| watch.last.as_ref())
            .map_or("", |last| &last.why)
            .to_owned();
        if self.known.among.is_none() {
            round.extend(self.release(Ending::Promoted, &why)?);
            round.extend(self.prune()?);
        }
        self.more(Step::Promote, round)
    }

    /// What is read before the last change: the recording's end, and figures of the switch.
    fn last_words(&self) -> Result<Round, BoxError> {
        let mut round: Round = self.record()?.into_iter().collect();
        if self.target.has_shares() && self.known.watch.is_some() {
            let read = ReadTraffic::action(&ReadInput { environment: self.config.environment.clone() })?;
            round.push((Part::Read, read.keep_going()));
        }
        Ok(round)
    }

    /// What is too much goes when all else is done: nobody waits for that.
    fn prune(&self) -> Result<Round, BoxError> {
        let DeployConfig { environment, keep, .. } = self.config;
        if !self.known.claimed || *keep == 0 {
            return Ok(Vec::new());
        }
        let input = PruneInput { environment: environment.clone(), keep: *keep, releases: None };
        Ok(vec![(Part::Prune, PruneReleases::action(&input)?.keep_going())])
    }

    /// What was removed, and what could not be. It fails nothing.
    fn pruned(&mut self) -> Vec<String> {
        let pruned: Vec<Result<PruneOutput, String>> =
            self.about(Part::Prune).into_iter().map(|receipt| outcome(Some(receipt))).collect();
        let mut problems = Vec::new();
        for pruned in pruned {
            match pruned {
                Ok(pruned) => {
                    self.known.notes.extend(pruned.said());
                    problems.extend(pruned.failed);
                }
                Err(why) => problems.push(format!("earlier releases were not pruned: {why}")),
            }
        }
        problems
    }

    fn read_figures(&mut self) {
        let release = self.known.started.as_ref().map(|started| started.release.clone());
        let read = self.about(Part::Read).first().and_then(|receipt| receipt.output.parse::<Traffic>().ok());
        let own = read.as_ref().zip(release).and_then(|(traffic, release)| traffic.latest(&release));
        self.known.figures.first_answer_us = own.and_then(|own| own.first_answer_us);
    }

    pub(super) fn promoted(mut self) -> Concluded {
        self.read_figures();
        self.migrated(Part::Contract);
        let failure = self.failure();
        match failure {
            Some((Part::Health, why)) => {
                return self.give_up(format!("was not deployed: it is not healthy: {why}"), Ending::Failed);
            }
            Some((Part::Confirm, why)) if self.is_unread() => return self.finish_later(&why),
            Some((Part::Confirm, why)) => return self.lost(&why),
            _ => {}
        }
        // With a proxy this is where all of the traffic may have come to it.
        self.known.had_traffic |= self.target.has_shares() && !self.about(Part::Finish).is_empty();
        let unpruned = self.pruned();
        let mut now: Now = match self.target.finished(self.started()?, &self.about(Part::Finish)) {
            Ok(now) => now,
            // What was said to the proxy may be done yet: clients may be sent there.
            Err(why) if self.known.had_traffic || self.target.has_shares() => {
                return self.roll_back(format!("it could not be made current: {why}"));
            }
            Err(why) => {
                return self.give_up(
                    format!("was not deployed: it could not be made current: {why}"),
                    Ending::Failed,
                );
            }
        };
        now.problems.extend(unpruned);
        self.known.figures.drained.extend(now.traffic.iter().flat_map(|traffic| traffic.drained.clone()));
        match failure {
            Some((Part::Contract, why)) => {
                let round = self.release(Ending::Promoted, &format!("its last migrations failed: {why}"))?;
                self.more(Step::Unfinished(format!("its last migrations failed: {why}")), round)
            }
            _ => Ok(told::passed(self.config, &self.known, now)),
        }
    }

    /// Somebody else has the environment now, and has put it right: nothing here is ours any more.
    pub(super) fn lost(&self, why: &str) -> Concluded {
        let version = self.config.version.value()?;
        Ok(Verdict::failed(format!("{}: the deployment of {version} ends: {why}", self.config.environment)))
    }

    /// All traffic goes back in one step.
    pub(super) fn roll_back(self, why: String) -> Concluded {
        self.roll_back_after(Vec::new(), why)
    }

    /// The same after what `round` holds.
    pub(super) fn roll_back_after(mut self, mut round: Round, why: String) -> Concluded {
        round.extend(self.last_words()?);
        round.extend(self.confirm()?);
        if self.known.before.is_none() {
            // What was down may come up again: it is tried before nothing serves.
            self.known.before.clone_from(&self.known.down);
        }
        let started = self.started()?;
        let back = self.target.revert(started, self.before())?.into_iter().enumerate();
        let back = back.map(|(at, action)| if at == 0 { action } else { action.keep_going() });
        round.extend(back.map(|action| (Part::Revert, action)));
        round.extend(self.release(Ending::RolledBack, &why)?);
        self.more(Step::RollBack(why), round)
    }

    pub(super) fn rolled_back(mut self, why: String) -> Concluded {
        self.read_figures();
        if let Some((Part::Confirm, error)) = self.failure() {
            if self.is_unread() {
                return self.roll_back_later(why, &error);
            }
            return self.lost(&format!("it was to be rolled back: {why}; {error}"));
        }
        // The first gives the traffic back. What follows it ends what nobody is sent to any more.
        let reverts = self.about(Part::Revert);
        let unended: Vec<String> =
            reverts.iter().skip(1).filter(|end| !end.ok()).map(|end| end.status.to_string()).collect();
        let stays = reverts.first().filter(|back| !back.ok()).map(|back| back.status.to_string());
        self.known.notes.extend(unended.into_iter().map(|error| format!("it could not be ended: {error}")));
        if let (Some(error), Some(down)) = (&stays, self.known.down.take()) {
            let note = format!("{} was down before, and did not come up: {error}", down.version);
            self.known.notes.push(note);
            self.known.before = None;
            return self.roll_back(why);
        }
        if let Some(error) = stays {
            let why = format!("{why}; going back failed: {error}");
            let round = self.release(Ending::Stuck, &why)?;
            return self.more(Step::Stuck(why), round);
        }
        if let Some(receipt) = self.about(Part::Revert).first() {
            let (took, drained) = went_back(receipt);
            self.known.figures.drained.extend(drained);
            self.known.figures.back_ms = took.filter(|took| *took > 0.0);
        }
        Ok(told::rolled_back(self.config, &self.known, &why))
    }

    /// Ends what never counted: what had traffic gives it back first.
    pub(super) fn give_up(mut self, why: String, ending: Ending) -> Concluded {
        if self.known.had_traffic && self.known.started.is_some() {
            return self.roll_back(why.trim_start_matches("was not deployed: ").to_owned());
        }
        // Where something before it failed, it was never started: there is nothing to take back.
        let actions = if !self.about(Part::Start).is_empty() || self.known.started.is_some() {
            self.target.abandon(self.known.started.as_ref())?
        } else {
            Vec::new()
        };
        let mut round = if actions.is_empty() { Vec::new() } else { self.confirm()? };
        round.extend(actions.into_iter().map(|action| (Part::Abandon, action.keep_going())));
        round.extend(self.release(ending, &why)?);
        if round.is_empty() {
            self.known.step = Step::GiveUp(why.clone());
            return Ok(told::given_up(self.config, &self.known, &why, None));
        }
        self.more(Step::GiveUp(why), round)
    }
}
