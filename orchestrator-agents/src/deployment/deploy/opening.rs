//! The first rounds: claim, migrations, start; or wait for somebody else. Pure.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::Verdict;
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Status;
use orchestrator_core::workspace::Workspace;

use super::DeployConfig;
use super::known::{Known, Part, Step};
use super::rounds::{Concluded, Course, Round};
use crate::deployment::migrations::{self, Stage};
use crate::deployment::ops::{
    AppliedMigrations, CheckHealth, CheckHealthInput, ClaimEnvironment, ClaimInput, ClaimOutput,
    PendingMigrationsOutput, SmokeInput, Watched,
};
use crate::deployment::targets::Target;
use crate::deployment::{Ending, TargetConfig};
use crate::said::outcome;

/// Seconds between two tries to claim an environment that somebody else has.
const AGAIN: u64 = 2;

/// The first round, and what is known before it.
pub(super) fn first(config: &DeployConfig, look: &Workspace) -> Result<(Vec<Action>, Known), BoxError> {
    let files = config.migrations.as_ref().map(|migrations| migrations.look(look)).transpose()?;
    let mut known = Known::first(look.run().cloned(), files);
    let round = opening(config, &known, &*TargetConfig::of(config, look.run(), true)?)?;
    let actions;
    (known.parts, actions) = round.into_iter().unzip();
    Ok((actions, known))
}

/// Claims, and starts at once where nothing has to be known before that.
pub(super) fn opening(config: &DeployConfig, known: &Known, target: &dyn Target) -> Result<Round, BoxError> {
    let (environment, version) = (config.environment.clone(), config.version.value()?.clone());
    let mut round = Vec::new();
    if let (Some(migrations), Some(files)) = (&config.migrations, &known.migrations) {
        let look = migrations::look_actions(migrations, files, &environment, Stage::Expand)?;
        round.extend(look.into_iter().map(|action| (Part::Pending, action)));
    }
    round.push((Part::Claim, ClaimEnvironment::action(&ClaimInput { environment, version })?));
    if config.migrations.is_none() && !(config.approve && target.starts_serving()) {
        round.extend(starting(config, known, target)?);
    }
    Ok(round)
}

pub(super) fn starting(config: &DeployConfig, known: &Known, target: &dyn Target) -> Result<Round, BoxError> {
    let mut round = Vec::new();
    if let (Some(migrations), Some(files)) = (&config.migrations, &known.migrations) {
        // Of a target that serves by itself nobody knows whether there is a version before.
        let stage = migrations::first_stage(known.before.is_some() || target.starts_serving());
        let expand = migrations::expand_actions(migrations, files, &config.environment, stage)?;
        round.extend(expand.into_iter().map(|action| (Part::Expand, action)));
    }
    round.extend(target.ahead()?.into_iter().map(|action| (Part::Ahead, action)));
    round.extend(target.start()?.into_iter().map(|action| (Part::Start, action)));
    Ok(round)
}

impl Course<'_> {
    pub(super) fn opened(mut self) -> Concluded {
        if let Some((Part::Pending, why)) = self.failure() {
            // Nothing is claimed yet.
            let version = self.config.version.value()?;
            return Ok(Verdict::failed(format!(
                "{}: {version} was not deployed: its migrations: {why}",
                self.config.environment
            )));
        }
        if self.known.parts().contains(&Part::Claim) {
            match outcome::<ClaimOutput>(self.about(Part::Claim).first().copied()) {
                Ok(claimed) => {
                    let ClaimOutput { took_over, serves, notes, .. } = claimed;
                    self.known.before = serves;
                    self.known.notes.extend(
                        took_over
                            .map(|claim| format!("the claim of {claim} was taken over: its owner is gone")),
                    );
                    self.known.notes.extend(notes);
                }
                Err(why) => return self.taken(&why),
            }
        }
        let version = self.config.version.value()?;
        match self.failure() {
            Some((Part::Expand, why)) => {
                self.give_up(format!("was not deployed: its migrations failed: {why}"), Ending::Failed)
            }
            Some((Part::Ahead | Part::Confirm, why)) => {
                self.give_up(format!("was not deployed: {why}"), Ending::Failed)
            }
            _ if self.known.parts().contains(&Part::Start) => self.came_up(),
            _ => {
                let asked = self.config.approve && self.target.starts_serving();
                let asked = asked.then(|| format!("deploy {version} to {}?", self.config.environment));
                match self.blocked()?.or(asked) {
                    Some(question) => self.ask(question),
                    None => self.start(),
                }
            }
        }
    }

    /// Why a person must agree before the migrations are applied.
    fn blocked(&mut self) -> Result<Option<String>, BoxError> {
        let (Some(config), Some(files)) = (&self.config.migrations, &self.known.migrations) else {
            return Ok(None);
        };
        let mut pending: PendingMigrationsOutput = outcome(self.about(Part::Pending).first().copied())?;
        if self.known.before.is_none() && !self.target.starts_serving() {
            pending.stage = Stage::All;
        }
        let blocked = migrations::blocked(config, files, &pending);
        self.known.remarks = migrations::findings(config, files, &pending);
        Ok(blocked)
    }

    pub(super) fn start(self) -> Concluded {
        let round = starting(self.config, &self.known, self.target)?;
        let round = self.confirm()?.into_iter().chain(round).collect();
        self.more(Step::Open, round)
    }

    /// What was measured of migrations.
    pub(super) fn migrated(&mut self, part: Part) {
        let applied: Vec<AppliedMigrations> =
            self.about(part).into_iter().filter_map(|receipt| outcome(Some(receipt)).ok()).collect();
        self.known.migrated.extend(applied.iter().flat_map(migrations::metrics));
    }

    /// What the start gave.
    fn came_up(mut self) -> Concluded {
        self.migrated(Part::Expand);
        let started = match self.target.started(&self.about(Part::Start)) {
            Ok(started) => started,
            Err(why) => return self.give_up(format!("did not start: {why}"), Ending::Failed),
        };
        let (url, version) = (started.url.clone(), Some(started.version.clone()));
        let (environment, release) = (self.config.environment.clone(), started.release.clone());
        let service = Some(Watched { environment, release, process: started.process.clone() });
        self.known.started = Some(started);
        self.known.had_traffic = self.target.starts_serving();
        let health =
            CheckHealthInput { url: url.clone(), health: self.config.health.clone(), version, service };
        let mut round = vec![(Part::Health, CheckHealth::action(&health)?)];
        if !self.config.smoke.is_empty() {
            round.push((Part::Smoke, SmokeInput { url, tests: self.config.smoke.clone() }.action()?));
        }
        self.more(Step::Prove, round)
    }

    /// Somebody else has the environment: waits, where that is wanted and its owner lives.
    fn taken(mut self, why: &str) -> Concluded {
        let receipts = self.about(Part::Claim);
        let lives = receipts
            .first()
            .is_some_and(|receipt| matches!(receipt.status, Status::Failed { transient: true, .. }));
        let patience = self.config.wait.map_or(0, crate::deployment::Patience::seconds);
        if !lives || self.known.waited >= patience {
            let waited = if self.known.waited > 0 {
                format!(" (waited {} s)", self.known.waited)
            } else {
                String::new()
            };
            let version = self.config.version.value()?;
            return Ok(Verdict::failed(format!("{version} was not deployed: {why}{waited}")));
        }
        self.known.waited += AGAIN;
        let message = format!("another deployment to {} to end", self.config.environment);
        let wait: Action = Await { signal: None, seconds: Some(AGAIN), message }.into();
        let round = std::iter::once((Part::Wait, wait))
            .chain(opening(self.config, &self.known, self.target)?)
            .collect();
        self.more(Step::Open, round)
    }
}
