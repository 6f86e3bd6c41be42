//! CPU seconds a proxied request, all processes of a server together, in turn.

use orchestrator_traffic::load::{Kind as Request, Mix, Shape};

use crate::backend::Backend;
use crate::front::{self, Kind};
use crate::loading::{Rounds, load, plan, told};
use crate::options::Options;
use crate::process::usage;
use crate::verdict::Verdict;

/// Times nginx's.
const BAR: f64 = 1.3;

pub(crate) fn bench(options: &Options, verdict: &mut Verdict) {
    let backend = Backend::start("v0");
    for (name, request, rate) in [
        ("kept connections", Request::KeepAlive, 3_000.0),
        ("new connections", Request::NewConnections, 1_500.0),
        ("uploads of 64 KiB", Request::Uploads, 600.0),
    ] {
        let mix = Mix { shapes: vec![Shape::of(request, 1)] };
        let fronts = front::all(&options.kinds, &backend, verdict);
        let costs: Vec<Rounds> = fronts.iter().map(|_| Rounds::default()).collect();
        for round in 0..=options.rounds {
            for turn in 0..fronts.len() {
                // Each is first in some rounds.
                let at = (turn + round) % fronts.len();
                let (kind, front) = &fronts[at];
                let mut plan = plan(front.address(), rate, mix.clone());
                plan.connections = 64;
                // The first round warms up.
                plan.duration_ms =
                    Some(if round == 0 { 1_000 } else { options.seconds.unwrap_or(6) * 1_000 });
                let before = usage(front.pid()).cpu;
                let summary = load(plan);
                let cpu = usage(front.pid()).cpu - before;
                if summary.failed > 0 {
                    println!("{kind}: {}", told(&summary));
                }
                if round > 0 && summary.answered > 0 {
                    costs[at].add(cpu / summary.answered as f64 * 1e6);
                }
            }
        }
        println!("{name}, {rate:.0} a second, {} rounds:", options.rounds);
        let nginx = fronts.iter().position(|(kind, _)| *kind == Kind::Nginx).map(|at| costs[at].median());
        for ((kind, _), cost) in fronts.iter().zip(&costs) {
            let (least, most) = cost.range();
            if *kind == Kind::Ours && cost.is_empty() {
                verdict.missed(format!("{name}: no figure of ours"));
            } else if let (Kind::Ours, Some(nginx)) = (kind, nginx) {
                verdict.hold(&format!("CPU a request, {name}"), cost.median() / nginx, BAR, " times nginx's");
            }
            let ratio = nginx.map_or(f64::NAN, |nginx| cost.median() / nginx);
            println!(
                "    {kind:<6} {:>7.1} us a request ({least:.1} to {most:.1}), {ratio:.2} times nginx",
                cost.median()
            );
        }
    }
}
