//! A place whose answers are waited for only so long: for the first one, and for each part after that.

use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use orchestrator_core::BoxError;

use super::Place;

/// A place whose answers are waited for only so long.
#[derive(Clone)]
pub(super) struct Timed {
    place: Arc<dyn Place>,
    address: Arc<str>,
    timeout: Duration,
    /// Something that was asked of it failed.
    away: Arc<AtomicBool>,
}

enum Step<T> {
    Part(Vec<u8>),
    End(Result<T, BoxError>),
}

impl Timed {
    pub(super) fn new(place: Arc<dyn Place>, address: String, timeout: Duration) -> Self {
        Self { place, address: address.into(), timeout, away: Arc::default() }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Whether it can hold runs.
    pub(super) fn holds_runs(&self) -> bool {
        self.place.holds_runs()
    }

    /// Whether something that was asked of it failed.
    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// Writes at most so many bytes of a name to `to`; false where nothing is.
    pub(super) fn get(&self, name: &str, most: u64, to: &mut dyn Write) -> Result<bool, BoxError> {
        let name = name.to_owned();
        let mut left = most;
        self.within(move |place, tell| place.get(&name, &mut |bytes| tell(bytes)), &mut |bytes| {
            let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            left -= taken as u64;
            to.write_all(&bytes[..taken])?;
            Ok(left > 0)
        })
        .map(|found| found.unwrap_or(true))
    }

    /// All bytes of a name, where they are not too many; none where nothing is.
    pub(super) fn bytes(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, BoxError> {
        let mut bytes = Vec::new();
        if !self.get(name, most + 1, &mut bytes)? {
            return Ok(None);
        }
        if bytes.len() as u64 > most {
            return Err(format!("`{name}` has more than {most} bytes").into());
        }
        Ok(Some(bytes))
    }

    pub(super) fn size(&self, name: &str) -> Result<Option<u64>, BoxError> {
        let name = name.to_owned();
        self.quick(move |place| place.size(&name))
    }

    pub(super) fn put(&self, name: &str, from: &Path) -> Result<(), BoxError> {
        self.put_from(name, Box::new(File::open(from)?))
    }

    pub(super) fn put_bytes(&self, name: &str, bytes: Vec<u8>) -> Result<(), BoxError> {
        self.put_from(name, Box::new(Cursor::new(bytes)))
    }

    fn put_from(&self, name: &str, mut from: Box<dyn Read + Send>) -> Result<(), BoxError> {
        let name = name.to_owned();
        let put = self.within(
            move |place, tell| {
                place.put(&name, &mut *from, &mut || {
                    tell(Vec::new());
                })
            },
            &mut |_| Ok(true),
        );
        put.map(|_| ())
    }

    pub(super) fn create(&self, name: &str, bytes: Vec<u8>) -> Result<bool, BoxError> {
        let name = name.to_owned();
        self.quick(move |place| place.create(&name, &bytes))
    }

    /// Names below a folder that are plain; what else lies there is not ours.
    pub(super) fn list(&self, folder: &str) -> Result<Vec<String>, BoxError> {
        let folder = folder.to_owned();
        let mut names = self.quick(move |place| place.list(&folder))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        names.retain(|name| !name.is_empty() && name.chars().all(plain));
        names.sort_unstable();
        Ok(names)
    }

    fn quick<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Place) -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, BoxError> {
        let done = self.within(move |place, _| work(place), &mut |_| Ok(true))?;
        done.ok_or_else(|| "it was not waited for".into())
    }

    fn within<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Place, &mut dyn FnMut(Vec<u8>) -> bool) -> Result<T, BoxError> + Send + 'static,
        each: &mut dyn FnMut(Vec<u8>) -> io::Result<bool>,
    ) -> Result<Option<T>, BoxError> {
        self.on_thread(work, each).inspect_err(|_| self.away.store(true, Ordering::Relaxed))
    }

    /// Lets a thread do the work, and waits for each part and for the end; none where `each` had enough. A thread that hangs
    /// is left behind: it holds nothing, and ends with the program.
    fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Place, &mut dyn FnMut(Vec<u8>) -> bool) -> Result<T, BoxError> + Send + 'static,
        each: &mut dyn FnMut(Vec<u8>) -> io::Result<bool>,
    ) -> Result<Option<T>, BoxError> {
        let (sender, receiver) = sync_channel(1);
        let place = self.place.clone();
        std::thread::Builder::new().name("shared-place".into()).spawn(move || {
            let mut tell = |bytes| sender.send(Step::Part(bytes)).is_ok();
            let end = work(&*place, &mut tell);
            // Nobody waits any more where that fails.
            let _ = sender.send(Step::End(end));
        })?;
        loop {
            match receiver.recv_timeout(self.timeout) {
                Ok(Step::Part(bytes)) => {
                    if !each(bytes)? {
                        return Ok(None);
                    }
                }
                Ok(Step::End(end)) => return end.map(Some),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("no answer within {} s", self.timeout.as_secs_f64()).into());
                }
                Err(RecvTimeoutError::Disconnected) => return Err("its thread ended early".into()),
            }
        }
    }
}
