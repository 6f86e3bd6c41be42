//! The watch: a look each second, a decision after each, and a person who may decide before. Pure; the deciding itself is `analysis`.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::Verdict as Ends;
use orchestrator_core::id::{MAX_NAME, NameError, SignalName, TaskId};
use orchestrator_core::operation::Operation;
use orchestrator_core::order::{Receipt, Status};
use orchestrator_core::path::Digest;

use super::known::{Part, Step, Watch};
use super::rounds::{Concluded, Course, Round};
use crate::deployment::analysis::{Answered, Decision, Sample, Verdict, WatchConfig, Watcher};
use crate::deployment::ops::{Observe, ObserveInput, RecordDecision, RecordDecisionInput, Watched};
use crate::said::outcome;

/// How the signals begin by which a person ends a watch: `watch.TASK`, with `"promote"` or `"rollback"`.
const SIGNAL: &str = "watch";
/// Seconds between two looks.
const PAUSE: u64 = 1;
/// The same once it cannot be told and a person is waited for.
const LONG_PAUSE: u64 = 30;
/// The most decisions and remarks that are carried on.
const TRACE: usize = 50;
const TOLD: usize = 20;

/// The signal by which a person ends the watch of a task.
pub fn signal_of(task: &TaskId) -> Result<SignalName, NameError> {
    let room = MAX_NAME - SIGNAL.len() - 1;
    let name = task.as_str();
    if name.len() <= room {
        return SignalName::new(format!("{SIGNAL}.{name}"));
    }
    let digest = Digest::of(name.as_bytes()).to_string();
    SignalName::new(format!("{SIGNAL}.{}-{}", &name[..room - 17], &digest[..16]))
}

impl Course<'_> {
    /// The watch before its first look.
    pub(super) fn watch(&self, config: &WatchConfig) -> Result<Watch, BoxError> {
        let started = self.started()?.clone();
        let environment = self.config.environment.clone();
        let old = self.before().filter(|before| *before != started.release).map(str::to_owned);
        let next = ObserveInput {
            new: Watched {
                environment: environment.clone(),
                release: started.release,
                process: started.process,
            },
            url: started.url,
            version: Some(started.version),
            old,
            route: self.target.has_shares().then(|| environment.to_string()),
            health: self.config.health.clone(),
            probes: if config.probe { self.config.smoke.clone() } else { Vec::new() },
            patience: crate::deployment::Seconds::known(2),
            look: 0,
            config: Some(config.clone()),
            decided: None,
        };
        let watcher = Watcher::new(config);
        Ok(Watch { watcher, next, last: None, trace: Vec::new(), told: Vec::new(), by: None })
    }

    /// Waits for a moment, or for a person, then looks.
    pub(super) fn tick(self) -> Concluded {
        let Some(watch) = &self.known.watch else { return self.finish(Vec::new()) };
        let waits = watch.last.as_ref().is_some_and(|last| last.verdict == Verdict::Inconclusive);
        let (version, environment) = (self.config.version.value()?, &self.config.environment);
        let message = if waits {
            let why = watch.last.as_ref().map_or("", |last| &last.why);
            format!(
                "{version} in {environment}: it cannot be told whether it is good ({why}); say \"promote\" or \"rollback\""
            )
        } else {
            format!("watching {version} in {environment}; \"promote\" or \"rollback\" ends it")
        };
        let seconds = Some(if waits { LONG_PAUSE } else { PAUSE });
        let wait: Action = Await { signal: Some(signal_of(&self.task.id)?), seconds, message }.into();
        let mut round: Round = vec![(Part::Wait, wait)];
        round.extend(self.confirm()?);
        round.push((Part::Look, Observe::action(&watch.next)?));
        round.extend(self.target.probe()?.into_iter().map(|action| (Part::Probe, action)));
        self.more(Step::Watch, round)
    }

    /// What was seen, and what is done about it.
    pub(super) fn looked(mut self) -> Concluded {
        if let Some((Part::Confirm, why)) = self.failure() {
            // Whoever has it now has put the traffic right: nothing here is ours any more.
            let version = self.config.version.value()?;
            return Ok(Ends::failed(format!(
                "{}: the watch over {version} ends: {why}",
                self.config.environment
            )));
        }
        let person = self.about(Part::Wait).first().and_then(|receipt| Word::of(receipt));
        let decision = match self.sample() {
            Ok(sample) => self.decide(&sample)?,
            Err(why) => return self.roll_back(format!("it could not be looked at: {why}")),
        };
        match (person, decision.verdict) {
            (Some(Word::Promote(by)), _) => {
                self.by(by);
                self.finish(Vec::new())
            }
            (Some(Word::RollBack(by)), _) => {
                let why = format!("{} said so", if by.is_empty() { "a person" } else { by.as_str() });
                self.by(by);
                self.roll_back(why)
            }
            (None, Verdict::Hold | Verdict::Inconclusive) => self.tick(),
            (None, Verdict::Step) => {
                let shift = self.shift()?;
                if shift.is_empty() { self.tick() } else { self.more(Step::Shift, shift) }
            }
            (None, Verdict::Promote) => self.finish(Vec::new()),
            (None, Verdict::RollBack) => self.roll_back(decision.why),
        }
    }

    /// What was seen; a status command that fails counts as a health check that fails.
    fn sample(&self) -> Result<Sample, String> {
        let mut sample: Sample = outcome(self.about(Part::Look).first().copied())?;
        if let Some(failed) = self.about(Part::Probe).into_iter().find(|receipt| !receipt.ok()) {
            let what = "the status command".to_owned();
            sample.health = Some(Answered { what, wrong: Some(failed.status.to_string()), latency_ms: None });
        }
        Ok(sample)
    }

    fn decide(&mut self, sample: &Sample) -> Result<Decision, BoxError> {
        let watch = self.known.watch.as_mut().ok_or("the journal does not say what is watched")?;
        let decision = watch.watcher.look(sample);
        watch.next = watch.next.clone().after(&watch.watcher, decision.clone());
        let is_news = watch.last.as_ref().is_none_or(|last| last.verdict != decision.verdict);
        let says =
            decision.verdict != Verdict::Hold || decision.would.is_some_and(|would| would != Verdict::Hold);
        if is_news && says && watch.trace.len() < TRACE {
            watch.trace.push(decision.clone());
        }
        for told in decision.told.iter().chain(&sample.unrecorded) {
            if watch.told.len() < TOLD && !watch.told.contains(told) {
                watch.told.push(told.clone());
            }
        }
        watch.last = Some(decision.clone());
        Ok(decision)
    }

    fn by(&mut self, by: String) {
        if let Some(watch) = &mut self.known.watch {
            watch.by = Some(if by.is_empty() { "a person".to_owned() } else { by });
        }
    }

    /// The last decision, for the recording: no look follows that would add it.
    pub(super) fn record(&self) -> Result<Option<(Part, Action)>, BoxError> {
        let Some(watch) = &self.known.watch else { return Ok(None) };
        let (Some(decision), Some(look)) = (watch.last.clone(), watch.watcher.looks().checked_sub(1)) else {
            return Ok(None);
        };
        let Watched { environment, release, .. } = watch.next.new.clone();
        let record = RecordDecision::action(&RecordDecisionInput { environment, release, look, decision })?;
        Ok(Some((Part::Record, record.keep_going())))
    }
}

/// What a person says during a watch.
enum Word {
    Promote(String),
    RollBack(String),
}

impl Word {
    /// What a signal brought; nothing where none came, or it makes no sense.
    fn of(receipt: &Receipt) -> Option<Self> {
        if receipt.status != Status::Done {
            return None;
        }
        let said = receipt.output.value();
        let word = said.as_str().or_else(|| said.get("decision")?.as_str())?;
        let by = said.get("by").and_then(|by| by.as_str()).unwrap_or(&receipt.tail);
        let by: String = by.chars().filter(|c| !c.is_control()).take(64).collect();
        match word {
            "promote" => Some(Self::Promote(by)),
            "rollback" | "roll_back" => Some(Self::RollBack(by)),
            _ => None,
        }
    }
}
