//! What a supervisor holds, and what it does with an event or when something is due.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::home::{Home, Look};
use super::journal::Journal;
use super::proxy::LiveProxy;
use super::rotate::{Rotated, rotate};
use super::run::{Event, Over};
use super::seen::{self, Variables};
use crate::deployment::Process;
use crate::deployment::ops::error::DeployError;
use crate::deployment::ops::place::Place;
use crate::deployment::ops::prune;
use crate::deployment::supervise::{Answer, Kept, Order, Pace, Roster, Standing};

/// A supervisor without a service or a proxy ends after that time.
const IDLE: Duration = Duration::from_secs(10);
/// How often logs are looked at.
const LOGS: Duration = Duration::from_secs(1);
/// How often programs are marked as used; one that is not stays for a month.
const MARKS: Duration = Duration::from_hours(24);

/// Keeps all that runs in an environment.
pub(super) struct Keeper {
    pub(super) place: Place,
    pub(super) roster: Roster,
    pub(super) live: BTreeMap<String, Live>,
    pub(super) proxy: Option<LiveProxy>,
    pub(super) env: Variables,
    pub(super) events: Sender<Event>,
    pub(super) journal: Journal,
    pub(super) home: Home,
    begun: Instant,
    quitting: Vec<Sender<Answer>>,
    quits: bool,
    idle_since: Duration,
    logs_at: Duration,
    marks_at: Duration,
}

/// What is known of a service besides what is recorded.
pub(super) struct Live {
    /// What it is started with; none where nobody knows.
    pub(super) env: Option<Variables>,
    pub(super) pace: Pace,
    /// When its process was started.
    pub(super) started: Duration,
    /// When it is started again.
    pub(super) due: Option<Duration>,
    /// Whether what it left is still being ended.
    pub(super) clearing: bool,
    /// It is to end, with that grace.
    pub(super) ending: Option<Duration>,
    /// A process that nobody watches yet.
    pub(super) unwatched: Option<Process>,
    /// Who waits for its end.
    pub(super) asking: Vec<Sender<Answer>>,
}

impl Live {
    pub(super) fn new(env: Option<Variables>, at: Duration) -> Self {
        Self {
            env,
            pace: Pace::service(),
            started: at,
            due: None,
            clearing: false,
            ending: None,
            unwatched: None,
            asking: Vec::new(),
        }
    }
}

impl Keeper {
    pub(super) fn new(
        place: Place,
        home: Home,
        env: Variables,
        events: Sender<Event>,
        journal: Journal,
    ) -> Result<Self, DeployError> {
        let mut keeper = Self {
            place,
            roster: Roster::default(),
            live: BTreeMap::new(),
            proxy: None,
            env,
            events,
            journal,
            home,
            begun: Instant::now(),
            quitting: Vec::new(),
            quits: false,
            idle_since: Duration::ZERO,
            logs_at: LOGS,
            marks_at: Duration::ZERO,
        };
        keeper.read()?;
        Ok(keeper)
    }

    /// Time since it began: never goes back, whatever is done to the clock.
    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Records what is about to be done. A supervisor whose disk is full still keeps things running: what it could not record
    /// is found by tags.
    pub(super) fn record(&self) -> Result<(), String> {
        self.at_home()?;
        self.place.keep_roster(Some(&self.roster)).map_err(|error| {
            self.journal.note(format_args!("not recorded: {error}"));
            error.to_string()
        })
    }

    /// Nothing is written where another supervisor may be at home by now.
    pub(super) fn at_home(&self) -> Result<(), String> {
        let folder = self.place.folder().display();
        if self.home.is_there() { Ok(()) } else { Err(format!("its folder `{folder}` is gone")) }
    }

    /// How long nothing is to be done if nothing happens.
    pub(super) fn pause(&self) -> Duration {
        let due = self.live.values().filter(|live| !live.clearing).filter_map(|live| live.due);
        let due = due.chain(self.proxy.as_ref().and_then(LiveProxy::due));
        let regular = if self.is_idle() { self.idle_since + IDLE } else { self.logs_at };
        due.fold(regular, Duration::min).saturating_sub(self.now())
    }

    fn is_idle(&self) -> bool {
        self.roster.services.is_empty() && self.roster.proxy.is_none()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self) -> Option<Over> {
        let now = self.now();
        let looked = self.home.look(now);
        match looked {
            Look::There | Look::StillAway => {}
            Look::Away => self.journal.note("its folder is gone; what runs goes on, and nothing is started"),
            Look::Back => {
                self.journal.note("its folder is back");
                let _ = self.record();
            }
            Look::Lost => return Some(Over::Lost),
        }
        let due: Vec<_> = self
            .live
            .iter()
            .filter(|(_, live)| !live.clearing && live.due.is_some_and(|due| due <= now))
            .map(|(release, _)| release.clone())
            .collect();
        for release in due {
            self.is_due(&release);
        }
        self.watch_again();
        self.tick_proxy();
        if now >= self.logs_at {
            if looked == Look::There {
                self.rotate_logs();
            }
            self.logs_at = self.now() + LOGS;
        }
        if now >= self.marks_at {
            self.mark_programs();
            self.marks_at = now + MARKS;
        }
        if !self.is_idle() {
            self.idle_since = self.now();
            return None;
        }
        if self.quits {
            return Some(Over::Quit);
        }
        (now >= self.idle_since + IDLE).then_some(Over::Idle)
    }

    fn watch_again(&mut self) {
        let unwatched = self
            .live
            .iter_mut()
            .filter_map(|(release, live)| Some((release.clone(), live.unwatched.take()?)));
        for (release, process) in unwatched.collect::<Vec<_>>() {
            self.watch_stranger(&release, process);
        }
    }

    /// Whoever prunes for another project does not know what is kept here.
    fn mark_programs(&self) {
        prune::program_is_used();
        if let Some(proxy) = &self.roster.proxy {
            prune::mark_program(&proxy.order.program);
        }
    }

    fn rotate_logs(&self) {
        let logs = self.roster.services.keys().map(|release| self.place.log(release));
        let logs = logs.chain(self.roster.proxy.as_ref().map(|_| self.proxy_folder().join("proxy.log")));
        for log in logs {
            match rotate(&log) {
                Ok(Rotated::No | Rotated::Whole) => {}
                Ok(Rotated::Perhaps) => self.journal.note(format_args!(
                    "`{}` was emptied after it was copied, since its file system can do no better: lines written in between are lost",
                    log.display()
                )),
                Ok(Rotated::GivenUp) => self.journal.note(format_args!(
                    "the disk is full: the oldest lines of `{}` were given up",
                    log.display()
                )),
                Err(error) => {
                    self.journal.note(format_args!("`{}` could not be rotated: {error}", log.display()));
                }
            }
        }
    }

    /// Takes in what happened.
    pub(super) fn hear(&mut self, event: Event) {
        match event {
            Event::Asked(order, reply) => self.asked(order, reply),
            Event::Gone { release, process, exit } => self.gone(&release, &process, exit),
            Event::Cleared { release } => self.cleared(&release),
            Event::Ended { release, done } => self.ended(&release, done),
            Event::ProxySaid { turn, said } => self.proxy_said(turn, said),
            Event::ProxyGone { turn, why } => self.proxy_gone(turn, why),
            Event::ProxyDrained { turn } => self.proxy_drained(turn),
            Event::ProxyEnded { done } => self.proxy_ended(done),
            Event::Stop => {}
        }
    }

    fn asked(&mut self, order: Order, reply: Sender<Answer>) {
        if order != Order::Status {
            self.journal.note(format_args!("ordered: {order:?}"));
        }
        let refused = |why: String| Answer::Refused { why };
        if self.quits && !matches!(order, Order::Status | Order::Quit { .. } | Order::End { .. }) {
            let _ = reply.send(refused("it is ending".into()));
            return;
        }
        let done = |done: Result<(), String>| done.map_or_else(refused, |()| Answer::Done);
        let answer = match order {
            Order::Status => Answer::Standing(Box::new(self.standing())),
            Order::Start { release, port, env } => {
                let env = env.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
                self.start_first(&release, port, env)
                    .map_or_else(refused, |process| Answer::Started { process })
            }
            Order::Keep { release } => done(self.keep(&release)),
            Order::Adopt { release, port, process } => done(self.take_over(&release, port, &process)),
            Order::End { release, grace_ms } => {
                return self.end(&release, Duration::from_millis(grace_ms), Some(reply));
            }
            Order::Proxy { proxy } => return self.order_proxy(proxy, reply),
            Order::EndProxy { grace_ms } => {
                return self.end_proxy(Duration::from_millis(grace_ms), Some(reply));
            }
            Order::Quit { grace_ms } => return self.quit(Duration::from_millis(grace_ms), reply),
        };
        // Who does not wait for the answer does not need it.
        let _ = reply.send(answer);
    }

    fn standing(&self) -> Standing {
        let services = &self.roster.services;
        let proxy = self.proxy_tag();
        let by_tag = seen::resident(services.values().map(|kept| kept.tag.as_str()).chain([proxy.as_str()]));
        let of = |kept: &Kept| by_tag.get(&kept.tag).copied().unwrap_or(0);
        Standing {
            roster: self.roster.clone(),
            resident: services.iter().map(|(release, kept)| (release.clone(), of(kept))).collect(),
            proxy_resident: self.roster.proxy.as_ref().and_then(|_| by_tag.get(&proxy).copied()),
            own_resident: seen::resident_of(std::process::id()),
        }
    }

    fn quit(&mut self, grace: Duration, reply: Sender<Answer>) {
        self.quits = true;
        self.quitting.push(reply);
        let releases: Vec<String> = self.roster.services.keys().cloned().collect();
        for release in releases {
            self.end(&release, grace, None);
        }
        self.end_proxy(grace, None);
    }

    /// Answers those who wait for its end; it is called last.
    pub(super) fn farewell(&mut self) {
        for reply in self.quitting.drain(..) {
            let _ = reply.send(Answer::Done);
        }
        // The answers are on their way when the threads that write them have had a moment.
        if self.quits {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
