//! Looking after one command from its spawn to its end, on a thread of its own.

use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::leader::Leader;
use super::leash::Leash;
use super::pool::Scratch;
use super::process::{Exit, ExitState, Usage};
use super::streams::{Fault, Streams};
use super::{Spawn, SpawnError};

/// How long both outputs are waited for before the process itself is watched: most commands close them as they end, and
/// need no further descriptor.
const PATIENCE: Duration = Duration::from_millis(20);
/// How often to look where the end of a process cannot be polled for.
const TICK: Duration = Duration::from_millis(50);
/// How long the leader's followers may still write what it gave them: `exec > >(tee log)` is one of them.
const LINGER: Duration = Duration::from_millis(100);
/// The shortest run of which the processor time is worth asking for.
const WORTH_MEASURING: Duration = Duration::from_millis(50);

/// Runs the command and returns once it, and all that it has started in its process group, has ended.
pub(super) fn supervise(spawn: Spawn, leash: &Leash, scratch: &mut Scratch) -> Result<Exit, SpawnError> {
    let program = spawn.program.clone();
    if leash.pulled() {
        return Err(SpawnError::Stopped { program });
    }
    let start = Instant::now();
    let leader = Leader::start(&spawn, leash)?;
    attend(leader, spawn, start, scratch).map_err(|fault| match fault {
        Fault::Spawn(error) => error,
        Fault::Io(source) => SpawnError::Io { program, source },
    })
}

fn attend(
    mut leader: Leader<'_>,
    spawn: Spawn,
    start: Instant,
    scratch: &mut Scratch,
) -> Result<Exit, Fault> {
    let Spawn { give_up_after_exit: give_up, grace, .. } = spawn;
    let mut streams = Streams::new(&mut leader.child, spawn)?;
    follow(&leader, &mut streams, scratch)?;
    let elapsed = start.elapsed();
    streams.close_input();
    // A shell dies of the TERM that those it has started still act upon: the grace is theirs too, and its end is a KILL.
    let linger = if leader.signalled() { grace } else { LINGER.min(give_up) };
    streams.drain(linger, scratch)?;
    leader.end_group();
    streams.drain(give_up, scratch)?;
    let usage = if elapsed >= WORTH_MEASURING { usage(&leader) } else { None };
    let (status, stopped) = leader.reap()?;
    let (stdout, stderr) = streams.finish()?;
    Ok(Exit { status: state(status), stopped, stdout, stderr, elapsed, usage })
}

/// Serves the streams until the leader has ended.
fn follow(leader: &Leader<'_>, streams: &mut Streams, scratch: &mut Scratch) -> Result<(), Fault> {
    let start = Instant::now();
    let mut watch = None;
    while streams.open() {
        let patience = PATIENCE.checked_sub(start.elapsed()).filter(|left| !left.is_zero());
        if patience.is_none() && watch.is_none() {
            watch = leader.watch();
        }
        let timeout = patience.or(if watch.is_some() { None } else { Some(TICK) });
        let ended = streams.pump(watch.as_ref().map(AsFd::as_fd), timeout, scratch)?;
        if ended || (timeout == Some(TICK) && leader.has_ended()?) {
            return Ok(());
        }
    }
    Ok(leader.await_end()?)
}

fn state(status: ExitStatus) -> ExitState {
    // A process that was waited for has one or the other.
    status.code().map_or_else(|| ExitState::Signaled(status.signal().unwrap_or_default()), ExitState::Exited)
}

/// The processor time of the leader and of those it has waited for, which the system keeps until it is reaped.
/// Fields 14 to 17 of proc(5), `/proc/PID/stat`; the name before them may hold blanks, but ends with the last bracket.
#[cfg(target_os = "linux")]
fn usage(leader: &Leader<'_>) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", leader.id())).ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    let ticks: Vec<u64> =
        after_name.split(' ').skip(11).take(4).map_while(|field| field.parse().ok()).collect();
    let &[user, system, children_user, children_system] = ticks.as_slice() else { return None };
    let milliseconds = |ticks: u64| ticks * 1_000 / rustix::param::clock_ticks_per_second();
    Some(Usage {
        user_ms: milliseconds(user + children_user),
        system_ms: milliseconds(system + children_system),
    })
}

#[cfg(not(target_os = "linux"))]
fn usage(_: &Leader<'_>) -> Option<Usage> {
    None
}
