//! A process and those that it has started.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Kills a child of this process that was not waited for yet, and all below it.
pub(super) fn kill(child: u32) {
    // One that starts another meanwhile is found in the next round, until nothing new is there.
    let mut known = Vec::new();
    loop {
        let found = below(child);
        if found.iter().all(|pid| known.contains(pid)) {
            break;
        }
        // Stopped, they start no others and stay where they are.
        for pid in &found {
            signal(*pid, Signal::STOP);
        }
        known = found;
    }
    for pid in known {
        signal(pid, Signal::KILL);
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // One that is gone needs no signal.
        let _ = kill_process(pid, signal);
    }
}

/// It, and all that have it as their parent, or one of them.
fn below(pid: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if let Some(parent) = parent(&stat) {
            children.entry(parent).or_default().push(child);
        }
    }
    let (mut all, mut at) = (vec![pid], 0);
    while let Some(next) = all.get(at) {
        all.extend(children.remove(next).unwrap_or_default());
        at += 1;
    }
    all
}

/// By `proc_pid_stat(5)`; the name of a process may have anything in it, and ends with the last bracket.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn names_with_brackets_hide_no_parent() {
        assert_eq!(parent("7 (sh) S 5 7 7 0"), Some(5));
        assert_eq!(parent("7 (a) R 1 (b)) S 6 7 7 0"), Some(6));
        assert_eq!(parent("7 (sh"), None);
    }

    #[test]
    fn all_that_a_script_has_started_goes_with_it() {
        let script = "(sleep 1000 & echo $!; wait) & echo $!; wait";
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let pids: Vec<u32> = lines.take(2).map(|line| line.unwrap().parse().unwrap()).collect();
        let all = below(child.id());
        assert!(pids.iter().all(|pid| all.contains(pid)), "{pids:?} {all:?}");
        kill(child.id());
        child.wait().unwrap();
        // Whoever took them in has buried them, or will.
        for pid in pids {
            let end = std::time::Instant::now() + std::time::Duration::from_mins(1);
            let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            while !state().is_empty() && !state().contains(") Z ") {
                assert!(std::time::Instant::now() < end, "{}", state());
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }
}
