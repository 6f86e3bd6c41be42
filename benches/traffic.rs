//! Traffic: the proxy beside nginx and caddy, in turn, in one run, under the load client's mix.
//!
//! `cargo bench -p orchestrator-traffic --features testkit --bench traffic -- [PART..] [FLAG..]`, where a part is one of these; without
//! one, all but `soak`:
//!
//! | part | measures | bar |
//! |---|---|---|
//! | `switch` | requests that fail across 20 switches of versions and 5 upgrades of the proxy itself; nginx reloads as often | 0 of 100,000 |
//! | `cpu` | CPU seconds a proxied request, all processes of a server | 1.3 times nginx's |
//! | `latency` | what a proxy adds at half of the load that it can take: its round less the direct one beside it, the median of rounds | p99 under 1 ms |
//! | `memory` | at 1,000 connections, with 1,000 requests under way, and after many more | 30 MB, flat |
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
//! It exits with 1 where a bar of ours was missed, and says which; bars are for an idle machine. It says so too where it is ended before its end.
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
#[path = "traffic/verdict.rs"]
mod verdict;

use std::process::ExitCode;

use options::{Options, Part};
use verdict::Verdict;

// The proxy is measured with the allocator that the program ships with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    verdict::watch();
    let mut verdict = Verdict::default();
    for part in &options.parts {
        println!("\n== {}", part.name());
        match part {
            Part::Switch => switch::bench(&options, &mut verdict),
            Part::Cpu => cpu::bench(&options, &mut verdict),
            Part::Latency => latency::bench(&options, &mut verdict),
            Part::Memory => memory::bench(&options, &mut verdict),
            Part::Soak => soak::bench(&options, &mut verdict),
        }
    }
    if verdict.print() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
