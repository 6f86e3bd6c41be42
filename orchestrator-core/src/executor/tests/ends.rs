use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use super::*;
use crate::stop::StopLevel;

const KILLED: ExitState = ExitState::Signaled(Signal::KILL.as_raw());
const TERMINATED: ExitState = ExitState::Signaled(Signal::TERM.as_raw());

/// Runs the script and raises the stop once it has written the file `ready`.
async fn stop_when_ready(dir: &Path, script: &str, grace: Duration, levels: &[StopLevel]) -> Exit {
    let processes = Processes::new();
    let stop = Stop::new();
    let ready = dir.join("ready");
    _ = fs::remove_file(&ready);
    let raise = async {
        soon("ready", || ready.exists()).await;
        for &level in levels {
            stop.raise(level);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (exit, ()) = tokio::join!(processes.run(Spawn { grace, ..sh(dir, script) }, &stop), raise);
    exit.unwrap()
}

/// The id that the script has put into the file, whole.
async fn pid(path: PathBuf) -> String {
    soon("the pid", || fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n'))).await;
    fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn death_by_a_signal_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let exit = run(sh(dir.path(), "kill -TERM $$")).await.unwrap();
    assert_eq!((exit.status, exit.stopped), (TERMINATED, false));
}

#[tokio::test]
async fn a_graceful_stop_lets_the_command_finish_what_it_must() {
    let dir = tempfile::tempdir().unwrap();
    let script = "trap 'echo cleaned up; exit 5' TERM; touch ready; while :; do sleep 0.01; done";
    let exit = stop_when_ready(dir.path(), script, LONG, &[StopLevel::Graceful]).await;
    assert_eq!((exit.status, exit.stopped), (ExitState::Exited(5), true));
    assert!(exit.stdout.tail.contains("cleaned up"));
}

#[tokio::test]
async fn the_grace_is_for_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let script =
        "(trap 'sleep 0.3; echo cleaned up; exit' TERM; touch ready; while :; do sleep 0.01; done) & wait";
    let exit = stop_when_ready(dir.path(), script, LONG, &[StopLevel::Graceful]).await;
    assert_eq!((exit.status, exit.stopped), (TERMINATED, true));
    assert!(exit.stdout.tail.contains("cleaned up"));
}

#[tokio::test]
async fn who_ignores_a_graceful_stop_is_killed_after_the_grace() {
    let dir = tempfile::tempdir().unwrap();
    let script = "trap '' TERM; touch ready; while :; do sleep 0.01; done";
    let exit = stop_when_ready(dir.path(), script, Duration::from_millis(50), &[StopLevel::Graceful]).await;
    assert_eq!((exit.status, exit.stopped), (KILLED, true));
}

#[tokio::test]
async fn a_kill_waits_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let script = "trap '' TERM; touch ready; while :; do sleep 0.01; done";
    for levels in [&[StopLevel::Kill] as &[_], &[StopLevel::Graceful, StopLevel::Kill]] {
        let exit = stop_when_ready(dir.path(), script, LONG, levels).await;
        assert_eq!((exit.status, exit.stopped), (KILLED, true));
    }
}

#[tokio::test]
async fn nothing_starts_after_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let stop = Stop::new();
    stop.raise(StopLevel::Graceful);
    let error = Processes::new().run(sh(dir.path(), "touch started"), &stop).await.unwrap_err();
    assert_eq!(error.to_string(), "`sh` was not started: the run is stopping");
    assert!(!dir.path().join("started").exists());
}

#[tokio::test]
async fn a_command_that_has_closed_its_outputs_is_waited_for_and_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let exit = run(sh(dir.path(), "exec >&- 2>&-; sleep 0.1; exit 6")).await.unwrap();
    assert_eq!(exit.status, ExitState::Exited(6));
    let script = "exec >&- 2>&-; touch ready; exec sleep 1000";
    let exit = stop_when_ready(dir.path(), script, LONG, &[StopLevel::Graceful]).await;
    assert_eq!((exit.status, exit.stopped), (TERMINATED, true));
}

#[tokio::test]
async fn what_is_left_behind_in_the_group_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    for left in
        ["sleep 1000 & echo $! > pid", "(trap '' TERM HUP; sleep 1000) >/dev/null 2>&1 & echo $! > pid"]
    {
        let exit = run(sh(dir.path(), left)).await.unwrap();
        assert_eq!((exit.status, exit.stopped), (ExitState::Exited(0), false));
        let pid = pid(dir.path().join("pid")).await;
        soon("the end of the grandchild", || !alive(&pid)).await;
    }
}

#[tokio::test]
async fn who_left_the_group_with_the_pipe_does_not_hang_us() {
    let dir = tempfile::tempdir().unwrap();
    let script = "setsid sh -c 'echo $$ > pid; echo from afar; exec sleep 1000' & while ! [ -s pid ]; do :; done; echo near";
    let exit = run(sh(dir.path(), script)).await.unwrap();
    assert_eq!(exit.status, ExitState::Exited(0));
    assert!(exit.stdout.tail.contains("near") && exit.stdout.tail.contains("from afar"));
    assert!(exit.elapsed < Duration::from_secs(500), "it was not waited for");
    let pid = pid(dir.path().join("pid")).await;
    assert!(alive(&pid), "whoever has left the group is out of reach");
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
}

#[tokio::test]
async fn dropping_the_future_kills_the_group() {
    let dir = tempfile::tempdir().unwrap();
    let processes = Processes::new();
    let script = "sleep 1000 & echo $! > child; echo $$ > leader; wait";
    let stop = Stop::new();
    let (leader, child) = tokio::select! {
        _ = processes.run(sh(dir.path(), script), &stop) => panic!("it sleeps for long"),
        pids = async { (pid(dir.path().join("leader")).await, pid(dir.path().join("child")).await) } => pids,
    };
    soon("the end of the leader", || !Path::new(&format!("/proc/{}", leader.trim())).exists()).await;
    soon("the end of the child", || !alive(&child)).await;
}

#[tokio::test]
async fn a_future_dropped_at_once_leaves_nothing_running() {
    let dir = tempfile::tempdir().unwrap();
    let processes = Processes::new();
    let stop = Stop::new();
    for n in 0..50_u64 {
        let script = sh(dir.path(), "echo $$ >> pids; sleep 1000");
        let wait = tokio::time::sleep(Duration::from_micros(n * 50));
        tokio::select! { biased; _ = processes.run(script, &stop) => panic!("it sleeps for long"), () = wait => {} }
    }
    // Whatever was spawned is killed by its thread; a last command shows that those threads are free again.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let pids = fs::read_to_string(dir.path().join("pids")).unwrap_or_default();
    for pid in pids.lines() {
        soon("the end of a dropped command", || !alive(pid)).await;
    }
}
