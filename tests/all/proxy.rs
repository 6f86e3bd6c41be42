//! `orchestrate proxy` as people meet it; its faults are tested where it lives.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use super::support::{Folder, ended, get, kill, until};

/// A version that answers each connection once, with its name as JSON. It lives as long as the test's process.
fn version(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut head) = (stream.unwrap(), [0; 4096]);
            thread::spawn(move || {
                let _ = stream.read(&mut head);
                let length = name.len() + 2;
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n\"{name}\""
                );
            });
        }
    });
    address
}

fn free() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, orchestrator_traffic::ports::pick().unwrap()))
}

#[test]
fn it_serves_switches_upgrades_and_stops() {
    let folder = Folder::new();
    let (one, two, address) = (version("one"), version("two"), free());
    let url = format!("http://{address}");
    let serve = format!("proxy --folder edge --listen {address} --format json");
    // Its successor goes on with what it writes to, so that is no pipe: nobody would see its end.
    let file = |name: &str| fs::File::create(folder.path().join(name)).unwrap();
    let mut child = folder.program(&serve).stdout(file("out")).stderr(file("err")).spawn().unwrap();
    let first = child.id();
    until("it serves", || folder.program("proxy status --folder edge").output().unwrap().status.success());

    folder.orchestrate("proxy status --folder edge").exits(0).says(&["It has no routes", "proxy apply"]);
    folder
        .orchestrate(&format!("proxy apply --folder edge --to v1={one}"))
        .exits(0)
        .says(&["Generation 1 is served."]);
    assert_eq!(get(&url, "/"), "one");
    folder
        .orchestrate(&format!("proxy apply --folder edge --to v1={one}"))
        .exits(0)
        .says(&["nothing changed"]);
    folder
        .orchestrate(&format!("proxy apply --folder edge --to v2={two} --expect 7"))
        .exits(1)
        .says(&["generation 1 is served"]);
    folder
        .orchestrate(&format!("proxy --folder edge --listen {}", free()))
        .exits(5)
        .says(&[&format!("(process {first})")]);

    let upgraded = folder.orchestrate("proxy upgrade --folder edge --format json").exits(0).json();
    let second = u32::try_from(upgraded[0]["result"]["pid"].as_u64().unwrap()).unwrap();
    assert_ne!(first, second);
    until("the first has ended", || child.try_wait().unwrap().is_some_and(|status| status.success()));
    assert!(folder.read("err").contains(&format!("process {second} serves")), "{}", folder.read("err"));
    assert!(
        folder
            .read("out")
            .contains(&format!("{{\"v\":1,\"result\":{{\"listens\":[\"{address}\"],\"pid\":{first}}}}}"))
    );
    folder
        .orchestrate("proxy upgrade --folder edge --program /bin/false")
        .exits(1)
        .says(&["this process goes on"]);

    let table =
        folder.orchestrate("proxy status --folder edge --format json").exits(0).json()[0]["result"]["table"]
            .clone();
    folder.write("table.json", &table.to_string().replace(&one.to_string(), &two.to_string()));
    folder.orchestrate("proxy apply --folder edge table.json").exits(0).says(&["Generation 2"]);
    assert_eq!(get(&url, "/"), "two");
    folder.write("bad.json", "{\"routes\": 1}");
    folder.orchestrate("proxy apply --folder edge bad.json").exits(2).says(&["`bad.json` is no table"]);
    folder.orchestrate("proxy counts --folder edge").exits(0).says(&["all v1: 1 requests, 0 errors"]);
    folder.orchestrate("proxy stop --folder edge --drain 5s").exits(0);
    until("it has ended", || !folder.path().join("edge/control.sock").exists());
    folder.orchestrate("proxy status --folder edge").exits(2).says(&["no proxy answers", "--listen ADDR"]);
    let log: Vec<Value> =
        folder.read("edge/access.log").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(log.iter().filter(|line| line["status"] == 200).count(), 2);
}

#[test]
fn what_keeps_it_from_serving_is_said() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let serve = |also: &str| folder.orchestrate(&format!("proxy --folder edge {also}"));
    serve(&format!("--listen {}", taken.local_addr().unwrap())).exits(7).says(&["cannot be listened at"]);
    serve(&format!("--listen {} --tls no.pem no.key", free())).exits(2).says(&["no.pem` cannot be read"]);
    serve("--inherit").exits(2).says(&["no sockets were inherited", "no socket to inherit from"]);
    serve("--listen localhost").exits(2);
}

#[test]
fn ctrl_c_drains_and_is_no_failure() {
    let folder = Folder::new();
    let serve = format!("proxy --folder edge --listen {}", free());
    let child = folder.program(&serve).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it serves", || folder.program("proxy status --folder edge").output().unwrap().status.success());
    kill(child.id(), Signal::INT);
    ended(child).exits(0);
}
