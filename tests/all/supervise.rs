//! The real supervisor keeps the real proxy: through kills of both, through upgrades, to the end.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use orchestrator_agents::deployment::ops::{ordered, stop_all, supervised};
use orchestrator_agents::deployment::supervise::{Answer, Order, ProxyOrder, Standing};
use orchestrator_agents::deployment::{Environment, Supervisor};
use rustix::process::Signal;

use crate::support::{Folder, PROGRAM, ended, kill, until};

/// An environment that is ended with the test.
struct Desk {
    folder: Folder,
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = stop_all(&self.state());
    }
}

impl Desk {
    fn state(&self) -> PathBuf {
        self.folder.path().join(".orchestrate")
    }

    fn proxy(&self) -> PathBuf {
        self.state().join("deploy/production/proxy")
    }

    fn order(&self, order: &Order) -> Answer {
        let env: Vec<(OsString, OsString)> = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
        ordered(&self.state(), &environment(), &Supervisor::new(PROGRAM), &env, order).unwrap()
    }

    fn standing(&self) -> Option<Standing> {
        supervised(&self.state(), &environment())
    }

    /// The process of the proxy, once the supervisor knows one that serves.
    fn serving(&self, not: u32) -> u32 {
        let mut found = 0;
        until("a proxy that serves", || {
            let process = self.standing().and_then(|standing| standing.roster.proxy?.process);
            found = process.map_or(0, |process| process.pid);
            found != 0 && found != not
        });
        found
    }

    fn says(&self, args: &str) -> String {
        let args = args.replace("FOLDER", &self.proxy().display().to_string());
        self.folder.orchestrate(&args).exits(0).out
    }
}

fn environment() -> Environment {
    Environment::new("production").unwrap()
}

/// A service that answers `ok`.
fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while stream.read(&mut bytes).is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
                }
            });
        }
    });
    address
}

/// The status of one request on a new connection.
fn asked(address: SocketAddr) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

fn is_there(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

fn killed(pid: u32) {
    kill(pid, Signal::KILL);
    until("its end", || !is_there(pid));
}

/// Processes that name the folder in their arguments.
fn named(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let lines = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        String::from_utf8(std::fs::read(entry.path().join("cmdline")).ok()?).ok()
    });
    lines.filter(|line| line.contains(&folder)).collect()
}

#[test]
fn the_proxy_is_kept_through_kills_and_upgrades() {
    let desk = Desk { folder: Folder::new() };
    let proxy = ProxyOrder::of(
        &Supervisor::new(PROGRAM),
        &desk.proxy(),
        vec!["127.0.0.1:0".parse().unwrap()],
        None,
        &[],
    );
    let order = Order::Proxy { proxy };
    let Answer::Serving { pid: first, listens, .. } = desk.order(&order) else { panic!() };
    let address = listens[0];
    assert_eq!(asked(address).unwrap(), 503, "it was told nothing yet");
    desk.says(&format!("proxy apply --folder FOLDER --to v1={}", service()));
    assert_eq!(asked(address).unwrap(), 200);

    let (over, refused, answered) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                match asked(address) {
                    Ok(200) => drop(answered.fetch_add(1, Ordering::SeqCst)),
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                        refused.fetch_add(1, Ordering::SeqCst);
                    }
                    // A request that was under way when its process was killed has no answer.
                    _ => {}
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let mut last = first;
        for _ in 0..3 {
            killed(last);
            assert_eq!(
                asked(address).unwrap(),
                200,
                "it waits for the next process, which knows what to serve"
            );
            last = desk.serving(last);
        }
        desk.says("proxy upgrade --folder FOLDER");
        let next = desk.serving(last);
        assert_eq!(asked(address).unwrap(), 200);
        killed(next);
        assert_eq!(asked(address).unwrap(), 200, "the successor was followed");
        last = desk.serving(next);

        let keeper = desk.standing().unwrap().roster.supervisor.unwrap().pid;
        killed(keeper);
        assert!(desk.standing().is_none() && is_there(last));
        assert_eq!(asked(address).unwrap(), 200);
        let Answer::Serving { pid, .. } = desk.order(&order) else { panic!() };
        assert_eq!(pid, last, "adopted by the next supervisor");
        killed(last);
        assert_eq!(asked(address).unwrap(), 200, "the sockets were lent to it");
        over.store(true, Ordering::SeqCst);
    });
    assert_eq!(refused.load(Ordering::SeqCst), 0, "of {} answered", answered.load(Ordering::SeqCst));
    assert!(answered.load(Ordering::SeqCst) > 10);

    // Told to stop, it leaves the proxy; told to end, nothing is left.
    let shown = desk.says("supervise --environment production --status");
    assert!(
        shown.starts_with("production is supervised (") && shown.contains(&format!("proxy on {address}: up")),
        "{shown}"
    );
    let keeper = desk.standing().unwrap().roster.supervisor.unwrap().pid;
    kill(keeper, Signal::TERM);
    until("its end", || !is_there(keeper));
    assert_eq!(asked(address).unwrap(), 200);
    assert_eq!(
        desk.says("supervise --environment production --status").trim(),
        "production is not supervised"
    );
    let child = desk
        .folder
        .program("supervise --environment production")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    until("a supervisor in the foreground", || desk.standing().is_some());
    desk.folder
        .orchestrate("supervise --environment production")
        .exits(0)
        .says(&["production is supervised already: pid "]);
    stop_all(&desk.state()).unwrap();
    ended(child).exits(0).says(&["ended, with all that it kept"]);
    assert_eq!(asked(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    until("the end of all processes", || named(desk.folder.path()).is_empty());
}
