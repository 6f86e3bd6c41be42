//! How a host is reached: by which ssh, with which program at the other end, and what is said where that does not fit.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use orchestrator_core::operation::Site;
use orchestrator_core::path::Digest;

use super::error::HostError;
use super::session::{Session, check};
use crate::deployment::hosts::wire::{Answer, PROTOCOL, Request};
use crate::deployment::hosts::{Host, HostRecord, SshTarget, quoted};
use crate::deployment::ops::claim;
use crate::deployment::ops::error::Tried;
use crate::deployment::ops::halt::Halt;

/// Where programs are brought to, below the home folder of a host.
pub(in crate::deployment::ops) const PROGRAMS: &str = ".cache/orchestrate/bin";
/// How long an operation tries for another connection when its own was cut.
pub(super) const PATIENT: Duration = Duration::from_secs(45);

/// How a host is reached.
#[derive(Clone)]
pub(super) struct Reach {
    pub(super) host: Host,
    pub(super) root: PathBuf,
    pub(super) env: Vec<(OsString, OsString)>,
    /// This program, where it is known.
    pub(super) program: Option<Program>,
    pub(super) owner: String,
    /// The program that was brought before this one.
    pub(super) brought: Option<String>,
}

/// A program that is brought.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) digest: Digest,
    pub(super) bytes: u64,
}

impl Program {
    /// This program, digested once.
    pub(super) fn of(path: &Path) -> Result<Self, HostError> {
        static KNOWN: OnceLock<Mutex<Vec<Program>>> = OnceLock::new();
        let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.iter().find(|program| program.path == path) {
            return Ok(found.clone());
        }
        let mut file = std::fs::File::open(path).tried("opened", path)?;
        let mut hasher = blake3::Hasher::new();
        let bytes = std::io::copy(&mut file, &mut hasher).tried("read", path)?;
        let program = Self { path: path.to_owned(), digest: hasher.finalize().into(), bytes };
        known.push(program.clone());
        Ok(program)
    }

    /// Its file name on a host.
    pub(super) fn name(&self) -> String {
        format!("orchestrate-{}", self.digest)
    }
}

impl Reach {
    /// From where an operation works.
    pub(super) fn of(
        host: &Host,
        program: Option<&Path>,
        record: Option<&HostRecord>,
        site: &Site<'_>,
    ) -> Result<Self, HostError> {
        let owner = claim::owner(site);
        Self::new(host, program, record, site.root, site.env, owner)
    }

    pub(super) fn new(
        host: &Host,
        program: Option<&Path>,
        record: Option<&HostRecord>,
        root: &Path,
        env: &[(OsString, OsString)],
        owner: String,
    ) -> Result<Self, HostError> {
        // One that is installed there is never brought.
        let program = program.filter(|_| host.program.is_none()).map(Program::of).transpose()?;
        let brought =
            record.filter(|record| record.host.is_at(host)).and_then(|record| record.brought.clone());
        let (host, root, env) = (host.clone(), root.to_owned(), env.to_vec());
        Ok(Self { host, root, env, program, owner, brought })
    }

    /// What the shell of the host is told to start the program: this very one, else the one that was brought before.
    pub(super) fn starts(&self) -> String {
        if let Some(program) = &self.host.program {
            return format!("cd && exec {} perform", quoted(&command(program.as_str())));
        }
        let own = self.program.as_ref().map(Program::name);
        let names: Vec<String> =
            own.into_iter().chain(self.brought.clone().filter(|name| is_name(name))).collect();
        format!(
            "for p in {}; do p=\"$HOME/{PROGRAMS}/$p\"; if [ -x \"$p\" ]; then exec \"$p\" perform; fi; done; \
             echo \"{{\\\"absent\\\":\\\"$(uname -s) $(uname -m)\\\"}}\"",
            names.join(" ")
        )
    }

    /// What is said where no program is there.
    pub(super) fn absent(&self, there: &str) -> HostError {
        let host = self.host.name.to_string();
        let here = here();
        if there != here {
            let there = there.chars().filter(|c| !c.is_control()).take(100).collect();
            return HostError::OtherSystem { host, here, there };
        }
        HostError::Absent { host, program: format!("~/{PROGRAMS}/orchestrate-..") }
    }

    /// Whether the program that said hello can be talked to.
    pub(super) fn fits(&self, protocol: u32, there: &str) -> Result<(), HostError> {
        let here = env!("CARGO_PKG_VERSION");
        let installed = self.host.program.as_ref();
        if protocol == PROTOCOL && (installed.is_none() || there == here) {
            return Ok(());
        }
        let program = installed.map_or_else(|| self.brought.clone().unwrap_or_default(), ToString::to_string);
        let there: String = there.chars().filter(|c| !c.is_control()).take(50).collect();
        let there = format!("{there} (protocol {protocol})");
        let here = format!("{here} (protocol {PROTOCOL})");
        Err(HostError::OtherVersion { host: self.host.name.to_string(), program, here, there })
    }

    /// Which program may be at the other end counts: one that was brought before answers where this very one is not there yet.
    fn key(&self) -> Key {
        let own = self.program.as_ref().map(Program::name);
        let before = self.brought.clone().filter(|brought| Some(brought) != own.as_ref());
        (self.host.clone(), self.root.clone(), own, before, self.owner.clone())
    }

    /// Asks over a connection: one that is kept, or another. One that is cut is made anew as long as there is patience; `ask` is told whether
    /// it is asked again, since what was under way may have been done.
    pub(super) fn with<T>(
        &self,
        patience: Duration,
        halt: &Halt,
        mut ask: impl FnMut(&mut Session, bool) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        let until = Instant::now() + patience;
        let (mut again, mut pause) = (false, Duration::from_millis(200));
        loop {
            check(halt)?;
            let session = taken(self).map_or_else(|| Session::open(self, halt), Ok);
            let error = match session {
                Ok(mut session) => match ask(&mut session, again) {
                    Ok(done) => {
                        kept(self, session);
                        return Ok(done);
                    }
                    Err(error @ HostError::Said { .. }) => {
                        kept(self, session);
                        return Err(error);
                    }
                    Err(error) => {
                        again = true;
                        error
                    }
                },
                Err(error) => error,
            };
            let passes = if again { error.may_return() } else { error.may_pass() };
            if !passes || Instant::now() + pause > until {
                return Err(error);
            }
            halt.pause(pause)?;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// Asks what changes nothing, however often it is asked.
    pub(super) fn ask(
        &self,
        request: &Request,
        patience: Duration,
        halt: &Halt,
    ) -> Result<Answer, HostError> {
        self.with(patience, halt, |session, _| session.ask(request, halt))
    }
}

/// A program that is named relative to the home folder is no word for the shell to look up.
fn command(program: &str) -> String {
    if program.starts_with('/') { program.to_owned() } else { format!("./{program}") }
}

/// A record is data: what it names stays in its folder, and is no word of a shell.
fn is_name(name: &str) -> bool {
    let hex = name.strip_prefix("orchestrate-");
    hex.is_some_and(|hex| !hex.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit()))
}

/// What this program was made for: `Linux x86_64`.
pub(super) fn here() -> String {
    let name = rustix::system::uname();
    format!("{} {}", name.sysname().to_string_lossy(), name.machine().to_string_lossy())
}

/// Host, checkout, this program's name there, that of one that may answer instead, and for whom it was said hello.
type Key = (Host, PathBuf, Option<String>, Option<String>, String);

/// Connections that nobody uses now. They belong to the process, as its other connections do, and end with it.
static IDLE: Mutex<Vec<(Key, Session)>> = Mutex::new(Vec::new());
/// The most that are kept: as many as an environment may have hosts, whose claims hold as long as they are connected, and some more.
const MOST_IDLE: usize = SshTarget::MOST + 8;

fn taken(reach: &Reach) -> Option<Session> {
    let key = reach.key();
    loop {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().position(|(known, _)| *known == key)?;
        let (_, mut session) = idle.swap_remove(at);
        drop(idle);
        if session.is_fresh() {
            return Some(session);
        }
    }
}

fn kept(reach: &Reach, session: Session) {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    idle.push((reach.key(), session));
    let over = (idle.len() > MOST_IDLE).then(|| idle.remove(0));
    drop(idle);
    // Closing one may take a moment.
    drop(over);
}

/// Closes every connection that was made by that configuration of ssh.
#[cfg(test)]
pub(in crate::deployment) fn closed(config: &str) {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let (gone, stay) = idle
        .drain(..)
        .partition(|((host, ..), _)| host.config.as_ref().is_some_and(|known| known.as_str() == config));
    *idle = stay;
    drop(idle);
    drop::<Vec<(Key, Session)>>(gone);
}
