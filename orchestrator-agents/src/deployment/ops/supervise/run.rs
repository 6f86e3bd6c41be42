//! The supervisor of an environment: one loop, one owner of all state; what happens elsewhere comes to it as an event.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use orchestrator_core::local::ORDER_VARIABLE;
use orchestrator_traffic::sockets::Said;

use super::door::Door;
use super::home::Home;
use super::journal::Journal;
use super::keeper::Keeper;
use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::place::Place;
use crate::deployment::supervise::{Answer, Order};
use crate::deployment::{Environment, Process};

/// What a supervisor hears of.
pub(super) enum Event {
    /// Somebody asks.
    Asked(Order, Sender<Answer>),
    /// A service has ended, and how.
    Gone { release: String, process: Process, exit: String },
    /// What a crashed service left is ended.
    Cleared { release: String },
    /// A service that was to end has ended, or could not be ended.
    Ended { release: String, done: Result<(), String> },
    /// The proxy of that turn said something.
    ProxySaid { turn: u64, said: Said },
    /// The proxy of that turn serves no more.
    ProxyGone { turn: u64, why: String },
    /// The proxy before that of this turn has ended.
    ProxyDrained { turn: u64 },
    /// The proxy that was to end has ended, or could not be ended.
    ProxyEnded { done: Result<(), String> },
    /// It is to end, and to leave everything running.
    Stop,
}

/// Why a supervisor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// It was told to stop: what it kept goes on and is adopted by the next one.
    Stopped,
    /// It was told to quit: it ended what it kept.
    Quit,
    /// It had nothing to keep.
    Idle,
    /// Its folder is gone, or is another's by now: what it kept goes on, and nobody starts it again.
    Lost,
    /// Another one is there already; this is what its lock says of it.
    Another(String),
}

/// How long the lock of a dead supervisor is waited for: a child that it was just making may have it yet.
const LOCK: Duration = Duration::from_secs(2);

/// Supervises an environment until it is over. `env` is what services and the proxy are started with where nobody gave them theirs;
/// `stop` returns when it is to stop. There should be one in a process.
pub fn supervise(
    state: &Path,
    environment: &Environment,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    stop: impl FnOnce() + Send + 'static,
) -> Result<Over, DeployError> {
    let state = std::path::absolute(state).tried("found", state)?;
    let place = Place::new(&state, environment);
    fs::create_dir_all(place.folder()).tried("created", place.folder())?;
    let lock = match lock(&place)? {
        Ok(lock) => lock,
        Err(owner) => return Ok(Over::Another(owner)),
    };
    let (events, inbox) = channel();
    let telling = events.clone();
    let waiting = std::thread::Builder::new().name("stop".into()).spawn(move || {
        stop();
        let _ = telling.send(Event::Stop);
    });
    waiting.tried("started", place.folder())?;
    let journal = Journal::at(place.folder().join("supervise.log"));
    let env = env.into_iter().filter(|(name, _)| name != ORDER_VARIABLE).collect();
    let home = Home::of(&lock, lock_of(&place)).tried("looked at", &lock_of(&place))?;
    let mut keeper = Keeper::new(place.clone(), home, env, events.clone(), journal.clone())?;
    journal.note(format_args!("process {} supervises {environment}", std::process::id()));
    keeper.adopt();
    let _door = Door::open(place.folder(), events).tried("opened", place.folder())?;
    let over = turn(&mut keeper, &inbox);
    journal.note(match &over {
        Over::Stopped => "stopped; what runs goes on, and the next supervisor adopts it",
        Over::Quit => "quit; nothing runs any more",
        Over::Lost => "ended: its folder is gone; what runs goes on, and nobody starts it again",
        Over::Idle | Over::Another(_) => "ended: there is nothing to keep",
    });
    if matches!(over, Over::Quit | Over::Idle) && keeper.at_home().is_ok() {
        place.keep_roster(None)?;
    }
    keeper.farewell();
    Ok(over)
}

/// The loop.
fn turn(keeper: &mut Keeper, inbox: &Receiver<Event>) -> Over {
    loop {
        match inbox.recv_timeout(keeper.pause()) {
            Ok(Event::Stop) => return Over::Stopped,
            Ok(event) => keeper.hear(event),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Over::Stopped,
        }
        if let Some(over) = keeper.tick() {
            return over;
        }
    }
}

fn lock_of(place: &Place) -> PathBuf {
    place.folder().join("supervise.lock")
}

/// The lock, or who has it.
pub(super) fn lock(place: &Place) -> Result<Result<File, String>, DeployError> {
    let path = lock_of(place);
    let until = Instant::now() + LOCK;
    let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file = opened.tried("opened", &path)?;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if is_held_by_the_living(place) || Instant::now() >= until => {
                let mut owner = String::new();
                let _ = file.take(200).read_to_string(&mut owner);
                return Ok(Err(owner.trim().to_owned()));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::Error(error)) => return Err(error).tried("locked", &path),
        }
    }
    let owner = format!("pid {} since {}\n", std::process::id(), Timestamp::now());
    // For people: the lock holds without it, and a full disk must keep nobody from ending things.
    let _ = file.set_len(0).and_then(|()| file.write_all(owner.as_bytes()));
    Ok(Ok(file))
}

fn is_held_by_the_living(place: &Place) -> bool {
    let roster = place.roster().ok().flatten();
    let owner = roster.and_then(|roster| roster.supervisor);
    owner.is_some_and(|owner| crate::deployment::ops::process::is_alive(&owner))
}
