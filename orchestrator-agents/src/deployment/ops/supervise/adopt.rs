//! How a supervisor takes over what runs already: what the one before kept, and what was started without any.

use std::path::Path;

use jiff::Timestamp;
use orchestrator_core::action::EnvValue;

use super::keeper::{Keeper, Live};
use super::run::Event;
use super::seen::{self, Variables};
use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::process::{self, TAG};
use crate::deployment::supervise::{Kept, Roster, State};
use crate::deployment::{Process, Release};

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
        self.place.keep_roster(Some(&self.roster))
    }

    /// What runs of the releases of the environment, by their tags.
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
        Ok(roster)
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
        let alive = match &kept.process {
            Some(process) => Some(process.clone()).filter(process::is_alive),
            // The one before ended between starting it and writing down what it started.
            None if !kept.state.is_down() => seen::leader(&kept.tag),
            None => None,
        };
        let env = alive.as_ref().and_then(|process| seen::variables(process, &kept.tag));
        kept.process.clone_from(&alive);
        let (state, tag) = (kept.state, kept.tag.clone());
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
            kept.last_exit.get_or_insert_with(|| "it ended while no supervisor watched".into());
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
        let env = seen::variables(process, &tag);
        if env.is_none()
            && !process::tagged([tag.as_str()]).values().flatten().any(|tagged| tagged == process)
        {
            return Err(format!("process {} is not of release `{release}`", process.pid));
        }
        let kept = kept(tag, port, State::Up, Some(process.clone()));
        self.roster.services.insert(release.to_owned(), kept);
        self.live.insert(release.to_owned(), Live::new(env, self.now()));
        self.record()?;
        self.watch_stranger(release, process.clone());
        self.journal.note(format_args!("{release}: took over process {}", process.pid));
        Ok(())
    }

    /// Tells of the end of a process that is no child of this one.
    fn watch_stranger(&mut self, release: &str, process: Process) {
        let (events, name) = (self.events.clone(), release.to_owned());
        let watching = std::thread::Builder::new().name("watch".into()).spawn(move || {
            let exit = match seen::wait_for(&process) {
                Ok(()) => "how is not known: it was started by an earlier supervisor".to_owned(),
                Err(error) => format!("it could not be watched: {error}"),
            };
            let _ = events.send(Event::Gone { release: name, process, exit });
        });
        if let Err(error) = watching {
            self.journal.note(format_args!("{release}: it cannot be watched: {error}"));
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
