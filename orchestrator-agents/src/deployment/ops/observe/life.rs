//! How the process of a watched version is, and what time it is by a clock that nobody sets. Reads `/proc`.

use std::fs;
use std::time::Duration;

use crate::deployment::analysis::{Clock, Life};
use crate::deployment::ops::check::Watched;
use crate::deployment::ops::process;

/// Hundredths of a second since the machine booted, those asleep too.
pub(super) fn clock() -> Clock {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds: f64 = uptime.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
    let up = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Clock { boot: process::boot(), ms: up.as_millis() as u64 }
}

/// How a process is that nobody starts again when it ends.
pub(super) fn life(watched: &Watched) -> Life {
    let alive = process::is_alive(&watched.process);
    let rss_kib = alive.then(|| resident(watched.process.pid)).flatten();
    Life { alive, rss_kib, ..Life::default() }
}

fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::Environment;

    #[test]
    fn what_the_machine_says_is_read() {
        let (before, after) = (clock(), clock());
        assert!(
            before.ms > 0 && after.ms >= before.ms && !before.boot.is_empty() && before.boot == after.boot
        );
        let environment = Environment::new("staging").unwrap();
        let process = process::identity(std::process::id()).unwrap();
        let mut watched = Watched { environment, release: "1".into(), process };
        let seen = life(&watched);
        assert!(seen.alive && seen.rss_kib.unwrap() > 100, "{seen:?}");
        watched.process.started += 1;
        assert_eq!(life(&watched), Life::default());
    }
}
