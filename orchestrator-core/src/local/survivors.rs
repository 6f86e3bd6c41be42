//! Processes that a dead process of a run left behind: found by the order in their environment, and ended.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::ORDER_VARIABLE;
use crate::executor::Survivor;
use crate::id::RunId;

/// How often it is looked whether those that were killed are gone. One that the kernel keeps waiting ends later.
const LOOKS: u32 = 200;

/// Ends the survivors of `runs`: TERM, then KILL after `grace`.
pub(super) fn end(state: &Path, runs: &[RunId], grace: Duration) -> Vec<Survivor> {
    let found = find(state, runs);
    for (pid, _) in &found {
        let _ = kill_process(*pid, Signal::TERM);
    }
    let deadline = Instant::now() + grace;
    while found.iter().any(|(pid, survivor)| is_same(*pid, &survivor.order)) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    // Meanwhile they may have started others; what is killed is gone only once it can be found no more.
    for _ in 0..LOOKS {
        let left = find(state, runs);
        if left.is_empty() {
            break;
        }
        for (pid, survivor) in &left {
            if is_same(*pid, &survivor.order) {
                let _ = kill_process(*pid, Signal::KILL);
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    found.into_iter().map(|(_, survivor)| survivor).collect()
}

fn find(state: &Path, runs: &[RunId]) -> Vec<(Pid, Survivor)> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let state = format!("{}:", state.display());
    let own = std::process::id();
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != own)
        .filter_map(|pid| {
            let order = order_of(pid)?;
            let run = order.strip_prefix(&state)?.split('/').next()?;
            let pid_of = Pid::from_raw(i32::try_from(pid).ok()?)?;
            runs.iter()
                .any(|known| known.as_str() == run)
                .then(|| (pid_of, Survivor { pid, order: order.clone() }))
        })
        .collect()
}

fn order_of(pid: u32) -> Option<String> {
    let environ = super::environ(pid)?;
    let mut variables = environ.split(|byte| *byte == 0);
    let value = variables
        .find_map(|variable| variable.strip_prefix(ORDER_VARIABLE.as_bytes())?.strip_prefix(b"="))?;
    String::from_utf8(value.to_vec()).ok()
}

/// Whether the process is there still, and still the same.
fn is_same(pid: Pid, order: &str) -> bool {
    test_kill_process(pid).is_ok()
        && order_of(pid.as_raw_nonzero().get().unsigned_abs()).is_some_and(|now| now == order)
}
