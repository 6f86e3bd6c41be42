//! The rounds of a deployment: what the receipts of each mean, and what is next. Pure.
//!
//! ```text
//! open ─► prove ─► [ask] ─► [load] ─► shift ─► watch ┬► promote
//!   │       │        │         │         │       ▲  │ └► roll back
//!   └───────┴────────┴─────────┴► give up        └──┘ (shift: the next share)
//! ```
//!
//! With a target that serves as soon as it starts, a person is asked before, and nothing is shifted. Each way ends with a round that
//! tells the history and releases the claim. Whatever is cut off goes on from the journal: the rounds are a fold over receipts.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::{Task, Verdict};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::json::Json;
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Receipt;

use super::known::{Known, Part, Step, Watch};
use super::told;
use super::{DeployConfig, DeployOutput, fleet};
use crate::deployment::ops::{
    CheckHealth, CheckHealthInput, ConfirmClaim, ConfirmInput, ReleaseEnvironment, ReleaseInput,
    ReleaseOutput, SmokeOutput, Switched, Watched,
};
use crate::deployment::targets::{Started, Target};
use crate::deployment::{Ended, Ending, TargetConfig};
use crate::editing::manual;
use crate::said::outcome;

pub(super) type Concluded = Result<Verdict<DeployOutput>, BoxError>;
pub(super) type Round = Vec<(Part, Action)>;

/// What the receipts of a round mean.
pub(super) fn conclude(task: &Task<DeployConfig>, receipts: &[Receipt]) -> Concluded {
    if fleet::is_of(&task.config) {
        return fleet::conclude(task, receipts);
    }
    // The first round of earlier versions carried nothing.
    let known: Known = if task.carried.is_null() { Known::unclaimed() } else { task.carried.parse()? };
    concluded(task, known, receipts)
}

/// The same of what is known.
pub(super) fn concluded(task: &Task<DeployConfig>, known: Known, receipts: &[Receipt]) -> Concluded {
    let target = TargetConfig::of(&task.config, known.run.as_ref(), known.claimed)?;
    let mut course = Course { task, config: &task.config, target: &*target, known, receipts };
    course.read_load();
    course.read_end();
    match course.known.step.clone() {
        Step::Open => course.opened(),
        Step::Ask => course.answered(),
        Step::Prove => course.proved(),
        Step::Load => course.loaded(),
        Step::Shift => course.shifted(),
        Step::Watch => course.looked(),
        Step::Promote => course.promoted(),
        Step::RollBack(why) => course.rolled_back(why),
        Step::GiveUp(why) => Ok(told::given_up(course.config, &course.known, &why, course.failure())),
        Step::Unfinished(why) => Ok(told::unfinished(course.config, &course.known, &why)),
        Step::Stuck(why) => Ok(told::stuck(course.config, &course.known, &why)),
        Step::Undecided(why) => Ok(told::undecided(course.config, &course.known, &why)),
    }
}

/// What each action is about, and the actions as they are performed where versions run.
pub(super) fn placed(round: Round, target: &dyn Target) -> Result<(Vec<Part>, Vec<Action>), BoxError> {
    round.into_iter().map(|(part, action)| Ok((part, target.placed(action)?))).collect()
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
        let mut counts = all.filter(|(part, _)| {
            !matches!(part, Part::Read | Part::Record | Part::EndLoad | Part::Log | Part::Prune)
        });
        counts.find(|(_, receipt)| !receipt.ok()).map(|(part, receipt)| (*part, receipt.status.to_string()))
    }

    pub(super) fn more(mut self, step: Step, round: Round) -> Concluded {
        let actions;
        (self.known.parts, actions) = placed(round, self.target)?;
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
        let mut round = self.unload(verdict)?;
        let release = self.known.started.as_ref().map(|started| started.release.clone());
        let why: String = why.lines().next().unwrap_or_default().chars().take(500).collect();
        let ended = Some(Ended { version: self.config.version.value()?.clone(), release, verdict, why });
        let input = ReleaseInput { environment: self.config.environment.clone(), ended, run: None };
        round.push((Part::Release, ReleaseEnvironment::action(&input)?));
        Ok(round)
    }

    /// An end that nobody could write down, or a claim that could not be given back, is said with whatever came of the deployment.
    fn read_end(&mut self) {
        let environment = &self.config.environment;
        let said = self.about(Part::Release).first().and_then(|receipt| {
            let why = match outcome::<ReleaseOutput>(Some(receipt)) {
                Ok(ReleaseOutput { untold, .. }) => untold?,
                Err(why) => format!("{why}; its claim stays until its run has ended"),
            };
            Some(format!("{environment}: how this deployment ended is not in the history: {why}"))
        });
        let finding = |message| Finding::new("deploy/untold", Severity::Warning, message);
        self.known.remarks.extend(said.map(finding));
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
        if let Some(again) = self.about(Part::Health).get(1).filter(|again| !again.ok()) {
            let why = again.status.to_string();
            return self.give_up(format!("was not deployed: it is not healthy: {why}"), Ending::Failed);
        }
        if let Some(why) = self.logged() {
            return self.give_up(format!("was not deployed: {why}"), Ending::Failed);
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

    pub(super) fn ask(self, message: String) -> Concluded {
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
    pub(super) fn go(mut self, mut round: Round) -> Concluded {
        if self.known.before.is_some()
            && let Some(load) = self.load()?
        {
            round.extend(load);
            return self.more(Step::Load, round);
        }
        let Some(config) = &self.config.watch else { return self.finish(round) };
        let fresh = self.known.among.as_ref().is_some_and(|among| among.later);
        self.known.watch = Some(Watch { fresh, ..Self::watch(config) });
        let shift = self.shift()?;
        if shift.is_empty() {
            return self.tick();
        }
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
        // One that was not even tried to switch never had any.
        self.known.had_traffic |= !self.about(Part::Shift).is_empty();
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
                match self.load()? {
                    // Before its first version an environment answers nobody.
                    Some(load) => self.more(Step::Load, load),
                    None => self.tick(),
                }
            }
        }
    }
}
