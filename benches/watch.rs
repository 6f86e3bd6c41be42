//! The whole rule that watches a version, guards on, over simulated watches of an hour with a look each second: how often it sends a
//! healthy version back, and how soon a bad one. Beside it the plain rule, a mean over 1 % in the last five minutes.
//!
//! `cargo bench -p orchestrator-agents --bench watch [-- [--long | WATCHES] [ROW]]`. `--long` is 100,000 watches a row,
//! 5,000 without; ROW is a part of the names of the rows to run. Fixed seeds, so the figures are the same each time.
//!
//! Rows with a bar: a healthy version of 0.5 % or 0.9 % errors is sent back at most once in 1,000 watches; 20 % errors at 10 requests/s are found
//! within 20 s in the median, a total outage within 3 s. Where one misses its bar, it is named, and the bench exits with 1.

use std::process::ExitCode;
use std::time::Instant;

use orchestrator_agents::deployment::analysis::{
    Answered, Change, Clock, Counted, Figures, Sample, Seen, Tally, Traffic, Verdict, WatchConfig, Watcher,
};

#[path = "watch/model.rs"]
mod model;

use model::{Outcome, Random, Scene, Service, watch};

const HOUR: u64 = 3600;
/// The most watches of a healthy version that may end with its way back.
const FALSE: f64 = 0.001;
/// The share of the traffic that a canary has first, in percent, and for how many seconds: with 40 requests/s in all, it has 10.
const CANARY: (u32, u32) = (25, 900);

/// Healthy, and as slow as its guards allow: a 95th percentile of 449 ms.
const fn service(rate: f64, errors: f64) -> Service {
    Service { rate, errors, burst: 1, latency: 150.0 }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let watches = match arguments.first().map(String::as_str) {
        None => 5_000,
        Some("--long") => 100_000,
        Some(number) => number.parse().expect("a number of watches, or `--long`"),
    };
    let wanted = arguments.get(1).map_or("", String::as_str);
    let seconds = |seconds: f64| seconds.try_into().expect("a time");
    let whole = WatchConfig { seconds: seconds(3600.0), ..WatchConfig::default() };
    let canary =
        WatchConfig { canary: vec![CANARY.0], step_seconds: seconds(f64::from(CANARY.1)), ..whole.clone() };
    let configs = Configs { whole, canary };
    println!("{watches} watches a row; an hour, a look each second; alpha {}\n", configs.whole.alpha);
    let mut missed = healthy(&configs, watches, wanted);
    missed.extend(detected(&configs, watches.min(20_000), wanted));
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!();
    for what in missed {
        println!("missed: {what}");
    }
    ExitCode::FAILURE
}

/// How a version gets its traffic.
struct Configs {
    /// All at once.
    whole: WatchConfig,
    /// A share first, with the version before beside it.
    canary: WatchConfig,
}

impl Configs {
    fn of(&self, row: &str) -> &WatchConfig {
        if row.contains("canary") { &self.canary } else { &self.whole }
    }
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

/// Those that missed their bar.
fn healthy(configs: &Configs, watches: u64, wanted: &str) -> Vec<String> {
    let mut missed = Vec::new();
    println!(
        "healthy versions                   sent back  (95 % upper bound)  promoted  plain mean sends back  ns/look"
    );
    let ten = |errors: f64| service(10.0, errors);
    let known = |old: Service| (old, 300);
    // What is known of a version that had some 20 requests.
    let hardly = |old: Service| (old, 2);
    let rows = [
        ("0.5 % errors, 10 requests/s", ten(0.005), known(ten(0.005)), true),
        ("0.9 % errors, 10 requests/s", ten(0.009), known(ten(0.009)), true),
        ("0.9 %, nothing known before", ten(0.009), (ten(0.009), 0), true),
        ("0.5 % after 8 % of 20 requests", ten(0.005), hardly(ten(0.08)), true),
        ("0.9 % after 8 % of 20 requests", ten(0.009), hardly(ten(0.08)), true),
        ("0.5 %, canary of 10/s beside 30/s", service(40.0, 0.005), known(service(40.0, 0.005)), true),
        ("0.9 %, canary of 10/s beside 30/s", service(40.0, 0.009), known(service(40.0, 0.009)), true),
        (
            "0.9 % in bursts of 5, 10/s",
            Service { burst: 5, ..ten(0.009) },
            known(Service { burst: 5, ..ten(0.009) }),
            false,
        ),
        ("0.9 % errors, 1 request/s", service(1.0, 0.009), known(service(1.0, 0.009)), true),
        ("1.0 % errors, 10 requests/s", ten(0.01), known(ten(0.01)), false),
        ("2.0 % errors as before, 10/s", ten(0.02), known(ten(0.02)), false),
        ("8.0 % as before, of 20 requests", ten(0.08), hardly(ten(0.08)), false),
    ];
    for (name, service, old, has_bar) in rows.into_iter().filter(|row| row.0.contains(wanted)) {
        // A canary is promoted later by the time of its first step.
        let step = if name.contains("canary") { u64::from(CANARY.1) } else { 0 };
        let seconds = HOUR + 60 + step;
        let scene = Scene { old, good: service, bad: service, fault: f64::INFINITY, seconds };
        let begun = Instant::now();
        let outcomes = run(configs.of(name), watches, |_| scene);
        let threads = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let ns = begun.elapsed().as_secs_f64() * 1e9 * threads / (watches * scene.seconds) as f64;
        let count =
            |is: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count() as u64;
        let back = count(&|outcome| outcome.verdict == Verdict::RollBack);
        let promoted = count(&|outcome| outcome.verdict == Verdict::Promote);
        let plain = count(&|outcome| outcome.plain);
        let share = |count: u64| format!("{:.3} %", count as f64 / watches as f64 * 100.0);
        println!(
            "{name:<34} {back:>6} {:>9}  ({:.3} %)  {:>10}  {:>21}  {ns:>7.0}",
            share(back),
            upper(back, watches) * 100.0,
            share(promoted),
            share(plain),
        );
        if has_bar && back as f64 > FALSE * watches as f64 {
            missed.push(format!("{name}: {} sent back, at most {} %", share(back), FALSE * 100.0));
        }
    }
    missed
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

/// Those that missed their bar.
fn detected(configs: &Configs, watches: u64, wanted: &str) -> Vec<String> {
    let mut missed = Vec::new();
    println!("\nbad versions                          found  median s   p95 s   max s   before the fault");
    let good = service(10.0, 0.005);
    let slow = Service { latency: 300.0, ..good };
    let forty = |errors: f64| service(40.0, errors);
    let (known, hardly) = ((good, 300), (service(10.0, 0.08), 2));
    let beside = (forty(0.005), 300);
    // The bar is for the median, in seconds.
    let rows = [
        ("20 % errors at once", known, good, service(10.0, 0.2), false, Some(20.0)),
        ("20 % errors after 30 minutes", known, good, service(10.0, 0.2), true, Some(20.0)),
        ("20 % after 8 % of 20 requests", hardly, good, service(10.0, 0.2), false, Some(20.0)),
        ("20 %, canary of 10/s beside 30/s", beside, forty(0.005), forty(0.2), false, Some(20.0)),
        ("5 % errors at once", known, good, service(10.0, 0.05), false, None),
        ("2 % errors at once", known, good, service(10.0, 0.02), false, None),
        ("2 % errors after 30 minutes", known, good, service(10.0, 0.02), true, None),
        ("2 %, canary of 10/s beside 30/s", beside, forty(0.005), forty(0.02), false, None),
        ("total outage at once", known, good, service(10.0, 1.0), false, Some(3.0)),
        ("total outage after 30 minutes", known, good, service(10.0, 1.0), true, Some(3.0)),
        ("outage, canary of 10/s beside 30/s", beside, forty(0.005), forty(1.0), false, Some(3.0)),
        (
            "20 % errors at 1 request/s",
            (service(1.0, 0.005), 300),
            service(1.0, 0.005),
            service(1.0, 0.2),
            false,
            None,
        ),
        ("twice as slow at once", known, good, slow, false, None),
        ("twice as slow after 30 minutes", known, good, slow, true, None),
    ];
    for (name, old, good, bad, late, bar) in rows.into_iter().filter(|row| row.0.contains(wanted)) {
        let scene = |seed: u64| {
            let fault = if late { 1800.0 + Random(seed).share() } else { 0.0 };
            Scene { old, good, bad, fault, seconds: HOUR }
        };
        let outcomes = run(configs.of(name), watches, scene);
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
            "{name:<35} {:>6.2} %  {:>8}  {:>6}  {:>6}   {}",
            found.len() as f64 / watches as f64 * 100.0,
            say(50),
            say(95),
            say(100),
            early.len(),
        );
        // Who was never found took for ever.
        let middle = outcomes.len() / 2;
        let median = found.get(middle).copied().unwrap_or(f64::INFINITY);
        if let Some(bar) = bar.filter(|bar| median >= *bar) {
            missed.push(format!("{name}: found after {median:.1} s in the median, to be under {bar:.0} s"));
        }
    }
    missed
}
