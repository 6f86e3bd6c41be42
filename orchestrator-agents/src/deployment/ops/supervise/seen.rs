//! What can be seen of processes from outside: who leads, what they were given, how much memory they take, when they end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use orchestrator_core::local::environ;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::deployment::Process;
use crate::deployment::ops::process::{TAG, is_alive, stat, tagged};

/// Variables as a process gets them.
pub(super) type Variables = Vec<(OsString, OsString)>;

/// How long a process that was just made may take until it leads a session of its own.
const SETTLING: Duration = Duration::from_secs(1);

/// How often a process is looked at that cannot be waited for.
const AGAIN: Duration = Duration::from_millis(100);

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
    let bytes = environ(process.pid)?;
    let mut found = Variables::new();
    for variable in bytes.split(|byte| *byte == 0).filter(|variable| !variable.is_empty()) {
        let at = variable.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (variable[..at].to_vec(), variable[at + 1..].to_vec());
        found.push((OsString::from_vec(name), OsString::from_vec(value)));
    }
    let is_whole = found.iter().any(|(name, value)| name == TAG && value == tag);
    (is_whole && is_alive(process)).then_some(found)
}

/// What a process was started with, the program first; none where it is gone, or where that is no text.
pub(super) fn arguments(process: &Process) -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{}/cmdline", process.pid)).ok()?;
    let text = String::from_utf8(bytes).ok().filter(|_| is_alive(process))?;
    let arguments: Vec<String> = text.strip_suffix('\0')?.split('\0').map(str::to_owned).collect();
    arguments.first().is_some_and(|program| !program.is_empty()).then_some(arguments)
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
pub(super) fn wait_for(process: &Process) {
    wait_by(process, |pid| pidfd_open(pid, PidfdFlags::empty()));
}

/// Where there is no handle (old kernels, some filters of system calls, no descriptor left) it is looked at now and then: that nobody can wait
/// for it does not mean that it has ended.
fn wait_by(process: &Process, open: impl Fn(Pid) -> rustix::io::Result<OwnedFd>) {
    let Some(pid) = Pid::from_raw(process.pid.cast_signed()) else { return };
    let handle = open(pid).ok();
    // Looked at after it was opened: from here on the handle is of this very process, or of one that got its id later.
    while is_alive(process) {
        let waited = handle.as_ref().map(|handle| poll(&mut [PollFd::new(handle, PollFlags::IN)], None));
        if !matches!(waited, Some(Ok(_) | Err(Errno::INTR))) {
            std::thread::sleep(AGAIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::ops::process::identity;

    #[test]
    fn an_end_is_waited_for_with_and_without_a_handle() {
        for handle in [true, false] {
            let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
            let process = identity(child.id()).unwrap();
            let (ended, over) = std::sync::mpsc::channel();
            let waiting = std::thread::spawn(move || {
                wait_by(&process, |pid| {
                    if handle { pidfd_open(pid, PidfdFlags::empty()) } else { Err(Errno::NOSYS) }
                });
                ended.send(()).unwrap();
            });
            let early = over.recv_timeout(Duration::from_millis(300));
            child.kill().unwrap();
            child.wait().unwrap();
            waiting.join().unwrap();
            assert!(early.is_err(), "it was taken for dead while it lived");
        }
    }
}
