//! What came of each file that goes into a snapshot, and the manifest that follows from it.

use std::io::{self, Cursor};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orchestrator_core::path::Digest;

use super::Stored;
use crate::backup::manifest::{Name, Unsettled, What, is_config};
use crate::backup::repository::Contents;
use crate::ops::here::Here;

use super::super::Known;

/// Room for what turns out to be unsettled while files are read: the length of the manifest is said before it is written.
const ROOM: usize = 64 << 10;
/// How often the stop is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Everything that is known of the files so far.
pub(super) struct Tally {
    here: Here,
    known: Known,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// All of the manifest but its entries.
    contents: Contents,
    entries: Vec<(Name, u32, Is)>,
    /// Files of which it is not known yet what comes of them.
    open: usize,
    complaint: Option<String>,
    stored: Option<Stored>,
}

enum Is {
    File { bytes: u64, digest: Option<Digest>, gone: bool },
    Link(Name),
    Folder,
}

/// How a file ended.
pub(super) enum End {
    /// All of it was read; `settled` where it was the same before and after.
    Read { digest: Digest, settled: bool },
    /// It is not there any more, and why.
    Gone(&'static str),
    /// It is there and could not be read, and why.
    Failed(String),
}

/// Stands for one file until it is known what came of it.
pub(super) struct Token {
    tally: Arc<Tally>,
    at: usize,
    opened: bool,
    ended: bool,
}

/// Gives the manifest once every file before it has ended.
pub(in super::super) struct ManifestOpener {
    tally: Arc<Tally>,
    bytes: usize,
}

impl Tally {
    pub(super) fn new(here: Here, contents: Contents, known: Known) -> Self {
        let state = State { contents, entries: Vec::new(), open: 0, complaint: None, stored: None };
        Self { here, known, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn folder(&self, name: Name, mode: u32) {
        self.state().entries.push((name, mode, Is::Folder));
    }

    pub(super) fn link(&self, name: Name, target: Name) {
        self.state().entries.push((name, 0o777, Is::Link(target)));
    }

    pub(super) fn file(self: &Arc<Self>, name: Name, mode: u32, bytes: u64) -> Token {
        let mut state = self.state();
        state.entries.push((name, mode, Is::File { bytes, digest: None, gone: false }));
        state.open += 1;
        Token { tally: Arc::clone(self), at: state.entries.len() - 1, opened: false, ended: false }
    }

    pub(super) fn unsettle(&self, path: Name, why: &str) {
        self.state().contents.unsettled.push(Unsettled { path, why: why.to_owned() });
    }

    pub(super) fn complain(&self, why: String) {
        self.state().complaint.get_or_insert(why);
    }

    /// Why this is no backup; also where the manifest is not in it.
    pub(super) fn complaint(&self) -> Option<String> {
        let state = self.state();
        let unfinished = state.stored.is_none().then(|| "the manifest was not stored".to_owned());
        state.complaint.clone().or(unfinished)
    }

    pub(super) fn stored(&self) -> Result<Stored, String> {
        match self.complaint() {
            Some(why) => Err(why),
            None => self.state().stored.clone().ok_or_else(|| "the manifest was not stored".to_owned()),
        }
    }

    /// The manifest to come, with its length. None where it cannot be one.
    pub(super) fn manifest(self: &Arc<Self>) -> Option<(ManifestOpener, u64)> {
        let placeholder = Digest::of(b"");
        let state = self.state();
        let length = state.manifest(|_, _| Some(placeholder)).and_then(|contents| {
            serde_json::to_vec(&contents).map(|text| text.len()).map_err(|error| error.to_string())
        });
        drop(state);
        let bytes = length.map_err(|why| self.complain(why)).ok()? + ROOM;
        Some((ManifestOpener { tally: Arc::clone(self), bytes }, bytes as u64))
    }

    fn ended(&self, at: usize, how: Option<End>) {
        let mut state = self.state();
        state.open -= 1;
        let Some((name, _, Is::File { digest, gone, .. })) = state.entries.get_mut(at) else { return };
        let name = name.clone();
        match how {
            // The library found it in the earlier snapshot.
            None => {}
            Some(End::Read { digest: read, settled }) => {
                *digest = Some(read);
                if !settled {
                    let why = "changed while being read".to_owned();
                    state.contents.unsettled.push(Unsettled { path: name, why });
                }
            }
            Some(End::Gone(why)) => {
                *gone = true;
                state.contents.unsettled.push(Unsettled { path: name, why: why.to_owned() });
            }
            Some(End::Failed(why)) => {
                state.complaint.get_or_insert(format!("`{name}` could not be read: {why}"));
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    /// The manifest. `known` gives the digests of files that were not read, by path and size.
    fn manifest(&self, known: impl Fn(&Name, u64) -> Option<Digest>) -> Result<Contents, String> {
        let mut contents = self.contents.clone();
        for (name, mode, is) in &self.entries {
            let what = match is {
                Is::File { gone: true, .. } => continue,
                Is::File { bytes, digest: read, gone: false } => {
                    let digest = read.or_else(|| known(name, *bytes));
                    let digest = digest.ok_or_else(|| format!("`{name}` was not read"))?;
                    Contents::file(*bytes, digest)
                }
                Is::Link(target) => What::Link { target: target.clone() },
                Is::Folder => What::Folder,
            };
            if what != What::Folder && is_config(name) {
                contents.config.push(name.clone());
            }
            contents.entries.push(Contents::entry(name.clone(), *mode, what));
        }
        Ok(contents)
    }
}

impl Token {
    /// From here on it must be read to its end.
    pub(super) fn opened(&mut self) {
        self.opened = true;
    }

    pub(super) fn end(&mut self, how: End) {
        if !std::mem::replace(&mut self.ended, true) {
            self.tally.ended(self.at, Some(how));
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if self.opened {
            self.end(End::Failed("it was not read to its end".to_owned()));
        } else if !std::mem::replace(&mut self.ended, true) {
            self.tally.ended(self.at, None);
        }
    }
}

impl ManifestOpener {
    pub(super) fn open(self) -> io::Result<Cursor<Vec<u8>>> {
        let made = self.made().inspect_err(|error| self.tally.complain(error.to_string()));
        made.map(Cursor::new)
    }

    fn made(&self) -> io::Result<Vec<u8>> {
        let tally = &self.tally;
        let mut state = tally.state();
        while state.open > 0 {
            tally.here.go_on().map_err(io::Error::other)?;
            let waited = tally.changed.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let contents = state.manifest(|name, bytes| {
            let found = tally.known.get(name).filter(|(size, _)| *size == bytes);
            found.map(|(_, digest)| *digest)
        });
        let mut contents = contents.map_err(io::Error::other)?;
        let mut text = serde_json::to_vec(&contents)?;
        if text.len() > self.bytes {
            let (first, more) = (contents.unsettled.len().min(100), contents.unsettled.len());
            contents.unsettled.truncate(first);
            let why = format!("and others: {more} in all changed or vanished while being read");
            contents.unsettled.push(Unsettled { path: Name(Vec::new()), why });
            text = serde_json::to_vec(&contents)?;
        }
        if text.len() > self.bytes {
            return Err(io::Error::other("too much changed while it was read; back up again"));
        }
        // White space after JSON means nothing.
        text.resize(self.bytes, b' ');
        state.stored = Some(Stored { contents, manifest: Digest::of(&text) });
        Ok(text)
    }
}
