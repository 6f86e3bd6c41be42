//! The first rounds: claim, migrations, start; or wait for somebody else. Pure.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::Verdict;
use orchestrator_core::json::Json;
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Status;
use orchestrator_core::workspace::Workspace;

use super::known::{Known, Part, Step};
use super::rounds::{Concluded, Course, Round, placed};
use super::{DeployConfig, fleet};
use crate::deployment::migrations::{self, Stage};
use crate::deployment::ops::{
    AppliedMigrations, CheckHealth, CheckHealthInput, ClaimEnvironment, ClaimInput, ClaimOutput,
    ConfirmClaim, ConfirmInput, Expected, PendingMigrationsOutput, SmokeInput, Watched,
};
use crate::deployment::proof::probes;
use crate::deployment::targets::Target;
use crate::deployment::{Ending, Process, TargetConfig};
use crate::said::outcome;

/// Seconds between two tries to claim an environment that somebody else has.
pub(super) const AGAIN: u64 = 2;

/// The first round, and what is known before it.
pub(super) fn first(config: &DeployConfig, look: &Workspace) -> Result<(Vec<Action>, Json), BoxError> {
    super::loading::check(config)?;
    probes(&config.smoke)?;
    let files = config.migrations.as_ref().map(|migrations| migrations.look(look)).transpose()?;
    let mut known = Known::first(look.run().cloned(), files);
    if fleet::is_of(config) {
        return fleet::first(config, known);
    }
    let target = TargetConfig::of(config, look.run(), true)?;
    let actions;
    (known.parts, actions) = placed(opening(config, &known, &*target)?, &*target)?;
    Ok((actions, Json::of(&known)?))
}

/// What follows the first round where that is withheld. Which migrations are applied is known once it was looked what serves.
pub(super) fn foreseen(config: &DeployConfig, carried: &Json) -> Result<Vec<Action>, BoxError> {
    if fleet::is_of(config) {
        return fleet::foreseen(config, carried);
    }
    let known: Known = if carried.is_null() { Known::unclaimed() } else { carried.parse()? };
    let looks = known.step == Step::Open && known.parts().contains(&Part::Pending);
    if !looks {
        return Ok(Vec::new());
    }
    let target = TargetConfig::of(config, known.run.as_ref(), known.claimed)?;
    starts(&*target)
}

/// Looks which migrations are pending; then claims, and starts at once where nobody has to be asked before.
pub(super) fn opening(config: &DeployConfig, known: &Known, target: &dyn Target) -> Result<Round, BoxError> {
    let (environment, version) = (config.environment.clone(), config.version.value()?.clone());
    let mut asks = config.approve && target.starts_serving();
    let mut expects = None;
    // Once: before what is pending was looked at.
    let first = if known.pending.is_none() && known.among.is_none() { target.first()? } else { Vec::new() };
    let mut round: Round = first.into_iter().map(|action| (Part::First, action)).collect();
    if let (Some(migrations), Some(files)) = (&config.migrations, &known.migrations) {
        let Some(pending) = &known.pending else {
            // Before anything is claimed, so that what follows is known then: a dry run shows it, too.
            let look = migrations::look_actions(migrations, files, &environment, Stage::Expand)?;
            round.extend(look.into_iter().map(|action| (Part::Pending, action)));
            return Ok(round);
        };
        let blocked = migrations::blocked(migrations, files, &staged(pending, known, target)?);
        asks |= blocked.is_some_and(|question| !known.is_agreed(&question));
        // Which stage comes first hangs on what serves: it must be so still when it is claimed.
        let release = known.before.as_ref().map(|before| before.release.clone());
        expects = (!asks).then_some(Expected { release });
    }
    let direct = config.proxy.is_none() && !target.starts_serving();
    let host = known.among.as_ref().map(|among| among.host.clone());
    let claim = ClaimInput { environment: environment.clone(), version, brings: None, direct, expects, host };
    if known.among.is_some() {
        // It was claimed when all hosts were. Since then it may have gone to somebody else, and come back.
        let confirm = ConfirmInput { environment: environment.clone() };
        round.push((Part::Confirm, ConfirmClaim::action(&confirm)?));
    }
    round.push((Part::Claim, ClaimEnvironment::action(&claim)?));
    if target.starts_serving() {
        // A command asks nobody: what was cut off after the claim must not go on where somebody else has it by now.
        round.push((Part::Confirm, ConfirmClaim::action(&ConfirmInput { environment })?));
    }
    if !asks {
        round.extend(starting(config, known, target)?);
    }
    Ok(round)
}

/// What is pending, in the stage that comes first.
fn staged(
    pending: &PendingMigrationsOutput,
    known: &Known,
    target: &dyn Target,
) -> Result<PendingMigrationsOutput, String> {
    migrations::staged(pending, stage(Some(pending), known, target))
}

/// Of a target that serves by itself nobody knows whether there is a version before; but none needs what a database does not have.
fn stage(pending: Option<&PendingMigrationsOutput>, known: &Known, target: &dyn Target) -> Stage {
    let empty = pending.is_some_and(|pending| pending.empty);
    migrations::first_stage(known.has_before() || target.starts_serving() && !empty)
}

pub(super) fn starting(config: &DeployConfig, known: &Known, target: &dyn Target) -> Result<Round, BoxError> {
    let mut round = Vec::new();
    if let (Some(migrations), Some(files)) = (&config.migrations, &known.migrations) {
        let stage = stage(known.pending.as_ref(), known, target);
        let expand = migrations::expand_actions(migrations, files, &config.environment, stage)?;
        round.extend(expand.into_iter().map(|action| (Part::Expand, action)));
    }
    round.extend(ahead(target)?);
    Ok(round)
}

/// The start, and what must be there before.
fn ahead(target: &dyn Target) -> Result<Round, BoxError> {
    let ahead = target.ahead(false)?.into_iter().map(|action| (Part::Ahead, action));
    Ok(ahead.chain(target.start()?.into_iter().map(|action| (Part::Start, action))).collect())
}

/// The same as actions.
pub(super) fn starts(target: &dyn Target) -> Result<Vec<Action>, BoxError> {
    placed(ahead(target)?, target).map(|(_, actions)| actions)
}

impl Course<'_> {
    pub(super) fn opened(mut self) -> Concluded {
        if let Some((Part::First, why)) = self.failure() {
            // Nothing is claimed yet.
            let version = self.config.version.value()?;
            return Ok(Verdict::failed(format!(
                "{}: {version} was not deployed: {why}",
                self.config.environment
            )));
        }
        if let Some((Part::Pending, why)) = self.failure() {
            return self.not_migrated(&why);
        }
        if let (Some((Part::Confirm, why)), true) = (self.failure(), self.known.among.is_some()) {
            return self.lost(&why);
        }
        if self.known.parts().contains(&Part::Pending) && !self.known.parts().contains(&Part::Claim) {
            return self.found_pending();
        }
        if self.known.parts().contains(&Part::Claim) {
            match outcome::<ClaimOutput>(self.about(Part::Claim).first().copied()) {
                Ok(claimed) => {
                    let ClaimOutput { took_over, serves, down, notes, claim: _ } = claimed;
                    (self.known.before, self.known.down) = (serves, down);
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
                let blocked = self.blocked()?.filter(|question| !self.known.is_agreed(question));
                match blocked.or(asked) {
                    Some(question) => {
                        self.known.asks(&question);
                        self.ask(question)
                    }
                    None => self.start(),
                }
            }
        }
    }

    /// Its migrations cannot be applied as they are. Nothing is claimed yet.
    fn not_migrated(&self, why: &str) -> Concluded {
        let (environment, version) = (&self.config.environment, self.config.version.value()?);
        Ok(Verdict::failed(format!("{environment}: {version} was not deployed: its migrations: {why}")))
    }

    /// Which migrations are pending, and what serves: claims next.
    fn found_pending(mut self) -> Concluded {
        let pending: PendingMigrationsOutput = outcome(self.about(Part::Pending).first().copied())?;
        self.known.before.clone_from(&pending.serves);
        self.known.down.clone_from(&pending.down);
        if let Err(why) = staged(&pending, &self.known, self.target) {
            return self.not_migrated(&why);
        }
        self.known.pending = Some(pending);
        self.blocked()?;
        let round = opening(self.config, &self.known, self.target)?;
        self.more(Step::Open, round)
    }

    /// Why a person must agree before the migrations are applied.
    fn blocked(&mut self) -> Result<Option<String>, BoxError> {
        let (Some(config), Some(files)) = (&self.config.migrations, &self.known.migrations) else {
            return Ok(None);
        };
        let pending = match self.known.pending.clone() {
            Some(pending) => pending,
            None => outcome(self.about(Part::Pending).first().copied())?,
        };
        let pending = staged(&pending, &self.known, self.target)?;
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
        self.known.pending = None;
        let started = match self.target.started(&self.about(Part::Start)) {
            Ok(started) => started,
            Err(why) => return self.give_up(format!("did not start: {why}"), Ending::Failed),
        };
        let (url, version) = (started.url.clone(), Some(started.version.clone()));
        let (environment, release) = (self.config.environment.clone(), started.release.clone());
        let contained = started.process.as_ref().is_some_and(Process::is_contained);
        let service = Some(Watched { environment, release, process: started.process.clone() });
        self.known.started = Some(started);
        self.known.had_traffic = self.target.starts_serving();
        let health =
            CheckHealthInput { url: url.clone(), health: self.config.health.clone(), version, service };
        let mut round = vec![(Part::Health, CheckHealth::action(&health)?)];
        if !self.config.smoke.is_empty() {
            round.push((Part::Smoke, SmokeInput { url, tests: self.config.smoke.clone() }.action()?));
            if contained {
                // One that its engine starts again answers again: only it says that it ended meanwhile.
                round.push((Part::Health, CheckHealth::action(&health)?));
            }
        }
        round.extend(self.read_log()?);
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
        // What is pending, and what serves, is looked at anew then.
        (self.known.pending, self.known.before, self.known.down) = (None, None, None);
        let wait: Action = Await { signal: None, seconds: Some(AGAIN), message }.into();
        let round = std::iter::once((Part::Wait, wait))
            .chain(opening(self.config, &self.known, self.target)?)
            .collect();
        self.more(Step::Open, round)
    }
}
