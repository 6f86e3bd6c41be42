//! The access log: one line a request, written by a thread of its own.
//!
//! Nothing here slows a request down or fails one. What does not fit into the queue, or onto the disk, is left out; how much is
//! counted, in the metrics and as a line in the log itself once it can be written again.

mod entry;
mod file;
mod writer;

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

pub use entry::{Entry, Format};

use file::Rotated;

/// The most bytes that wait to be written.
const QUEUE: usize = 4 << 20;

/// Where it is written and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLogConfig {
    /// The file; older ones lie beside it with `.1` (the newest) to `.5`.
    pub path: PathBuf,
    /// How lines look.
    pub format: Format,
    /// Bytes from which on a file is put aside.
    pub limit: u64,
    /// How many older ones are kept.
    pub keep: u32,
}

impl AccessLogConfig {
    /// JSON lines there, 10 MiB a file, five older ones.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), format: Format::Json, limit: 10 << 20, keep: 5 }
    }
}

/// The door to the log; what is behind ends with the last of them.
#[derive(Debug)]
pub struct AccessLog {
    format: Format,
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

thread_local! {
    /// Lines are made on the thread that serves, so that nothing of a request has to be kept for them.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What the door and the writer share.
#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    /// Left out so far.
    lost: AtomicU64,
    written: AtomicU64,
    /// The file is opened anew: somebody else has moved it.
    reopen: AtomicBool,
    /// Another process puts files aside now.
    settled: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    count: u64,
    ended: bool,
}

impl AccessLog {
    /// Opens the file and starts the writer. `remark` hears when lines cannot be written, and when they can again.
    pub fn open(config: AccessLogConfig, remark: impl Fn(&str) + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let file = Rotated::open(&config)?;
        let format = config.format;
        let writer = thread::Builder::new().name("access-log".into()).spawn({
            let shared = shared.clone();
            move || writer::write(&shared, file, format, &remark)
        })?;
        Ok(Self { format, shared, writer: Mutex::new(Some(writer)) })
    }

    /// Takes an entry, or leaves it out where too much waits.
    pub fn log(&self, entry: &Entry) {
        LINE.with_borrow_mut(|line| {
            line.clear();
            entry.write(self.format, line);
            self.add(line);
        });
    }

    fn add(&self, line: &[u8]) {
        let first = {
            let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.lines.len() + line.len() > QUEUE {
                self.shared.lost.fetch_add(1, Relaxed);
                return;
            }
            queue.lines.extend_from_slice(line);
            queue.count += 1;
            queue.count == 1
        };
        if first {
            self.shared.filled.notify_one();
        }
    }

    /// Whether its lines tell of referer and agent.
    pub fn wants_agent(&self) -> bool {
        self.format == Format::Combined
    }

    /// Entries that were left out.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Relaxed)
    }

    /// Entries that were written.
    pub fn written(&self) -> u64 {
        self.shared.written.load(Relaxed)
    }

    /// Opens the file anew before the next line: somebody else has moved it.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Relaxed);
        self.shared.filled.notify_one();
    }

    /// Writes what waits and ends. What comes after that is left out.
    pub fn finish(&self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.shared.filled.notify_one();
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A writer that panicked has nothing more to say.
            let _ = writer.join();
        }
    }

    /// Puts no more files aside: a successor does that now, and this follows it.
    pub fn settle(&self) {
        self.shared.settled.store(true, Relaxed);
    }
}

/// What waits is written first.
impl Drop for AccessLog {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests;
