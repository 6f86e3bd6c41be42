//! What a proxy adds, at half of the load that it can take.

use std::net::SocketAddr;

use orchestrator_traffic::load::{Kind as Request, Mix, Shape};

use crate::backend::Backend;
use crate::front::{self, Kind};
use crate::loading::{Rounds, load, plan, told};
use crate::options::Options;
use crate::verdict::Verdict;

/// Answers a second when more are wanted than can be had: client, server and version share this machine.
fn capacity(address: SocketAddr) -> f64 {
    let mut plan = plan(address, 1e6, Mix { shapes: vec![Shape::of(Request::KeepAlive, 1)] });
    plan.requests = Some(30_000);
    plan.connections = 64;
    let summary = load(plan);
    summary.answered as f64 / (summary.took_ms as f64 / 1e3)
}

/// Milliseconds that are added to the 99th percentile.
const BAR: f64 = 1.0;

pub(crate) fn bench(options: &Options, verdict: &mut Verdict) {
    let backend = Backend::start("v0");
    let fronts = front::all(&options.kinds, &backend, verdict);
    let mut places = vec![("direct", backend.address)];
    places.extend(fronts.iter().map(|(kind, front)| (kind.name(), front.address())));
    // The same rate for all, so that they can be compared: half of the least that any was seen to take.
    let mut least = f64::INFINITY;
    for (name, address) in &places {
        let seen: Vec<f64> = (0..3).map(|_| capacity(*address)).collect();
        println!("{name:<6} takes {:.0}, {:.0}, {:.0} a second", seen[0], seen[1], seen[2]);
        least = seen.into_iter().fold(least, f64::min);
    }
    let rate = (least / 2.0).floor();
    println!("at {rate:.0} a second, 64 connections, {} rounds in turn:", options.rounds);
    let times: Vec<(Rounds, Rounds)> =
        places.iter().map(|_| (Rounds::default(), Rounds::default())).collect();
    for round in 0..options.rounds {
        for turn in 0..places.len() {
            let at = (turn + round) % places.len();
            let mut plan = plan(places[at].1, rate, Mix { shapes: vec![Shape::of(Request::KeepAlive, 1)] });
            plan.connections = 64;
            plan.duration_ms = Some(options.seconds.unwrap_or(6) * 1_000);
            let summary = load(plan);
            if summary.failed > 0 || !summary.client.kept_up {
                println!("{}: {}", places[at].0, told(&summary));
            }
            times[at].0.add(summary.latency.p50_us as f64 / 1e3);
            times[at].1.add(summary.latency.p99_us as f64 / 1e3);
        }
    }
    // What else this machine did meanwhile, it did to all of a round: so each is compared with the direct one beside it.
    let direct = &times[0];
    for ((name, _), (p50, p99)) in places.iter().zip(&times) {
        let (added50, added99) = (p50.less(&direct.0), p99.less(&direct.1));
        let (least, most) = added99.range();
        if *name == Kind::Ours.name() {
            verdict.hold("added to p99 at half load", added99.median(), BAR, " ms");
        }
        println!(
            "    {name:<6} p50 {:.3} ms, p99 {:.3} ms; added: p50 {:.3} ms, p99 {:.3} ms ({least:.3} to {most:.3})",
            p50.median(),
            p99.median(),
            added50.median(),
            added99.median()
        );
    }
}
