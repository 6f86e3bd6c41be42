//! What a supervisor does with one service: starts, restarts and ends it, and records each step before it takes it.

use std::ffi::OsStr;
use std::process::Child;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use jiff::Timestamp;
use orchestrator_traffic::ports;

use super::child::{Start, how};
use super::keeper::{Keeper, Live};
use super::run::Event;
use super::seen::Variables;
use crate::deployment::Process;
use crate::deployment::ops::process;
use crate::deployment::supervise::{Answer, Kept, Next, State};

/// How long what a crashed service left gets to end.
pub(super) const LEFTOVERS: Duration = Duration::from_secs(1);
/// When the end of what could not be ended is tried again.
pub(super) const AGAIN: Duration = Duration::from_secs(30);

impl Keeper {
    /// Starts a release because it was ordered. One that runs stays as it is.
    pub(super) fn start_first(
        &mut self,
        release: &str,
        port: u16,
        env: Variables,
    ) -> Result<Process, String> {
        if let Some(Kept { process: Some(process), state, .. }) = self.roster.services.get(release)
            && *state != State::Ending
            && process::is_alive(process)
        {
            return Ok(process.clone());
        }
        if self.live.get(release).is_some_and(|live| live.clearing || live.ending.is_some()) {
            return Err(format!("release `{release}` is just being ended; order it again in a moment"));
        }
        let known = self.place.release(release).map_err(|error| error.to_string())?;
        let known = known.ok_or_else(|| format!("there is no release `{release}`"))?;
        let kept = Kept {
            tag: known.tag(),
            port,
            state: State::Starting,
            process: None,
            since: Timestamp::now(),
            restarts: 0,
            last_exit: None,
            why: None,
        };
        self.roster.services.insert(release.to_owned(), kept);
        self.live.insert(release.to_owned(), Live::new(Some(env), self.now()));
        let started = self.record().and_then(|()| self.start(release));
        if started.is_err() {
            self.forget(release);
        }
        started
    }

    /// Starts a process of a release that has none. That it has none is on record before.
    fn start(&mut self, release: &str) -> Result<Process, String> {
        let known = self.place.release(release).map_err(|error| error.to_string())?;
        let known = known.ok_or_else(|| format!("release `{release}` is gone from its folder"))?;
        self.at_home()?;
        let folder = self.place.release_folder(release);
        if !folder.join(&known.binary).is_file() {
            return Err(format!("`{}` is gone from the folder of release `{release}`", known.binary));
        }
        let (now, log) = (self.now(), self.place.log(release));
        let Some((kept, live)) = self.roster.services.get_mut(release).zip(self.live.get_mut(release)) else {
            return Err(format!("release `{release}` is not kept"));
        };
        if !ports::is_free(kept.port) {
            return Err(format!("port {} is taken by another process", kept.port));
        }
        let env = live.env.as_ref().ok_or("its variables are not known any more")?;
        // First who waits for its end, so that none goes unseen.
        let watcher = watcher(release, &self.events)?;
        let argv = known.argv(&folder.to_string_lossy(), kept.port);
        let argv = argv.iter().map(OsStr::new).collect();
        let spawned = Start { argv, folder: &folder, env, log: &log }.spawn(None);
        let (child, process) = spawned.map_err(|error| format!("it could not be started: {error}"))?;
        kept.process = Some(process.clone());
        kept.since = Timestamp::now();
        kept.why = None;
        (live.started, live.due) = (now, None);
        let _ = watcher.send((child, process.clone()));
        // It runs: that it is not on record is made good by its tag.
        let _ = self.record();
        Ok(process)
    }

    /// It is time to start it, or to end what could not be ended.
    pub(super) fn is_due(&mut self, release: &str) {
        let is_ending = self.roster.services.get(release).is_some_and(|kept| kept.state == State::Ending);
        if is_ending { self.end(release, LEFTOVERS, None) } else { self.start_again(release) }
    }

    fn start_again(&mut self, release: &str) {
        if let Some(live) = self.live.get_mut(release) {
            live.due = None;
        }
        match self.start(release) {
            Ok(process) => {
                if let Some(kept) = self.roster.services.get_mut(release) {
                    kept.state = State::Up;
                    kept.restarts += 1;
                }
                let _ = self.record();
                self.journal.note(format_args!("{release}: started again as process {}", process.pid));
            }
            Err(why) => self.blocked(release, why),
        }
    }

    fn blocked(&mut self, release: &str, why: String) {
        let now = self.now();
        let Some((kept, live)) = self.roster.services.get_mut(release).zip(self.live.get_mut(release)) else {
            return;
        };
        let pause = live.pace.blocked();
        live.due = Some(now + pause);
        self.journal.note(format_args!("{release}: not started: {why}; again in {pause:?}"));
        (kept.state, kept.why) = (State::Waiting, Some(why));
        let _ = self.record();
    }

    pub(super) fn keep(&mut self, release: &str) -> Result<(), String> {
        let kept = self.roster.services.get_mut(release);
        let kept = kept.ok_or_else(|| format!("release `{release}` is not kept here"))?;
        match kept.state {
            State::Starting => kept.state = State::Up,
            State::Up | State::Waiting => return Ok(()),
            state => {
                let exit = kept.last_exit.as_deref().map(|exit| format!(" ({exit})")).unwrap_or_default();
                return Err(format!("release `{release}` does not run: {state}{exit}"));
            }
        }
        self.record()
    }

    /// A process has ended.
    pub(super) fn gone(&mut self, release: &str, process: &Process, exit: String) {
        let now = self.now();
        let Some((kept, live)) = self.roster.services.get_mut(release).zip(self.live.get_mut(release)) else {
            return;
        };
        if kept.process.as_ref() != Some(process) {
            return;
        }
        (kept.process, kept.since) = (None, Timestamp::now());
        kept.last_exit = Some(exit.clone());
        kept.state = match kept.state {
            State::Ending => {
                // Could it not be ended before, it is now.
                live.due = live.ending.is_none().then_some(now);
                State::Ending
            }
            State::Starting | State::Exited => State::Exited,
            _ if live.env.is_none() => State::NeedsSecrets,
            _ => match live.pace.crashed(now, now.saturating_sub(live.started)) {
                Next::GiveUp => State::CrashLoop,
                Next::After(pause) => {
                    live.due = Some(now + pause);
                    State::Waiting
                }
            },
        };
        self.journal.note(format_args!("{release}: process {} ended: {exit}; {}", process.pid, kept.state));
        if kept.state != State::Ending {
            self.clear(release);
        }
        let _ = self.record();
    }

    /// Ends what a service left: it would hold the port, or be taken for it. Only one thread at a time ends what carries a tag: it
    /// would end what is started next.
    pub(super) fn clear(&mut self, release: &str) {
        let Some((kept, live)) = self.roster.services.get(release).zip(self.live.get_mut(release)) else {
            return;
        };
        let (tag, events, name) = (kept.tag.clone(), self.events.clone(), release.to_owned());
        let clearing = std::thread::Builder::new().name("clear".into()).spawn(move || {
            // What cannot be ended shows as a port that is taken.
            let _ = process::end(None, &tag, LEFTOVERS);
            let _ = events.send(Event::Cleared { release: name });
        });
        live.clearing = clearing.is_ok();
    }

    pub(super) fn cleared(&mut self, release: &str) {
        let Some(live) = self.live.get_mut(release) else { return };
        live.clearing = false;
        if live.ending.is_some() {
            self.begin_end(release);
        }
    }

    /// Ends a release whole.
    pub(super) fn end(&mut self, release: &str, grace: Duration, reply: Option<Sender<Answer>>) {
        let Some((kept, live)) = self.roster.services.get_mut(release).zip(self.live.get_mut(release)) else {
            reply.map(|reply| reply.send(Answer::Done));
            return;
        };
        live.asking.extend(reply);
        if live.ending.replace(grace).is_some() {
            return;
        }
        (kept.state, live.due) = (State::Ending, None);
        let is_clearing = live.clearing;
        let _ = self.record();
        if !is_clearing {
            self.begin_end(release);
        }
    }

    fn begin_end(&mut self, release: &str) {
        let Some((kept, live)) = self.roster.services.get(release).zip(self.live.get(release)) else {
            return;
        };
        let (process, tag, name) = (kept.process.clone(), kept.tag.clone(), release.to_owned());
        let (events, grace) = (self.events.clone(), live.ending.unwrap_or_default());
        let ending = std::thread::Builder::new().name("end".into()).spawn(move || {
            let done =
                process::end(process.as_ref(), &tag, grace).map(drop).map_err(|error| error.to_string());
            let _ = events.send(Event::Ended { release: name, done });
        });
        if let Err(error) = ending {
            self.ended(release, Err(format!("it could not be ended: {error}")));
        }
    }

    pub(super) fn ended(&mut self, release: &str, done: Result<(), String>) {
        let now = self.now();
        let Some(live) = self.live.get_mut(release) else { return };
        live.ending = None;
        let asking = std::mem::take(&mut live.asking);
        let answer = match done {
            Ok(()) => {
                self.forget(release);
                self.journal.note(format_args!("{release}: ended"));
                Answer::Done
            }
            Err(why) => {
                self.journal.note(format_args!("{release}: {why}"));
                live.due = Some(now + AGAIN);
                Answer::Refused { why }
            }
        };
        for reply in asking {
            let _ = reply.send(answer.clone());
        }
    }

    fn forget(&mut self, release: &str) {
        self.roster.services.remove(release);
        self.live.remove(release);
        let _ = self.record();
    }
}

/// A thread that waits for the end of the process that it is given, and tells of it.
fn watcher(release: &str, events: &Sender<Event>) -> Result<Sender<(Child, Process)>, String> {
    let (events, release) = (events.clone(), release.to_owned());
    let (give, given) = mpsc::channel::<(Child, Process)>();
    let watching = std::thread::Builder::new().name("watch".into()).spawn(move || {
        // None where it could not be started.
        let Ok((mut child, process)) = given.recv() else { return };
        let exit = child.wait().map_or_else(|error| error.to_string(), how);
        let _ = events.send(Event::Gone { release, process, exit });
    });
    watching.map(|_| give).map_err(|error| format!("it cannot be watched: {error}"))
}
