//! What can be seen of processes from outside: who leads, what they were given, how much memory they take, when they end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::deployment::Process;
use crate::deployment::ops::process::{TAG, is_alive, stat, tagged};

/// Variables as a process gets them.
pub(super) type Variables = Vec<(OsString, OsString)>;

/// How long a process that was just made may take until it leads a session of its own.
const SETTLING: Duration = Duration::from_secs(1);

/// The process that was started with that tag: the oldest that leads its group. Those that it started carry the tag as well.
pub(super) fn leader(tag: &str) -> Option<Process> {
    let until = Instant::now() + SETTLING;
    loop {
        let mut all = tagged([tag]).remove(tag)?;
        all.retain(|process| {
            stat(process.pid).is_some_and(|(_, group, _)| group == process.pid.cast_signed())
        });
        all.sort_by_key(|process| (process.started, process.pid));
        if let Some(first) = all.into_iter().next() {
            return Some(first);
        }
        if Instant::now() >= until {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The variables that a process was started with. None where they cannot be read, or where the process wrote over them: then the
/// tag is not among them.
pub(super) fn variables(process: &Process, tag: &str) -> Option<Variables> {
    let bytes = fs::read(format!("/proc/{}/environ", process.pid)).ok()?;
    let mut found = Variables::new();
    for variable in bytes.split(|byte| *byte == 0).filter(|variable| !variable.is_empty()) {
        let at = variable.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (variable[..at].to_vec(), variable[at + 1..].to_vec());
        found.push((OsString::from_vec(name), OsString::from_vec(value)));
    }
    let is_whole = found.iter().any(|(name, value)| name == TAG && value == tag);
    (is_whole && is_alive(process)).then_some(found)
}

/// The value of one of them, as text.
pub(super) fn value<'v>(variables: &'v Variables, name: &str) -> Option<&'v str> {
    variables.iter().find(|(known, _)| known == name)?.1.to_str()
}

/// Bytes of memory by tag: the resident sets of all processes that carry it.
pub(super) fn resident<'t>(tags: impl IntoIterator<Item = &'t str>) -> BTreeMap<String, u64> {
    let found = tagged(tags);
    let sum = |processes: Vec<Process>| processes.iter().map(|process| resident_of(process.pid)).sum();
    found.into_iter().map(|(tag, processes)| (tag, sum(processes))).collect()
}

/// Bytes of memory of one process; 0 where it is gone.
pub(super) fn resident_of(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// Waits until a process has ended that is no child of this one.
pub(super) fn wait_for(process: &Process) -> io::Result<()> {
    let Some(pid) = Pid::from_raw(process.pid.cast_signed()) else { return Ok(()) };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        opened => opened?,
    };
    // Looked at after it was opened: from here on the handle is of this very process, or of one that got its id later.
    while is_alive(process) {
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
