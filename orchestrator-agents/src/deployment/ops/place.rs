//! The folder of an environment: its records, written whole and read whole, and its lock.

mod gone;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::contracted::Contracted;
use super::error::{DeployError, Tried};
use super::halt::Halt;
use super::load::Loading;
use crate::deployment::hosts::{Host, HostRecord};
use crate::deployment::supervise::Roster;
use crate::deployment::{
    Claim, Current, Environment, Happening, ProxyConfig, Release, Service, Version, What,
};

/// The folder of an environment.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) environment: Environment,
    folder: PathBuf,
}

/// What `host.json` holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Hosts {
    One(HostRecord),
    Several(Vec<HostRecord>),
}

/// Held while an environment is changed.
#[must_use]
pub(super) struct Locked(#[expect(dead_code, reason = "closing it unlocks")] File);

impl Place {
    /// The folder of an environment in a state folder.
    pub(super) fn new(state: &Path, environment: &Environment) -> Self {
        let folder = state.join("deploy").join(environment.as_str());
        Self { environment: environment.clone(), folder }
    }

    /// Every environment of a state folder, in order.
    pub(super) fn all(state: &Path) -> Result<Vec<Self>, DeployError> {
        let names = names_in(&state.join("deploy"))?;
        let environments = names.into_iter().filter_map(|name| Environment::new(name).ok());
        Ok(environments.map(|environment| Self::new(state, &environment)).collect())
    }

    /// One environment, or all of a state folder.
    pub(super) fn meant(state: &Path, environment: Option<&Environment>) -> Result<Vec<Self>, DeployError> {
        environment.map_or_else(|| Self::all(state), |environment| Ok(vec![Self::new(state, environment)]))
    }

    /// The folder of a release.
    pub(super) fn release_folder(&self, release: &str) -> PathBuf {
        self.folder.join("releases").join(release)
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The state folder that it is in, absolute.
    pub(super) fn state(&self) -> Result<PathBuf, DeployError> {
        let folder = std::path::absolute(&self.folder).tried("found", &self.folder)?;
        Ok(folder.ancestors().nth(2).map(Path::to_owned).unwrap_or(folder))
    }

    /// What the proxy of the environment carries in `ORCHESTRATE_SERVICE`: each state folder may have one.
    pub(super) fn proxy_tag(&self) -> String {
        let folder = std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        format!("{}/proxy/{}", self.environment, folder.display())
    }

    /// What the load client of the environment carries in `ORCHESTRATE_SERVICE`.
    pub(super) fn load_tag(&self) -> String {
        let folder = std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        format!("{}/load/{}", self.environment, folder.display())
    }

    /// The load that was started last; none where there is none.
    pub(super) fn loading(&self) -> Result<Option<Loading>, DeployError> {
        read(&self.folder.join("load.json"))
    }

    /// Records the load, or that there is none.
    pub(super) fn set_loading(&self, loading: Option<&Loading>) -> Result<(), DeployError> {
        let path = self.folder.join("load.json");
        loading.map_or_else(|| remove(&path), |loading| write(&path, &json(loading)))
    }

    /// What a supervisor keeps; none where there never was one.
    pub(super) fn roster(&self) -> Result<Option<Roster>, DeployError> {
        read(&self.folder.join("supervise.json"))
    }

    /// Records what a supervisor keeps, or that it keeps nothing any more. Only who holds the supervisor's lock may do that.
    pub(super) fn keep_roster(&self, roster: Option<&Roster>) -> Result<(), DeployError> {
        let path = self.folder.join("supervise.json");
        roster.map_or_else(|| remove(&path), |roster| write(&path, &json(roster)))
    }

    /// The log of a release.
    pub(super) fn log(&self, release: &str) -> PathBuf {
        self.release_folder(release).join("service.log")
    }

    /// The folder of the proxy.
    pub(super) fn proxy(&self) -> PathBuf {
        self.folder.join("proxy")
    }

    /// The recording of a watch; none where that cannot be the name of a release.
    pub(super) fn recording(&self, release: &str) -> Option<PathBuf> {
        is_name(release).then(|| self.folder.join("watch").join(format!("{release}.jsonl")))
    }

    /// What the version before logged until then; none where that cannot be the name of a release.
    pub(super) fn baseline(&self, release: &str) -> Option<PathBuf> {
        is_name(release).then(|| self.folder.join("watch").join(format!("{release}.log.json")))
    }

    /// How a release is started; none where there is no such release.
    pub(super) fn release(&self, release: &str) -> Result<Option<Release>, DeployError> {
        if !is_name(release) {
            return Ok(None);
        }
        read(&self.release_folder(release).join("release.json"))
    }

    /// Every release, in order of its name. One that was never finished is none.
    pub(super) fn releases(&self) -> Result<Vec<Release>, DeployError> {
        let names = names_in(&self.folder.join("releases"))?;
        names.iter().filter_map(|name| self.release(name).transpose()).collect()
    }

    /// Records how a release is started.
    pub(super) fn keep_release(&self, release: &Release) -> Result<(), DeployError> {
        write(&self.release_folder(&release.name).join("release.json"), &json(release))
    }

    /// The service that was started and is not current.
    pub(super) fn candidate(&self) -> Result<Option<Service>, DeployError> {
        read(&self.folder.join("candidate.json"))
    }

    /// Records the candidate, or that there is none.
    pub(super) fn set_candidate(&self, service: Option<&Service>) -> Result<(), DeployError> {
        let path = self.folder.join("candidate.json");
        service.map_or_else(|| remove(&path), |service| write(&path, &json(service)))
    }

    /// The service that is current.
    pub(super) fn current(&self) -> Result<Option<Current>, DeployError> {
        read(&self.folder.join("current.json"))
    }

    /// Records the current service, or that there is none. The rename in it is the switch.
    pub(super) fn set_current(&self, current: Option<&Current>) -> Result<(), DeployError> {
        let path = self.folder.join("current.json");
        current.map_or_else(|| remove(&path), |current| write(&path, &json(current)))
    }

    /// The service that the traffic was on its way to; none where that came to its end.
    pub(super) fn going(&self) -> Result<Option<Service>, DeployError> {
        read(&self.folder.join("going.json"))
    }

    /// Records which service the traffic goes to, or that it is where it belongs.
    pub(super) fn set_going(&self, service: Option<&Service>) -> Result<(), DeployError> {
        let path = self.folder.join("going.json");
        service.map_or_else(|| remove(&path), |service| write(&path, &json(service)))
    }

    /// What contract migrations took away.
    pub(super) fn contracted(&self) -> Result<Vec<Contracted>, DeployError> {
        Ok(read(&self.folder.join("contracted.json"))?.unwrap_or_default())
    }

    /// Records what contract migrations took away.
    pub(super) fn set_contracted(&self, all: &[Contracted]) -> Result<(), DeployError> {
        write(&self.folder.join("contracted.json"), &json(&all))
    }

    /// Makes `url` say what `current.json` says.
    pub(super) fn set_url(&self, url: Option<&str>) -> Result<(), DeployError> {
        let path = self.folder.join("url");
        url.map_or_else(|| remove(&path), |url| write(&path, format!("{url}\n").as_bytes()))
    }

    /// Who changes the environment; none where nobody does.
    pub(super) fn claim(&self) -> Result<Option<Claim>, DeployError> {
        read(&self.folder.join("claim.json"))
    }

    /// Records who changes the environment, or that nobody does.
    pub(super) fn set_claim(&self, claim: Option<&Claim>) -> Result<(), DeployError> {
        let path = self.folder.join("claim.json");
        claim.map_or_else(|| remove(&path), |claim| write(&path, &json(claim)))
    }

    /// The hosts that the environment is on, or was; none where it is on this machine.
    pub(super) fn hosts(&self) -> Result<Vec<HostRecord>, DeployError> {
        Ok(match read(&self.folder.join("host.json"))? {
            None => Vec::new(),
            Some(Hosts::One(record)) => vec![record],
            Some(Hosts::Several(records)) => records,
        })
    }

    /// What is known of one of them.
    pub(super) fn host(&self, host: &Host) -> Result<Option<HostRecord>, DeployError> {
        Ok(self.hosts()?.into_iter().find(|record| record.host.is_at(host)))
    }

    /// Records the hosts that the environment is on.
    pub(super) fn set_hosts(&self, records: Vec<HostRecord>) -> Result<(), DeployError> {
        let hosts = match <[HostRecord; 1]>::try_from(records) {
            Ok([record]) => Hosts::One(record),
            Err(records) => Hosts::Several(records),
        };
        write(&self.folder.join("host.json"), &json(&hosts))
    }

    /// Records that nothing of the environment is left on that host.
    pub(super) fn host_ended(&self, host: &Host) -> Result<(), DeployError> {
        self.seen_to(std::slice::from_ref(host))?;
        let mut records = self.hosts()?;
        let Some(record) = records.iter_mut().find(|record| record.host.is_at(host)) else { return Ok(()) };
        record.ended = true;
        self.set_hosts(records)
    }

    /// Records which version was made to count on that host.
    pub(super) fn host_counts(&self, host: &Host, version: &Version) -> Result<(), DeployError> {
        let mut records = self.hosts()?;
        match records.iter_mut().find(|record| record.host.is_at(host)) {
            Some(record) if record.counts.as_ref() != Some(version) => record.counts = Some(version.clone()),
            _ => return Ok(()),
        }
        self.set_hosts(records)
    }

    /// The environment is on this machine from now on.
    pub(super) fn forget_host(&self) -> Result<(), DeployError> {
        remove(&self.folder.join("host.json"))
    }

    /// The proxy in front of the environment; none where versions are asked directly.
    pub(super) fn fronted(&self) -> Result<Option<ProxyConfig>, DeployError> {
        read(&self.folder.join("traffic.json"))
    }

    /// Records the proxy in front of the environment.
    pub(super) fn set_fronted(&self, proxy: &ProxyConfig) -> Result<(), DeployError> {
        write(&self.folder.join("traffic.json"), &json(proxy))
    }

    /// There is no proxy in front of the environment any more.
    pub(super) fn forget_fronted(&self) -> Result<(), DeployError> {
        remove(&self.folder.join("traffic.json"))
    }

    /// Adds a line to the history, which is for people: where it cannot be written, what it tells of is done all the same.
    pub(super) fn note(&self, what: What, version: &Version, release: &str, order: Option<&str>) {
        let happening = Happening {
            at: Timestamp::now(),
            what,
            version: version.clone(),
            release: release.to_owned(),
            order: order.map(str::to_owned),
            who: None,
            run: None,
            verdict: None,
            why: String::new(),
        };
        let _ = self.tell_all(&happening);
    }

    /// Adds a line to the history as it is.
    pub(super) fn tell_all(&self, happening: &Happening) -> Result<(), DeployError> {
        let mut line = serde_json::to_vec(happening).expect("records are JSON");
        line.push(b'\n');
        let path = self.folder.join("history.jsonl");
        let file = OpenOptions::new().create(true).read(true).append(true).open(&path);
        file.and_then(|mut file| {
            if is_torn(&mut file)? {
                line.insert(0, b'\n');
            }
            file.write_all(&line)
        })
        .tried("added to", &path)
    }

    /// What happened, oldest first. Lines that are no records are left out.
    pub(super) fn history(&self) -> Result<Vec<Happening>, DeployError> {
        let path = self.folder.join("history.jsonl");
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.tried("read", &path)?,
        };
        Ok(String::from_utf8_lossy(&text)
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect())
    }

    /// Waits until nobody else changes the environment.
    pub(super) fn lock(&self, halt: &Halt) -> Result<Locked, DeployError> {
        fs::create_dir_all(&self.folder).tried("created", &self.folder)?;
        let path = self.folder.join("lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let mut file = opened.tried("opened", &path)?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => halt.pause(Duration::from_millis(20))?,
                Err(TryLockError::Error(error)) => return Err(error).tried("locked", &path),
            }
        }
        // For people; the lock is the file lock itself.
        let owner = format!("pid {} since {}\n", std::process::id(), Timestamp::now());
        let _ = file.set_len(0).and_then(|()| file.write_all(owner.as_bytes()));
        Ok(Locked(file))
    }
}

/// Whether a file that is added to ends in the middle of a line: what follows must stand by itself.
pub(super) fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// A name that came from elsewhere must not lead out of the folder.
fn is_name(release: &str) -> bool {
    !(release.is_empty() || release.starts_with('.') || release.contains('/'))
}

pub(super) fn names_in(folder: &Path) -> Result<Vec<String>, DeployError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).tried("listed", folder),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.tried("listed", folder)?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

fn json(record: &impl Serialize) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(record).expect("records are JSON");
    json.push(b'\n');
    json
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, DeployError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        // A file where a folder should be holds no record either.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error).tried("read", path),
    };
    let record = serde_json::from_slice(&bytes);
    record.map(Some).map_err(|source| DeployError::Malformed { path: path.to_owned(), source })
}

/// Writes a file whole: to a temporary file beside it, synced, then renamed.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), DeployError> {
    let temporary = path.with_extension("tmp");
    let written =
        File::create(&temporary).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&temporary, path)).tried("written", path)
}

pub(super) fn remove(path: &Path) -> Result<(), DeployError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).tried("removed", path),
        _ => Ok(()),
    }
}
