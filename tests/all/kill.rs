//! Killed at any moment, and resumed: the same end, and nobody left over.

use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use crate::demo::Demo;
use crate::support::{commands, ended, output, program, until};

/// How often: ten times in the long form, which `ORCHESTRATE_LONG` asks for.
fn kills() -> u32 {
    if std::env::var_os("ORCHESTRATE_LONG").is_some() { 10 } else { 3 }
}

/// A small generator (`SplitMix64`, public domain), so that a failure can be had again with `ORCHESTRATE_SEED`.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let seed = std::env::var("ORCHESTRATE_SEED").map_or_else(|_| now(), |seed| seed.parse().unwrap());
        println!("ORCHESTRATE_SEED={seed}");
        Self(seed)
    }

    /// A number from 0 up to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }
}

#[test]
fn killed_at_random_moments_and_resumed_it_ends_the_same() {
    let reference = Demo::new();
    let from = Instant::now();
    reference.run().exits(0);
    let took = from.elapsed();
    let expected = reference.delivered();
    drop(reference);

    let mut random = Random::new();
    for at in 0..kills() {
        // Spread over the whole: each in a stretch of its own.
        let moment = took.mul_f64((f64::from(at) + random.next()) / f64::from(kills()));
        println!("kill {} of {} after {moment:?} of {took:?}", at + 1, kills());
        let demo = Demo::new();
        let killed = killed_after(&demo, moment);
        let resumed = demo.run().exits(0);
        println!("killed while:\n{killed}\nresumed:\n{}{}", resumed.out, resumed.err);
        assert_eq!(demo.delivered(), expected, "killed after {moment:?}");
        assert_eq!(commands(&demo.dir()), [""; 0], "somebody was left over, killed after {moment:?}");
        demo.run().exits(0).says(&["has run"]);
    }
}

#[test]
fn killed_before_the_first_record_it_starts() {
    let demo = Demo::new();
    let mut child = demo.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let runs = demo.checkout().join(".orchestrate/runs");
    until("the run is made", || {
        let made = |run: std::fs::DirEntry| run.path().join("journal.jsonl").exists();
        std::fs::read_dir(&runs).is_ok_and(|mut all| all.any(|run| run.is_ok_and(made)))
            || child.try_wait().unwrap().is_some()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::write(demo.run_dir().join("journal.jsonl"), "").unwrap();
    output(program(demo.folder.path(), ["demo", "--dry-run", "--quiet", "demo"])).exits(3);
}

/// Starts the demo and kills it; what it had said.
fn killed_after(demo: &Demo, moment: Duration) -> String {
    let mut child = demo.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let from = Instant::now();
    until("the moment", || from.elapsed() >= moment || child.try_wait().unwrap().is_some());
    child.kill().unwrap();
    ended(child).out
}
