//! Traffic: the proxy beside nginx and caddy, in turn, in one run, under the load client's mix.
//!
//! `cargo bench -p orchestrator-traffic --features testkit --bench traffic -- [PART..] [FLAG..]`, where a part is one of these; without
//! one, all but `soak`:
//!
//! | part | measures | bar |
//! |---|---|---|
//! | `switch` | requests that fail across 20 switches of versions and 5 upgrades of the proxy itself; nginx reloads as often | 0 of 100,000 |
//! | `cpu` | CPU seconds a proxied request, all processes of a server | 1.3 times nginx's |
//! | `latency` | what a proxy adds at half of the load that it can take | p99 under 1 ms |
//! | `memory` | at 1,000 connections, and after many more | 30 MB, flat |
//! | `soak` | 10 minutes of mixed load with switches and upgrades: memory, open files, failures | flat, 0 |
//!
//! | flag | |
//! |---|---|
//! | `--requests N` | of `switch` (100,000) |
//! | `--rate N` | a second, of `switch` and `soak` (1,000) |
//! | `--switches N`, `--every N` | of `switch`: how many, and an upgrade after how many, 0 for none (20, 4) |
//! | `--rounds N` | of `cpu` and `latency` (5) |
//! | `--seconds N` | of one round (6), of the soak (600) |
//! | `--only NAME,..` | of `ours`, `nginx`, `caddy` |
//!
//! Everything is on loopback, in a temporary folder and on free ports. A peer that is not installed is "not run". The program starts itself
//! for backends and for the proxy, so that each is a process of its own.

#[path = "traffic/backend.rs"]
mod backend;
#[path = "traffic/caddy.rs"]
mod caddy;
#[path = "traffic/cpu.rs"]
mod cpu;
#[path = "traffic/front.rs"]
mod front;
#[path = "traffic/latency.rs"]
mod latency;
#[path = "traffic/loading.rs"]
mod loading;
#[path = "traffic/memory.rs"]
mod memory;
#[path = "traffic/nginx.rs"]
mod nginx;
#[path = "traffic/options.rs"]
mod options;
#[path = "traffic/ours.rs"]
mod ours;
#[path = "traffic/process.rs"]
mod process;
#[path = "traffic/soak.rs"]
mod soak;
#[path = "traffic/switch.rs"]
mod switch;

use std::process::ExitCode;

use options::{Options, Part};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["backend", version] => return backend::main(version),
        ["proxy", ref rest @ ..] => return ours::main(rest),
        _ => {}
    }
    let options = match Options::read(&arguments) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    };
    for part in &options.parts {
        println!("\n== {}", part.name());
        match part {
            Part::Switch => switch::bench(&options),
            Part::Cpu => cpu::bench(&options),
            Part::Latency => latency::bench(&options),
            Part::Memory => memory::bench(&options),
            Part::Soak => soak::bench(&options),
        }
    }
    ExitCode::SUCCESS
}
