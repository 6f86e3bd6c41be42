//! Peers: the whole command line beside the tools that people use instead, and beside the floors, in turn, in one run.
//!
//! `cargo bench -p orchestrator-cli --bench peers -- --help` says how to call it, `README.md` beside this file which
//! set-up each tool gets and why. Nothing is fetched; everything happens in a temporary folder.

mod bazel;
mod check;
mod doit;
mod floor;
mod go_task;
mod just;
mod machine;
mod make;
mod markdown;
mod measure;
mod moon;
mod ninja;
mod nx;
mod options;
mod ours;
mod peer;
mod place;
mod places;
mod readme;
mod result;
mod rounds;
mod snakemake;
mod table;
mod tools;
mod turbo;
mod versions;
mod work;
mod workload;

use options::{Options, USAGE};
use peer::Peer;
use std::process::ExitCode;
use tools::Tools;

/// Ours first: ratios are to it.
fn all(tools: &Tools) -> Vec<Box<dyn Peer>> {
    let ours = |file| ours::Ours { program: Some(tools.ours.clone()), file };
    vec![
        Box::new(ours(ours::File::Yaml)),
        Box::new(ours(ours::File::Json)),
        Box::new(make::Make(tools.find("make"))),
        Box::new(ninja::Ninja(tools.find("ninja"))),
        Box::new(just::Just(tools.find("just"))),
        Box::new(turbo::Turbo {
            program: tools.native("turbo", "@turbo", "bin/turbo"),
            bun: tools.find("bun"),
        }),
        Box::new(moon::Moon(tools.native("moon", "@moonrepo", "moon"))),
        Box::new(nx::Nx(tools.find("nx"))),
        Box::new(go_task::GoTask(tools.find("task"))),
        Box::new(doit::Doit(tools.find("doit"))),
        Box::new(snakemake::Snakemake(tools.find("snakemake"))),
        Box::new(bazel::Bazel(tools.find("bazel"))),
    ]
}

/// An error where a tool was asked for that there is not.
fn known(peers: &[Box<dyn Peer>], names: &[String]) -> Result<(), String> {
    let known: Vec<&str> = peers.iter().map(|peer| peer.name()).collect();
    let unknown = names.iter().find(|name| !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(format!("unknown peer `{name}`; known: {}", known.join(", "))))
}

/// Whether ours did what it was to do in all of them.
fn bench(options: &Options) -> Result<bool, String> {
    let root = tempfile::tempdir().map_err(|wrong| wrong.to_string())?;
    let home = root.path().join("home");
    std::fs::create_dir(&home).map_err(|wrong| wrong.to_string())?;
    let tools = Tools::new(home);
    let peers = all(&tools);
    known(&peers, &options.peers)?;
    let shape = machine::shape();
    let versions: Vec<Option<String>> =
        peers.iter().map(|peer| versions::of(&tools, peer.as_ref())).collect();
    println!("{shape}");
    for (peer, version) in peers.iter().zip(&versions) {
        println!("  {} {}", peer.name(), version.as_deref().unwrap_or("not installed"));
    }
    let mut places = places::Places::new(&tools, root.path().join("work"));
    let mut tables = Vec::new();
    for workload in &options.only {
        let measured = rounds::measure(&tools, &mut places, &peers, *workload, options)?;
        print!("{}", table::show(&measured, &peers));
        tables.push(measured);
    }
    let section = markdown::show(&tables, &peers, &versions, &shape, options);
    if options.markdown {
        println!("\n{section}");
    }
    if options.write_readme {
        readme::write(&section)?;
    }
    Ok(tables.iter().all(|table| table.ours().is_some()))
}

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--help" || arg == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match Options::parse(std::env::args().skip(1)).and_then(|options| bench(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => {
            eprintln!("error: {wrong}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}
