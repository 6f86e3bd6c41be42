//! How the process of a watched version is, and what time it is by a clock that nobody sets. Reads `/proc`.

use std::fs;
use std::time::Duration;

use crate::deployment::analysis::{Clock, Life};
use crate::deployment::ops::check::Watched;
use crate::deployment::ops::containers;
use crate::deployment::ops::place::Place;
use crate::deployment::ops::{process, supervise};
use crate::deployment::supervise::State;

/// Hundredths of a second since the machine booted, those asleep too.
pub(in crate::deployment::ops) fn clock() -> Clock {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds: f64 = uptime.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
    let up = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Clock { boot: process::boot(), ms: up.as_millis() as u64 }
}

/// How the process of a release is, by what its supervisor wrote down where it has one, or as its engine says within that
/// time; none where it is not one of this machine.
pub(super) fn life(place: &Place, watched: &Watched, patience: Duration) -> Option<Life> {
    let process = watched.process.as_ref()?;
    if process.is_contained() {
        return containers::life(place, &watched.release, patience);
    }
    let mut roster = place.roster().ok().flatten();
    let Some(kept) = roster.as_mut().and_then(|roster| roster.services.remove(&watched.release)) else {
        let alive = process::is_alive(process);
        let rss_kib = alive.then(|| resident(process.pid)).flatten();
        return Some(Life { alive, rss_kib, ..Life::default() });
    };
    // What a dead supervisor wrote down starts nothing again.
    let is_kept = roster.is_some_and(|roster| supervise::lives(place, &roster));
    let (supervised, crash_loop) = (is_kept && !kept.state.is_down(), kept.state == State::CrashLoop);
    let now = kept.process.filter(process::is_alive);
    let rss_kib = now.as_ref().and_then(|process| resident(process.pid));
    Some(Life { alive: now.is_some(), supervised, restarts: kept.restarts.into(), crash_loop, rss_kib })
}

/// KiB of resident memory of a process; none where that is not to be seen.
pub(in crate::deployment::ops) fn resident(pid: u32) -> Option<u64> {
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
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path(), &environment);
        let process = process::identity(std::process::id());
        let mut watched = Watched { environment, release: "1".into(), process };
        let life = |watched: &Watched| life(&place, watched, Duration::ZERO);
        let seen = life(&watched).unwrap();
        assert!(seen.alive && seen.rss_kib.unwrap() > 100, "{seen:?}");
        watched.process.as_mut().unwrap().started += 1;
        assert_eq!(life(&watched), Some(Life::default()));
        watched.process = None;
        assert_eq!(life(&watched), None);
    }
}
