//! What counts descriptors, children or memory of the whole process, and so runs in a process of its own.

use std::fs;
use std::process::Command;

use super::*;

fn alone(test: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", &format!("executor::tests::alone::{test}")]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn output_is_not_held_in_memory() {
    alone("bounded_memory");
}

#[test]
fn a_thousand_commands_leave_nothing_behind() {
    alone("nothing_left");
}

#[tokio::test]
#[ignore = "run alone by `output_is_not_held_in_memory`"]
async fn bounded_memory() {
    const SIZE: u64 = 200_000_000;
    let dir = tempfile::tempdir().unwrap();
    let processes = Processes::new();
    processes.run(sh(dir.path(), "echo warm up"), &Stop::new()).await.unwrap();
    let before = resident_kib();
    let mask = super::super::Mask::new([("S", "0123456789"), ("T", "some-secret")]).unwrap();
    let mut spawn = sh(dir.path(), &format!("yes 'a line of no interest' | head -c {SIZE}"));
    spawn.mask = Some(std::sync::Arc::new(mask));
    spawn.lines = Some(std::sync::Arc::new(|_, _: &str| {}));
    let peak = std::sync::atomic::AtomicU64::new(0);
    let stop = Stop::new();
    let watch = async {
        loop {
            peak.fetch_max(resident_kib(), std::sync::atomic::Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let exit =
        tokio::select! { exit = processes.run(spawn, &stop) => exit.unwrap(), () = watch => unreachable!() };
    assert_eq!(exit.stdout.bytes, SIZE);
    assert_eq!(fs::metadata(dir.path().join("logs/out")).unwrap().len(), SIZE);
    let growth = peak.into_inner().max(resident_kib()).saturating_sub(before);
    assert!(growth < 50 * 1024, "grew by {growth} KiB");
}

#[tokio::test]
#[ignore = "run alone by `a_thousand_commands_leave_nothing_behind`"]
async fn nothing_left() {
    let dir = tempfile::tempdir().unwrap();
    let processes = Processes::new();
    let stop = Stop::new();
    let batch = |count: usize| {
        let (processes, stop, dir) = (&processes, &stop, dir.path());
        async move {
            for _ in 0..count / 8 {
                let run = || processes.run(command(dir, "true", &[]), stop);
                let ends = tokio::join!(run(), run(), run(), run(), run(), run(), run(), run());
                for end in [ends.0, ends.1, ends.2, ends.3, ends.4, ends.5, ends.6, ends.7] {
                    assert_eq!(end.unwrap().status, ExitState::Exited(0));
                }
            }
        }
    };
    let threads = count("/proc/self/task");
    batch(8).await;
    let descriptors = count("/proc/self/fd");
    batch(1_000).await;
    assert_eq!(count("/proc/self/fd"), descriptors);
    assert!(count("/proc/self/task") <= threads + 8, "idle threads are used again");
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let children = fs::read_to_string(task.unwrap().path().join("children")).unwrap();
        assert_eq!(children, "", "a child was left");
    }
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
