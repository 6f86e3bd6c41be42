//! A local deployment of a service that is ready at once, with the real supervisor and the real proxy, beside the bare start of that
//! service, in one run; and a watch that sends a bad version back by itself, as clients see it.
//!
//! `cargo bench -p orchestrator-cli --bench deploy [ROUNDS]`. Prints least, median and greatest times beside their bars, and where the time of a
//! deployment goes by what its journal says of each operation. Exits with 1 where the median of a row misses its bar, and says which.

#[path = "deploy/clients.rs"]
mod clients;
#[path = "deploy/journal.rs"]
mod journal;
#[path = "deploy/project.rs"]
mod project;
#[path = "deploy/times.rs"]
mod times;

use std::collections::BTreeMap;
use std::process::{ExitCode, Stdio};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use clients::{Clients, free, until_answered};
use journal::Journal;
use project::{Project, Service, said};
use times::{Times, ms, since, spread};

const DEPLOY: [&str; 5] = ["run", "--phase", "deployment", "--ceiling", "publishes"];
/// Clients that ask while a version is watched.
const CLIENTS: usize = 4;

fn main() -> ExitCode {
    let rounds: usize = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(20);
    let project = Project::new();
    let proxy = project.path().join(".orchestrate/deploy/production/proxy");
    let proxy = proxy.to_str().expect("a name in UTF-8").to_owned();
    let (mut times, mut spent) = (Times::default(), BTreeMap::<String, Vec<f64>>::new());
    // The first brings supervisor and proxy with it.
    for round in 0..=rounds {
        let version = round.to_string();
        let (floor, whole, first) = deployed(&project, &version);
        if round == 0 {
            times.add("0 the first deployment, with supervisor and proxy", None, whole);
            continue;
        }
        times.add("1 the service by hand, until it is healthy (floor)", None, floor);
        times.add("2 whole deployment", Some(3000.0), whole);
        times.add("3   of it until the first new answer to a client", None, first);
        let spent_here = Journal::latest(project.path()).spent;
        let sum: f64 = spent_here.values().sum();
        spent.entry("(all that is no operation)".into()).or_default().push(whole - sum);
        for (name, ms) in spent_here {
            spent.entry(name).or_default().push(ms);
        }
        let good = format!("hello from {version}");
        switches(&project, &proxy, &good, &mut times);
        goes_back(&project, &format!("{version}-bad"), &good, &mut times);
    }
    println!("{rounds} rounds, milliseconds: least, median, greatest");
    let missed = times.print();
    println!("\na deployment's median by operation:");
    let mut spent: Vec<(String, f64)> = spent.into_iter().map(|(name, all)| (name, spread(all).1)).collect();
    spent.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (name, ms) in spent {
        println!("  {name:<30} {ms:>8.1}");
    }
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    for what in missed {
        println!("missed: {}", what.trim_start_matches(|c: char| c.is_ascii_digit()).trim());
    }
    ExitCode::FAILURE
}

/// One deployment, in milliseconds: the service by hand, the whole, and until a client is answered by the new version.
fn deployed(project: &Project, version: &str) -> (f64, f64, f64) {
    let floor = free();
    let begun = Instant::now();
    let service = Service::start(project, "floor", floor);
    let floor = until_answered(floor, "/health", "healthy") - begun;
    drop(service);

    project.release(version);
    let (public, begun) = (project.proxy, Instant::now());
    let said = format!("hello from {version}");
    let client = thread::spawn(move || until_answered(public, "/hello", &said));
    project.run(&DEPLOY);
    let whole = since(begun);
    let first = client.join().expect("it was answered") - begun;
    (ms(floor), whole, ms(first))
}

/// A version that answers everybody with an error gets all of the traffic; its watch sends it back.
fn goes_back(project: &Project, version: &str, good: &str, times: &mut Times) {
    project.release_bad(version);
    let clients = Clients::start(project.proxy, "/hello", CLIENTS);
    let ended = project.ends(&DEPLOY);
    let answers = clients.end();
    let text = said(&ended);
    assert_eq!(ended.status.code(), Some(1), "it is sent back: {text}");
    let journal = Journal::latest(project.path());
    let decided = journal.looked.expect("it was looked at");
    let bad = format!("no hello from {version}");
    let asked = answers.iter().find(|(_, answer)| *answer == bad).expect("it had traffic").0;
    let back = answers.iter().find(|(at, answer)| *at >= decided && answer == good);
    let back = back.expect("the version before answers again").0;
    assert!(answers.last().is_some_and(|(_, answer)| answer == good), "it stays with the version before");
    let between = |from: jiff::Timestamp, to: jiff::Timestamp| to.duration_since(from).as_secs_f64() * 1e3;
    let metric = |name: &str| *journal.metrics.get(name).unwrap_or_else(|| panic!("no `{name}`: {text}"));
    times.add("4 a watched deployment's switch, order to its receipt", None, metric("deploy.switch"));
    let first = metric("deploy.switch.first_answer");
    times.add("5   of it new table to the first new answer", Some(50.0), first);
    times.add("8 a bad version's first answer until its watch decides", None, between(asked, decided));
    times.add(
        "9 a watch goes back: decision to the first answer of the one before",
        Some(100.0),
        between(decided, back),
    );
    times.add("10  of it the way back, order to its receipt", None, metric("deploy.rollback"));
}

/// Between two versions that are healthy: by a command, from its start until a client is answered by the other one, there and back.
fn switches(project: &Project, proxy: &str, deployed: &str, times: &mut Times) {
    let address = free();
    let _other = Service::start(project, "other", address);
    until_answered(address, "/health", "healthy");
    let status = project
        .orchestrate(&["proxy", "status", "--folder", proxy, "--format", "json"])
        .stdout(Stdio::piped())
        .output()
        .expect("the program");
    let status: Value = serde_json::from_slice(&status.stdout).expect("a status in JSON");
    std::fs::write(project.path().join("back.json"), status["result"]["table"].to_string()).expect("room");
    let to = format!("other={address}");
    for (what, bar, args, said) in [
        (
            "6 switch, command to the first new answer",
            50.0,
            ["--to", to.as_str()].as_slice(),
            "hello from other",
        ),
        ("7 the same back, command to the first answer of the one before", 50.0, &["back.json"], deployed),
    ] {
        let (public, end) = (project.proxy, said.to_owned());
        let begun = Instant::now();
        let client = thread::spawn(move || until_answered(public, "/hello", &end));
        project.run(&[&["proxy", "apply", "--folder", proxy], args].concat());
        let first = client.join().expect("it was answered") - begun;
        times.add(what, Some(bar), ms(first));
    }
}
