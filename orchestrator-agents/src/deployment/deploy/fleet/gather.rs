//! All hosts are looked at, prepared and claimed before anything changes on one of them. Pure.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Status;

use super::super::opening::{AGAIN, opening, starts};
use super::super::rounds::{Concluded, placed};
use super::{Among, Course, Fleet, Part, Round, Step, config_of, on, target, told};
use crate::deployment::migrations::{self, MigratedDatabase, Stage};
use crate::deployment::ops::{ClaimEnvironment, ClaimInput, ClaimOutput};
use crate::deployment::targets::{Local, Ssh};
use crate::deployment::{DeployConfig, HostName, Patience};
use crate::said::outcome;

use super::super::known::Known;

/// All of them are looked at; then each gets the program; then each is asked what is pending; then each is claimed.
pub(super) fn first(config: &DeployConfig, fleet: &Fleet) -> Result<Round, BoxError> {
    let (mut checks, mut prepares) = (Round::default(), Round::default());
    for (at, member) in fleet.hosts.iter().enumerate() {
        let own = config_of(config, fleet, at)?;
        let target = target(&own).ok_or("the target has no hosts")?;
        let host = Ssh::new(Local { config: &own, claimed: true }, target)?;
        let others = fleet.hosts.iter().map(|other| &other.host).filter(|other| **other != member.host);
        checks.push(Part::Check, at, host.check()?);
        prepares.push(Part::Prepare, at, host.prepare(others.cloned().collect())?);
    }
    let mut round = checks;
    round.parts.extend(prepares.parts);
    round.actions.extend(prepares.actions);
    if let (Some(migrations), Some(files)) = (&config.migrations, &fleet.migrations) {
        for at in 0..fleet.hosts.len() {
            for action in migrations::look_actions(migrations, files, &config.environment, Stage::Expand)? {
                round.push(Part::Pending, at, on(config, fleet, at, action)?);
            }
        }
    }
    claims(config, fleet, &mut round)?;
    Ok(round)
}

fn claims(config: &DeployConfig, fleet: &Fleet, round: &mut Round) -> Result<(), BoxError> {
    for (at, member) in fleet.hosts.iter().enumerate() {
        let claim = ClaimInput {
            environment: config.environment.clone(),
            version: config.version.value()?.clone(),
            direct: config.proxy.is_none(),
            brings: None,
            expects: None,
            host: Some(member.host.clone()),
        };
        round.push(Part::Claim, at, on(config, fleet, at, ClaimEnvironment::action(&claim)?)?);
    }
    Ok(())
}

/// The first host begins in the same round, where what the others say is not needed for that: so a dry run shows it, too.
pub(super) fn opened(config: &DeployConfig, mut fleet: Fleet) -> Result<(Fleet, Vec<Action>), BoxError> {
    if config.migrations.is_some() {
        return Ok((fleet, Vec::new()));
    }
    let actions = begun(config, &mut fleet, 0)?;
    Ok((fleet, actions))
}

/// The first round of a host's own deployment.
pub(super) fn begun(config: &DeployConfig, fleet: &mut Fleet, at: usize) -> Result<Vec<Action>, BoxError> {
    let own = config_of(config, fleet, at)?;
    let target = target(&own).ok_or("the target has no hosts")?;
    let host = Ssh::new(Local { config: &own, claimed: true }, target)?;
    let earlier = at.checked_sub(1).and_then(|before| fleet.hosts[before].known.as_ref());
    let agreed = earlier.and_then(|known| known.among.as_ref()).map(|among| among.agreed.clone());
    let among = Among {
        host: fleet.hosts[at].host.clone(),
        old: fleet.old && is_shared(config),
        agreed: agreed.unwrap_or_default(),
        later: at > 0,
    };
    let mut known = Known { among: Some(among), ..Known::first(fleet.run.clone(), fleet.migrations.clone()) };
    let actions;
    (known.parts, actions) = placed(opening(&own, &known, &host)?, &host)?;
    fleet.hosts[at].known = Some(known);
    Ok(actions)
}

/// The same before anything is known of it: which migrations come first is not.
pub(super) fn foreseen(config: &DeployConfig, fleet: &mut Fleet, at: usize) -> Result<Vec<Action>, BoxError> {
    if config.migrations.is_none() {
        return begun(config, fleet, at);
    }
    let own = config_of(config, fleet, at)?;
    let target = target(&own).ok_or("the target has no hosts")?;
    starts(&Ssh::new(Local { config: &own, claimed: true }, target)?)
}

/// Whether the hosts may have one database: a file of SQLite is the host's own. Of all else nobody knows, so it is dealt with as one.
fn is_shared(config: &DeployConfig) -> bool {
    let database = config.migrations.as_ref().map(|migrations| &migrations.database);
    database.is_some_and(|database| !matches!(database, MigratedDatabase::Sqlite(_)))
}

impl Course<'_> {
    pub(super) fn gathered(mut self) -> Concluded {
        match self.failure() {
            Some((Part::Claim, at, receipt)) => {
                let lives = matches!(receipt.status, Status::Failed { transient: true, .. });
                let (at, why) = (at, format!("{}: {}", self.name(at), receipt.status));
                return self.taken(at, why, lives);
            }
            Some((part, at, receipt)) => {
                let what = if part == Part::Pending { "its migrations: " } else { "" };
                let why = format!("{}: {what}{}", self.name(at), receipt.status);
                // Nothing is claimed yet.
                return Ok(told::left(&self, Some(&why)));
            }
            None => {}
        }
        let mut claimed: Vec<(usize, ClaimOutput)> = Vec::new();
        for (at, receipt) in self.about(Part::Claim) {
            claimed.push((at, outcome(Some(receipt))?));
        }
        if claimed.len() < self.fleet.hosts.len() {
            return Err("the round ended before all hosts were claimed".into());
        }
        self.fleet.old = claimed.iter().any(|(_, found)| found.serves.is_some() || found.down.is_some());
        for (at, ClaimOutput { took_over, notes, .. }) in claimed {
            let over =
                took_over.map(|claim| format!("the claim of {claim} was taken over: its owner is gone"));
            self.fleet.hosts[at].noted(over.into_iter().chain(notes));
        }
        if self.fleet.hosts[0].known.is_some() { self.turned(0) } else { self.begin(0) }
    }

    /// Somebody else has one of them. What was claimed is released, so that two deployments never wait for each other; then it is tried
    /// again, where that is wanted and its owner lives.
    fn taken(mut self, at: usize, why: String, lives: bool) -> Concluded {
        let mut round = Round::default();
        for before in 0..at {
            round.push(Part::Release, before, self.released(before, None)?);
        }
        if !lives || self.fleet.waited >= self.config.wait.map_or(0, Patience::seconds) {
            let waited = if self.fleet.waited > 0 {
                format!(" (waited {} s)", self.fleet.waited)
            } else {
                String::new()
            };
            return self.more(Step::Leave(Some(why + &waited)), round);
        }
        self.fleet.waited += AGAIN;
        let message =
            format!("another deployment to {} on {} to end", self.config.environment, self.name(at));
        round.push(Part::Wait, at, Await { signal: None, seconds: Some(AGAIN), message }.into());
        claims(self.config, &self.fleet, &mut round)?;
        self.fleet.hosts[0].known = None;
        let config = self.config;
        let (fleet, own) = opened(config, self.fleet.clone())?;
        self.fleet = fleet;
        let Round { parts, mut actions } = round;
        actions.extend(own);
        self.more(Step::Gather, Round { parts, actions })
    }

    /// The hosts whose turn has not come, by name.
    pub(super) fn untouched(&self) -> Vec<&HostName> {
        let waits = |member: &&super::Member| member.state == super::State::Waits;
        self.fleet.hosts.iter().filter(waits).map(|member| &member.host).collect()
    }
}
