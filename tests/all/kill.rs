//! Killed at any moment, and resumed: the same end, and nobody left over. `tests/run --long` kills ten times.

use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use crate::demo::Demo;
use crate::support::{commands, ended, output, program, until};

/// A small generator (`SplitMix64`, public domain), so that a failure can be had again with `ORCHESTRATE_SEED`.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let seed = std::env::var("ORCHESTRATE_SEED").map_or_else(|_| now(), |seed| seed.parse().unwrap());
        println!("ORCHESTRATE_SEED={seed}");
        Self(seed)
    }

    /// A number from 0 up to 1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }
}

#[test]
fn killed_at_random_moments_and_resumed_it_ends_the_same() {
    killed_and_resumed(3);
}

#[test]
#[ignore = "long: `tests/run --long`"]
fn long_killed_at_ten_random_moments_and_resumed_it_ends_the_same() {
    killed_and_resumed(10);
}

fn killed_and_resumed(kills: u32) {
    let reference = Demo::new();
    let begun = SystemTime::now();
    reference.run().exits(0);
    let (took, times) = (begun.elapsed().unwrap(), times(&reference, begun));
    let expected = reference.delivered();
    drop(reference);

    let mut random = Random::new();
    for at in 0..kills {
        // Spread over the whole: each in a stretch of its own.
        let when = took.mul_f64((f64::from(at) + random.next()) / f64::from(kills));
        let moment = Moment::of(when, &times);
        println!("kill {} of {}: {moment:?}, {when:?} of {took:?}", at + 1, kills);
        let demo = Demo::new();
        let killed = killed_at(&demo, &moment);
        let resumed = demo.run().exits(0);
        println!("killed while:\n{killed}\nresumed:\n{}{}", resumed.out, resumed.err);
        assert_eq!(demo.delivered(), expected, "killed at {moment:?}");
        assert_eq!(commands(&demo.dir()), [""; 0], "somebody was left over, killed at {moment:?}");
        demo.run().exits(0).says(&["has run"]);
    }
}

/// When the records of all runs were made, from when their process was started.
fn times(demo: &Demo, begun: SystemTime) -> Vec<Duration> {
    let begun = jiff::Timestamp::try_from(begun).unwrap();
    let time = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let at: jiff::Timestamp = record["at"].as_str().unwrap().parse().unwrap();
        Duration::try_from(at.duration_since(begun)).unwrap_or_default()
    };
    let journal = |run: std::path::PathBuf| std::fs::read_to_string(run.join("journal.jsonl")).unwrap();
    let mut times = Vec::new();
    for journal in demo.run_dirs().into_iter().map(journal) {
        times.extend(journal.lines().map(time));
    }
    times
}

/// A moment of a run: so many records, and so long after the last of them; the next one ends it. So it is met on a machine
/// that is busier or less busy than it was.
#[derive(Debug)]
struct Moment {
    records: usize,
    after: Duration,
}

impl Moment {
    fn of(when: Duration, times: &[Duration]) -> Self {
        let records = times.iter().filter(|time| **time <= when).count();
        let last = times.iter().filter(|time| **time <= when).max();
        Self { records, after: when.saturating_sub(last.copied().unwrap_or_default()) }
    }
}

/// Starts the demo and kills it; what it had said.
fn killed_at(demo: &Demo, moment: &Moment) -> String {
    let mut child = demo.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut since = Instant::now();
    let mut seen = 0;
    until("the moment", || {
        let records = records(demo);
        if seen < moment.records && records >= moment.records {
            since = Instant::now();
        }
        seen = records;
        let met = seen >= moment.records && (seen > moment.records || since.elapsed() >= moment.after);
        met || child.try_wait().unwrap().is_some()
    });
    let over = child.try_wait().unwrap();
    println!("{seen} records; {}", over.map_or("killed".to_owned(), |status| format!("too late: {status}")));
    child.kill().unwrap();
    ended(child).out
}

/// How many records the runs of a demo have by now.
fn records(demo: &Demo) -> usize {
    let journals =
        demo.run_dirs().into_iter().filter_map(|run| std::fs::read(run.join("journal.jsonl")).ok());
    journals.map(|journal| journal.split(|byte| *byte == b'\n').count() - 1).sum()
}

#[test]
fn killed_before_the_first_record_it_starts() {
    let demo = Demo::new();
    let mut child = demo.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let runs = demo.checkout().join(".orchestrate/runs");
    until("the run is made", || {
        let made = |run: std::fs::DirEntry| {
            // One that is still being made has a name that starts with a dot.
            !run.file_name().to_string_lossy().starts_with('.') && run.path().join("journal.jsonl").exists()
        };
        std::fs::read_dir(&runs).is_ok_and(|mut all| all.any(|run| run.is_ok_and(made)))
            || child.try_wait().unwrap().is_some()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::write(demo.run_dirs()[0].join("journal.jsonl"), "").unwrap();
    output(program(demo.folder.path(), ["demo", "--dry-run", "--quiet", "demo"])).exits(3);
}
