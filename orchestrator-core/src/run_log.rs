//! The log of a run, for people: one file a run, `STATE/logs/RUN.log`. Written by an observer, so that it can neither fail
//! nor slow a run; the journal is what counts. Where it cannot be written, that is said once and the run goes on.

mod text;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;

use crate::event::{Event, Record};
use crate::id::RunId;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::observer::Observer;
use crate::state::RunState;

/// What waits to be written is written at the latest when there is so much of it.
const BUFFER: usize = 64 << 10;
/// The longest log; what follows is left out, and said.
const LONGEST: u64 = 64 << 20;

/// Writes the log of a run. What is written is what the journal holds, so secrets are masked in it.
pub struct RunLog {
    layout: Layout,
    keep: usize,
    buffer: Vec<u8>,
    to: To,
}

enum To {
    /// No event came yet.
    Closed,
    Open {
        file: File,
        bytes: u64,
    },
    /// It could not be written, or is as long as it may become.
    Over,
}

impl RunLog {
    /// Logs of runs in a state folder, of which the last `keep` are kept; 0 keeps all.
    pub fn new(layout: Layout, keep: u32) -> Self {
        Self { layout, keep: keep as usize, buffer: Vec::new(), to: To::Closed }
    }

    fn begin(&mut self, run: &RunId) {
        match open(&self.layout, run) {
            Ok((file, bytes)) => self.to = To::Open { file, bytes },
            Err(error) => self.give_up(&self.layout.run_log(run).display().to_string(), &error),
        }
        if self.keep > 0
            && let Err(error) = remove_older(&self.layout, run, self.keep)
        {
            tracing::warn!(%error, "older logs of runs could not be removed");
        }
    }

    fn give_up(&mut self, path: &str, error: &io::Error) {
        tracing::warn!(path, %error, "the log of the run could not be written; its journal is not touched by that");
        self.to = To::Over;
        self.buffer = Vec::new();
    }

    fn flush(&mut self) {
        let To::Open { file, bytes } = &mut self.to else { return };
        if self.buffer.is_empty() {
            return;
        }
        *bytes += self.buffer.len() as u64;
        let long = *bytes > LONGEST;
        if long {
            self.buffer.extend_from_slice(b"... the log ends here: it is as long as it may become\n");
        }
        let written = file.write_all(&self.buffer);
        self.buffer.clear();
        match written {
            Err(error) => self.give_up("logs", &error),
            Ok(()) if long => self.to = To::Over,
            Ok(()) => {}
        }
    }
}

impl Observer for RunLog {
    fn event(&mut self, record: &Record, state: &RunState) {
        if matches!(self.to, To::Closed)
            && let Some(begun) = state.begun()
        {
            self.begin(&begun.run.clone());
        }
        if matches!(self.to, To::Over) {
            return;
        }
        text::tell(record, state, &mut self.buffer);
        let last = matches!(record.event, Event::RunStopped { .. } | Event::RunFinished { .. });
        if last || self.buffer.len() >= BUFFER {
            self.flush();
        }
        if last {
            // The same observer may be told of another run.
            self.to = To::Closed;
        }
    }

    fn tick(&mut self, _: &RunState) {
        self.flush();
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Opens the log of a run to add to it. Never follows a link, never waits for a reader of a pipe.
fn open(layout: &Layout, run: &RunId) -> io::Result<(File, u64)> {
    let folder = layout.run_logs();
    crate::aside::folder(layout.state(), &folder, || {
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
        builder.create(&folder)
    })?;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(layout.run_log(run))?;
    let found = file.metadata()?;
    if found.is_file() { Ok((file, found.len())) } else { Err(io::Error::other("it is no file")) }
}

/// Removes the oldest logs, so that `keep` are left; never that of a run that a process runs now.
fn remove_older(layout: &Layout, own: &RunId, keep: usize) -> io::Result<()> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(layout.run_logs())? {
        let name = entry?.file_name();
        let run = name.to_str().and_then(|name| name.strip_suffix(".log")).map(RunId::new);
        logs.extend(run.and_then(Result::ok));
    }
    logs.sort_unstable_by(|a, b| b.cmp(a));
    for run in logs.into_iter().skip(keep).filter(|run| run != own) {
        if !Lock::is_held(&layout.run_lock(&run)) {
            fs::remove_file(layout.run_log(&run))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_ends_the_log_and_nothing_else() {
        let mut log = RunLog::new(Layout::new("/nowhere"), 20);
        log.to = To::Open { file: File::options().write(true).open("/dev/full").unwrap(), bytes: 0 };
        log.buffer = b"a line\n".to_vec();
        log.flush();
        assert!(matches!(log.to, To::Over) && log.buffer.is_empty());
    }

    #[test]
    fn a_log_has_an_end() {
        let temp = tempfile::NamedTempFile::new().unwrap();
        let mut log = RunLog::new(Layout::new("/nowhere"), 20);
        log.to = To::Open { file: temp.reopen().unwrap(), bytes: LONGEST };
        log.buffer = b"one line too many\n".to_vec();
        log.flush();
        assert!(matches!(log.to, To::Over));
        assert!(fs::read_to_string(temp.path()).unwrap().ends_with("it is as long as it may become\n"));
    }
}
