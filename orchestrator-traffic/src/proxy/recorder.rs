//! Passes what is told of each request on to the access log, and remembers whom the end of the process cut.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::access_log::{AccessLog, Entry};
use super::record::{End, Record, Recorder};

/// The most requests that are named as cut.
const NAMED: usize = 20;

/// What hears of each request.
#[derive(Debug, Default)]
pub(super) struct Listening {
    pub(super) log: Option<AccessLog>,
    cuts: AtomicU64,
    named: Mutex<Vec<String>>,
}

impl Listening {
    pub(super) fn new(log: Option<AccessLog>) -> Self {
        Self { log, ..Self::default() }
    }

    /// Whom somebody cut so far: how many, and the last few of them.
    pub(super) fn cut(&self) -> (u64, Vec<String>) {
        (self.cuts.load(Relaxed), self.named.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Somebody has moved the access log.
    pub(super) fn reopen(&self) {
        if let Some(log) = &self.log {
            log.reopen();
        }
    }

    /// Nothing is told any more: what was goes to the disk.
    pub(super) fn finish(&self) {
        if let Some(log) = &self.log {
            log.finish();
        }
    }

    fn was_cut(&self, record: &Record) {
        self.cuts.fetch_add(1, Relaxed);
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() == NAMED {
            named.remove(0);
        }
        let Record { method, path, total_us, .. } = record;
        let path: String = path.chars().filter(|char| !char.is_control()).take(200).collect();
        named.push(format!("{method} {path} after {} ms", total_us / 1000));
    }
}

impl Recorder for Listening {
    fn record(&self, record: &Record<'_>) {
        if record.end == End::Cut {
            self.was_cut(record);
        }
        let Some(log) = &self.log else { return };
        let Record {
            method,
            path,
            host,
            referer,
            agent,
            client,
            status,
            route,
            version,
            bytes,
            head_us,
            total_us,
            end,
        } = *record;
        let now = SystemTime::now();
        log.log(&Entry {
            at: now.checked_sub(Duration::from_micros(total_us)).unwrap_or(now),
            client,
            method,
            host,
            referer,
            agent,
            path,
            status: (status > 0).then_some(status),
            sent: bytes,
            head_us,
            total_us,
            route,
            version,
            broken: match end {
                End::Whole => None,
                End::Left => Some("the client left"),
                End::Broken => Some("the version broke off"),
                End::Cut => Some("the proxy cut it"),
            },
        });
    }

    fn wants_agent(&self) -> bool {
        self.log.as_ref().is_some_and(AccessLog::wants_agent)
    }
}
