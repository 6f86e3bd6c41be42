//! Memory of a server: with nothing to do, at 1,000 connections, and after many that came and went.

use std::time::Duration;

use orchestrator_traffic::load::{Kind as Request, Mix, Shape};

use crate::backend::Backend;
use crate::front;
use crate::loading::{beside, load, plan, told};
use crate::options::Options;
use crate::process::usage;

pub(crate) fn bench(options: &Options) {
    let backend = Backend::start("v0");
    let fronts = front::all(&options.kinds, &backend);
    for (kind, front) in &fronts {
        let idle = usage(front.pid()).memory;
        let mut many = plan(front.address(), 500.0, Mix { shapes: vec![Shape::of(Request::KeepAlive, 1)] });
        (many.connections, many.preconnect, many.duration_ms) = (1_000, true, Some(6_000));
        let running = beside(many);
        let mut most: f64 = 0.0;
        let mut files = 0;
        while !running.is_finished() {
            let now = usage(front.pid());
            (most, files) = (most.max(now.memory), files.max(now.files));
            std::thread::sleep(Duration::from_millis(100));
        }
        match running.join() {
            Ok(summary) if summary.failed > 0 => println!("{kind}: {}", told(&summary)),
            Ok(_) => {}
            Err(_) => println!("{kind}: the load panicked"),
        }
        println!("{kind:<6} idle {idle:.1} MB, at 1,000 connections {most:.1} MB ({files} files)");
        let mut after = Vec::new();
        for _ in 0..5 {
            let mut more =
                plan(front.address(), 1_000.0, Mix { shapes: vec![Shape::of(Request::NewConnections, 1)] });
            more.requests = Some(5_000);
            load(more);
            after.push(format!("{:.1}", usage(front.pid()).memory));
        }
        println!(
            "       after each of 5 times 5,000 connections that came and went: {} MB",
            after.join(", ")
        );
    }
}
