//! The load client as people meet it; and switches and an upgrade of the proxy under its load.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use orchestrator_traffic::load::backend::Backend;
use orchestrator_traffic::load::{Mix, Plan, run};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Folder, Said, ended, kill, output, program, until};

/// Servers need a runtime that lives as long as the test.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn load(dir: &Path, args: &str) -> Said {
    let command = program(dir, format!("load {args}").split_whitespace());
    output(command)
}

fn summary(said: &Said) -> Value {
    let mut lines = said.json();
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

#[test]
fn a_load_is_told_to_people_and_programs() {
    let (runtime, folder) = (runtime(), Folder::new());
    let backend = runtime.block_on(Backend::start("1.2.3")).unwrap();
    let url = backend.url();
    let said = load(
        folder.path(),
        &format!("{url} --requests 200 --rate 400 --version-from json:/version --save out.json"),
    );
    said.exits(0).says(&[
        "200 requests were due",
        "failed            0  0 %, at most 1.5 % (95 %)",
        "from when due",
        "version 1.2.3: 200 answers, 0 of them wrong, 0 cut or too late",
    ]);
    let saved: Value = serde_json::from_str(&folder.read("out.json")).unwrap();
    assert_eq!((&saved["answered"], &saved["plan"]["rate"]), (&200.into(), &400.0.into()));

    folder.write("mix.json", r#"[{"kind": "uploads", "weight": 1, "bytes": 1000}, {"kind": "events", "path": "/events?count=10&every_ms=1"}]"#);
    let said = load(folder.path(), &format!("{url} --requests 100 --rate 400 --mix mix.json --http2 --json"))
        .exits(0);
    let found = summary(&said);
    assert_eq!((&found["answered"], &found["failed"]), (&100.into(), &0.into()));
    assert!(found["shapes"]["uploads"]["answered"].as_u64() > Some(20));

    let said = load(folder.path(), &format!("{url}fail?status=500 --requests 20 --format json")).exits(1);
    assert_eq!(summary(&said)["failures"]["status"], 20);
}

#[test]
fn what_cannot_be_loaded_is_refused() {
    let folder = Folder::new();
    for (args, why) in [
        ("http://192.0.2.1/", "other machines are loaded only with `--allow-remote`"),
        ("ftp://127.0.0.1/", "only `http://` and `https://` can be loaded"),
        ("http://127.0.0.1/ --rate 0", "out of bounds"),
        ("http://127.0.0.1/ --rate many", "`many` is no number"),
        ("http://127.0.0.1/ --mix no.json", "is no known kind, and no file that can be read"),
        ("http://127.0.0.1/ --version-from cookie", "neither `header:NAME` nor `json:/POINTER`"),
    ] {
        load(folder.path(), args).exits(2).says(&[why]);
    }
}

#[test]
fn ctrl_c_ends_a_load_with_the_figures_so_far() {
    let (runtime, folder) = (runtime(), Folder::new());
    let backend = runtime.block_on(Backend::start("1")).unwrap();
    let args = format!("load {} --rate 100 --duration 1h --json", backend.url());
    let mut command = program(folder.path(), args.split_whitespace());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    until("requests come", || backend.requests() >= 100);
    kill(child.id(), Signal::INT);
    let found = summary(&ended(child).exits(130));
    assert_eq!((&found["stopped"], &found["failed"]), (&true.into(), &0.into()));
    assert!(found["answered"].as_u64() >= Some(9), "{found}");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "a load writes nothing");
}

/// A proxy as a process; ended with this value.
struct Proxy<'a> {
    folder: &'a Folder,
    address: SocketAddr,
}

impl Proxy<'_> {
    /// Starts one on a free port, which it says.
    fn start(folder: &Folder) -> Proxy<'_> {
        let args = "proxy --folder edge --listen 127.0.0.1:0 --linger 1m --access-log off --format json";
        let mut command = program(folder.path(), args.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // It is ended by `stop`, or with its folder.
        std::thread::spawn(move || child.wait());
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let address = said["result"]["listens"][0].as_str().unwrap().parse().unwrap();
        Proxy { folder, address }
    }

    fn say(&self, args: &str) -> Said {
        self.folder.orchestrate(&format!("proxy {args} --folder edge --format json"))
    }

    fn switch(&self, version: &str, to: &Backend) {
        self.say(&format!("apply --to {version}={}", to.address())).exits(0);
    }
}

impl Drop for Proxy<'_> {
    fn drop(&mut self) {
        let _ = self.say("stop --drain 1s");
    }
}

/// The short form of the bench `traffic switch`: mixed load, switches between processes' versions, an upgrade of the proxy itself.
#[test]
fn switches_and_upgrades_drop_no_request() {
    let (requests, switches, upgrade_at) = match std::env::var("ORCHESTRATE_LONG") {
        Ok(_) => (100_000_u64, 20, 4),
        Err(_) => (3_000, 3, 2),
    };
    let (runtime, folder) = (runtime(), Folder::new());
    let proxy = Proxy::start(&folder);
    let mut versions = vec![runtime.block_on(Backend::start("v0")).unwrap()];
    proxy.switch("v0", &versions[0]);
    let plan = Plan {
        requests: Some(requests),
        connections: 512,
        mix: Mix::mixed(),
        timeout_ms: 60_000,
        version_from: Some("header:x-version".parse().unwrap()),
        ..Plan::new(format!("http://{}/", proxy.address), 400.0)
    };
    let running = runtime.spawn(run(plan, std::future::pending()));
    let asked = |versions: &[Backend]| versions.iter().map(Backend::requests).sum::<u64>();
    for number in 1..=switches {
        // Each after its share of the requests.
        until("the load goes on", || {
            asked(&versions) > requests * number / (switches + 1) || running.is_finished()
        });
        let name = format!("v{number}");
        versions.push(runtime.block_on(Backend::start(&name)).unwrap());
        proxy.switch(&name, versions.last().unwrap());
        if number % upgrade_at == 0 {
            proxy.say("upgrade").exits(0);
        }
    }
    let found = runtime.block_on(running).unwrap().unwrap();
    assert_eq!((found.failed, found.client.unsent), (0, 0), "{:?} {:#?}", found.failures, found.examples);
    assert_eq!(found.answered, requests, "{:?}", found.client);
    assert_eq!(asked(&versions), requests, "nothing was sent twice");
    let names: Vec<_> = found.versions.iter().map(|seen| seen.version.clone()).collect();
    let wanted: Vec<_> = (0..=switches).map(|number| format!("v{number}")).collect();
    assert_eq!(names, wanted, "each version answered, in turn");
}
