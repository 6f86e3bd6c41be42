//! How a supervisor takes over what runs already: what the one before kept, and what was started without any.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use orchestrator_core::action::EnvValue;
use orchestrator_traffic::control;
use orchestrator_traffic::protocol::{Request, Response};

use super::keeper::{Keeper, Live};
use super::run::Event;
use super::seen::{self, Variables};
use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::process::{self, TAG};
use crate::deployment::supervise::{Kept, KeptProxy, ProxyOrder, Roster, State};
use crate::deployment::{Process, Release};

/// How long a proxy that runs may take for an answer.
const ASKED: Duration = Duration::from_secs(2);

impl Keeper {
    /// Reads what the supervisor before kept. A roster that makes no sense is moved aside, and what carries the tag of a release is
    /// kept instead.
    pub(super) fn read(&mut self) -> Result<(), DeployError> {
        self.roster = match self.place.roster() {
            Ok(roster) => roster.unwrap_or_default(),
            Err(error @ DeployError::Malformed { .. }) => {
                let path = self.place.folder().join("supervise.json");
                std::fs::rename(&path, path.with_extension("json.broken")).tried("moved away", &path)?;
                self.journal.note(format_args!("{error}; it was moved away, and what runs is looked for"));
                self.found()?
            }
            Err(error) => return Err(error),
        };
        self.roster.supervisor = process::identity(std::process::id());
        // On a full disk as well: what runs is kept, and what could not be written down is found by tags.
        let _ = self.record();
        Ok(())
    }

    /// What runs of the releases of the environment, and its proxy, by their tags.
    fn found(&self) -> Result<Roster, DeployError> {
        let mut roster = Roster::default();
        for release in self.place.releases()? {
            let tag = release.tag();
            let Some(process) = seen::leader(&tag) else { continue };
            let given = seen::variables(&process, &tag);
            let port = given.as_ref().and_then(|given| seen::value(given, "PORT")?.parse().ok());
            let Some(port) = port else {
                self.journal
                    .note(format_args!("{} runs, and its port is not known: it is not kept", release.name));
                continue;
            };
            roster.services.insert(release.name, kept(tag, port, State::Up, Some(process)));
        }
        roster.proxy = self.found_proxy();
        Ok(roster)
    }

    /// The proxy that runs, ordered as it was started.
    fn found_proxy(&self) -> Option<KeptProxy> {
        let process = seen::leader(&self.proxy_tag())?;
        let mut argv = seen::arguments(&process)?.into_iter();
        let (program, args) = (argv.next()?.into(), argv.collect());
        let socket = self.proxy_folder().join("control.sock");
        let asked = control::ask(&socket, &Request::Status, ASKED);
        let Ok(Response::Status(status)) = asked else {
            self.journal.note("proxy: a process is there that does not answer: it is not kept");
            return None;
        };
        let (listens, metrics) = (status.listens, None);
        let order = ProxyOrder { program, args, listen: listens.clone(), metrics };
        let (state, since) = (State::Up, Timestamp::now());
        Some(KeptProxy {
            order,
            listens,
            metrics,
            state,
            process: Some(process),
            since,
            restarts: 0,
            why: None,
        })
    }

    /// Takes over all that is on record.
    pub(super) fn adopt(&mut self) {
        let releases: Vec<String> = self.roster.services.keys().cloned().collect();
        for release in releases {
            self.adopt_one(&release);
        }
        self.adopt_proxy();
        let _ = self.record();
    }

    fn adopt_one(&mut self, release: &str) {
        let now = self.now();
        let Some(kept) = self.roster.services.get_mut(release) else { return };
        let recorded = kept.process.clone().filter(process::is_alive);
        // The one before could not write down what it started: it ended before that, or its disk was full.
        let alive = recorded.or_else(|| if kept.state.is_down() { None } else { seen::leader(&kept.tag) });
        kept.process.clone_from(&alive);
        let (state, tag) = (kept.state, kept.tag.clone());
        let env = alive.as_ref().and_then(|process| self.variables(release, process, &tag));
        self.live.insert(release.to_owned(), Live::new(env, now));
        match alive {
            Some(process) => {
                self.journal.note(format_args!("{release}: adopted process {}", process.pid));
                if state == State::Waiting {
                    self.set(release, State::Up);
                }
                self.watch_stranger(release, process);
            }
            None if !state.is_down() && state != State::Ending => self.lost(release, state, &tag),
            None => {}
        }
        if state == State::Ending {
            self.end(release, crate::deployment::ops::stop::GRACE.duration(), None);
        }
    }

    /// It ended while nobody watched.
    fn lost(&mut self, release: &str, state: State, tag: &str) {
        let env = self.variables_without_secrets(release, tag);
        let state = match (&env, state) {
            (_, State::Starting) => State::Exited,
            (None, _) => State::NeedsSecrets,
            (Some(_), _) => State::Waiting,
        };
        self.journal.note(format_args!("{release}: it ended while nobody watched; {state}"));
        self.set(release, state);
        let now = self.now();
        if let Some((kept, live)) = self.roster.services.get_mut(release).zip(self.live.get_mut(release)) {
            kept.last_exit = Some("it ended while no supervisor watched".into());
            live.env = env;
            live.due = (state == State::Waiting).then_some(now);
        }
        self.clear(release);
    }

    fn set(&mut self, release: &str, state: State) {
        if let Some(kept) = self.roster.services.get_mut(release) {
            kept.state = state;
        }
    }

    /// What a process was started with, or where it wrote over that, what its release is started with.
    fn variables(&self, release: &str, process: &Process, tag: &str) -> Option<Variables> {
        seen::variables(process, tag).or_else(|| self.variables_without_secrets(release, tag))
    }

    /// What a release is started with; none where secrets belong to it.
    fn variables_without_secrets(&self, release: &str, tag: &str) -> Option<Variables> {
        let known = self.place.release(release).ok().flatten()?;
        let port = self.roster.services.get(release)?.port;
        let mut env = self.env.clone();
        env.push(("PORT".into(), port.to_string().into()));
        env.extend(declared(&known, &self.place.release_folder(release), port)?);
        env.push((TAG.into(), tag.into()));
        Some(env)
    }

    /// Takes over a release that was started without a supervisor.
    pub(super) fn take_over(&mut self, release: &str, port: u16, process: &Process) -> Result<(), String> {
        if self.roster.services.contains_key(release) {
            return Ok(());
        }
        let known = self.place.release(release).map_err(|error| error.to_string())?;
        let tag = known.ok_or_else(|| format!("there is no release `{release}`"))?.tag();
        let read = seen::variables(process, &tag);
        if read.is_none()
            && !process::tagged([tag.as_str()]).values().flatten().any(|tagged| tagged == process)
        {
            return Err(format!("process {} is not of release `{release}`", process.pid));
        }
        let kept = kept(tag.clone(), port, State::Up, Some(process.clone()));
        self.roster.services.insert(release.to_owned(), kept);
        let env = read.or_else(|| self.variables_without_secrets(release, &tag));
        self.live.insert(release.to_owned(), Live::new(env, self.now()));
        self.record()?;
        self.watch_stranger(release, process.clone());
        self.journal.note(format_args!("{release}: took over process {}", process.pid));
        Ok(())
    }

    /// Tells of the end of a process that is no child of this one. Where there is no thread for that, it is tried again.
    pub(super) fn watch_stranger(&mut self, release: &str, process: Process) {
        let (events, name, watched) = (self.events.clone(), release.to_owned(), process.clone());
        let watching = std::thread::Builder::new().name("watch".into()).spawn(move || {
            seen::wait_for(&watched);
            let exit = "how is not known: it was started by an earlier supervisor".to_owned();
            let _ = events.send(Event::Gone { release: name, process: watched, exit });
        });
        let Err(error) = watching else { return };
        self.journal.note(format_args!("{release}: it cannot be watched: {error}; it is tried again"));
        if let Some(live) = self.live.get_mut(release) {
            live.unwatched = Some(process);
        }
    }
}

fn kept(tag: String, port: u16, state: State, process: Option<Process>) -> Kept {
    Kept { tag, port, state, process, since: Timestamp::now(), restarts: 0, last_exit: None, why: None }
}

/// What a release declares, filled in; none where a secret is among it.
fn declared(release: &Release, folder: &Path, port: u16) -> Option<Variables> {
    let folder = folder.to_string_lossy();
    let filled = release.env.iter().map(|(name, value)| match value {
        EnvValue::Plain(value) => Some((name.into(), release.fill(value, &folder, port).into())),
        EnvValue::Secret { .. } => None,
    });
    filled.collect()
}
