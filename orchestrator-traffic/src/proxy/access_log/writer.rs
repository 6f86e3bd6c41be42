//! The thread that writes.

use std::io;
use std::mem;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use super::file::Rotated;
use super::{Format, Queue, Shared};

/// Lines are written this often at most: one wake-up for many of them.
const PAUSE: Duration = Duration::from_millis(100);

/// Writes until the log ends.
pub(super) fn write(shared: &Shared, file: Rotated, format: Format, remark: &dyn Fn(&str)) {
    let mut writer = Writer { shared, file, format, remark, told: 0, failing: false };
    let mut lines = Vec::new();
    loop {
        let (count, ended) = wait(shared, &mut lines);
        let moved = || count > 0 && shared.settled.load(Relaxed) && writer.file.is_moved();
        if (shared.reopen.swap(false, Relaxed) || moved())
            && let Err(error) = writer.file.reopen()
        {
            writer.failed(&error);
        }
        writer.lines(&lines, count);
        lines.clear();
        if ended {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// Waits until there is something to do and takes what there is; how many lines, and whether they are the last.
fn wait(shared: &Shared, lines: &mut Vec<u8>) -> (u64, bool) {
    let idle = |queue: &mut Queue| queue.count == 0 && !queue.ended && !shared.reopen.load(Relaxed);
    let queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    // A call to open anew may come between the look and the wait: it is seen within a second.
    let (mut queue, _) = shared
        .filled
        .wait_timeout_while(queue, Duration::from_secs(1), idle)
        .unwrap_or_else(PoisonError::into_inner);
    mem::swap(&mut queue.lines, lines);
    (mem::take(&mut queue.count), queue.ended)
}

struct Writer<'a> {
    shared: &'a Shared,
    file: Rotated,
    format: Format,
    remark: &'a dyn Fn(&str),
    /// How many of the lost ones were told in the log.
    told: u64,
    failing: bool,
}

impl Writer<'_> {
    fn lines(&mut self, lines: &[u8], count: u64) {
        if lines.is_empty() {
            return;
        }
        let lost = self.shared.lost.load(Relaxed);
        let confession = self.confession(lost - self.told);
        let written = if confession.is_empty() { Ok(()) } else { self.file.append(confession.as_bytes()) };
        let written = match written {
            Ok(()) => {
                self.told = lost;
                self.file.append(lines)
            }
            Err((_, error)) => Err((count, error)),
        };
        let missing = written.as_ref().map_or_else(|(missing, _)| *missing, |()| 0);
        self.shared.written.fetch_add(count - missing, Relaxed);
        self.shared.lost.fetch_add(missing, Relaxed);
        match written {
            Ok(()) => self.wrote(),
            Err((_, error)) => self.failed(&error),
        }
    }

    /// Says in the log how much is missing before the next line.
    fn confession(&self, missing: u64) -> String {
        match (missing, self.format) {
            (0, _) => String::new(),
            (_, Format::Json) => format!("{{\"lost\":{missing}}}\n"),
            (_, Format::Combined) => format!("# {missing} requests are missing here\n"),
        }
    }

    fn wrote(&mut self) {
        if mem::take(&mut self.failing) {
            (self.remark)("the access log is written again");
        }
        if !self.shared.settled.load(Relaxed)
            && let Err(error) = self.file.put_aside_if_full()
        {
            self.failed(&error);
        }
    }

    fn failed(&mut self, error: &io::Error) {
        if !mem::replace(&mut self.failing, true) {
            (self.remark)(&format!(
                "the access log cannot be written, requests are served without it: {error}"
            ));
        }
    }
}
