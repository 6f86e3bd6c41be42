//! One journal file: a record a line. Reading never changes it; appending starts by cutting off a torn last line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::Error;

use crate::event::Record;
use crate::id::RunId;
use crate::layout::Layout;
use crate::lock::{Lock, LockError, Owner};
use crate::store::StoreError;

/// The longest line that is read, and so the longest that is written.
pub(super) const MAX_LINE: usize = 64 << 20;
const READ_AHEAD: usize = 256 << 10;
/// A buffer that grew beyond this for one large batch is given back.
const KEEP_BUFFER: usize = 1 << 20;

/// An error that names a file.
pub(super) fn io_error(doing: &str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { what: format!("`{}` could not be {doing}", path.display()), source }
}

/// What is wrong with a line.
enum Flaw {
    /// It has no end: it was, or is just being, written.
    Cut,
    /// It is no JSON: what a crash of the machine leaves, where it is the last one.
    Torn(serde_json::Error),
    /// It was written so, and is no record.
    Damaged(serde_json::Error),
}

fn parse(line: &[u8]) -> Result<Record, Flaw> {
    let Some((b'\n', text)) = line.split_last() else {
        return Err(if line.len() > MAX_LINE {
            Flaw::Damaged(serde_json::Error::custom("the line is longer than 64 MiB"))
        } else {
            Flaw::Cut
        });
    };
    // JSON that does not fit must not be dropped as torn: a later version may have written it.
    Record::parse(text)
        .map_err(|error| if error.is_data() { Flaw::Damaged(error) } else { Flaw::Torn(error) })
}

/// Reads the next line with its end; false where there is none. A longer line than the limit comes cut.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    reader.take(MAX_LINE as u64 + 1).read_until(b'\n', line).map(|bytes| bytes > 0)
}

fn open(path: &Path) -> io::Result<BufReader<File>> {
    File::open(path).map(|file| BufReader::with_capacity(READ_AHEAD, file))
}

/// The records of a journal, and how many bytes of a torn last line were left out.
pub(super) fn read(path: &Path) -> Result<(Vec<Record>, u64), StoreError> {
    let failed = |error| io_error("read", path, error);
    let mut reader = open(path).map_err(failed)?;
    let mut records = Vec::new();
    let mut line = Vec::new();
    let mut number = 0;
    while next_line(&mut reader, &mut line).map_err(failed)? {
        number += 1;
        match parse(&line) {
            Ok(record) => records.push(record),
            Err(Flaw::Cut) => return Ok((records, line.len() as u64)),
            Err(Flaw::Torn(_)) if reader.fill_buf().map_err(failed)?.is_empty() => {
                return Ok((records, line.len() as u64));
            }
            Err(Flaw::Torn(source) | Flaw::Damaged(source)) => {
                return Err(StoreError::Damaged { file: path.display().to_string(), line: number, source });
            }
        }
    }
    Ok((records, 0))
}

/// How much of a journal is sound: records and bytes. Only the last line is parsed.
fn sound(path: &Path) -> Result<(u64, u64), StoreError> {
    let failed = |error| io_error("read", path, error);
    let mut reader = open(path).map_err(failed)?;
    let (mut records, mut bytes) = (0, 0);
    let (mut line, mut last) = (Vec::new(), Vec::new());
    while next_line(&mut reader, &mut line).map_err(failed)? {
        records += 1;
        bytes += line.len() as u64;
        std::mem::swap(&mut line, &mut last);
    }
    match parse(&last) {
        Ok(_) => Ok((records, bytes)),
        Err(Flaw::Cut | Flaw::Torn(_)) if records == 0 => Ok((0, 0)),
        Err(Flaw::Cut | Flaw::Torn(_)) => Ok((records - 1, bytes - last.len() as u64)),
        Err(Flaw::Damaged(source)) => {
            Err(StoreError::Damaged { file: path.display().to_string(), line: records, source })
        }
    }
}

/// The end of a journal, open for appending. Whoever has it holds the run's lock.
pub(super) struct Appender {
    file: Arc<File>,
    path: PathBuf,
    run: RunId,
    /// How many records there were when it was opened.
    pub(super) found: u64,
    /// Where the last good record ends.
    good: u64,
    /// Whether there may be something after that.
    soiled: bool,
    buffer: Vec<u8>,
    _lock: Lock,
}

impl Appender {
    /// Takes the run's lock, then opens its journal and cuts off a torn last line.
    pub(super) fn open(layout: &Layout, run: &RunId, command: &str) -> Result<Self, StoreError> {
        let path = layout.journal(run);
        if !path.exists() {
            return Err(StoreError::Unknown(run.clone()));
        }
        let lock_path = layout.run_lock(run);
        let lock =
            Lock::acquire(&lock_path, &Owner::here(run.clone(), command)).map_err(|error| match error {
                LockError::Held { path: _, owner } => StoreError::Busy { run: run.clone(), owner },
                LockError::Io { path, source } => io_error("locked", &path, source),
                LockError::Stopped { path } => io_error("locked", &path, io::ErrorKind::Interrupted.into()),
            })?;
        if !path.exists() {
            // It was removed while the lock was waited for; what locking made of it anew goes as well.
            drop(lock);
            let _ = std::fs::remove_file(&lock_path).and_then(|()| std::fs::remove_dir(layout.run_dir(run)));
            return Err(StoreError::Unknown(run.clone()));
        }
        let (found, good) = sound(&path)?;
        let file =
            File::options().append(true).open(&path).map_err(|error| io_error("opened", &path, error))?;
        let length = file.metadata().map_err(|error| io_error("opened", &path, error))?.len();
        if length > good {
            tracing::warn!(file = %path.display(), bytes = length - good, "a torn last line is cut off");
        }
        let soiled = length > good;
        let file = Arc::new(file);
        Ok(Self { file, path, run: run.clone(), found, good, soiled, buffer: Vec::new(), _lock: lock })
    }

    /// The file, to be synced without holding up others.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Appends records with one write. After an error none of them is there.
    pub(super) fn append(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.buffer.clear();
        for record in records {
            self.serialize(record)?;
        }
        self.clean()?;
        let written = (&*self.file).write_all(&self.buffer);
        if let Err(source) = written {
            self.soiled = true;
            // Where that fails too, the next append tries again before it writes.
            let _ = self.clean();
            return Err(io_error("written", &self.path, source));
        }
        self.good += self.buffer.len() as u64;
        if self.buffer.capacity() > KEEP_BUFFER {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    fn clean(&mut self) -> Result<(), StoreError> {
        if self.soiled {
            self.file.set_len(self.good).map_err(|error| io_error("truncated", &self.path, error))?;
            self.soiled = false;
        }
        Ok(())
    }

    fn serialize(&mut self, record: &Record) -> Result<(), StoreError> {
        let start = self.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer, record) {
            let what = format!("record {} could not be written as JSON", record.n);
            return Err(StoreError::Io { what, source: error.into() });
        }
        let line = &mut self.buffer[start..];
        // JSON that was passed on unread may have line breaks between its parts; inside strings there are none.
        if line.contains(&b'\n') {
            line.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        }
        let bytes = line.len();
        self.buffer.push(b'\n');
        if bytes >= MAX_LINE {
            let (what, run) = (format!("record {}", record.n), self.run.clone());
            return Err(StoreError::TooLarge { run, what, bytes: bytes as u64, limit: MAX_LINE as u64 });
        }
        Ok(())
    }
}
