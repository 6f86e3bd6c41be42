//! Processes, told apart by id and start time. Reads `/proc`, so it works on Linux.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpgrp, kill_process, kill_process_group};

use super::error::DeployError;
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
    pids.filter_map(|pid| Some((pid, tag_of(&fs::read(format!("/proc/{pid}/environ")).ok()?)?))).collect()
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
    let bytes = read_end(log, BYTES as u64).unwrap_or_default();
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret.as_str(), "***");
    }
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(20)..].join("\n");
    if last.trim().is_empty() { "(its log is empty)".into() } else { last }
}

fn read_end(log: &Path, bytes: u64) -> std::io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(log)?;
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
}
