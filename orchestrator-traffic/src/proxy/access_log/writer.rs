//! The thread that writes.

use std::io::{self, Write as _};
use std::mem;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use super::file::Rotated;
use super::{Entry, Format, Shared};

/// Entries are written this often at most: one wake-up for many of them.
const PAUSE: Duration = Duration::from_millis(100);
/// Lines go to the file in pieces of about that many bytes.
const PIECE: usize = 64 << 10;

/// Writes until the log ends.
pub(super) fn write(shared: &Shared, file: Rotated, format: Format, remark: &dyn Fn(&str)) {
    let mut writer = Writer { shared, file, format, remark, told: 0, telling: 0, failing: false };
    loop {
        let ended = wait(shared);
        if shared.reopen.swap(false, Relaxed)
            && let Err(error) = writer.file.reopen()
        {
            writer.failed(&error);
        }
        let entries = mem::take(&mut shared.queue.lock().unwrap_or_else(PoisonError::into_inner).entries);
        writer.lines(&entries);
        if ended {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// Waits until there is something to do; whether it is the last.
fn wait(shared: &Shared) -> bool {
    let idle =
        |queue: &mut super::Queue| queue.entries.is_empty() && !queue.ended && !shared.reopen.load(Relaxed);
    let queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    // A call to open anew may come between the look and the wait: it is seen within a second.
    let (queue, _) = shared
        .filled
        .wait_timeout_while(queue, Duration::from_secs(1), idle)
        .unwrap_or_else(PoisonError::into_inner);
    queue.ended
}

struct Writer<'a> {
    shared: &'a Shared,
    file: Rotated,
    format: Format,
    remark: &'a dyn Fn(&str),
    /// How many of the lost ones were told in the log, and with what is written next.
    told: u64,
    telling: u64,
    failing: bool,
}

impl Writer<'_> {
    fn lines(&mut self, entries: &[Entry]) {
        let mut piece = Vec::new();
        self.confess(&mut piece);
        let mut count = 0;
        for entry in entries {
            entry.write(self.format, &mut piece);
            count += 1;
            if piece.len() >= PIECE {
                self.piece(&mut piece, mem::take(&mut count));
            }
        }
        self.piece(&mut piece, count);
    }

    /// Says in the log how much is missing.
    fn confess(&mut self, piece: &mut Vec<u8>) {
        let lost = self.shared.lost.load(Relaxed);
        let new = lost - self.told;
        if new == 0 {
            return;
        }
        let line = match self.format {
            Format::Json => format!("{{\"lost\":{new}}}\n"),
            Format::Combined => format!("# {new} requests are missing here\n"),
        };
        piece.write_all(line.as_bytes()).expect("a vector takes everything");
        self.telling = lost;
    }

    fn piece(&mut self, piece: &mut Vec<u8>, count: u64) {
        if piece.is_empty() {
            return;
        }
        match self.file.append(piece) {
            Ok(()) => self.appended(count),
            Err(error) => {
                self.shared.lost.fetch_add(count, Relaxed);
                self.telling = self.told;
                self.failed(&error);
            }
        }
        piece.clear();
    }

    fn appended(&mut self, count: u64) {
        self.shared.written.fetch_add(count, Relaxed);
        self.told = self.telling;
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
