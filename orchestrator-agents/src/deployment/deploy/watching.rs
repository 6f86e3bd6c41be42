//! The watch: a look each second, a decision after each, and a person who may decide before. Pure; the deciding itself is `analysis`.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::Verdict as Ends;
use orchestrator_core::id::{MAX_NAME, NameError, SignalName, TaskId};
use orchestrator_core::operation::Operation;
use orchestrator_core::order::{Receipt, Status};
use orchestrator_core::path::Digest;

use super::known::{Known, Part, Step, Watch};
use super::rounds::{Concluded, Course, Round};
use crate::deployment::SmokeTest;
use crate::deployment::analysis::{
    Answered, Decision, Observed, Sample, Traffic, Verdict, WatchConfig, Watcher,
};
use crate::deployment::ops::{Observe, ObserveInput, RecordDecision, RecordDecisionInput, Watched};
use crate::deployment::proof::probes;
use crate::said::outcome;

/// How the signals begin by which a person ends a watch: `watch.TASK`, with `"promote"` or `"rollback"`.
const SIGNAL: &str = "watch";
/// Seconds between two looks.
const PAUSE: u64 = 1;
/// The same once it cannot be told and a person is waited for.
const LONG_PAUSE: u64 = 30;
/// Looks that are made, and journaled, each by itself at first.
const ALONE: u64 = 60;
/// How many are made at once from then on, as long as nothing is the matter; and where more is to be done between them.
const TOGETHER: u32 = 30;
const TOGETHER_NEAR: u32 = 5;
/// Looks one after the other that could not be made, after which nobody is said to watch.
const BLIND: u32 = 30;
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

/// Of all probes those whose turn comes with these looks, at the places where `observe` looks for them.
fn turns(all: Vec<SmokeTest>, look: u64, looks: u32) -> Vec<SmokeTest> {
    let (alone, turns): (Vec<&SmokeTest>, _) =
        (all.iter().filter(|test| test.depends(&all).is_none()).collect(), u64::from(looks));
    let few = turns.min(alone.len() as u64);
    let mut these: Vec<(u64, &SmokeTest)> =
        (look..look + few).map(|look| (look % few, alone[(look % alone.len() as u64) as usize])).collect();
    these.sort_by_key(|(place, _)| *place);
    these.into_iter().map(|(_, test)| test.clone()).collect()
}

impl Course<'_> {
    /// The watch before its first look.
    pub(super) fn watch(config: &WatchConfig) -> Watch {
        Watch {
            watcher: Watcher::new(config),
            last: None,
            unanswered: false,
            trace: Vec::new(),
            told: Vec::new(),
            by: None,
            blind: 0,
            fresh: false,
        }
    }

    /// Which looks come next. What stays as it was is not carried: it is in the config, and in what was started.
    fn next(&self, watch: &Watch, looks: u32) -> Result<ObserveInput, BoxError> {
        let started = self.started()?.clone();
        let environment = self.config.environment.clone();
        let old = self.before().filter(|before| *before != started.release).map(str::to_owned);
        let config = self.config.watch.as_ref().ok_or("the config does not say what is watched for")?;
        let look = watch.watcher.looks();
        let several = looks > 1;
        Ok(ObserveInput {
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
            probes: if config.probe { turns(probes(&self.config.smoke)?, look, looks) } else { Vec::new() },
            patience: crate::deployment::Seconds::known(2),
            look,
            config: (look == 0).then(|| config.clone()),
            decided: watch.last.clone().filter(|_| look > 0),
            looks,
            watcher: several.then(|| Box::new(watch.watcher.clone())),
        })
    }

    /// How many looks are made at once, and journaled together. At first each by itself, and so where something is the matter.
    fn looks(&self, watch: &Watch) -> Result<u32, BoxError> {
        let calm = watch.last.as_ref().is_some_and(|last| last.verdict == Verdict::Hold);
        let alone = watch.watcher.looks() < ALONE || !calm || watch.unanswered || watch.blind > 0;
        if alone || !self.target.probe()?.is_empty() {
            return Ok(1);
        }
        // The log is read between looks.
        let since = (watch.watcher.looks() % u64::from(TOGETHER_NEAR)) as u32;
        Ok(if self.config.log_watch.is_none() { TOGETHER } else { TOGETHER_NEAR - since })
    }

    /// Waits for a moment, or for a person, then looks. Where some looks are made at once they come first: they end as soon as a person
    /// says something, and the wait after them hears it.
    pub(super) fn tick(self) -> Concluded {
        let Some(watch) = &self.known.watch else { return self.finish(Vec::new()) };
        let looks = self.looks(watch)?;
        let wait = self.pause(watch, looks)?;
        let mut round: Round = self.confirm()?;
        if watch.unanswered {
            // Supervisor and proxy may both be gone: nobody else would start them again while this waits for traffic.
            let back = self.target.ahead(true)?.into_iter().map(Action::keep_going);
            round.extend(back.map(|action| (Part::Ahead, action)));
        }
        round.push((Part::Look, Observe::action(&self.next(watch, looks)?)?));
        round.extend(self.target.probe()?.into_iter().map(|action| (Part::Probe, action)));
        round.extend(self.read_log()?);
        round.insert(if looks > 1 { round.len() } else { 0 }, (Part::Wait, wait));
        self.more(Step::Watch, round)
    }

    fn pause(&self, watch: &Watch, looks: u32) -> Result<Action, BoxError> {
        let waits = watch.last.as_ref().is_some_and(|last| last.verdict == Verdict::Inconclusive);
        let (version, environment) = (self.config.version.value()?, &self.config.environment);
        let message = if waits {
            let why = watch.last.as_ref().map_or("", |last| &last.why);
            format!(
                "{version} in {environment}: it cannot be told whether it is good ({why}); say \"promote\" or \"rollback\""
            )
        } else {
            let is_put_off = self.known.logs.as_ref().is_some_and(|logs| logs.held > 0);
            let why = if is_put_off { " (its promotion waits for what is new in its log)" } else { "" };
            format!("watching {version} in {environment}{why}; \"promote\" or \"rollback\" ends it")
        };
        let seconds = match looks {
            _ if waits => LONG_PAUSE,
            0..=1 => PAUSE,
            // Between looks, and after the last one, `observe` pauses itself: what they found must not wait.
            _ => 0,
        };
        Ok(Await { signal: Some(signal_of(&self.task.id)?), seconds: Some(seconds), message }.into())
    }

    /// What was seen, and what is done about it.
    pub(super) fn looked(mut self) -> Concluded {
        let person = self.about(Part::Wait).first().and_then(|receipt| Word::of(receipt));
        let person = self.heeded(person)?;
        let confirmed = self.about(Part::Confirm).first().filter(|receipt| !receipt.ok()).copied();
        if let Some(Receipt { status: status @ Status::Failed { transient: false, .. }, .. }) = confirmed {
            // Whoever has it now has put the traffic right: nothing here is ours any more.
            let version = self.config.version.value()?;
            return Ok(Ends::failed(format!(
                "{}: the watch over {version} ends: {status}",
                self.config.environment
            )));
        }
        let samples = confirmed.map_or_else(|| self.samples(), |receipt| Err(receipt.status.to_string()));
        let decision = match (samples, &person) {
            (Ok(samples), _) => self.decide_all(&samples)?,
            (Err(why), None) => return self.blind(&why),
            // A person need not have seen what could not be looked at.
            (Err(why), Some(Word::Promote(by) | Word::RollBack(by))) => {
                let (why, promote) =
                    (format!("it could not be looked at: {why}"), matches!(person, Some(Word::Promote(_))));
                self.by(by.clone());
                return if promote { self.finish(Vec::new()) } else { self.roll_back(why) };
            }
        };
        if let (Some(why), None) = (self.logged_too_much(), &person) {
            return self.roll_back(why);
        }
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
            (None, Verdict::Promote) if self.log_is_open() => self.tick(),
            (None, Verdict::Promote) => self.finish(Vec::new()),
            (None, Verdict::RollBack) => self.roll_back(decision.why),
        }
    }

    /// What a person said. Of several hosts each is promoted by its own word: one that came before this one was watched, late or twice, was
    /// about another. Who wants them to go back wants that of all.
    fn heeded(&mut self, person: Option<Word>) -> Result<Option<Word>, BoxError> {
        let version = self.config.version.value()?;
        let Known { watch: Some(watch), notes, .. } = &mut self.known else { return Ok(person) };
        match person {
            Some(Word::Promote(by)) if watch.fresh => {
                let by = if by.is_empty() { "a person" } else { &by };
                let note =
                    format!("\"promote\" by {by} was passed over: it came before {version} was watched here");
                if !notes.contains(&note) {
                    notes.push(note);
                }
                Ok(None)
            }
            person => {
                watch.fresh = false;
                Ok(person)
            }
        }
    }

    /// A look that saw nothing says nothing of the version. Many one after the other do: nobody watches it any more.
    fn blind(mut self, why: &str) -> Concluded {
        let watch = self.known.watch.as_mut().ok_or("the journal does not say what is watched")?;
        watch.blind += 1;
        if watch.blind >= BLIND {
            return self
                .roll_back(format!("it could not be looked at, {BLIND} times one after the other: {why}"));
        }
        self.tick()
    }

    /// What was seen; a status command that fails counts as a health check that fails.
    fn samples(&self) -> Result<Vec<Sample>, String> {
        let observed: Observed = outcome(self.about(Part::Look).first().copied())?;
        let mut samples = observed.samples().map_err(|error| error.to_string())?;
        let sample = samples.last_mut().ok_or("it was not looked")?;
        if let Some(failed) = self.about(Part::Probe).into_iter().find(|receipt| !receipt.ok()) {
            let what = "the status command".to_owned();
            sample.health = Some(Answered { what, wrong: Some(failed.status.to_string()), latency_ms: None });
        }
        Ok(samples)
    }

    /// Decides by each look in its order, up to the first that is more than to go on looking.
    fn decide_all(&mut self, samples: &[Sample]) -> Result<Decision, BoxError> {
        let mut decided = None;
        for sample in samples {
            let decision = self.decide(sample)?;
            let holds = decision.verdict == Verdict::Hold;
            decided = Some(decision);
            if !holds {
                break;
            }
        }
        decided.ok_or_else(|| "it was not looked".into())
    }

    fn decide(&mut self, sample: &Sample) -> Result<Decision, BoxError> {
        let watch = self.known.watch.as_mut().ok_or("the journal does not say what is watched")?;
        watch.unanswered = matches!(sample.traffic, Traffic::Unanswered { .. });
        watch.blind = 0;
        let decision = watch.watcher.look(sample);
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
        let (environment, release) = (self.config.environment.clone(), self.started()?.release.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As `observe` picks them: the probe of a look is at its number, modulo how many there are.
    #[test]
    fn each_look_has_its_probe_however_many_are_made_at_once() {
        let named =
            |name: String| serde_json::from_value(serde_json::json!({ "name": name, "path": "/" })).unwrap();
        let all: Vec<SmokeTest> = (0..7).map(|number| named(number.to_string())).collect();
        for (look, looks) in [(0, 1), (6, 1), (60, 5), (65, 20), (4, 7), (13, 3)] {
            let these = turns(all.clone(), look, looks);
            assert_eq!(these.len(), 7.min(looks as usize));
            for look in look..look + u64::from(looks) {
                let own = &these[(look % these.len() as u64) as usize];
                // Once all have had their turn it begins anew.
                let wanted = (look % 7).to_string();
                assert_eq!(own.name, wanted, "{look} of {looks}");
            }
        }
        let mut twenty = turns(all, 60, 20).into_iter().map(|test| test.name).collect::<Vec<_>>();
        twenty.sort();
        assert_eq!(twenty, ["0", "1", "2", "3", "4", "5", "6"]);
        assert_eq!(turns(Vec::new(), 60, 20), []);
    }
}
