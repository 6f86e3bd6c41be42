//! A proxy in a process of its own: this test program, started again.

use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use orchestrator_traffic::control::ask;
use orchestrator_traffic::protocol::{Backend, Counts, Request, Response, Route, Status, Table};
use orchestrator_traffic::proxy::Limits;
use orchestrator_traffic::proxy::access_log::AccessLogConfig;
use orchestrator_traffic::proxy::run::{Options, run};
use orchestrator_traffic::proxy::tls::Pair;
use orchestrator_traffic::proxy::upgrade::Successor;
use orchestrator_traffic::sockets::{Channel, Said, Sockets, listen};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::client::Connection;
use crate::origin::Origin;
use crate::{LONG, until};

const ASKED: &str = "PROXY_UNDER_TEST";
const PROGRAM: [&str; 4] = ["--ignored", "--exact", "--nocapture", "process::proxy"];

#[test]
#[ignore = "part of others, which start it in processes of their own"]
fn proxy() {
    let Ok(asked) = env::var(ASKED) else { return };
    let asked: Value = serde_json::from_str(&asked).unwrap();
    let folder = PathBuf::from(asked["folder"].as_str().unwrap());
    let domain = rustix::net::sockopt::socket_domain(std::io::stdin());
    let ms = |key: &str| Duration::from_millis(asked[key].as_u64().unwrap());
    let address = |value: &Value| value.as_str().map(|text| text.parse::<SocketAddr>().unwrap());
    let options = Options {
        listens: address(&asked["listen"]).into_iter().collect(),
        inherit: domain.is_ok_and(|domain| domain == rustix::net::AddressFamily::UNIX),
        tls: asked["tls"].as_bool().unwrap().then(|| pair(&folder)),
        metrics: address(&asked["metrics"]),
        access_log: Some(AccessLogConfig::new(folder.join("access.log"))),
        limits: Limits::default(),
        threads: 2,
        drain: ms("drain"),
        linger: ms("linger"),
        successor: Some(Successor {
            program: env::current_exe().unwrap(),
            arguments: PROGRAM.map(Into::into).into(),
        }),
        folder: folder.clone(),
    };
    let remark = Arc::new(|text: &str| eprintln!("remark: {text}"));
    let ended = run(options, remark, |_| {
        fs::write(beside(&folder, "ready"), std::process::id().to_string()).unwrap();
    });
    match ended {
        Ok(ended) => eprintln!("ended: {ended:?}"),
        Err(error) => {
            eprintln!("error: {}", error.line());
            std::process::exit(3);
        }
    }
}

/// A folder, and how proxies are started in it. What still runs there is killed at the end.
pub(crate) struct Rig {
    temp: tempfile::TempDir,
    folder: PathBuf,
    pub(crate) metrics: Option<SocketAddr>,
    /// With the certificate and the key that lie in the folder.
    pub(crate) tls: bool,
    pub(crate) drain: Duration,
    pub(crate) linger: Duration,
    /// How many files it may have open, and how many it may ask for.
    pub(crate) files: Option<(u64, u64)>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::below("edge")
    }

    /// With a folder of that name.
    pub(crate) fn below(name: &str) -> Self {
        let temp = tempfile::Builder::new().prefix("proxy-life-").tempdir().unwrap();
        let folder = temp.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self {
            temp,
            folder,
            metrics: None,
            tls: false,
            drain: Duration::from_secs(30),
            linger: Duration::from_mins(1),
            files: None,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.folder.join("control.sock")
    }

    fn command(&self, listen: Option<SocketAddr>) -> Command {
        let asked = json!({
            "folder": self.folder, "listen": listen, "metrics": self.metrics, "tls": self.tls,
            "drain": self.drain.as_millis() as u64, "linger": self.linger.as_millis() as u64,
        });
        let said =
            fs::OpenOptions::new().create(true).append(true).open(beside(&self.folder, "said")).unwrap();
        let program = env::current_exe().unwrap();
        let mut command = match self.files {
            Some((soft, hard)) => {
                let limited = format!("ulimit -S -n {soft} && ulimit -H -n {hard} && exec \"$0\" \"$@\"");
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(limited).arg(program);
                shell
            }
            None => Command::new(program),
        };
        command
            .args(PROGRAM)
            .env(ASKED, asked.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said);
        command
    }

    /// A proxy that listens by itself.
    pub(crate) fn start(&self, listen: SocketAddr) -> Process {
        let _ = fs::remove_file(beside(&self.folder, "ready"));
        Process(self.command(Some(listen)).spawn().unwrap())
    }

    /// A proxy that is given its sockets.
    pub(crate) fn inherit(&self, stdin: OwnedFd) -> Process {
        Process(self.command(None).stdin(stdin).spawn().unwrap())
    }

    /// What the processes said so far.
    pub(crate) fn said(&self) -> String {
        let mut said = String::new();
        fs::File::open(beside(&self.folder, "said")).unwrap().read_to_string(&mut said).unwrap();
        said
    }

    pub(crate) fn is_ready(&self) -> bool {
        beside(&self.folder, "ready").exists()
    }

    pub(crate) fn wait_until_ready(&self) {
        let end = std::time::Instant::now() + LONG;
        while !self.is_ready() {
            assert!(std::time::Instant::now() < end, "the proxy is not ready: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn ask(&self, request: &Request) -> Response {
        ask(&self.control(), request, LONG).unwrap_or_else(|error| panic!("{error}\n{}", self.said()))
    }

    pub(crate) fn status(&self) -> Status {
        match self.ask(&Request::Status) {
            Response::Status(status) => status,
            other => panic!("{other:?}"),
        }
    }

    /// The same, where somebody answers.
    pub(crate) fn try_status(&self) -> Option<Status> {
        match ask(&self.control(), &Request::Status, LONG) {
            Ok(Response::Status(status)) => Some(status),
            _ => None,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        match self.ask(&Request::Counts) {
            Response::Counts(counts) => counts,
            other => panic!("{other:?}"),
        }
    }

    /// Sends everything there.
    pub(crate) fn apply(&self, version: &str, address: SocketAddr) -> u64 {
        self.apply_within(version, address, 30_000)
    }

    /// Sends everything there; who is under way at another version has that many milliseconds.
    pub(crate) fn apply_within(&self, version: &str, address: SocketAddr, drain_ms: u64) -> u64 {
        let request = Request::Apply { expect: None, table: table(version, address), drain_ms };
        match self.ask(&request) {
            Response::Applied { generation, .. } => generation,
            other => panic!("{other:?}\n{}", self.said()),
        }
    }

    /// A request whose answer takes a while, and which is the only one.
    pub(crate) fn under_way(&self, address: SocketAddr, path: &str) -> Connection {
        let mut slow = Connection::open(address).unwrap();
        slow.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
        until("it is under way", || self.status().versions[0].in_flight == 1);
        slow
    }

    /// The process that serves after an upgrade.
    pub(crate) fn upgrade(&self) -> u32 {
        match self.ask(&Request::Upgrade { program: None }) {
            Response::Done { pid: Some(pid) } => pid,
            other => panic!("{other:?}\n{}", self.said()),
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "--- processes said\n{}", self.said());
        }
        let inside = self.temp.path().to_str().unwrap().to_owned();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let here = String::from_utf8_lossy(&environment).contains(&inside);
            if let Some(pid) = pid.filter(|pid| here && *pid != std::process::id().cast_signed()) {
                let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
            }
        }
    }
}

/// A proxy that listens by itself, before a version called `v1` that answers `one`.
pub(crate) struct Front {
    pub(crate) rig: Rig,
    pub(crate) address: SocketAddr,
    pub(crate) origin: Origin,
    pub(crate) process: Process,
}

impl Front {
    pub(crate) fn new(rig: Rig) -> Self {
        let (address, origin) = (free(), Origin::new("one"));
        let process = rig.start(address);
        rig.wait_until_ready();
        rig.apply("v1", origin.address);
        Self { rig, address, origin, process }
    }
}

/// What the tests know of a proxy, out of the way of what happens to its folder.
fn beside(folder: &Path, name: &str) -> PathBuf {
    folder.with_file_name(format!("{}.{name}", folder.file_name().unwrap().to_str().unwrap()))
}

/// Where certificate and key lie.
pub(crate) fn pair(folder: &Path) -> Pair {
    Pair { certificate: folder.join("cert.pem"), key: folder.join("key.pem") }
}

pub(crate) fn any() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// An address that is free at this moment.
pub(crate) fn free() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, orchestrator_traffic::ports::pick().unwrap()).into()
}

pub(crate) fn table(version: &str, address: SocketAddr) -> Table {
    let backend = Backend { version: version.into(), address, weight: 1, h2c: false };
    let route = Route {
        name: "all".into(),
        host: None,
        prefix: "/".into(),
        backends: vec![backend],
        canary: None,
        sticky: None,
    };
    Table { routes: vec![route] }
}

/// A process, killed at the end where it still is.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn signal(&self, signal: Signal) {
        signal_to(self.0.id(), signal);
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the process ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn signal_to(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// Whether that process is there and not only unburied.
pub(crate) fn is_alive(pid: u32) -> bool {
    let there = test_kill_process(Pid::from_raw(pid.cast_signed()).unwrap()).is_ok();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    there && !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z')
}

/// Whoever keeps a proxy alive: its sockets and the channel to it.
pub(crate) struct Keeper {
    pub(crate) sockets: Sockets,
    pub(crate) channel: Option<Channel>,
}

impl Keeper {
    pub(crate) fn new() -> Self {
        let sockets = Sockets { serve: vec![listen(any()).unwrap()], ..Sockets::default() };
        Self { sockets, channel: None }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.sockets.serve[0].local_addr().unwrap()
    }

    /// Starts a proxy and waits until it serves.
    pub(crate) fn start(&mut self, rig: &Rig) -> Process {
        let (mut channel, stdin) = Channel::pair().unwrap();
        let process = rig.inherit(stdin);
        channel.hand(&self.sockets).unwrap();
        assert_eq!(channel.hear(Some(LONG)).unwrap(), Some(Said::Ready { pid: process.0.id() }));
        self.channel = Some(channel);
        process
    }

    pub(crate) fn hear(&mut self) -> Option<Said> {
        self.channel.as_mut().unwrap().hear(Some(LONG)).unwrap()
    }
}
