//! What there is of releases, and who holds them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::away;
use crate::deployment::Release;
use crate::deployment::keep::{Because, Known, born};
use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::place::{Place, names_in};
use crate::deployment::ops::{containers, kept, process, traffic};

/// The most bytes of a proxy's table.
const TABLE: u64 = 16 << 20;

/// What was seen of an environment.
pub(super) struct Sight {
    pub(super) known: Vec<Known>,
    /// Why a release must stay.
    pub(super) held: BTreeMap<String, Because>,
    /// What belongs to a release beside its folder.
    pub(super) files: BTreeMap<String, Vec<PathBuf>>,
    releases: PathBuf,
}

impl Sight {
    /// Looks. An error where it cannot be told who needs what: then nothing goes.
    pub(super) fn of(place: &Place) -> Result<Self, DeployError> {
        let history = place.history()?;
        let releases = place.folder().join("releases");
        let (mut held, mut records) = (BTreeMap::new(), BTreeMap::new());
        let mut files = beside(place)?;
        for name in folders(&releases)? {
            match place.release(&name) {
                Ok(record) => drop(records.insert(name.clone(), record)),
                Err(error) => drop(held.insert(name.clone(), Because::Unreadable(error.to_string()))),
            }
            if fs::symlink_metadata(releases.join(&name)).is_ok_and(|found| found.is_symlink()) {
                held.insert(name.clone(), Because::Link);
            }
            files.entry(name).or_default();
        }
        let current = place.current()?.map(|current| current.service.release);
        let counted = |name: &str| current.as_deref() == Some(name) || kept::told(&history, name).0;
        let known: Vec<Known> =
            files.keys().filter_map(|name| Known::of(name, counted(name), &history)).collect();
        let holders = Holders { place, known: &known, records: &records };
        holders.look(&mut held)?;
        Ok(Self { known, held, files, releases })
    }

    /// How many bytes a release has.
    pub(super) fn bytes(&self, release: &str) -> u64 {
        let beside = self.files.get(release).into_iter().flatten();
        beside.map(|path| away::size(path)).sum::<u64>() + away::size(&self.releases.join(release))
    }
}

/// Folders, and links, that have names of releases. What else lies there is nobody's of ours.
fn folders(releases: &Path) -> Result<Vec<String>, DeployError> {
    own(releases)?;
    let mut names = names_in(releases)?;
    let is_one = |name: &String| {
        let found = fs::symlink_metadata(releases.join(name));
        born(name).is_some() && found.is_ok_and(|found| found.is_dir() || found.is_symlink())
    };
    names.retain(|name| !name.starts_with('.') && is_one(name));
    Ok(names)
}

/// Recordings and figures by the release that they are about.
fn beside(place: &Place) -> Result<BTreeMap<String, Vec<PathBuf>>, DeployError> {
    let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let (watch, load) = (place.folder().join("watch"), place.folder().join("load"));
    for (folder, before, ends) in
        [(watch, "", &[".log.json", ".jsonl"][..]), (load, "r-", &[".json", ".mix", ".log", ".run"][..])]
    {
        own(&folder)?;
        for name in names_in(&folder)? {
            let stem = ends.iter().find_map(|end| name.strip_suffix(end)?.strip_prefix(before));
            if let Some(release) = stem.filter(|stem| born(stem).is_some()) {
                files.entry(release.to_owned()).or_default().push(folder.join(&name));
            }
        }
    }
    Ok(files)
}

/// A folder that is a link leads to somewhere else: nothing there is removed.
fn own(folder: &Path) -> Result<(), DeployError> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_symlink() => {
            let source = io::Error::new(
                io::ErrorKind::NotADirectory,
                "it is a link, and nothing behind it is removed",
            );
            Err(source).tried("pruned", folder)
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).tried("looked at", folder),
        _ => Ok(()),
    }
}

/// Who may need a release.
struct Holders<'a> {
    place: &'a Place,
    known: &'a [Known],
    records: &'a BTreeMap<String, Option<Release>>,
}

impl Holders<'_> {
    fn look(&self, held: &mut BTreeMap<String, Because>) -> Result<(), DeployError> {
        self.runs(held);
        self.contained(held);
        self.by_proxy(held)?;
        let Self { place, known, .. } = *self;
        let mut hold = |release: String, because| drop(held.insert(release, because));
        for release in place.roster()?.unwrap_or_default().services.into_keys() {
            hold(release, Because::Supervised);
        }
        if let Some(loading) = place.loading()? {
            hold(loading.release().to_owned(), Because::Load);
        }
        if let Some(claim) = place.claim()? {
            // What is as young as the claim may be of whoever has it, or of whoever had it before.
            for known in known.iter().filter(|known| known.born >= claim.run) {
                hold(known.name.clone(), Because::Claimed(claim.run.clone()));
            }
            if let Some(brings) = claim.brings {
                hold(brings, Because::Claimed(claim.run));
            }
        }
        if let Some(going) = place.going()? {
            hold(going.release, Because::Traffic);
        }
        if let Some(candidate) = place.candidate()? {
            hold(candidate.release, Because::Candidate);
        }
        if let Some(current) = place.current()? {
            if let Some(previous) = current.previous {
                hold(previous.release, Because::Previous);
            }
            hold(current.service.release, Because::Current);
        }
        Ok(())
    }

    /// Processes that carry the tag of a release, recorded or not.
    fn runs(&self, held: &mut BTreeMap<String, Because>) {
        let all = self.records.values().flatten();
        let tags: BTreeMap<String, &String> = all.map(|release| (release.tag(), &release.name)).collect();
        for tag in process::tagged(tags.keys().map(String::as_str)).into_keys() {
            held.insert(tags[&tag].clone(), Because::Runs);
        }
    }

    /// Of a container that may be there its release is the only record.
    fn contained(&self, held: &mut BTreeMap<String, Because>) {
        for release in self.records.values().flatten().filter(|release| release.container.is_some()) {
            if let Some(why) = containers::holds(self.place, &release.name) {
                held.insert(release.name.clone(), Because::Contained(why));
            }
        }
    }

    /// Whoever has a share, or is drained yet. Where the proxy does not answer, whoever its table names: it serves that when it is back.
    fn by_proxy(&self, held: &mut BTreeMap<String, Because>) -> Result<(), DeployError> {
        let Self { place, known, .. } = *self;
        if let Some(traffic) = traffic::traffic(place) {
            let open = |known: &&traffic::ReleaseTraffic| known.in_flight > 0 || known.is_open();
            let drained = traffic.releases.iter().filter(open).map(|known| known.release.clone());
            for release in traffic.shares.into_keys().chain(drained) {
                held.insert(release, Because::Traffic);
            }
            return Ok(());
        }
        let path = place.proxy().join("table.json");
        let mut table = Vec::new();
        match fs::File::open(&path).and_then(|file| file.take(TABLE).read_to_end(&mut table)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => drop(read.tried("read", &path)?),
        }
        let table = String::from_utf8_lossy(&table);
        for known in known.iter().filter(|known| table.contains(&known.name)) {
            held.insert(known.name.clone(), Because::Traffic);
        }
        Ok(())
    }
}
