use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::{Mask, Stream};
use super::*;

#[tokio::test]
async fn streams_are_kept_apart_and_the_environment_is_the_one_given() {
    let dir = tempfile::tempdir().unwrap();
    let mut spawn = sh(dir.path(), "echo out $GIVEN $HOME; echo err >&2; pwd >&2; exit 3");
    spawn.env.push(("GIVEN".into(), "this".into()));
    let exit = run(spawn).await.unwrap();
    assert_eq!(exit.status, ExitState::Exited(3));
    assert!(!exit.stopped);
    assert_eq!(exit.stdout.tail, "out this\n");
    assert_eq!(exit.stderr.tail, format!("err\n{}\n", dir.path().canonicalize().unwrap().display()));
    let stored = fs::read(dir.path().join("logs/out")).unwrap();
    assert_eq!(stored, b"out this\n");
    assert_eq!((exit.stdout.bytes, exit.stdout.digest), (9, Some(blake3::hash(&stored))));
}

#[tokio::test]
async fn no_output_no_log() {
    let dir = tempfile::tempdir().unwrap();
    let exit = run(command(dir.path(), "true", &[])).await.unwrap();
    assert_eq!((exit.stdout.bytes, exit.stdout.digest, exit.usage), (0, None, None));
    assert!(!dir.path().join("logs").exists());
}

#[tokio::test]
async fn bytes_that_are_no_text_are_stored_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let exit = run(sh(dir.path(), r"printf 'a\377\376b'")).await.unwrap();
    assert_eq!(fs::read(dir.path().join("logs/out")).unwrap(), b"a\xff\xfeb");
    assert_eq!(exit.stdout.tail, "a\u{fffd}\u{fffd}b");
}

#[tokio::test]
async fn input_larger_than_any_pipe_goes_through() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let exit = run(Spawn { stdin: Some(bytes.clone()), ..command(dir.path(), "cat", &[]) }).await.unwrap();
    assert_eq!(exit.stdout.digest, Some(blake3::hash(&bytes)));
    assert_eq!(fs::read(dir.path().join("logs/out")).unwrap(), bytes);
}

#[tokio::test]
async fn input_need_not_be_read() {
    let dir = tempfile::tempdir().unwrap();
    for script in ["exit 4", "exec <&-; sleep 0.1; exit 4", "exec >&- 2>&-; sleep 0.1; exit 4"] {
        let exit = run(Spawn { stdin: Some(vec![b'x'; 1_000_000]), ..sh(dir.path(), script) }).await.unwrap();
        assert_eq!(exit.status, ExitState::Exited(4), "{script}");
    }
    let exit = run(Spawn { stdin: Some(Vec::new()), ..command(dir.path(), "cat", &[]) }).await.unwrap();
    assert_eq!(exit.status, ExitState::Exited(0));
}

#[tokio::test]
async fn without_input_there_is_nothing_to_read() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(command(dir.path(), "cat", &[])).await.unwrap().status, ExitState::Exited(0));
}

#[tokio::test]
async fn secrets_reach_neither_log_nor_tail_nor_line() {
    let dir = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    let mut spawn = sh(dir.path(), "printf 'a hunt'; sleep 0.05; echo 'er2 b'; echo aHVudGVyMg== >&2");
    spawn.mask = Some(Arc::new(Mask::new([("PASSWORD", "hunter2")]).unwrap()));
    spawn.lines =
        Some(Arc::new(move |stream, line: &str| sink.lock().unwrap().push((stream, line.to_owned()))));
    let exit = run(spawn).await.unwrap();
    assert_eq!((exit.stdout.tail.as_str(), exit.stderr.tail.as_str()), ("a *** b\n", "***\n"));
    assert_eq!(fs::read(dir.path().join("logs/out")).unwrap(), b"a *** b\n");
    let mut told = told.lock().unwrap().clone();
    told.sort_by_key(|(stream, _)| *stream == Stream::Stderr);
    assert_eq!(told, [(Stream::Stdout, "a *** b".to_owned()), (Stream::Stderr, "***".to_owned())]);
}

#[tokio::test]
async fn what_a_follower_still_writes_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let exit = run(sh(dir.path(), "(read line; echo late) < /dev/null & exit 0")).await.unwrap();
    assert_eq!(exit.stdout.tail, "late\n");
}

#[tokio::test]
async fn processor_time_is_known_of_longer_runs() {
    let dir = tempfile::tempdir().unwrap();
    // In a subshell, for the time of a child to count.
    let busy = "(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done); sleep 0.06";
    let exit = run(sh(dir.path(), busy)).await.unwrap();
    assert!(exit.elapsed > Duration::from_millis(50));
    let usage = exit.usage.unwrap();
    assert!(usage.user_ms + usage.system_ms > 0, "{usage:?}");
}
