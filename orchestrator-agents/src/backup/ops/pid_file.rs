//! Pid files: whether the process that one names is still the one that it was written about. Start times are read from
//! `/proc`, so on Linux alone; elsewhere only a process that is gone makes a pid file stale.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// The most that a pid file may hold.
const MOST: u64 = 256;
/// By how much a process must have started after its pid file was written to be another one: clocks are not exact.
const SLACK: Duration = Duration::from_secs(10);

/// What a pid file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PidFile {
    /// There is none.
    Absent,
    /// Its process is gone, or its id went to another: why.
    Stale(String),
    /// It stays: why.
    Stays(String),
}

/// Looks at a pid file and at the process that it names.
pub(super) fn look(path: &Path) -> io::Result<PidFile> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(PidFile::Absent),
        Err(error) => return Err(error),
        Ok(found) if !found.is_file() => return Ok(PidFile::Stays("it is no file".into())),
        Ok(_) => {}
    }
    let file = File::open(path)?;
    let written = file.metadata()?.modified()?;
    let mut text = String::new();
    if file.take(MOST).read_to_string(&mut text).is_err() {
        return Ok(PidFile::Stays("it holds no process id".into()));
    }
    let Some(pid) = pid(&text) else { return Ok(PidFile::Stays("it holds no process id".into())) };
    let id = pid.as_raw_nonzero();
    Ok(match test_kill_process(pid) {
        Err(Errno::SRCH) => PidFile::Stale(format!("process {id} is gone")),
        _ if is_ended(id.get()) => PidFile::Stale(format!("process {id} has ended")),
        _ => match started(id.get()) {
            Some(started) if started > written + SLACK => PidFile::Stale(format!(
                "process {id} is another program: it started after the file was written"
            )),
            _ => PidFile::Stays(format!("process {id} is running")),
        },
    })
}

/// The process id on the first line.
fn pid(text: &str) -> Option<Pid> {
    Pid::from_raw(text.lines().next()?.trim().parse().ok().filter(|pid| *pid > 0)?)
}

/// The fields of `/proc/PID/stat` after the name: the state first.
fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name may hold anything: what follows starts after the last parenthesis.
    Some(stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().map(str::to_owned).collect())
}

/// Whether only its parent still has to take note of its end.
fn is_ended(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| matches!(fields.first().map(String::as_str), Some("Z" | "X")))
}

/// When a process started: field 22 of proc(5), in ticks since the machine started.
fn started(pid: i32) -> Option<SystemTime> {
    let ticks: u64 = stat(pid)?.get(19)?.parse().ok()?;
    let all = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = all.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let second = rustix::param::clock_ticks_per_second();
    Some(
        UNIX_EPOCH
            + Duration::from_secs(boot)
            + Duration::from_millis(ticks.saturating_mul(1000) / second.max(1)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_counts() {
        let number = |text| pid(text).map(|pid| pid.as_raw_nonzero().get());
        assert_eq!((number("42\n"), number(" 42 \n/var/lib\n")), (Some(42), Some(42)));
        for bad in ["", "0", "-5", "4 2", "1e3", "99999999999", "x"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
