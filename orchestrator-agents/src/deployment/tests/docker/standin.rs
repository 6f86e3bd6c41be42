//! A stand-in for a container engine: a server on a real socket that keeps images and containers as an engine does. A container is a real
//! process of the fixture, on the port that was to be published. Each request, and each of its own answers, is held against the engine's
//! published schema; what does not fit fails the test.

mod contained;
mod doing;
mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use jiff::Timestamp;

use super::forwarded::Forwarder;
use super::schema::{Published, pairs};
use super::*;

/// What goes wrong with the requests of one name.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// It is refused.
    Refused(u16, &'static str),
    /// It is not answered.
    Hangs,
    /// It is carried out, and the connection breaks before the answer.
    Breaks,
}

#[derive(Default)]
pub(super) struct Inner {
    /// Ids by name.
    pub(super) images: BTreeMap<String, String>,
    /// What can be pulled, besides.
    pub(super) registry: BTreeMap<String, String>,
    pub(super) containers: BTreeMap<String, Contained>,
    pub(super) asked: Vec<String>,
    pub(super) wrong: Vec<String>,
    /// Each for so many requests.
    pub(super) troubles: BTreeMap<String, (usize, Trouble)>,
    /// Ports that somebody else has, as only the engine knows; each once.
    pub(super) taken: BTreeSet<String>,
    /// Whether it holds published ports itself and forwards them, as engines do; by the name of the container.
    pub(super) forwards: bool,
    forwarders: BTreeMap<String, Forwarder>,
    next: u64,
    over: bool,
}

pub(super) struct Contained {
    pub(super) id: String,
    pub(super) body: Value,
    pub(super) child: Option<Child>,
    started: Timestamp,
    exit: i64,
    restarts: i64,
    returns: bool,
    stopped: bool,
    log: Arc<Mutex<Vec<(Timestamp, String)>>>,
}

pub(super) struct Engine {
    pub(super) inner: Arc<Mutex<Inner>>,
    /// Wakes those that hang.
    ends: Arc<Condvar>,
    pub(super) socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Engine {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let inner = Arc::new(Mutex::new(Inner::default()));
        let engine = Self { inner, ends: Arc::default(), socket, _folder: folder };
        engine.image("school:0.1.0", "sha256:1");
        engine.image("school:0.2.0", "sha256:2");
        engine.serve();
        engine
    }

    pub(super) fn image(&self, name: &str, id: &str) {
        self.lock().images.insert(name.to_owned(), id.to_owned());
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(super) fn trouble(&self, name: &str, times: usize, trouble: Trouble) {
        self.lock().troubles.insert(name.to_owned(), (times, trouble));
    }

    /// It dies; its containers live on.
    pub(super) fn dies(&self) {
        self.lock().over = true;
        self.ends.notify_all();
        let _ = UnixStream::connect(&self.socket);
        let _ = std::fs::remove_file(&self.socket);
    }

    /// Begins to answer, the first time or again.
    pub(super) fn serve(&self) {
        self.lock().over = false;
        let listener = UnixListener::bind(&self.socket).unwrap();
        let (inner, ends) = (self.inner.clone(), self.ends.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if inner.lock().unwrap().over {
                    break;
                }
                let (inner, ends) = (inner.clone(), ends.clone());
                std::thread::spawn(move || drop(serving::serve(stream, &inner, &ends)));
            }
        });
    }

    /// What was asked since the last time, by name.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().asked)
    }

    /// The names of the containers that there are.
    pub(super) fn containers(&self) -> Vec<String> {
        self.lock().containers.keys().cloned().collect()
    }

    /// The versions that run.
    pub(super) fn running(&self) -> Vec<String> {
        let inner = self.lock();
        let run = inner.containers.values().filter(|contained| contained.child.is_some());
        run.map(|contained| contained.body["Labels"]["orchestrate.version"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.dies();
        let mut inner = self.lock();
        for contained in inner.containers.values_mut() {
            contained.end();
        }
        let wrong = std::mem::take(&mut inner.wrong);
        drop(inner);
        if !std::thread::panicking() {
            assert_eq!(wrong, Vec::<String>::new(), "what does not fit the published schema");
        }
    }
}
