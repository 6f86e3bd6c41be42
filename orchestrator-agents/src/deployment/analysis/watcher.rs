//! The watcher: a fold over samples. [`Watcher::look`] is a difference, the rules, and words for people.

use serde::{Deserialize, Serialize};

use super::before::{Before, Bound};
use super::change::{Change, Last, Limits, Seen};
use super::memory::Memory;
use super::ruling::{Reason, Ruling};
use super::signal::{Signal, Step};
use super::tally::Tally;
use super::window::{Limit, Window};
use super::{Decision, OnInconclusive, Sample, Verdict, WatchConfig, words};
use crate::deployment::Seconds;

/// The least milliseconds of a step: looks that follow each other faster are put together.
const STEP: u64 = 900;
/// Requests of looks that all failed without which that is no outage.
const OUTAGE: u64 = 10;
/// The share of requests over a 95th percentile.
pub(super) const LATE: f64 = 0.05;
/// The fewest requests of a step of a canary.
const FEWEST: u64 = 5;

/// Watches a version: a pure fold over samples, carried from round to round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watcher {
    pub(super) config: WatchConfig,
    pub(super) looks: u64,
    pub(super) stage: usize,
    /// Milliseconds that were watched, and those of this stage.
    pub(super) watched: u64,
    pub(super) staged: u64,
    /// Requests to the version in this stage.
    pub(super) stage_requests: u64,
    pub(super) last: Last,
    pub(super) seen: Seen,
    /// Milliseconds for which the proxy has not said what it counted.
    #[serde(default)]
    pub(super) silent: u64,
    pending: Pending,
    pub(super) errors: Signal,
    pub(super) slow: Signal,
    /// Requests of the version before, and late ones.
    pub(super) late_before: Before,
    pub(super) error_guard: Window,
    pub(super) late_guard: Window,
    #[serde(default)]
    pub(super) memory: Memory,
    pub(super) outage: (u32, u64),
    pub(super) unhealthy: u32,
    pub(super) unprobed: u32,
    pub(super) healthy: bool,
    pub(super) restarts: u64,
}

/// What waits for its step to be long enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Pending {
    ms: u64,
    new: Tally,
    old: Tally,
}

impl Watcher {
    /// A watcher that has not looked yet. Its first look, best taken before the version gets traffic, only says where counting starts
    /// and how the version before did until then.
    pub fn new(config: &WatchConfig) -> Self {
        Self {
            config: config.clone(),
            looks: 0,
            stage: 0,
            watched: 0,
            staged: 0,
            stage_requests: 0,
            last: Last::default(),
            seen: Seen::default(),
            silent: 0,
            pending: Pending::default(),
            errors: Signal::default(),
            slow: Signal::default(),
            late_before: Before::default(),
            error_guard: Window::default(),
            late_guard: Window::default(),
            memory: Memory::default(),
            outage: (0, 0),
            unhealthy: 0,
            unprobed: 0,
            healthy: false,
            restarts: 0,
        }
    }

    /// How often it looked.
    pub const fn looks(&self) -> u64 {
        self.looks
    }

    /// The percentage of the traffic that the watched version should have now.
    pub fn percent(&self) -> u32 {
        self.config.canary.get(self.stage).map_or(100, |percent| (*percent).clamp(1, 100))
    }

    /// Microseconds over which a request is slow; none while the version before is not known.
    pub const fn slow_over_us(&self) -> Option<u64> {
        self.last.slow_over()
    }

    /// Takes one sample in and says what is to be done. After [`Verdict::Step`], [`Self::percent`] is the next share.
    pub fn look(&mut self, sample: &Sample) -> Decision {
        let limits = Limits {
            slower: self.config.slower.as_ref(),
            late_over: self.config.guards.p95_ms.as_ref().map(|guard| u64::from(guard.over) * 1000),
        };
        let (change, baseline) = self.last.take(sample, &limits);
        if let Some(until) = baseline.until {
            self.know(until);
        }
        if let Some((all, bad)) = baseline.slow {
            self.slow.before.take(all, bad, Bound::Picked, self.alpha() / 2.0);
        }
        let percent = self.percent();
        let (ruling, would) = self.fold(&change);
        words::decision(self, sample, percent, ruling, would)
    }

    /// How the version before did until the watch began.
    pub fn know(&mut self, until: Tally) {
        let alpha = self.alpha() / 2.0;
        self.errors.before.take(until.requests, until.errors, Bound::Fixed, alpha);
        self.late_before.take(until.requests, until.late, Bound::Fixed, alpha);
    }

    /// The rules themselves: what came since the look before, in; what is to be done, out, and what would be done were this not a shadow.
    pub fn fold(&mut self, change: &Change) -> (Ruling, Option<Verdict>) {
        self.looks += 1;
        self.watched = self.watched.saturating_add(change.ms);
        self.staged = self.staged.saturating_add(change.ms);
        self.seen = change.seen;
        self.silent = match change.seen {
            Seen::Silent => self.silent.saturating_add(change.ms),
            Seen::Nothing | Seen::Counted => 0,
        };
        let hard = self.hard(change);
        let soft = self.traffic(change);
        let ruling = match hard.or(soft) {
            Some(reason) => Ruling { verdict: Verdict::RollBack, reason },
            None => self.patience(),
        };
        if !self.config.shadow {
            if ruling.verdict == Verdict::Step {
                self.step();
            }
            return (ruling, None);
        }
        let verdict = if self.staged < self.stage_ms() { Verdict::Hold } else { self.onward() };
        if verdict == Verdict::Step {
            self.step();
        }
        (Ruling { verdict, ..ruling }, Some(ruling.verdict))
    }

    /// Of the whole level, each of the two tests and the two guards over time has a quarter.
    pub(super) fn alpha(&self) -> f64 {
        self.config.alpha.value() / 4.0
    }

    /// What needs no statistics.
    fn hard(&mut self, change: &Change) -> Option<Reason> {
        let run = |failures: u32, well: Option<bool>| match well {
            Some(true) => 0,
            Some(false) => failures.saturating_add(1),
            None => failures,
        };
        self.unhealthy = run(self.unhealthy, change.healthy);
        self.unprobed = run(self.unprobed, change.probed);
        self.healthy = (change.healthy == Some(true) || (change.healthy.is_none() && self.healthy))
            && self.unprobed == 0;
        if change.restarts != self.restarts {
            self.memory = Memory::default();
        }
        self.restarts = change.restarts;
        if let Some(rss) = change.rss_kib.filter(|_| !self.warming()) {
            self.memory.take(self.watched, rss);
        }
        let guards = &self.config.guards;
        let heavy = guards.rss_mb.zip(change.rss_kib).is_some_and(|(most, rss)| rss / 1024 >= most.max(1));
        let leaks = guards
            .leak_mb_per_hour
            .zip(self.memory.leak())
            .is_some_and(|(most, leak)| leak.at_least >= most.max(1) as f64);
        [
            (change.gone, Reason::Gone),
            (change.crash_loop, Reason::CrashLoop),
            (self.restarts >= u64::from(guards.crashes.max(1)), Reason::Crashes),
            (self.unhealthy >= guards.health_failures.max(1), Reason::Health),
            (self.unprobed >= guards.health_failures.max(1), Reason::Probes),
            (heavy, Reason::Memory),
            (leaks, Reason::Leak),
        ]
        .into_iter()
        .find_map(|(is_so, reason)| is_so.then_some(reason))
    }

    fn warming(&self) -> bool {
        self.watched <= u64::from(self.config.warm_up) * 1000
    }

    /// What the requests say, once a step is long enough.
    fn traffic(&mut self, change: &Change) -> Option<Reason> {
        if change.first {
            return self.is_outage(change.new, change.old).then_some(Reason::Outage);
        }
        self.stage_requests = self.stage_requests.saturating_add(change.new.requests);
        let Pending { ms, new, old } = self.pending;
        let (ms, new, old) = (ms + change.ms, new.and(change.new), old.and(change.old));
        if ms < STEP {
            self.pending = Pending { ms, new, old };
            return None;
        }
        self.pending = Pending::default();
        let outage = self.is_outage(new, old);
        let found = if self.warming() { None } else { self.statistics(ms, new, old) };
        if outage { Some(Reason::Outage) } else { found }
    }

    /// Whether every request failed, look after look, and those to the version before did not.
    fn is_outage(&mut self, new: Tally, old: Tally) -> bool {
        let both = old.errors > old.requests / 2;
        if new.requests > 0 {
            let (looks, requests) = self.outage;
            let all = new.errors == new.requests && !both;
            self.outage =
                if all { (looks.saturating_add(1), requests.saturating_add(new.requests)) } else { (0, 0) };
        }
        self.outage.0 >= self.config.guards.outage.max(2) && self.outage.1 >= OUTAGE
    }

    /// The two tests and the two guards over time. All of them take the step in, whatever one of them says.
    fn statistics(&mut self, ms: u64, new: Tally, old: Tally) -> Option<Reason> {
        let alpha = self.alpha();
        let horizon = self.horizon();
        let step =
            |bad: u64, old_bad: u64| Step { new: (new.requests, bad), old: (old.requests, old_bad), horizon };
        let objective = self.config.objective.value();
        self.errors.take(step(new.errors, old.errors), objective, Bound::Fixed, alpha / 2.0);
        if let Some(slower) = self.config.slower.as_ref().filter(|_| self.last.slow_over().is_some()) {
            self.slow.take(step(new.slow, old.slow), slower.share.value(), Bound::Picked, alpha / 2.0);
        }
        if old.requests > 0 {
            self.late_before.take(old.requests, old.late, Bound::Fixed, alpha / 2.0);
        }
        let (errors, late) = self.outer(ms, new, alpha);
        let enough = 1.0 / alpha;
        [
            (self.errors.evidence() >= enough, Reason::Errors),
            (self.slow.evidence() >= enough, Reason::Slow),
            (errors, Reason::ErrorGuard),
            (late, Reason::LateGuard),
        ]
        .into_iter()
        .find_map(|(is_so, reason)| is_so.then_some(reason))
    }

    /// The outer guards, whose limits are never under what the version before is at most where that one is over them itself.
    fn outer(&mut self, ms: u64, new: Tally, alpha: f64) -> (bool, bool) {
        let guards = &self.config.guards;
        let limit = |share: f64, during: Seconds, before: &Before| Limit {
            share: beside(share, before),
            during: millis(during),
            least: guards.min_requests,
            alpha,
        };
        let errors = guards.error_rate.as_ref().is_some_and(|guard| {
            let limit = limit(guard.over.value(), guard.during, &self.errors.before);
            self.error_guard.take(ms, new.requests, new.errors, limit)
        });
        let late = guards.p95_ms.as_ref().is_some_and(|guard| {
            let limit = limit(LATE, guard.during, &self.late_before);
            self.late_guard.take(ms, new.requests, new.late, limit)
        });
        (errors, late)
    }

    /// Steps of the whole watch, as they are planned.
    fn horizon(&self) -> u64 {
        let steps = (self.config.canary.len() as u64).saturating_mul(millis(self.config.step_seconds));
        steps.saturating_add(millis(self.config.seconds)) / 1000
    }

    /// Milliseconds that this stage takes at least.
    pub(super) fn stage_ms(&self) -> u64 {
        let canary = self.stage < self.config.canary.len();
        let seconds = if canary { self.config.step_seconds } else { self.config.seconds };
        millis(seconds)
    }

    /// Requests that this stage needs: none where traffic cannot be seen.
    pub(super) fn needs(&self) -> u64 {
        match self.config.canary.get(self.stage) {
            _ if self.seen == Seen::Nothing => 0,
            Some(percent) => (self.config.min_requests.saturating_mul(u64::from(*percent)) / 100).max(FEWEST),
            None => self.config.min_requests,
        }
    }

    fn onward(&self) -> Verdict {
        if self.stage < self.config.canary.len() { Verdict::Step } else { Verdict::Promote }
    }

    fn step(&mut self) {
        self.stage += 1;
        self.staged = 0;
        self.stage_requests = 0;
    }

    /// Whether nothing is wrong and it is time to go on.
    fn patience(&self) -> Ruling {
        let most = self.config.max_hold.map_or(self.stage_ms().saturating_mul(3), millis);
        let holds = if self.staged < self.stage_ms() {
            Some(Reason::Watching)
        } else if !self.healthy {
            Some(Reason::Unwell)
        } else if self.stage_requests < self.needs() {
            Some(Reason::FewRequests)
        } else if self.seen == Seen::Silent {
            Some(Reason::Silent)
        } else if self.leans() {
            Some(Reason::Leaning)
        } else {
            None
        };
        let Some(reason) = holds else { return Ruling { verdict: self.onward(), reason: Reason::Well } };
        if reason == Reason::Watching || self.staged < most {
            return Ruling { verdict: Verdict::Hold, reason };
        }
        let verdict = match self.config.on_inconclusive {
            OnInconclusive::Hold => Verdict::Inconclusive,
            OnInconclusive::Fail => Verdict::RollBack,
        };
        Ruling { verdict, reason: if verdict == Verdict::RollBack { Reason::Undecided } else { reason } }
    }

    /// Whether what was seen speaks against it, although it proves nothing: it is over what it may, and over what the version before was
    /// seen to do. That one's upper bound is not asked: where few of its requests are known it says little.
    fn leans(&self) -> bool {
        let bars = [
            (&self.errors, self.config.objective.value()),
            (&self.slow, self.config.slower.as_ref().map_or(1.0, |slower| slower.share.value())),
        ];
        bars.into_iter().any(|(signal, bar)| {
            signal.share() > signal.before.share().unwrap_or(0.0).max(bar) && signal.over() >= 1.0
        })
    }
}

/// Milliseconds.
fn millis(seconds: Seconds) -> u64 {
    seconds.duration().as_millis() as u64
}

/// The limit of a guard: its own, or what the version before is at most where that one was over it.
pub(super) fn beside(share: f64, before: &Before) -> f64 {
    let worse = before.share().is_some_and(|before| before > share);
    before.most().filter(|_| worse).map_or(share, |most| most.max(share))
}
