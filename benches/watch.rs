//! The whole rule that watches a version, guards on, over simulated watches of an hour with a look each second: how often it sends a
//! healthy version back, and how soon a bad one. Beside it the plain rule, a mean over 1 % in the last five minutes.
//!
//! `cargo bench -p orchestrator-agents --bench watch [-- [--long | WATCHES] [ROW]]`. `--long` is 100,000 watches a row,
//! 5,000 without; ROW is a part of the names of the rows to run. Fixed seeds, so the figures are the same each time.

use std::time::Instant;

use orchestrator_agents::deployment::analysis::{
    Answered, Change, Clock, Counted, Figures, Sample, Seen, Tally, Traffic, Verdict, WatchConfig, Watcher,
};

#[path = "watch/model.rs"]
mod model;

use model::{Outcome, Random, Scene, Service, watch};

const HOUR: u64 = 3600;

/// Healthy, and as slow as its guards allow: a 95th percentile of 449 ms.
const fn service(rate: f64, errors: f64) -> Service {
    Service { rate, errors, burst: 1, latency: 150.0 }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let watches = match arguments.first().map(String::as_str) {
        None => 5_000,
        Some("--long") => 100_000,
        Some(number) => number.parse().expect("a number of watches, or `--long`"),
    };
    let wanted = arguments.get(1).map_or("", String::as_str);
    let config = WatchConfig { seconds: 3600.0.try_into().expect("an hour"), ..WatchConfig::default() };
    println!("{watches} watches a row; an hour, a look each second; alpha {}\n", config.alpha);
    healthy(&config, watches, wanted);
    detected(&config, watches.min(20_000), wanted);
}

/// Runs them on all processors; in the order of their seeds.
fn run(config: &WatchConfig, watches: u64, scene: impl Fn(u64) -> Scene + Sync) -> Vec<Outcome> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let mut all: Vec<(u64, Outcome)> = std::thread::scope(|scope| {
        let part = |thread: u64| {
            let scene = &scene;
            scope.spawn(move || {
                let seeds = (thread..watches).step_by(threads as usize);
                seeds.map(|seed| (seed, watch(config, &scene(seed), seed + 1))).collect::<Vec<_>>()
            })
        };
        let parts: Vec<_> = (0..threads).map(part).collect();
        parts.into_iter().flat_map(|part| part.join().expect("a watch does not panic")).collect()
    });
    all.sort_by_key(|(seed, _)| *seed);
    all.into_iter().map(|(_, outcome)| outcome).collect()
}

fn healthy(config: &WatchConfig, watches: u64, wanted: &str) {
    println!(
        "healthy versions               sent back  (95 % upper bound)  promoted  plain mean sends back  ns/look"
    );
    let rows = [
        ("0.5 % errors, 10 requests/s", service(10.0, 0.005), 300),
        ("0.9 % errors, 10 requests/s", service(10.0, 0.009), 300),
        ("0.9 %, nothing known before", service(10.0, 0.009), 0),
        ("0.9 % in bursts of 5, 10/s", Service { burst: 5, ..service(10.0, 0.009) }, 300),
        ("0.9 % errors, 1 request/s", service(1.0, 0.009), 300),
        ("1.0 % errors, 10 requests/s", service(10.0, 0.01), 300),
        ("2.0 % errors as before, 10/s", service(10.0, 0.02), 300),
    ];
    for (name, service, before) in rows.into_iter().filter(|row| row.0.contains(wanted)) {
        let scene = Scene {
            old: (service, before),
            good: service,
            bad: service,
            fault: f64::INFINITY,
            seconds: HOUR + 60,
        };
        let begun = Instant::now();
        let outcomes = run(config, watches, |_| scene);
        let threads = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let ns = begun.elapsed().as_secs_f64() * 1e9 * threads / (watches * scene.seconds) as f64;
        let count =
            |is: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count() as u64;
        let back = count(&|outcome| outcome.verdict == Verdict::RollBack);
        let promoted = count(&|outcome| outcome.verdict == Verdict::Promote);
        let plain = count(&|outcome| outcome.plain);
        let share = |count: u64| format!("{:.3} %", count as f64 / watches as f64 * 100.0);
        println!(
            "{name:<30} {back:>6} {:>9}  ({:.3} %)  {:>10}  {:>21}  {ns:>7.0}",
            share(back),
            upper(back, watches) * 100.0,
            share(promoted),
            share(plain),
        );
    }
}

/// The 95 % upper bound of a share (Clopper and Pearson 1934), one-sided, by halving.
fn upper(hits: u64, all: u64) -> f64 {
    let under = |share: f64| {
        let (mut log, mut sum) = (all as f64 * (1.0 - share).ln(), 0.0);
        for k in 0..=hits {
            sum += log.exp();
            log += ((all - k) as f64).ln() - ((k + 1) as f64).ln() + share.ln() - (1.0 - share).ln();
        }
        sum
    };
    let (mut low, mut high) = (hits as f64 / all as f64, 1.0 - 1e-12);
    if hits >= all {
        return 1.0;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if under(middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

fn detected(config: &WatchConfig, watches: u64, wanted: &str) {
    println!("\nbad versions                        found  median s   p95 s   max s   before the fault");
    let good = service(10.0, 0.005);
    let slow = Service { latency: 300.0, ..good };
    let rows = [
        ("20 % errors at once", good, service(10.0, 0.2), false),
        ("20 % errors after 30 minutes", good, service(10.0, 0.2), true),
        ("5 % errors at once", good, service(10.0, 0.05), false),
        ("2 % errors at once", good, service(10.0, 0.02), false),
        ("2 % errors after 30 minutes", good, service(10.0, 0.02), true),
        ("total outage at once", good, service(10.0, 1.0), false),
        ("total outage after 30 minutes", good, service(10.0, 1.0), true),
        ("20 % errors at 1 request/s", service(1.0, 0.005), service(1.0, 0.2), false),
        ("twice as slow at once", good, slow, false),
        ("twice as slow after 30 minutes", good, slow, true),
    ];
    for (name, good, bad, late) in rows.into_iter().filter(|row| row.0.contains(wanted)) {
        let scene = |seed: u64| {
            let fault = if late { 1800.0 + Random(seed).share() } else { 0.0 };
            Scene { old: (good, 300), good, bad, fault, seconds: HOUR }
        };
        let outcomes = run(config, watches, scene);
        let back = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::RollBack);
        let (early, found): (Vec<f64>, Vec<f64>) =
            back.map(|outcome| outcome.after).partition(|after| *after < 0.0);
        let mut found = found;
        found.sort_by(f64::total_cmp);
        let say = |percent: usize| {
            let at = (found.len() * percent / 100).min(found.len().saturating_sub(1));
            found.get(at).map_or("-".to_owned(), |seconds| format!("{seconds:.1}"))
        };
        println!(
            "{name:<33} {:>6.2} %  {:>8}  {:>6}  {:>6}   {}",
            found.len() as f64 / watches as f64 * 100.0,
            say(50),
            say(95),
            say(100),
            early.len(),
        );
    }
}
