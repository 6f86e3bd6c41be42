//! Processes, told apart by id and start time. Reads `/proc`, so it works on Linux.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use orchestrator_core::local::environ;
use rustix::process::{Pid, Signal, getpgrp, kill_process, kill_process_group};

use super::error::DeployError;
use super::hidden::Hidden;
use crate::deployment::Process;

/// The variable that tells whose a process is.
pub(super) const TAG: &str = "ORCHESTRATE_SERVICE";

/// How long a process may take to go after SIGKILL.
const LAST: Duration = Duration::from_secs(5);

/// State, process group and start time of a process, from `/proc/PID/stat`.
pub(super) fn stat(pid: u32) -> Option<(char, i32, u64)> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The second field, the command's name, may hold anything: what follows starts after the last parenthesis.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let group = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(16)?.parse().ok()?;
    Some((state, group, started))
}

pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The process that has this id now; none where there is none, or only what is left of an ended one.
pub fn identity(pid: u32) -> Option<Process> {
    let (state, _, started) = stat(pid)?;
    (!matches!(state, 'Z' | 'X')).then(|| Process { pid, started, boot: boot() })
}

/// The process that has this id, ended or not.
pub(super) fn known(pid: u32) -> Option<Process> {
    let (_, _, started) = stat(pid)?;
    Some(Process { pid, started, boot: boot() })
}

/// Whether it is this very process that runs.
pub(super) fn is_alive(process: &Process) -> bool {
    identity(process.pid).as_ref() == Some(process)
}

/// The tag of every process that has one and may be looked at.
fn tags() -> Vec<(u32, String)> {
    let Ok(folders) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = folders.flatten().filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, tag(pid)?))).collect()
}

/// What a process carries in `ORCHESTRATE_SERVICE`; none where it carries nothing, or may not be looked at.
pub(super) fn tag(pid: u32) -> Option<String> {
    tag_of(&environ(pid)?)
}

fn tag_of(environ: &[u8]) -> Option<String> {
    let mut variables = environ.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(TAG.as_bytes())?.strip_prefix(b"="))?;
    String::from_utf8(value.to_vec()).ok()
}

/// The live processes that carry one of these tags.
pub(super) fn tagged<'t>(wanted: impl IntoIterator<Item = &'t str>) -> BTreeMap<String, Vec<Process>> {
    let mut found: BTreeMap<String, Vec<Process>> =
        wanted.into_iter().map(|tag| (tag.to_owned(), Vec::new())).collect();
    if found.is_empty() {
        return found;
    }
    for (pid, tag) in tags() {
        if let (Some(processes), Some(process)) = (found.get_mut(&tag), identity(pid)) {
            processes.push(process);
        }
    }
    found.retain(|_, processes| !processes.is_empty());
    found
}

/// Ends a service whole: the group of its process, and whatever else carries its tag. Asks first, then kills.
/// A process that is not the recorded one, although it has its id, is left alone. Says whether there was anything.
pub(super) fn end(leader: Option<&Process>, tag: &str, grace: Duration) -> Result<bool, DeployError> {
    let mut members = members(leader, tag);
    if members.is_empty() {
        return Ok(false);
    }
    for (signal, patience) in [(Signal::TERM, grace), (Signal::KILL, LAST)] {
        send(&members, signal);
        let until = Instant::now() + patience;
        while Instant::now() < until {
            members.retain(is_alive);
            if members.is_empty() {
                members = self::members(leader, tag);
            }
            if members.is_empty() {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        members = self::members(leader, tag);
        if members.is_empty() {
            return Ok(true);
        }
    }
    Err(DeployError::StillThere(members[0].pid))
}

fn members(leader: Option<&Process>, tag: &str) -> Vec<Process> {
    let mut members = tagged([tag]).remove(tag).unwrap_or_default();
    if let Some(leader) = leader.filter(|leader| is_alive(leader) && !members.contains(leader)) {
        members.push(leader.clone());
    }
    members
}

/// Sends a signal once to each process: to those whose group one of them leads, through the group.
fn send(members: &[Process], signal: Signal) {
    let groups: Vec<(&Process, i32)> = members
        .iter()
        .filter_map(|member| Some((member, stat(member.pid).filter(|stat| stat.2 == member.started)?.1)))
        .collect();
    let leads = |group: i32| groups.iter().any(|(member, _)| member.pid.cast_signed() == group);
    for (member, group) in &groups {
        let Some(pid) = Pid::from_raw(member.pid.cast_signed()) else { continue };
        // One that is gone by now is as wanted, and one that is not ours stays and is reported in the end.
        let _ = if *group == member.pid.cast_signed() && pid != getpgrp() {
            kill_process_group(pid, signal)
        } else if leads(*group) {
            Ok(())
        } else {
            kill_process(pid, signal)
        };
    }
}

/// The last lines of a log, at most 4 KiB and 20 lines, with secrets masked.
pub(super) fn tail(log: &Path, secrets: &[String]) -> String {
    const BYTES: usize = 4096;
    // What stands for the bytes of a character that was cut is longer than they are.
    const CUT: usize = 8;
    let hidden = Hidden::new(secrets);
    // A secret may begin before what is shown.
    let bytes = read_end(log, (BYTES + hidden.longest() + CUT) as u64).unwrap_or_default();
    let cut = bytes.len().saturating_sub(BYTES);
    let mut text = hidden.hide(&String::from_utf8_lossy(&bytes));
    // What was read besides is not shown; a character that is cut there goes with it.
    let shown = text.ceil_char_boundary(cut.min(text.len()));
    text.drain(..shown);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(20)..].join("\n");
    if last.trim().is_empty() { "(its log is empty)".into() } else { last }
}

/// Opens a file that a service may have put something else in place of: what is no file would hold up whoever opens it.
pub(super) fn open_log(log: &Path) -> std::io::Result<fs::File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(log)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("it is no file")) }
}

fn read_end(log: &Path, bytes: u64) -> std::io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = open_log(log)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(bytes)))?;
    let mut end = Vec::new();
    file.take(bytes).read_to_end(&mut end)?;
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_by_its_start() {
        let me = identity(std::process::id()).unwrap();
        assert!(is_alive(&me));
        assert!(!is_alive(&Process { started: me.started + 1, ..me.clone() }));
        assert!(!is_alive(&Process { boot: "another".into(), ..me }));
        assert!(identity(u32::MAX).is_none());
    }

    #[test]
    fn tags_are_found_in_an_environment() {
        assert_eq!(tag_of(b"A=1\0ORCHESTRATE_SERVICE=staging/1/x\0").as_deref(), Some("staging/1/x"));
        assert_eq!(tag_of(b"A=ORCHESTRATE_SERVICE=x\0ORCHESTRATE_SERVICES=y\0"), None);
    }

    #[test]
    fn what_is_put_in_place_of_a_log_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("service.log");
        rustix::fs::mknodat(rustix::fs::CWD, &log, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(tail(&log, &[]), "(its log is empty)");
    }

    #[test]
    fn a_secret_that_the_window_cuts_is_masked() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("service.log");
        let rest = "x".repeat(4096 - 3);
        std::fs::write(&log, format!("before s3cret{rest}")).unwrap();
        let tail = tail(&log, &["s3cret".into()]);
        assert!(!tail.contains("ret"), "{}", &tail[..20]);
        assert!(tail.ends_with(&rest));
    }

    #[test]
    fn a_secret_is_masked_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("service.log");
        let secrets = [
            "hunter2",
            "hunter2-production-9f3c",
            "p@ss/word1",
            "pi",
            "pin",
            "",
            "-BEGIN-\nMIIEpAIBAAK\n-END-",
        ];
        let secrets = secrets.map(str::to_owned);
        let lines = "postgres://app:p%40ss%2Fword1@db\nbasic cEBzcy93b3JkMQ==\nhunter2-production-9f3c\nMIIEpAIBAAK\nxpinx";
        std::fs::write(&log, lines).unwrap();
        let masked = "postgres://app:***@db\nbasic ***\n***\n***\nx***x";
        assert_eq!(tail(&log, &secrets), masked);
        // A form is longer than the secret itself: the window may cut that as well.
        let rest = "x".repeat(4096 - 3);
        std::fs::write(&log, format!("before p%40ss%2Fword1{rest}")).unwrap();
        assert!(!tail(&log, &secrets).contains("rd1"));
    }
}
