//! Runs in a shared place: `runs/ID/manifest`, `runs/ID/files/DIGEST`, `runs/ID/leases/N`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use orchestrator_core::BoxError;
use orchestrator_core::id::RunId;
use orchestrator_core::layout::Layout;
use orchestrator_core::lock::{Lock, Owner};

use super::manifest::{About, Content, JOURNAL, Manifest, PLAN, content};
use super::{Lease, SharedError, Team};

/// The longest manifest that is read.
const MANIFEST: u64 = 64 << 20;

/// How a journal here and the shared one go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// The one here has all of the shared one.
    Here,
    /// The shared one has all of the one here, and more.
    There,
    /// Neither continues the other.
    Diverged,
}

impl Team {
    /// The runs that are shared, the latest first.
    pub(crate) fn runs(&self) -> Result<Vec<RunId>, SharedError> {
        if !self.place.holds_runs() {
            return Ok(Vec::new());
        }
        let names = self.place.list("runs").map_err(|source| self.away(source))?;
        let mut runs: Vec<RunId> = names.iter().filter_map(|name| RunId::new(name).ok()).collect();
        runs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(runs)
    }

    /// What a shared run consists of; none where it is not shared.
    pub(crate) fn manifest(&self, run: &RunId) -> Result<Option<Manifest>, SharedError> {
        if !self.place.holds_runs() {
            return Ok(None);
        }
        let bytes = self.read(&format!("runs/{run}/manifest"), MANIFEST)?;
        bytes.map(|bytes| Manifest::read(&bytes, run).map_err(|what| self.damaged(run, what))).transpose()
    }

    /// Puts a run that lies here into the place: its files first, the manifest last. A run that went on elsewhere meanwhile is
    /// left as it is there.
    pub(crate) fn publish(
        &self,
        layout: &Layout,
        run: &RunId,
        about: About,
        lease: Option<&Lease>,
    ) -> Result<(), SharedError> {
        if !self.write {
            return Ok(());
        }
        // That it does not answer was said.
        if self.place.is_away() || !self.place.holds_runs() {
            return Ok(());
        }
        let folder = layout.run_dir(run);
        let manifest = Manifest::of(layout, run, about).map_err(|error| io_error(&folder, error))?;
        if let Some(there) = self.manifest(run)?
            && order(layout, run, &there)? != Order::Here
        {
            return Err(self.diverged(run));
        }
        for (path, content) in &manifest.files {
            let name = format!("runs/{run}/files/{}", content.digest);
            if self.place.size(&name).map_err(|source| self.away(source))? != Some(content.bytes) {
                self.place.put(&name, &path.under(&folder)).map_err(|source| self.away(source))?;
            }
        }
        if let Some(lease) = lease.filter(|lease| !lease.counts().unwrap_or(false)) {
            return Err(lease.lost());
        }
        let bytes = manifest.bytes().map_err(|error| io_error(&folder, error.into()))?;
        self.place.put_bytes(&format!("runs/{run}/manifest"), bytes).map_err(|source| self.away(source))
    }

    /// Brings what is shared of a run here, where that is more than is here already; false where the run is not shared.
    /// Everything is checked before anything of it is seen here.
    pub(crate) fn bring(&self, layout: &Layout, run: &RunId) -> Result<bool, SharedError> {
        let Some(manifest) = self.manifest(run)? else { return Ok(false) };
        let folder = layout.run_dir(run);
        match order(layout, run, &manifest)? {
            Order::Here => return Ok(true),
            Order::Diverged => return Err(self.diverged(run)),
            // Whoever appends to it here is ahead of what it put there.
            Order::There if Lock::is_held(&layout.run_lock(run)) => return Ok(true),
            Order::There => {}
        }
        layout.ensure().map_err(|error| io_error(layout.state(), error))?;
        let draft = layout.runs().join(format!(".shared-{run}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&draft);
        let brought = self.take(&manifest, &draft).and_then(|()| self.settle(layout, run, &manifest, &draft));
        // Where it went well, nothing of it is left there.
        let _ = fs::remove_dir_all(&draft);
        brought.inspect(|()| tracing::debug!(%run, folder = %folder.display(), "brought here")).map(|()| true)
    }

    /// Takes all files of a run into a folder, each checked.
    fn take(&self, manifest: &Manifest, to: &Path) -> Result<(), SharedError> {
        for (path, wanted) in &manifest.files {
            let target = path.under(to);
            let parent = target.parent().unwrap_or(to);
            fs::create_dir_all(parent).map_err(|error| io_error(parent, error))?;
            let mut file = File::create_new(&target).map_err(|error| io_error(&target, error))?;
            let name = format!("runs/{}/files/{}", manifest.run, wanted.digest);
            // One byte more than there should be is enough to see that something is wrong.
            let most = wanted.bytes.saturating_add(1);
            let found = self.place.get(&name, most, &mut file).map_err(|source| self.away(source))?;
            let got = content(&target, u64::MAX).map_err(|error| io_error(&target, error))?;
            if !found || got != *wanted {
                let what = if found { "does not have its digest" } else { "is missing" };
                return Err(self.damaged(&manifest.run, format!("`{path}` {what}")));
            }
        }
        Ok(())
    }

    /// Puts what was taken where runs lie. What lies there already is continued by it; the journal comes last.
    fn settle(
        &self,
        layout: &Layout,
        run: &RunId,
        manifest: &Manifest,
        draft: &Path,
    ) -> Result<(), SharedError> {
        let folder = layout.run_dir(run);
        let (here, there) = (layout.journal(run), draft.join(JOURNAL));
        if !here.exists() {
            return fs::rename(draft, &folder).map_err(|error| io_error(&folder, error));
        }
        let sound = sound(&here).map_err(|error| io_error(&here, error))?;
        let same =
            |a: &Path, b: &Path, most| -> io::Result<bool> { Ok(content(a, most)? == content(b, most)?) };
        let continues = same(&here, &there, sound)
            .and_then(|journal| Ok(journal && same(&layout.plan(run), &draft.join(PLAN), u64::MAX)?));
        if !continues.map_err(|error| io_error(&folder, error))? {
            return Err(self.diverged(run));
        }
        let path = layout.run_lock(run);
        let lock = Lock::acquire(&path, &Owner::here(run.clone(), ""))
            .map_err(|error| io_error(&path, io::Error::other(error)))?;
        let journal = |path: &&orchestrator_core::path::RelPath| path.as_str() == JOURNAL;
        let (last, first): (Vec<_>, Vec<_>) = manifest.files.keys().partition(journal);
        for path in first.into_iter().chain(last) {
            let target = path.under(&folder);
            let moved = target.parent().map_or(Ok(()), fs::create_dir_all);
            moved
                .and_then(|()| fs::rename(path.under(draft), &target))
                .map_err(|error| io_error(&target, error))?;
        }
        drop(lock);
        Ok(())
    }

    pub(super) fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, SharedError> {
        self.place.bytes(name, most).map_err(|source| self.away(source))
    }

    pub(super) fn away(&self, source: BoxError) -> SharedError {
        SharedError::Away { address: self.address().to_owned(), source }
    }

    fn damaged(&self, run: &RunId, what: String) -> SharedError {
        SharedError::Damaged { run: run.clone(), address: self.address().to_owned(), what }
    }

    fn diverged(&self, run: &RunId) -> SharedError {
        SharedError::Diverged { run: run.clone(), address: self.address().to_owned() }
    }
}

/// The bytes of a journal up to the end of its last whole line.
fn sound(path: &Path) -> io::Result<u64> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut whole, mut read) = (0, 0);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(whole);
        }
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            whole = read + at as u64 + 1;
        }
        let taken = bytes.len();
        read += taken as u64;
        reader.consume(taken);
    }
}

fn io_error(path: &Path, source: io::Error) -> SharedError {
    let path: PathBuf = path.to_owned();
    SharedError::Io { what: format!("`{}` could not be shared", path.display()), source }
}

/// How the journal here and the shared one go together, as far as their lengths and the one here tell.
fn order(layout: &Layout, run: &RunId, there: &Manifest) -> Result<Order, SharedError> {
    let path = layout.journal(run);
    let Some(Content { digest, bytes }) = there.file(JOURNAL) else { return Ok(Order::Here) };
    if !path.exists() {
        return Ok(Order::There);
    }
    let failed = |error| io_error(&path, error);
    if sound(&path).map_err(failed)? < bytes {
        return Ok(Order::There);
    }
    let same = content(&path, bytes).map_err(failed)?.digest == digest;
    Ok(if same { Order::Here } else { Order::Diverged })
}
