//! The library that keeps repositories, as a [`Vault`]. Nothing of it is seen outside, but for what it reads and writes
//! through: `folder` and `source`.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use orchestrator_core::BoxError;
use rustic_core::repofile::{Node, SnapshotFile};
use rustic_core::{
    BackupOptions, CheckOptions, CheckResults, ConfigOptions, Credentials, IndexedFullStatus, KeyOptions,
    LocalDestination, LsOptions, OpenStatus, PruneOptions, Repository, RepositoryBackends, RepositoryOptions,
    RestoreOptions, RusticError, SnapshotOptions, StringList,
};

use super::crypt::Crypt;
use super::folder::{Folder, PARTIAL, files};
use super::here::Password;
use super::lock::{self, Held, Use};
use super::source::{Source, Stored};
use super::{Added, Freed, Vault};
use crate::backup::repository::{Place, Saved};
use crate::ops::here::Here;

/// A repository in a folder that was opened.
pub(super) struct Rustic {
    here: Here,
    folder: Folder,
    repository: Repository<OpenStatus>,
}

/// The library's error on one line: what it says and why, without its advice, its links and its backtrace.
fn plain(error: impl AsRef<RusticError>) -> BoxError {
    let mut said: Vec<String> = Vec::new();
    let mut next: Option<&(dyn Error + 'static)> = Some(error.as_ref());
    while let Some(error) = next {
        let own = error.downcast_ref::<RusticError>();
        let own = own.or_else(|| error.downcast_ref::<Box<RusticError>>().map(|error| &**error));
        let text = own.map_or_else(|| error.to_string(), RusticError::display_log);
        let text = text.split(" (kind: related to ").next().unwrap_or_default();
        let text = one_line(text.strip_prefix("Error: ").unwrap_or(text));
        if said.last() != Some(&text) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ").into()
}

/// The same where the library made text of an error already.
fn shortened(text: &str) -> String {
    let Some((before, error)) = text.split_once("`rustic_core` experienced an error") else {
        return one_line(text);
    };
    let message = error.split_once("Message:").map_or(error, |(_, message)| message).trim_start();
    one_line(&format!("{before}{}", message.lines().next().unwrap_or_default()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn closed(folder: &Folder) -> Result<Repository<()>, BoxError> {
    let mut options = RepositoryOptions::default();
    // A cache would lie in the home folder, which is not ours to fill.
    options.no_cache = true;
    let backends = RepositoryBackends::new(Arc::new(folder.clone()), None);
    Repository::new(&options, &backends).map_err(plain)
}

/// Sets up a new repository.
pub(super) fn init(here: &Here, path: &Path, password: &Password) -> Result<Rustic, BoxError> {
    let folder = Folder::new(here, path);
    let credentials = Credentials::password(&password.0);
    let made = closed(&folder)?.init(&credentials, &KeyOptions::default(), &ConfigOptions::default());
    Ok(Rustic { here: here.clone(), folder, repository: made.map_err(plain)? })
}

/// Opens a repository with its password.
pub(super) fn open(here: &Here, path: &Path, place: &Place, password: &Password) -> Result<Rustic, BoxError> {
    let folder = Folder::new(here, path);
    match closed(&folder)?.open(&Credentials::password(&password.0)) {
        Ok(repository) => Ok(Rustic { here: here.clone(), folder, repository }),
        Err(error) if error.is_incorrect_password() => {
            Err(format!("{} does not hold the password of the repository `{}`", place.key(), place.path())
                .into())
        }
        Err(error) => {
            let why = plain(error).to_string();
            // The library's word for it.
            let file = if why.contains("Config:") { "`config`: " } else { "" };
            Err(format!("the repository `{}` could not be opened: {file}{why}", place.path()).into())
        }
    }
}

impl Rustic {
    /// Takes restic's lock.
    pub(super) fn lock(&self, what: Use) -> Result<Held, BoxError> {
        let crypt = Crypt::new(&self.repository.key()).ok_or("the key of the repository is malformed")?;
        lock::take(self.folder.path(), crypt, what)
    }

    /// The same once more, as the library gives away what it indexes. The password is not asked for again.
    fn again(&self) -> Result<Repository<OpenStatus>, BoxError> {
        closed(&self.folder)?.open(&Credentials::Masterkey(self.repository.key())).map_err(plain)
    }

    fn snapshot(&self, id: &str) -> Result<SnapshotFile, BoxError> {
        let found = self.repository.get_snapshots(&[id]).map_err(plain)?;
        Ok(found.into_iter().next().ok_or_else(|| format!("there is no snapshot `{id}`"))?)
    }

    fn node(&self, id: &str, path: &str) -> Result<(Repository<IndexedFullStatus>, Node), BoxError> {
        let snapshot = self.snapshot(id)?;
        let repository = self.again()?.to_indexed().map_err(plain)?;
        let node = repository.node_from_snapshot_and_path(&snapshot, path).map_err(plain)?;
        Ok((repository, node))
    }
}

impl Vault for Rustic {
    fn id(&self) -> String {
        self.repository.config().id.to_hex().to_string()
    }

    fn snapshots(&self) -> Result<Vec<Saved>, BoxError> {
        let mut all: Vec<Saved> =
            self.repository.get_all_snapshots().map_err(plain)?.iter().map(saved).collect();
        all.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
        Ok(all)
    }

    fn store(
        &self,
        source: Source,
        earlier: Option<&str>,
        tags: &[String],
    ) -> Result<(Saved, Stored, Added), BoxError> {
        self.folder.guard(Box::new(source.complaint()))?;
        let mut options = BackupOptions::default();
        options.no_scan = true;
        options.parent_opts.force = earlier.is_none();
        options.parent_opts.parents = earlier.map(str::to_owned).into_iter().collect();
        let mut about = SnapshotOptions::default();
        about.tags = tags.iter().map(|tag| tag.parse::<StringList>()).collect::<Result<_, _>>()?;
        // By default it would be the whole command line.
        about.command = Some("orchestrate".to_owned());
        let about = about.to_snapshot().map_err(plain)?;
        let paths = [PathBuf::from(self.here.root.to_string_lossy().into_owned())];
        let indexed = self.again()?.to_indexed_ids().map_err(plain)?;
        let made = indexed.archive(&options, &source, about, &paths);
        // A complaint of ours is the cause of what the library says.
        let ours = || self.folder.failure().or_else(|| source.stored().err());
        let made = made.map_err(|error| ours().map_or_else(|| plain(error), BoxError::from))?;
        let stored = source.stored()?;
        let bytes = made.summary.as_ref().map_or(0, |summary| summary.data_added_packed);
        Ok((saved(&made), stored, Added { bytes }))
    }

    fn read(&self, snapshot: &str, file: &str, most: u64) -> Result<Vec<u8>, BoxError> {
        let (repository, node) = self.node(snapshot, file)?;
        let mut bytes = Bounded { bytes: Vec::new(), most };
        repository.dump(&node, &mut bytes).map_err(plain)?;
        Ok(bytes.bytes)
    }

    fn check(&self) -> Result<Vec<String>, BoxError> {
        let results = self.repository.check(CheckOptions::default().read_data(true)).map_err(plain)?;
        let severe = results.0.into_iter().filter_map(|found| {
            let text = shortened(&found.1.to_string());
            CheckResults(vec![found]).is_ok().is_err().then_some(text)
        });
        Ok(severe.collect())
    }

    fn restore(&self, snapshot: &str, into: &Path) -> Result<(), BoxError> {
        let (repository, root) = self.node(snapshot, "")?;
        let nodes = repository.ls(&root, &LsOptions::default()).map_err(plain)?;
        for node in nodes.clone() {
            self.here.go_on()?;
            let (path, node) = node.map_err(plain)?;
            let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
            if !inside || node.name().to_string_lossy().contains('/') {
                return Err(
                    format!("`{}` would leave the folder that it is restored to", path.display()).into()
                );
            }
        }
        let into = into.to_str().ok_or_else(|| format!("`{}` is not UTF-8", into.display()))?;
        let destination = LocalDestination::new(into, true, false).map_err(plain)?;
        let options = RestoreOptions::default().no_ownership(true);
        let plan = repository.prepare_restore(&options, nodes.clone(), &destination, false).map_err(plain)?;
        repository.restore(plan, &options, nodes, &destination).map_err(plain)
    }

    fn prune(&self, forget: &[String]) -> Result<Freed, BoxError> {
        let ids: Result<Vec<_>, _> = forget.iter().map(|id| id.parse::<rustic_core::Id>()).collect();
        let ids: Vec<_> = ids.map_err(plain)?.into_iter().map(Into::into).collect();
        self.repository.delete_snapshots(&ids).map_err(plain)?;
        // At once, as restic does, under the same lock. The library would rather mark packs and remove them a day later, for
        // the sake of those who work without a lock; but restic knows no marks, and what it removes is then missed.
        let mut options = PruneOptions::default();
        options.instant_delete = true;
        let plan = self.repository.prune_plan(&options).map_err(plain)?;
        let (stats, unused) = (&plan.stats, plan.stats.size_sum());
        let removed = stats.size_to_delete.remove + unused.remove + unused.repackrm + stats.size_unref;
        self.repository.prune(&options, plan).map_err(plain)?;
        for folder in ["data", "index", "keys", "locks", "snapshots"] {
            for (path, _) in files(&self.folder.path().join(folder))? {
                if path.to_string_lossy().ends_with(PARTIAL) {
                    std::fs::remove_file(path)?;
                }
            }
        }
        Ok(Freed { bytes: removed })
    }
}

fn saved(snapshot: &SnapshotFile) -> Saved {
    Saved {
        id: snapshot.id.to_hex().to_string(),
        time: snapshot.time.timestamp(),
        host: snapshot.hostname.clone(),
        paths: snapshot.paths.iter().cloned().collect(),
        tags: snapshot.tags.iter().cloned().collect(),
    }
}

/// Takes so many bytes and no more.
struct Bounded {
    bytes: Vec<u8>,
    most: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > self.most {
            return Err(io::Error::other(format!("longer than {} bytes", self.most)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
