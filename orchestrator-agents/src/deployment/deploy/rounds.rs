//! The rounds of a deployment: what the receipts of each mean, and what is next. Pure.
//!
//! ```text
//! open ─► prove ─► [ask] ─► shift ─► watch ┬► promote
//!   │       │        │        │       ▲  │ └► roll back
//!   └───────┴────────┴► give up        └──┘ (shift: the next share)
//! ```
//!
//! With a target that serves as soon as it starts, a person is asked before, and nothing is shifted. Each way ends with a round that
//! tells the history and releases the claim. Whatever is cut off goes on from the journal: the rounds are a fold over receipts.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::{Task, Verdict};
use orchestrator_core::json::Json;
use orchestrator_core::operation::Operation;
use orchestrator_core::order::{Receipt, Status};
use orchestrator_core::workspace::Workspace;

use super::known::{Known, Part, Step};
use super::told;
use super::{DeployConfig, DeployOutput};
use crate::deployment::migrations::{self, Stage};
use crate::deployment::ops::{
    AppliedMigrations, CheckHealth, CheckHealthInput, ClaimEnvironment, ClaimInput, ClaimOutput,
    ConfirmClaim, ConfirmInput, PendingMigrationsOutput, ReadInput, ReadTraffic, ReleaseEnvironment,
    ReleaseInput, SmokeInput, SmokeOutput, Switched, Traffic, Watched,
};
use crate::deployment::targets::{Now, Started, Target};
use crate::deployment::{Ended, Ending, TargetConfig};
use crate::editing::manual;
use crate::said::outcome;

pub(super) type Concluded = Result<Verdict<DeployOutput>, BoxError>;
pub(super) type Round = Vec<(Part, Action)>;

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
fn opening(config: &DeployConfig, known: &Known, target: &dyn Target) -> Result<Round, BoxError> {
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

fn starting(config: &DeployConfig, known: &Known, target: &dyn Target) -> Result<Round, BoxError> {
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

/// Migrations that only the new version bears, once it counts.
fn contract(config: &DeployConfig, known: &Known) -> Result<Vec<Action>, BoxError> {
    match (&config.migrations, &known.migrations) {
        (Some(migrations), Some(files)) => {
            migrations::contract_actions(migrations, files, &config.environment)
        }
        _ => Ok(Vec::new()),
    }
}

/// What the receipts of a round mean.
pub(super) fn conclude(task: &Task<DeployConfig>, receipts: &[Receipt]) -> Concluded {
    // The first round of earlier versions carried nothing.
    let known: Known = if task.carried.is_null() { Known::unclaimed() } else { task.carried.parse()? };
    let target = TargetConfig::of(&task.config, known.run.as_ref(), known.claimed)?;
    let course = Course { task, config: &task.config, target: &*target, known, receipts };
    match course.known.step.clone() {
        Step::Open => course.opened(),
        Step::Ask => course.answered(),
        Step::Prove => course.proved(),
        Step::Shift => course.shifted(),
        Step::Watch => course.looked(),
        Step::Promote => course.promoted(),
        Step::RollBack(why) => course.rolled_back(why),
        Step::GiveUp(why) => Ok(told::given_up(course.config, &course.known, &why, course.failure())),
        Step::Unfinished(why) => Ok(told::unfinished(course.config, &course.known, &why)),
        Step::Stuck(why) => Ok(told::stuck(course.config, &course.known, &why)),
    }
}

/// A deployment on its way.
pub(super) struct Course<'a> {
    pub(super) task: &'a Task<DeployConfig>,
    pub(super) config: &'a DeployConfig,
    pub(super) target: &'a dyn Target,
    pub(super) known: Known,
    pub(super) receipts: &'a [Receipt],
}

impl Course<'_> {
    /// The receipts about something.
    pub(super) fn about(&self, part: Part) -> Vec<&Receipt> {
        let all = self.known.parts().iter().zip(self.receipts);
        all.filter(|(known, _)| **known == part).map(|(_, receipt)| receipt).collect()
    }

    /// What failed first in the round, and why. What was only to be read or recorded stops nothing.
    pub(super) fn failure(&self) -> Option<(Part, String)> {
        let all = self.known.parts().iter().zip(self.receipts);
        let mut counts = all.filter(|(part, _)| !matches!(part, Part::Read | Part::Record));
        counts.find(|(_, receipt)| !receipt.ok()).map(|(part, receipt)| (*part, receipt.status.to_string()))
    }

    pub(super) fn more(mut self, step: Step, round: Round) -> Concluded {
        let actions;
        (self.known.parts, actions) = round.into_iter().unzip();
        self.known.step = step;
        Ok(Verdict::More { actions, carried: Json::of(&self.known)? })
    }

    pub(super) fn started(&self) -> Result<&Started, BoxError> {
        self.known.started.as_ref().ok_or_else(|| "the journal does not say what was started".into())
    }

    /// The release before.
    pub(super) fn before(&self) -> Option<&str> {
        self.known.before.as_ref().map(|before| before.release.as_str())
    }

    /// Tells the history and releases the claim.
    pub(super) fn release(&mut self, verdict: Ending, why: &str) -> Result<Round, BoxError> {
        self.known.ending = Some(verdict);
        if !self.known.claimed {
            return Ok(Vec::new());
        }
        let release = self.known.started.as_ref().map(|started| started.release.clone());
        let why: String = why.lines().next().unwrap_or_default().chars().take(500).collect();
        let ended = Some(Ended { version: self.config.version.value()?.clone(), release, verdict, why });
        let input = ReleaseInput { environment: self.config.environment.clone(), ended, run: None };
        Ok(vec![(Part::Release, ReleaseEnvironment::action(&input)?)])
    }

    fn opened(mut self) -> Concluded {
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

    fn start(self) -> Concluded {
        let round = starting(self.config, &self.known, self.target)?;
        let round = self.confirm()?.into_iter().chain(round).collect();
        self.more(Step::Open, round)
    }

    /// What was measured of migrations.
    fn migrated(&mut self, part: Part) {
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

    fn proved(mut self) -> Concluded {
        match outcome(self.about(Part::Health).first().copied()) {
            Ok(health) => self.known.health = Some(health),
            Err(why) => {
                return self.give_up(format!("was not deployed: it is not healthy: {why}"), Ending::Failed);
            }
        }
        if !self.config.smoke.is_empty() {
            let smoke: SmokeOutput = match outcome(self.about(Part::Smoke).first().copied()) {
                Ok(smoke) => smoke,
                Err(why) => {
                    return self.give_up(
                        format!("was not deployed: its smoke tests were not run: {why}"),
                        Ending::Failed,
                    );
                }
            };
            let (failed, all) = (smoke.failed, smoke.results.len());
            self.known.smoke = Some(smoke);
            if failed > 0 {
                return self.give_up(
                    format!("was not deployed: {failed} of {all} smoke tests failed"),
                    Ending::Failed,
                );
            }
        }
        if self.config.approve && !self.target.starts_serving() {
            let (version, url) = (self.config.version.value()?, self.started()?.url.clone());
            let instead = self
                .known
                .before
                .as_ref()
                .map_or(String::new(), |before| format!(" instead of {}", before.version));
            let question = format!(
                "give {version} the traffic of {}{instead}? It is healthy ({}) and answers at {url}",
                self.config.environment,
                told::tests(&self.known)
            );
            return self.ask(question);
        }
        self.go(Vec::new())
    }

    fn ask(self, message: String) -> Concluded {
        let signal = Some(manual::signal_of(&self.task.id)?);
        self.more(Step::Ask, vec![(Part::Wait, Await { signal, seconds: None, message }.into())])
    }

    /// What a person said.
    fn answered(mut self) -> Concluded {
        let Some(receipt) = self.receipts.first() else {
            return self.give_up("was not deployed: nobody was asked".into(), Ending::Failed);
        };
        let answer = match manual::Answer::of(&receipt.output, &receipt.tail) {
            Ok(answer) => answer,
            Err(why) => {
                let message = format!(
                    "an answer was passed over: {why}\ngo on with the deployment to {}?",
                    self.config.environment
                );
                return self.ask(message);
            }
        };
        match answer.decision {
            manual::Decision::Done => self.known.notes.push(format!("approved: {answer}")),
            manual::Decision::Skip => {
                return self.give_up(format!("was left out: {answer}"), Ending::Skipped);
            }
            manual::Decision::Abort => {
                return self.give_up(format!("was not deployed: {answer}"), Ending::Failed);
            }
        }
        if self.known.started.is_none() {
            return self.start();
        }
        // A person may take a day: what was healthy then may not be now.
        let Started { url, version, release, process, .. } = self.started()?.clone();
        let service = Some(Watched { environment: self.config.environment.clone(), release, process });
        let health =
            CheckHealthInput { url, health: self.config.health.clone(), version: Some(version), service };
        self.go(vec![(Part::Health, CheckHealth::action(&health)?)])
    }

    /// Its first traffic, or all of it where nobody watches.
    fn go(mut self, mut round: Round) -> Concluded {
        let Some(config) = &self.config.watch else { return self.finish(round) };
        self.known.watch = Some(self.watch(config)?);
        let shift = self.shift()?;
        if shift.is_empty() {
            return self.tick();
        }
        self.known.had_traffic = true;
        round.extend(shift);
        self.more(Step::Shift, round)
    }

    /// Fails the round where the claim went to somebody else.
    pub(super) fn confirm(&self) -> Result<Round, BoxError> {
        if !self.known.claimed {
            return Ok(Vec::new());
        }
        let input = ConfirmInput { environment: self.config.environment.clone() };
        Ok(vec![(Part::Confirm, ConfirmClaim::action(&input)?)])
    }

    /// The share of the traffic that it should have now.
    pub(super) fn shift(&self) -> Result<Round, BoxError> {
        let percent = self.known.watch.as_ref().map_or(100, |watch| watch.watcher.percent());
        let actions = self.target.shift(self.started()?, self.before(), percent)?;
        Ok(actions.into_iter().map(|action| (Part::Shift, action)).collect())
    }

    fn shifted(mut self) -> Concluded {
        match self.failure() {
            Some((Part::Health, why)) => {
                self.give_up(format!("was not deployed: it is not healthy: {why}"), Ending::Failed)
            }
            Some((_, why)) => self.roll_back(format!("its traffic could not be switched: {why}")),
            None => {
                let switched = self
                    .about(Part::Shift)
                    .first()
                    .and_then(|receipt| receipt.output.parse::<Switched>().ok());
                let figures = &mut self.known.figures;
                figures.switch_ms = figures.switch_ms.or(switched.and_then(|switched| switched.took_ms));
                self.tick()
            }
        }
    }

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

    fn promoted(mut self) -> Concluded {
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

    fn rolled_back(mut self, why: String) -> Concluded {
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
    fn give_up(mut self, why: String, ending: Ending) -> Concluded {
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
