//! A stand-in for the proxy: answers on its control socket as `orchestrator_traffic::protocol` says, and forwards nothing. Who would be
//! asked is told by its table. The real one is in `tests/all/deploying.rs`.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

use orchestrator_traffic::control::short;
use orchestrator_traffic::protocol::{
    Counts, Drain, Request, Response, Status as Proxy, Table, VersionStatus,
};

use super::*;

#[derive(Default)]
struct Inner {
    table: Table,
    generation: u64,
    left_out: Vec<VersionStatus>,
    /// Tables that were applied, as shares.
    applied: Vec<String>,
    /// How often it says yet that who was left out is not drained.
    drains: u32,
    over: bool,
}

pub(super) struct Standin {
    inner: Arc<Mutex<Inner>>,
    socket: PathBuf,
}

pub(super) const LISTEN: &str = "127.0.0.1:18080";

impl Standin {
    pub(super) fn at(state: &Path) -> Self {
        let folder = state.join("deploy/production/proxy");
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("control.sock");
        let _ = std::fs::remove_file(&socket);
        let listener =
            UnixListener::bind(short(&std::fs::File::open(&folder).unwrap(), "control.sock")).unwrap();
        let inner = Arc::new(Mutex::new(Inner::default()));
        let own = inner.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut line = String::new();
                let _ = BufReader::new(&stream).read_line(&mut line);
                let Ok(request) = serde_json::from_str::<Request>(&line) else { continue };
                let mut inner = own.lock().unwrap();
                if inner.over {
                    break;
                }
                let answer = serde_json::to_string(&inner.answer(request)).unwrap() + "\n";
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        Self { inner, socket }
    }

    /// It dies: nobody answers from now on.
    pub(super) fn dies(&self) {
        self.inner.lock().unwrap().over = true;
        let _ = std::fs::remove_file(&self.socket);
    }

    /// Whoever is left out is drained after so many looks.
    pub(super) fn drains(&self, looks: u32) {
        self.inner.lock().unwrap().drains = looks;
    }

    /// So many looks are left until then.
    pub(super) fn left(&self) -> u32 {
        self.inner.lock().unwrap().drains
    }

    pub(super) fn applied(&self) -> Vec<String> {
        self.inner.lock().unwrap().applied.clone()
    }

    /// Asks everybody who has a share; what they answer.
    pub(super) fn served(&self) -> Vec<String> {
        let table = self.inner.lock().unwrap().table.clone();
        let backends =
            table.routes.iter().flat_map(|route| &route.backends).filter(|backend| backend.weight > 0);
        backends.map(|backend| get(&format!("http://{}/hello", backend.address))).collect()
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.dies();
    }
}

impl Inner {
    fn answer(&mut self, request: Request) -> Response {
        match request {
            Request::Status => Response::Status(self.status()),
            Request::Apply { expect, table, drain_ms: _ } => {
                if expect.is_some_and(|expect| expect != self.generation) {
                    return Response::Refused {
                        why: format!("the table has generation {}", self.generation),
                    };
                }
                let changed = table != self.table;
                if changed {
                    let old = self.versions();
                    self.table = table;
                    self.generation += 1;
                    let new: Vec<String> =
                        self.versions().into_iter().map(|version| version.version).collect();
                    self.left_out.retain(|known| !new.contains(&known.version));
                    let drain = Some(Drain { took_ms: Some(1), ..Drain::default() });
                    let gone = old.into_iter().filter(|old| !new.contains(&old.version));
                    self.left_out.extend(gone.map(|gone| VersionStatus { drain: drain.clone(), ..gone }));
                    let weights = self.table.routes.iter().flat_map(|route| &route.backends);
                    let version = |release: &str| release.split('-').next().unwrap_or_default().to_owned();
                    let mut shares: Vec<String> = weights
                        .map(|backend| format!("{} {}", version(&backend.version), backend.weight))
                        .collect();
                    shares.sort();
                    self.applied.push(shares.join(", "));
                }
                Response::Applied { generation: self.generation, changed }
            }
            Request::Counts => {
                Response::Counts(Counts { boot: "one".into(), at_ms: 0, versions: Vec::new() })
            }
            Request::Stop { .. } => {
                self.over = true;
                Response::Done { pid: None }
            }
            other => Response::Refused { why: format!("a stand-in cannot do {other:?}") },
        }
    }

    fn versions(&self) -> Vec<VersionStatus> {
        let of = |route: &orchestrator_traffic::protocol::Route| {
            let status = |backend: &orchestrator_traffic::protocol::Backend| VersionStatus {
                route: "production".into(),
                version: backend.version.clone(),
                address: backend.address,
                in_flight: 0,
                first_answer_us: Some(1500),
                drain: None,
            };
            route.backends.iter().map(status).collect::<Vec<_>>()
        };
        self.table.routes.iter().flat_map(of).collect()
    }

    fn status(&mut self) -> Proxy {
        let mut left_out = self.left_out.clone();
        if self.drains > 0 {
            self.drains -= 1;
            for one in &mut left_out {
                one.drain = Some(Drain::default());
            }
        }
        Proxy {
            pid: std::process::id(),
            program: "stand-in".into(),
            listens: vec![LISTEN.parse::<SocketAddr>().unwrap()],
            generation: self.generation,
            table: self.table.clone(),
            connections: 0,
            before: Vec::new(),
            versions: self.versions().into_iter().chain(left_out).collect(),
        }
    }
}
