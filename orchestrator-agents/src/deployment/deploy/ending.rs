//! How a deployment ends: promoted, rolled back, given up. Pure.

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::operation::Operation;

use super::DeployConfig;
use super::known::{Known, Part, Step};
use super::rounds::{Concluded, Course, Round};
use super::told;
use crate::deployment::Ending;
use crate::deployment::migrations;
use crate::deployment::ops::{ReadInput, ReadTraffic, Switched, Traffic};
use crate::deployment::targets::Now;

/// Migrations that only the new version bears, once it counts.
fn contract(config: &DeployConfig, known: &Known) -> Result<Vec<Action>, BoxError> {
    match (&config.migrations, &known.migrations) {
        (Some(migrations), Some(files)) => {
            migrations::contract_actions(migrations, files, &config.environment)
        }
        _ => Ok(Vec::new()),
    }
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
        round.extend(self.release(Ending::Promoted, &why)?);
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

    fn read_figures(&mut self) {
        let release = self.known.started.as_ref().map(|started| started.release.clone());
        let read = self.about(Part::Read).first().and_then(|receipt| receipt.output.parse::<Traffic>().ok());
        let own = read.and_then(|traffic| {
            traffic.releases.into_iter().find(|known| Some(&known.release) == release.as_ref())
        });
        self.known.figures.first_answer_us = own.and_then(|own| own.first_answer_us);
    }

    pub(super) fn promoted(mut self) -> Concluded {
        self.read_figures();
        self.migrated(Part::Contract);
        let failure = self.failure();
        if let Some((Part::Health, why)) = failure {
            return self.give_up(format!("was not deployed: it is not healthy: {why}"), Ending::Failed);
        }
        let now: Now = match self.target.finished(self.started()?, &self.about(Part::Finish)) {
            Ok(now) => now,
            Err(why) if self.known.had_traffic => {
                return self.roll_back(format!("it could not be made current: {why}"));
            }
            Err(why) => {
                return self.give_up(
                    format!("was not deployed: it could not be made current: {why}"),
                    Ending::Failed,
                );
            }
        };
        self.known.figures.drained.extend(now.traffic.iter().flat_map(|traffic| traffic.drained.clone()));
        match failure {
            Some((Part::Contract, why)) => {
                let round = self.release(Ending::Promoted, &format!("its last migrations failed: {why}"))?;
                self.more(Step::Unfinished(format!("its last migrations failed: {why}")), round)
            }
            _ => Ok(told::passed(self.config, &self.known, now)),
        }
    }

    /// All traffic goes back in one step.
    pub(super) fn roll_back(mut self, why: String) -> Concluded {
        let mut round = self.last_words()?;
        round.extend(self.confirm()?);
        let started = self.started()?;
        round.extend(
            self.target.revert(started, self.before())?.into_iter().map(|action| (Part::Revert, action)),
        );
        round.extend(self.release(Ending::RolledBack, &why)?);
        self.more(Step::RollBack(why), round)
    }

    pub(super) fn rolled_back(mut self, why: String) -> Concluded {
        self.read_figures();
        if let Some((Part::Confirm | Part::Revert, error)) = self.failure() {
            let why = format!("{why}; going back failed: {error}");
            let round = self.release(Ending::Stuck, &why)?;
            return self.more(Step::Stuck(why), round);
        }
        if let Some(receipt) = self.about(Part::Revert).first() {
            let switched = receipt.output.parse::<Switched>().ok();
            let took = switched.as_ref().and_then(|switched| switched.took_ms).or(Some(receipt.took_ms));
            self.known.figures.drained.extend(switched.into_iter().flat_map(|switched| switched.drained));
            self.known.figures.back_ms = took.filter(|took| *took > 0.0);
        }
        Ok(told::rolled_back(self.config, &self.known, &why))
    }

    /// Ends what never counted: what had traffic gives it back first.
    pub(super) fn give_up(mut self, why: String, ending: Ending) -> Concluded {
        if self.known.had_traffic && self.known.started.is_some() {
            return self.roll_back(why.trim_start_matches("was not deployed: ").to_owned());
        }
        let actions = if self.known.parts().contains(&Part::Start) || self.known.started.is_some() {
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
