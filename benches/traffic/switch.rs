//! Requests that fail across switches of versions and upgrades of the server itself, under mixed load.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use orchestrator_traffic::load::{Mix, Summary};

use crate::backend::Backend;
use crate::front::{self, Kind};
use crate::loading::{Rounds, beside, plan, told};
use crate::options::Options;
use crate::verdict::Verdict;

pub(crate) fn bench(options: &Options, verdict: &mut Verdict) {
    for kind in options.kinds.iter().filter(|kind| **kind != Kind::Caddy) {
        match one(options, *kind) {
            Ok(summary) if *kind == Kind::Ours => judged(&summary, verdict),
            Ok(_) => {}
            Err(why) => front::not_run(*kind, &why, verdict),
        }
    }
}

/// No request fails. What could not be sent was not shown to succeed.
fn judged(summary: &Summary, verdict: &mut Verdict) {
    verdict.hold("failed across switches and upgrades", summary.failed as f64, 0.0, " requests");
    verdict.hold("not sent across switches and upgrades", summary.client.unsent as f64, 0.0, " requests");
    if summary.answered == 0 {
        verdict.missed("no request was answered across switches");
    }
}

fn one(options: &Options, kind: Kind) -> Result<Summary, String> {
    // Old versions live on: what is still asked of them is the server's to let end.
    let mut versions = vec![Backend::start("v0")];
    let mut front = front::start(kind, &versions[0])?;
    let mut plan = plan(front.address(), options.rate, Mix::mixed());
    plan.requests = Some(options.requests);
    plan.timeout_ms = 15_000;
    let long = Duration::from_secs_f64(options.requests as f64 / options.rate);
    let pause = long / (options.switches + 2);
    let (start, load) = (Instant::now(), beside(plan));
    let mut commands = Vec::new();
    let mut upgrades = 0;
    for number in 1..=options.switches {
        std::thread::sleep((start + pause * number).saturating_duration_since(Instant::now()));
        versions.push(Backend::start(&format!("v{number}")));
        let to = versions.last().expect("one was just started");
        commands.push((to.version.clone(), Timestamp::now()));
        front.switch(to)?;
        if options.every > 0 && number % options.every == 0 {
            std::thread::sleep(pause / 3);
            front.upgrade()?;
            upgrades += 1;
        }
    }
    let summary = load.join().map_err(|_| "the load panicked")?;
    println!(
        "{kind}: {} switches, {upgrades} upgrades (nginx: reloads): {}",
        options.switches,
        told(&summary)
    );
    for (name, shape) in &summary.shapes {
        println!("    {name:<16} {} answered, {} failed", shape.answered, shape.failed);
    }
    for example in summary.examples.iter().take(5) {
        println!("    {example:?}");
    }
    first_answers(&commands, &summary);
    Ok(summary)
}

/// From the command to the head of the first answer of the new version; and whether the old one still got new requests.
fn first_answers(commands: &[(String, Timestamp)], summary: &Summary) {
    let Ok(started) = summary.started.parse::<Timestamp>() else { return };
    let times = Rounds::default();
    for (version, at) in commands {
        let Some(seen) = summary.versions.iter().find(|seen| seen.version == *version) else {
            println!("    {version} was never seen");
            continue;
        };
        let commanded = (at.as_nanosecond() - started.as_nanosecond()) as f64 / 1e6;
        times.add(seen.first_ms - commanded);
    }
    let (least, most) = times.range();
    println!(
        "    command to first answer of the new version: median {:.1} ms, {least:.1} to {most:.1} ms",
        times.median()
    );
    let late = summary.overlaps.iter().map(|overlap| overlap.sent_ms).fold(f64::NEG_INFINITY, f64::max);
    println!(
        "    the old version got requests that were sent up to {late:.1} ms after the new one's first answer"
    );
}
