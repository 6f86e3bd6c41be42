//! Our proxy, as a process of this program: two threads that serve, no access log, as the peers have it here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator_traffic::control::ask;
use orchestrator_traffic::protocol::{Backend as Served, Request, Response, Route, Status, Table};
use orchestrator_traffic::proxy::Limits;
use orchestrator_traffic::proxy::folder::CONTROL;
use orchestrator_traffic::proxy::run::{Options, run};
use orchestrator_traffic::proxy::upgrade::Successor;
use tempfile::TempDir;

use crate::backend::Backend;
use crate::front::{Front, free, listens};
use crate::process::{Running, end};

const PATIENCE: Duration = Duration::from_secs(40);
const DRAIN: Duration = Duration::from_secs(30);

struct Ours {
    address: SocketAddr,
    folder: TempDir,
    /// The first process; later ones are its successors.
    _first: Running,
    pid: u32,
}

impl Drop for Ours {
    fn drop(&mut self) {
        end(self.pid);
    }
}

pub(crate) fn start(version: &Backend) -> Result<Box<dyn Front>, String> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let address = free();
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.arg("proxy").arg(folder.path()).arg(address.to_string()).stdin(Stdio::null());
    let first = Running::start(&mut command).map_err(|error| error.to_string())?;
    listens(address)?;
    let pid = first.pid();
    let mut ours = Ours { address, folder, _first: first, pid };
    // It listens before it can be asked.
    let until = Instant::now() + PATIENCE;
    while let Err(why) = ours.status() {
        if Instant::now() > until {
            return Err(why);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    ours.switch(version)?;
    Ok(Box::new(ours))
}

impl Ours {
    fn ask(&self, request: &Request) -> Result<Response, String> {
        match ask(&self.folder.path().join(CONTROL), request, PATIENCE) {
            Ok(Response::Refused { why }) => Err(why),
            Ok(response) => Ok(response),
            Err(error) => Err(format!("the proxy does not answer: {error}")),
        }
    }

    fn status(&self) -> Result<Status, String> {
        match self.ask(&Request::Status)? {
            Response::Status(status) => Ok(status),
            other => Err(format!("no status: {other:?}")),
        }
    }
}

impl Front for Ours {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn pid(&self) -> u32 {
        self.pid
    }

    fn switch(&mut self, to: &Backend) -> Result<(), String> {
        let served = Served { version: to.version.clone(), address: to.address, weight: 1, h2c: false };
        let route = Route {
            name: "app".into(),
            host: None,
            prefix: "/".into(),
            backends: vec![served],
            canary: None,
            sticky: None,
        };
        let table = Table { routes: vec![route] };
        let drain_ms = u64::try_from(DRAIN.as_millis()).unwrap_or(u64::MAX);
        self.ask(&Request::Apply { expect: None, table, drain_ms }).map(|_| ())
    }

    fn upgrade(&mut self) -> Result<(), String> {
        self.ask(&Request::Upgrade { program: None })?;
        self.pid = self.status()?.pid;
        Ok(())
    }
}

/// The process itself: `FOLDER LISTEN [--inherit]`.
pub(crate) fn main(arguments: &[&str]) -> ExitCode {
    let [folder, listen, rest @ ..] = arguments else { return ExitCode::from(2) };
    let Ok(listen) = listen.parse() else { return ExitCode::from(2) };
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("traffic"));
    let options = Options {
        folder: folder.into(),
        listens: vec![listen],
        inherit: rest.contains(&"--inherit"),
        tls: None,
        metrics: None,
        access_log: None,
        limits: Limits::default(),
        threads: 2,
        drain: DRAIN,
        linger: Duration::from_mins(10),
        successor: Some(Successor {
            program,
            arguments: ["proxy", folder, &listen.to_string(), "--inherit"]
                .into_iter()
                .map(Into::into)
                .collect(),
        }),
    };
    let remark = Arc::new(|text: &str| eprintln!("proxy: {text}"));
    match run(options, remark, |_| ()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("proxy: {}", error.line());
            ExitCode::FAILURE
        }
    }
}
