//! The short form of `benches/watch.rs`: simulated watches of an hour with fixed seeds, so that what comes of them is the same each time.

use super::super::{
    Answered, Change, Clock, Counted, Figures, Sample, Seen, Tally, Traffic, Verdict, WatchConfig, Watcher,
};

#[path = "../../../../../benches/watch/model.rs"]
mod model;

use model::{Outcome, Random, Scene, Service, watch};

fn service(rate: f64, errors: f64) -> Service {
    Service { rate, errors, burst: 1, latency: 150.0 }
}

fn run(watches: u64, scene: impl Fn(u64) -> Scene) -> Vec<Outcome> {
    let config = WatchConfig { seconds: 3600.0.try_into().unwrap(), ..WatchConfig::default() };
    (1..=watches).map(|seed| watch(&config, &scene(seed), seed)).collect()
}

/// Of a thousand healthy watches one may go back; of so few none does.
fn healthy(watches: u64) {
    for errors in [0.005, 0.009] {
        let good = service(10.0, errors);
        let scene = Scene { old: (good, 300), good, bad: good, fault: f64::INFINITY, seconds: 3660 };
        let outcomes = run(watches, |_| scene);
        let back = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::RollBack).count() as u64;
        assert!(back * 1000 <= watches, "{errors}: {back} of {watches} were sent back");
        if errors > 0.006 {
            let plain = outcomes.iter().filter(|outcome| outcome.plain).count() as u64;
            assert!(plain * 10 > watches * 8, "the plain mean sent back {plain} only");
        }
    }
}

#[test]
fn healthy_versions_stay() {
    healthy(40);
}

#[test]
#[ignore = "thousands of simulated hours; tests/run --long has it, and benches/watch.rs the 100,000"]
fn long_healthy_versions_stay() {
    healthy(2000);
}

#[test]
fn bad_versions_are_found_in_time() {
    let good = service(10.0, 0.005);
    for (errors, late, most) in [(0.2, false, 20.0), (0.2, true, 20.0), (1.0, false, 3.0), (1.0, true, 3.0)] {
        let outcomes = run(41, |seed| {
            let fault = if late { 600.0 + Random(seed).share() } else { 0.0 };
            Scene { old: (good, 300), good, bad: service(10.0, errors), fault, seconds: 700 }
        });
        assert!(outcomes.iter().all(|outcome| outcome.verdict == Verdict::RollBack && outcome.after > 0.0));
        let mut after: Vec<f64> = outcomes.iter().map(|outcome| outcome.after).collect();
        after.sort_by(f64::total_cmp);
        assert!(after[20] < most, "{errors} {late}: {after:?}");
    }
}
