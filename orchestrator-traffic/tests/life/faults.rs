//! Faults of what lies below a proxy: its disk is full, its folder is gone, it is killed at any moment.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use orchestrator_traffic::control::ask;
use orchestrator_traffic::protocol::{Request, Response};
use rustix::process::Signal;

use crate::LONG;
use crate::client::get;
use crate::origin::Origin;
use crate::process::{Keeper, Rig, free, table};
use crate::until;

/// A small disk in memory.
struct Disk(PathBuf);

impl Disk {
    fn at(path: &Path) -> Self {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=128k", "none"]).arg(path).status();
        assert!(mounted.unwrap().success());
        Self(path.to_owned())
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    fn fill(&self) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
        while file.write_all(&[1; 512]).is_ok() {}
        while file.write_all(&[1]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever has it open is ended after this.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn refusal(rig: &Rig, request: &Request) -> String {
    match rig.ask(request) {
        Response::Refused { why } => why,
        other => panic!("it was done: {other:?}"),
    }
}

#[test]
#[ignore = "needs root, to mount a disk in memory; tests/run has it"]
fn needs_root_a_full_disk_changes_nothing_and_nothing_is_lost() {
    let (rig, address) = (Rig::new(), free());
    let (one, two) = (Origin::new("one"), Origin::new("two"));
    let disk = Disk::at(rig.folder());
    let _first = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", one.address);
    disk.fill();
    let apply = Request::Apply { expect: Some(1), table: table("v2", two.address), drain_ms: 0 };
    let why = refusal(&rig, &apply);
    assert!(why.contains("could not be kept, so it is not served") && why.contains("No space"), "{why}");
    until("lines of the log are missing", || {
        assert_eq!(get(address, "/missing").unwrap().body, "one");
        rig.said().contains("the access log cannot be written, requests are served without it")
    });
    // What a successor needs lies there, so it can take over.
    let next = rig.upgrade();
    assert_eq!((rig.status().pid, rig.status().generation), (next, 1));
    assert_eq!(get(address, "/").unwrap().body, "one");
    // What it needs is lost, and there is no room for it.
    fs::remove_file(rig.folder().join("table.json")).unwrap();
    disk.fill();
    let why = refusal(&rig, &Request::Upgrade { program: None });
    assert!(why.contains("could not be kept for a successor") && why.contains("No space"), "{why}");
    assert_eq!((rig.status().pid, get(address, "/").unwrap().body.as_str()), (next, "one"));

    disk.make_room();
    assert!(matches!(rig.ask(&apply), Response::Applied { generation: 2, changed: true }));
    let log = || fs::read_to_string(rig.folder().join("access.log")).unwrap();
    until("the log is written again", || {
        assert_eq!(get(address, "/again").unwrap().body, "two");
        log().contains("/again")
    });
    for line in log().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "half a line: {line}");
    }
    crate::process::signal_to(rig.upgrade(), Signal::KILL);
    until("nobody has the folder", || rig.try_status().is_none());
    let _last = rig.start(address);
    rig.wait_until_ready();
    assert_eq!((rig.status().generation, get(address, "/").unwrap().body.as_str()), (2, "two"));
}

#[test]
fn a_folder_that_is_deleted_under_it_keeps_it_from_changes_and_from_nothing_else() {
    let (rig, address) = (Rig::new(), free());
    let (one, two) = (Origin::new("one"), Origin::new("two"));
    let mut process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", one.address);
    let mut open = UnixStream::connect(rig.control()).unwrap();
    open.set_read_timeout(Some(LONG)).unwrap();
    let mut lines = BufReader::new(open.try_clone().unwrap()).lines();
    let mut asked = |request: &Request| -> Response {
        writeln!(open, "{}", serde_json::to_string(request).unwrap()).unwrap();
        serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()
    };
    assert!(matches!(asked(&Request::Status), Response::Status(_)));
    fs::remove_dir_all(rig.folder()).unwrap();
    assert_eq!(get(address, "/").unwrap().body, "one");
    let apply = Request::Apply { expect: Some(1), table: table("v2", two.address), drain_ms: 0 };
    let Response::Refused { why } = asked(&apply) else { panic!("it was applied") };
    assert!(why.contains("No such file"), "{why}");
    assert_eq!(get(address, "/").unwrap().body, "one");
    // Somebody makes it anew: what is kept there is there for the next process.
    fs::create_dir(rig.folder()).unwrap();
    assert!(matches!(asked(&apply), Response::Applied { generation: 2, changed: true }));
    process.signal(Signal::KILL);
    process.wait();
    let _next = rig.start(address);
    rig.wait_until_ready();
    assert_eq!((rig.status().generation, get(address, "/").unwrap().body.as_str()), (2, "two"));
}

#[test]
fn killed_at_any_moment_of_a_switch_it_serves_what_it_acknowledged_or_what_came_next() {
    let rig = Rig::new();
    let origins = [Origin::new("one"), Origin::new("two")];
    let mut keeper = Keeper::new();
    let address = keeper.address();
    let mut process = keeper.start(&rig);
    rig.apply("v0", origins[0].address);
    let mut acknowledged = 1;
    let rounds = if std::env::var_os("ORCHESTRATE_LONG").is_some() { 200 } else { 12 };
    for round in 1..=rounds {
        let switching = std::thread::spawn({
            let (control, to) = (rig.control(), [origins[0].address, origins[1].address]);
            // As many as there is time for, each a change.
            move || {
                let mut last = 0;
                for (at, address) in to.iter().cycle().enumerate() {
                    let name = format!("v{round}-{at}");
                    let apply = Request::Apply { expect: None, table: table(&name, *address), drain_ms: 0 };
                    match ask(&control, &apply, LONG) {
                        Ok(Response::Applied { generation, .. }) => last = generation,
                        Ok(other) => panic!("{other:?}"),
                        Err(_) => return last,
                    }
                }
                last
            }
        });
        std::thread::sleep(Duration::from_micros(700 * (round % 16)));
        process.signal(Signal::KILL);
        process.wait();
        acknowledged = acknowledged.max(switching.join().unwrap());
        process = keeper.start(&rig);
        let status = rig.status();
        assert!(
            status.generation == acknowledged || status.generation == acknowledged + 1,
            "{acknowledged} was acknowledged, {} is served",
            status.generation
        );
        acknowledged = status.generation;
        let served = status.table.routes[0].backends[0].address;
        let name = if served == origins[0].address { "one" } else { "two" };
        assert_eq!(get(address, "/").unwrap().body, name, "its table is what it serves");
        assert!(!rig.folder().join("table.broken.json").exists());
    }
}
