//! Real servers on loopback: `moto_server` for S3, `redis-server` for Redis. Where one is not installed, its tests fail and
//! say so: `tests/run` installs both.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::address::Address;
use super::super::remote::Remote;
use super::{Team, names_are_created_once, names_have_bytes, runs_go_to_and_fro, team};

/// A server that ends with the test.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(program: &str, args: impl Fn(&str) -> Vec<String>) -> Self {
        // Another process may take the port before the server does.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut command = Command::new(program);
            command.args(args(&port.to_string())).stdout(Stdio::null()).stderr(Stdio::null());
            let child = command.spawn().unwrap_or_else(|error| {
                panic!("`{program}` is needed for this test, `tests/run` installs it: {error}")
            });
            let mut server = Self { child, port };
            for _ in 0..1200 {
                if server.child.try_wait().unwrap().is_some() {
                    break;
                }
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return server;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("`{program}` did not start");
    }

    fn redis() -> Self {
        let words =
            |port: &str| format!("--port {port} --bind 127.0.0.1 --requirepass hunter2 --appendonly no");
        Self::start("redis-server", |port| {
            let words = words(port);
            words.split(' ').map(str::to_owned).chain(["--save".into(), String::new()]).collect()
        })
    }

    fn s3() -> Self {
        let server =
            Self::start("moto_server", |port| ["-H", "127.0.0.1", "-p", port].map(str::to_owned).to_vec());
        let made = ureq::put(format!("http://127.0.0.1:{}/team", server.port)).send_empty().unwrap();
        assert_eq!(made.status(), 200);
        server
    }
}

fn open(url: &str, timeout: u64, set: &[(&str, &str)]) -> Team {
    let at = Address::parse(url).unwrap().at;
    let value =
        |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    team(Remote::with(&at, &value).unwrap(), timeout)
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];

#[test]
fn a_bucket_keeps_to_it() {
    let server = Server::s3();
    let url = format!("s3://team/some/where?endpoint=http://127.0.0.1:{}&region=eu-west-1", server.port);
    let team = open(&url, 60, &KEYS);
    names_have_bytes(&team.place);
    names_are_created_once(&team.place);
    runs_go_to_and_fro(&team);
    // Another bucket is not there, and without keys nothing is asked.
    let away = open(&url.replace("s3://team", "s3://other"), 60, &KEYS);
    assert!(away.place.put_bytes("a", Vec::new()).is_err());
    let error = open(&url, 60, &[]).place.size("a").unwrap_err().to_string();
    assert!(error.contains("AWS_ACCESS_KEY_ID"), "{error}");
}

#[test]
fn redis_keeps_to_it_and_gives_no_leases() {
    let server = Server::redis();
    let url = format!("redis://127.0.0.1:{}/1?prefix=team", server.port);
    let team = open(&url, 60, &[("SHARED_REDIS_PASSWORD", "hunter2")]);
    names_have_bytes(&team.place);
    let refused = team.place.create("a/new", b"x".to_vec()).unwrap_err().to_string();
    assert!(refused.contains("cannot keep two machines apart"), "{refused}");
    assert_eq!(team.place.size("a/new").unwrap(), None);
    let run = orchestrator_core::id::RunId::new("20261120234433-00ff00ff").unwrap();
    let nowhere = orchestrator_core::layout::Layout::new("/nowhere");
    assert_eq!(team.runs().unwrap(), [], "it holds results only");
    assert!(!team.bring(&nowhere, &run).unwrap() && team.lease(&run, false).unwrap().is_none());
    let wrong = open(&url, 60, &[("SHARED_REDIS_PASSWORD", "wrong-secret")]);
    let error = wrong.place.size("a").unwrap_err().to_string();
    assert!(!error.contains("wrong-secret"), "{error}");
}

/// A server that takes what it is told and never answers.
#[test]
fn servers_that_hang_are_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || (&stream).read_to_end(&mut Vec::new()));
        }
    });
    for url in [format!("s3://team?endpoint=http://127.0.0.1:{port}"), format!("redis://127.0.0.1:{port}")] {
        let team = open(&url, 1, &KEYS);
        let error = team.place.bytes("a", 9).unwrap_err().to_string();
        assert_eq!(error, "no answer within 1 s", "{url}");
        let error = team.place.put_bytes("a", b"x".to_vec()).unwrap_err().to_string();
        assert_eq!(error, "no answer within 1 s", "{url}");
        assert!(team.place.is_away());
    }
}

/// A service that passes over `If-None-Match` would let two machines win: it gives no leases.
#[test]
fn a_bucket_that_cannot_tell_who_was_first_gives_no_leases() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 8 << 10]);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
    });
    let team = open(&format!("s3://team?endpoint=http://127.0.0.1:{port}"), 60, &KEYS);
    let refused = team.place.create("a", b"x".to_vec()).unwrap_err().to_string();
    assert!(refused.contains("does not keep two machines apart"), "{refused}");
}

#[test]
fn servers_that_refuse_are_given_up() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in [format!("s3://team?endpoint=http://127.0.0.1:{port}"), format!("redis://127.0.0.1:{port}")] {
        let error = open(&url, 60, &KEYS).place.size("a").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
