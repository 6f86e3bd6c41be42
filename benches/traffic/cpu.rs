//! CPU seconds a proxied request, all processes of a server together, in turn.

use orchestrator_traffic::load::{Kind as Request, Mix, Shape};

use crate::backend::Backend;
use crate::front::{self, Kind};
use crate::loading::{Rounds, load, plan, told};
use crate::options::Options;
use crate::process::usage;

pub(crate) fn bench(options: &Options) {
    let backend = Backend::start("v0");
    for (name, request, rate) in [
        ("kept connections", Request::KeepAlive, 3_000.0),
        ("new connections", Request::NewConnections, 1_500.0),
        ("uploads of 64 KiB", Request::Uploads, 600.0),
    ] {
        let mix = Mix { shapes: vec![Shape::of(request, 1)] };
        let fronts = front::all(&options.kinds, &backend);
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
                if round > 0 {
                    costs[at].add(cpu / summary.answered as f64 * 1e6);
                }
            }
        }
        println!("{name}, {rate:.0} a second, {} rounds:", options.rounds);
        let nginx = fronts.iter().position(|(kind, _)| *kind == Kind::Nginx).map(|at| costs[at].median());
        for ((kind, _), cost) in fronts.iter().zip(&costs) {
            let (least, most) = cost.range();
            let ratio = nginx.map_or(f64::NAN, |nginx| cost.median() / nginx);
            println!(
                "    {kind:<6} {:>7.1} us a request ({least:.1} to {most:.1}), {ratio:.2} times nginx",
                cost.median()
            );
        }
    }
}
