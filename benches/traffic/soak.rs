//! Long mixed load with switches and upgrades: does anything grow?

use std::time::{Duration, Instant};

use orchestrator_traffic::load::Mix;

use crate::backend::Backend;
use crate::front::{self, Kind};
use crate::loading::{beside, plan, told};
use crate::options::Options;
use crate::process::{Usage, usage};
use crate::verdict::Verdict;

/// MB, and open files, that may be more in the last quarter than in the first.
const FLAT: (f64, f64) = (3.0, 100.0);

pub(crate) fn bench(options: &Options, verdict: &mut Verdict) {
    if let Err(why) = soak(options, verdict) {
        front::not_run(Kind::Ours, &why, verdict);
    }
}

fn soak(options: &Options, verdict: &mut Verdict) -> Result<(), String> {
    let seconds = options.seconds.unwrap_or(600);
    let mut versions = vec![Backend::start("v0")];
    let mut front = front::start(Kind::Ours, &versions[0])?;
    let mut plan = plan(front.address(), options.rate, Mix::mixed());
    (plan.duration_ms, plan.timeout_ms) = (Some(seconds * 1_000), 15_000);
    let (start, load) = (Instant::now(), beside(plan));
    // 20 rounds: each a switch, each fourth an upgrade; memory is looked at before.
    let round = Duration::from_secs(seconds) / 20;
    let mut seen: Vec<Usage> = Vec::new();
    let mut turn = 0;
    while !load.is_finished() {
        turn += 1;
        std::thread::sleep((start + round * turn).saturating_duration_since(Instant::now()));
        if load.is_finished() || turn >= 20 {
            break;
        }
        let now = usage(front.pid());
        println!(
            "    {:>5.0} s  {:.1} MB, {} files, {:.1} CPU s",
            start.elapsed().as_secs_f64(),
            now.memory,
            now.files,
            now.cpu
        );
        seen.push(now);
        versions.push(Backend::start(&format!("v{turn}")));
        front.switch(versions.last().expect("one was just started"))?;
        if turn % 4 == 0 {
            front.upgrade()?;
        }
        // Those before the last two have drained.
        if versions.len() > 3 {
            versions.remove(0);
        }
    }
    let summary = load.join().map_err(|_| "the load panicked")?;
    println!("ours: {seconds} s: {}", told(&summary));
    verdict.hold("failed in the soak", summary.failed as f64, 0.0, " requests");
    let quarter = seen.len() / 4;
    if quarter > 0 {
        let mean = |part: &[Usage]| part.iter().map(|one| one.memory).sum::<f64>() / part.len() as f64;
        let files = |part: &[Usage]| part.iter().map(|one| one.files as f64).sum::<f64>() / part.len() as f64;
        let (first, last) = (&seen[..quarter], &seen[seen.len() - quarter..]);
        verdict.hold(
            "memory of the last quarter, more than of the first",
            mean(last) - mean(first),
            FLAT.0,
            " MB",
        );
        verdict.hold(
            "open files of the last quarter, more than of the first",
            files(last) - files(first),
            FLAT.1,
            "",
        );
        println!(
            "    memory {:.1} MB in the first quarter, {:.1} MB in the last; files {:.0}, {:.0}",
            mean(first),
            mean(last),
            files(first),
            files(last)
        );
    }
    Ok(())
}
