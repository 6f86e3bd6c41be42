//! Memory of a server: with nothing to do, at 1,000 connections, with 1,000 requests under way, and after many that came and went.

use std::time::Duration;

use orchestrator_traffic::load::{Kind as Request, Mix, Plan, Shape};

use crate::backend::Backend;
use crate::front::{self, Kind};
use crate::loading::{beside, load, plan, told};
use crate::options::Options;
use crate::process::usage;
use crate::verdict::Verdict;

/// MB at 1,000 connections.
const BAR: f64 = 30.0;
/// MB that may be more after 25,000 connections than after the first 5,000: what an allocator keeps differs by that.
const FLAT: f64 = 2.0;

pub(crate) fn bench(options: &Options, verdict: &mut Verdict) {
    let backend = Backend::start("v0");
    let fronts = front::all(&options.kinds, &backend, verdict);
    for (kind, front) in &fronts {
        let idle = usage(front.pid()).memory;
        // One request after the other, each on the next connection.
        let mut many = plan(front.address(), 500.0, Mix { shapes: vec![Shape::of(Request::KeepAlive, 1)] });
        (many.connections, many.preconnect, many.duration_ms) = (1_000, true, Some(6_000));
        let (most, files) = most_of(*kind, front.pid(), many);
        println!("{kind:<6} idle {idle:.1} MB, at 1,000 connections {most:.1} MB ({files} files)");
        let is_ours = *kind == Kind::Ours;
        if is_ours {
            verdict.hold("memory at 1,000 connections", most, BAR, " MB");
        }
        // Each takes 2 s, so 1,000 are under way.
        let mut slow = plan(front.address(), 500.0, Mix { shapes: vec![Shape::of(Request::Slow, 1)] });
        (slow.connections, slow.preconnect, slow.duration_ms) = (1_000, true, Some(6_000));
        slow.timeout_ms = 15_000;
        let (most, files) = most_of(*kind, front.pid(), slow);
        println!("       with 1,000 requests under way {most:.1} MB ({files} files)");
        let mut after = Vec::new();
        for _ in 0..5 {
            let mut more =
                plan(front.address(), 1_000.0, Mix { shapes: vec![Shape::of(Request::NewConnections, 1)] });
            more.requests = Some(5_000);
            load(more);
            after.push(usage(front.pid()).memory);
        }
        if is_ours {
            verdict.hold("memory with 1,000 requests under way", most, BAR, " MB");
            let grown = after.last().zip(after.first()).map_or(f64::NAN, |(last, first)| last - first);
            verdict.hold("memory after 25,000 connections, more than after 5,000", grown, FLAT, " MB");
        }
        let after: Vec<String> = after.iter().map(|one| format!("{one:.1}")).collect();
        println!(
            "       after each of 5 times 5,000 connections that came and went: {} MB",
            after.join(", ")
        );
    }
}

/// The most memory in MB, and open files, while that load runs.
fn most_of(kind: Kind, pid: u32, plan: Plan) -> (f64, usize) {
    let running = beside(plan);
    let (mut most, mut files) = (0.0f64, 0);
    while !running.is_finished() {
        let now = usage(pid);
        (most, files) = (most.max(now.memory), files.max(now.files));
        std::thread::sleep(Duration::from_millis(100));
    }
    match running.join() {
        Ok(summary) if summary.failed > 0 => println!("{kind}: {}", told(&summary)),
        Ok(_) => {}
        Err(_) => println!("{kind}: the load panicked"),
    }
    (most, files)
}
