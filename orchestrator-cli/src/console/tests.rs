use std::io::Read;

use super::*;
use crate::here::Here;
use crate::sample::{Sample, record, records};
use orchestrator_core::layout::Layout;

/// All that a person sees of a sample.
fn screen(sample: Sample, volume: Volume) -> String {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut console = Console::on(Out::new(writer), Paint::OFF).volume(volume);
    let (plan, records) = records(sample);
    let mut state = RunState::new(plan);
    for record in records {
        state.apply(record.clone()).unwrap();
        console.event(&record, &state);
    }
    drop(console);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let here = Here { root: temp.path().to_owned(), file: None, layout: Layout::new("/state") };
    let record = record(sample);
    text + &End { record: &record, here: &here, report: None, live: false, volume, paint: Paint::OFF }.text()
}

#[test]
fn phases_print_as_they_end() {
    assert_eq!(
        screen(Sample::Passed, Volume::Normal),
        "Run 20261120234433-00ff00ff · school · 3 tasks · ceiling writes

[Phase 1/2] RESTART & BACKUP
  ✓ Backup created (52.3 MB, verified)
  – no cache was named
  Status: COMPLETED (1.0s)

[Phase 2/2] CODE GENERATION
  ✓ edit
  ✓ v1.2.0 tagged
  Status: COMPLETED (2.5s)

Run 20261120234433-00ff00ff passed in 5.0s: 3 passed
"
    );
}

#[test]
fn a_failure_is_told_in_full() {
    assert_eq!(
        screen(Sample::Failed, Volume::Quiet),
        "
✗ edit failed
  1 of 2 tests failed
  `cargo test` failed
    because: exit code 101
    src/lib.rs:7: error test: adds is wrong
  │ running 2 tests
  │ panicked at src/lib.rs:7
  all it printed: orchestrate logs 20261120234433-00ff00ff edit
  run it again: orchestrate run --failed 20261120234433-00ff00ff
Run 20261120234433-00ff00ff failed in 4.5s: 1 passed, 1 failed, 1 skipped
"
    );
    let normal = screen(Sample::Failed, Volume::Normal);
    assert!(normal.contains("  ✗ edit: 1 of 2 tests failed\n  – release: something it needs did not pass\n"));
    assert!(normal.contains("  Status: FAILED"), "{normal}");
}

#[test]
fn a_dry_run_shows_the_changes() {
    let text = screen(Sample::Dry, Volume::Normal);
    let shown = "
CODE GENERATION
  edit
    ~ write notes.txt (6 bytes, replaces no file) [writes]
      --- /dev/null
      +++ b/notes.txt
      @@ -0,0 +1 @@
      +hello

Known only once the above is done
  release: needs the result of edit

Dry run 20261120234433-00ff00ff passed in 4.0s: 1 passed, 1 withheld, 1 deferred
1 change pending, 1 task known after them; nothing was changed
";
    assert!(text.ends_with(shown), "{text}");
    assert!(text.contains("Status: CHANGES PENDING"), "{text}");
}

#[test]
fn what_is_remembered_of_generated_files_is_one_line() {
    let text = screen(Sample::Generated, Volume::Normal);
    let shown = "
    ~ write notes.txt (6 bytes, replaces no file) [writes]
      --- /dev/null
      +++ b/notes.txt
      @@ -0,0 +1 @@
      +hello
    · write .orchestrate/generated/notes.txt (6 bytes, replaces no file) [writes]

Known only";
    assert!(text.contains(shown), "{text}");
}

#[test]
fn a_stopped_run_says_how_to_go_on() {
    let text = screen(Sample::Interrupted, Volume::Normal);
    assert!(text.contains("  … edit: not finished\n  · release\n  Status: STOPPED\n"), "{text}");
    assert!(text.ends_with("Go on with: orchestrate resume 20261120234433-00ff00ff\n"), "{text}");
}

#[test]
fn a_wait_says_what_for() {
    let text = screen(Sample::Waiting, Volume::Quiet);
    let said =
        "… edit waits: Release 1.2?\n    give it with: orchestrate signal 20261120234433-00ff00ff approve\n";
    assert!(text.starts_with(said), "{text}");
}

#[test]
fn many_reused_tasks_are_one_line() {
    let phase = |count: usize, volume| {
        let state = crate::sample::reused(count);
        super::phase(&state, 0, Shown::Over, volume, Paint::OFF)
    };
    let few = phase(10, Volume::Normal);
    assert_eq!(few.lines().filter(|line| line.ends_with("(cached)")).count(), 10, "{few}");
    let many = phase(11, Volume::Normal);
    let expected = "
[Phase 1/1] CHECKS
  ✓ first
  ✓ 11 tasks (cached)
  ✓ last
  Status: COMPLETED (8.0s)
";
    assert_eq!(many, expected);
    let all = phase(11, Volume::Verbose);
    assert!(all.contains("  ✓ first\n  ✓ cached-0 (cached)\n"), "{all}");
    assert_eq!(all.lines().filter(|line| line.ends_with("(cached)")).count(), 11, "{all}");
}

#[test]
fn a_pause_between_looks_is_no_deadline() {
    let run = orchestrator_core::id::RunId::new("20261120234433-00ff00ff").unwrap();
    let task = TaskId::new("deploy").unwrap();
    let said = |signal: bool, seconds: u64| {
        let signal = signal.then(|| orchestrator_core::id::SignalName::new("watch.deploy").unwrap());
        let wait = Await { signal, seconds: Some(seconds), message: "watching 2.0.0".into() };
        super::task::wait(&task, &wait, &run, Paint::OFF)
    };
    assert!(!said(true, 1).contains("at most"), "{}", said(true, 1));
    assert!(said(true, 600).contains("(at most 600 s)"));
    assert!(said(false, 2).contains("(at most 2 s)"));
}
