//! Journals as JSON lines in a state folder: `runs/ID/journal.jsonl`, with the plan beside it in `plan.json`.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufRead as _, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::event::{Event, Record};
use crate::id::RunId;
use crate::layout::Layout;
use crate::lock::{Lock, Owner};
use crate::order::Signal;
use crate::store::journal::{self, Appender, io_error};
use crate::store::{Journal, Store, StoreError, inbox};

/// The most bytes of a first record.
const FIRST: u64 = 1 << 20;

/// Keeps journals as JSON lines in a state folder.
///
/// An append is one write; it survives the death of the process. The first append of a process takes the run's lock,
/// and keeps it until it appended that the run finished or stopped, or until the store is dropped.
pub struct JsonlStore {
    layout: Layout,
    command: String,
    open: Mutex<HashMap<RunId, Arc<Mutex<Appender>>>>,
    /// Runs whose folder entries are on disk for good.
    rooted: Arc<Mutex<HashSet<RunId>>>,
    /// Files of inboxes that were warned of.
    warned: Mutex<HashSet<PathBuf>>,
}

impl JsonlStore {
    /// A store in the state folder `state`, which is made with the first run.
    pub fn open(state: impl AsRef<Path>) -> Result<Self, StoreError> {
        let given = state.as_ref();
        let state = std::path::absolute(given).map_err(|error| io_error("found", given, error))?;
        match fs::metadata(&state) {
            Ok(found) if !found.is_dir() => {
                Err(io_error("used as state folder", &state, io::ErrorKind::NotADirectory.into()))
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error("used as state folder", &state, error))
            }
            _ => Ok(Self {
                layout: Layout::new(state),
                command: String::new(),
                open: Mutex::default(),
                rooted: Arc::default(),
                warned: Mutex::default(),
            }),
        }
    }

    /// What was started, for those who find a run busy.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.command = command.into();
        self
    }

    /// Where things are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    fn known(&self, run: &RunId) -> Result<(), StoreError> {
        if self.layout.run_dir(run).is_dir() { Ok(()) } else { Err(StoreError::Unknown(run.clone())) }
    }

    fn appender(&self, run: &RunId, next: u64) -> Result<Arc<Mutex<Appender>>, StoreError> {
        let mut open = held(&self.open);
        if let Some(appender) = open.get(run) {
            return Ok(Arc::clone(appender));
        }
        let appender = Appender::open(&self.layout, run, &self.command)?;
        let records = appender.found;
        if records > 0 && next != records + 1 {
            return Err(StoreError::Moved { run: run.clone(), records, next });
        }
        let appender = Arc::new(Mutex::new(appender));
        open.insert(run.clone(), Arc::clone(&appender));
        Ok(appender)
    }

    /// The files and folders to sync so that what is in the journal can be found again.
    fn roots(&self, run: &RunId) -> [PathBuf; 4] {
        let state = self.layout.state().to_owned();
        [self.layout.plan(run), self.layout.run_dir(run), self.layout.runs(), state]
    }
}

#[async_trait]
impl Store for JsonlStore {
    async fn create(&self, run: &RunId, plan: &[u8]) -> Result<(), StoreError> {
        self.layout.ensure().map_err(|error| io_error("made", self.layout.state(), error))?;
        let folder = self.layout.run_dir(run);
        if folder.exists() {
            return Err(StoreError::Exists(run.clone()));
        }
        // Made under another name, so that a run that is listed has a plan and a journal.
        let draft = self.layout.runs().join(format!(".new-{run}-{}", inbox::token()));
        let made = fs::create_dir(&draft)
            .and_then(|()| fs::write(draft.join("plan.json"), plan))
            .and_then(|()| File::create_new(draft.join("journal.jsonl")))
            .and_then(|_| fs::rename(&draft, &folder));
        made.map_err(|error| {
            // It is no run yet; what is left of it only takes room.
            let _ = fs::remove_dir_all(&draft);
            match error.kind() {
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                    StoreError::Exists(run.clone())
                }
                _ => io_error("made", &folder, error),
            }
        })
    }

    async fn append(&self, run: &RunId, records: &[Record]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        let appender = self.appender(run, first.n)?;
        held(&appender).append(records)?;
        if matches!(last.event, Event::RunFinished { .. } | Event::RunStopped { .. }) {
            held(&self.open).remove(run);
        }
        Ok(())
    }

    async fn sync(&self, run: &RunId) -> Result<(), StoreError> {
        self.known(run)?;
        let path = self.layout.journal(run);
        let open = held(&self.open).get(run).map(|appender| held(appender).file());
        let rooted = Arc::clone(&self.rooted);
        let roots = if held(&rooted).contains(run) { Vec::new() } else { self.roots(run).to_vec() };
        let run = run.clone();
        blocking(move || {
            let journal = match open {
                Some(journal) => journal,
                None => Arc::new(File::open(&path).map_err(|error| io_error("opened", &path, error))?),
            };
            journal.sync_data().map_err(|error| io_error("synced", &path, error))?;
            for root in roots {
                let synced = File::open(&root).and_then(|root| root.sync_all());
                synced.map_err(|error| io_error("synced", &root, error))?;
            }
            held(&rooted).insert(run);
            Ok(())
        })
        .await
    }

    async fn load(&self, run: &RunId) -> Result<Journal, StoreError> {
        self.known(run)?;
        let (plan, journal, run) = (self.layout.plan(run), self.layout.journal(run), run.clone());
        blocking(move || {
            let plan = fs::read(&plan).map_err(|error| io_error("read", &plan, error))?;
            let (records, torn) = journal::read(&journal)?;
            if records.is_empty() { Err(StoreError::Empty(run)) } else { Ok(Journal { plan, records, torn }) }
        })
        .await
    }

    async fn first(&self, run: &RunId) -> Result<Option<Record>, StoreError> {
        let journal = self.layout.journal(run);
        blocking(move || {
            let mut line = Vec::new();
            let file = fs::File::open(&journal).map_err(|error| io_error("read", &journal, error))?;
            let read = io::BufReader::new(file).take(FIRST).read_until(b'\n', &mut line);
            Ok(read.ok().and_then(|_| Record::parse(&line).ok()))
        })
        .await
    }

    async fn list(&self) -> Result<Vec<RunId>, StoreError> {
        let folder = self.layout.runs();
        let failed = |error| io_error("read", &folder, error);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            // The next run sets it aside.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                tracing::warn!(file = %folder.display(), "the folder of runs is no folder, so there are no runs");
                return Ok(Vec::new());
            }
            Err(error) => return Err(failed(error)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if let Some(Ok(run)) = entry.file_name().to_str().map(RunId::new)
                && entry.path().is_dir()
            {
                runs.push(run);
            }
        }
        runs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(runs)
    }

    async fn signal(&self, run: &RunId, signal: &Signal) -> Result<(), StoreError> {
        self.known(run)?;
        inbox::put(&self.layout.inbox(run), run, signal)
    }

    async fn inbox(&self, run: &RunId) -> Result<Vec<(String, Signal)>, StoreError> {
        self.known(run)?;
        inbox::take(&self.layout.inbox(run), |path, why| {
            if held(&self.warned).insert(path.to_owned()) {
                tracing::warn!(file = %path.display(), %why, "left out of the inbox: it is no signal");
            }
        })
    }

    async fn seen(&self, run: &RunId, token: &str) -> Result<(), StoreError> {
        self.known(run)?;
        inbox::remove(&self.layout.inbox(run), token)
    }

    fn layout(&self) -> Option<&Layout> {
        Some(&self.layout)
    }

    fn is_live(&self, run: &RunId) -> bool {
        Lock::is_held(&self.layout.run_lock(run))
    }

    /// A lock that is let go is emptied; one whose holder died is not.
    async fn abandoned(&self) -> Result<Vec<RunId>, StoreError> {
        let mut runs = self.list().await?;
        runs.retain(|run| {
            let lock = self.layout.run_lock(run);
            fs::metadata(&lock).is_ok_and(|meta| meta.len() > 0) && !Lock::is_held(&lock)
        });
        Ok(runs)
    }

    async fn close(&self, run: &RunId) {
        if held(&self.open).remove(run).is_none() && self.known(run).is_ok() {
            let owner = Owner::here(run.clone(), &self.command);
            // Taken and let go, it is empty again. One that is held belongs to a live process.
            drop(Lock::acquire(&self.layout.run_lock(run), &owner));
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does what may wait for the disk where no task of a runtime waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
