//! Real processes, real HTTP on loopback. The service is compiled once from `fixtures/service.rs`.

mod back_again;
mod claims;
mod commands;
mod contracted;
mod crashes;
#[cfg(feature = "docker")]
mod docker;
mod down;
mod drafts;
mod dropped;
mod faults;
mod forgetting;
mod hostile;
mod killed;
mod lifecycle;
mod loads;
mod logs;
mod looks;
mod migrated;
mod migrations;
mod moved;
mod observe;
mod proofs;
mod pruning;
mod ssh;
mod standin;
mod supervised;
mod taken_back;
mod unclaimed;
mod unconfirmed;
mod watched;
mod ways;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await, Call};
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict, dyn_agent};
use orchestrator_core::id::{OrderKey, RunId, TaskId};
use orchestrator_core::json::Json;
use orchestrator_core::operation::{Already, DynOperation, Operation, Site, Transient, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt, Status};
use orchestrator_core::outcome::Failure;
use orchestrator_core::progress::ProgressSink;
use orchestrator_core::stop::Stop;
use orchestrator_core::testkit::{Kept, done, task};
use orchestrator_core::workspace::Workspace;
use serde_json::{Value, json};

use super::ops::{self, Deployment};
use super::{Deploy, Environment, Supervisor};

/// The fixture, compiled once for its content.
fn service_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/service.rs");
        let digest = orchestrator_core::path::Digest::of(&std::fs::read(&source).unwrap()).short();
        let folder = std::env::current_exe().unwrap().with_file_name("fixtures");
        std::fs::create_dir_all(&folder).unwrap();
        let binary = folder.join(format!("service-{digest}"));
        if !binary.exists() {
            let fresh = folder.join(format!("service-{digest}-{}", std::process::id()));
            let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
            let built =
                Command::new(rustc).args(["--edition", "2024", "-o"]).arg(&fresh).arg(&source).status();
            assert!(built.unwrap().success());
            std::fs::rename(&fresh, &binary).unwrap();
        }
        binary
    })
}

/// What a wait brings, by its number.
type Bring = Box<dyn FnMut(usize, &Await) -> Option<Value> + Send>;

/// A checkout with a built service in it. Ends what was deployed from it.
struct Desk {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    progress: ProgressSink,
    stop: Stop,
    secrets: BTreeMap<String, String>,
    env: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    /// What each wait of a deployment brings: asked with its number, from 0.
    waits: std::sync::Mutex<Bring>,
    supervisor: Option<Supervisor>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("target/release")).unwrap();
        let copied =
            Command::new("cp").arg(service_binary()).arg(folder.path().join("target/release/app")).status();
        assert!(copied.unwrap().success());
        Self {
            folder,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
            progress: ProgressSink::none(TaskId::new("t").unwrap()),
            stop: Stop::new(),
            secrets: BTreeMap::from([("API".into(), "s3cret".into())]),
            env: vec![
                ("PATH".into(), std::env::var_os("PATH").unwrap()),
                ("ORCHESTRATE_ORDER".into(), "x".into()),
            ],
            waits: std::sync::Mutex::new(Box::new(|_, _| None)),
            supervisor: None,
        }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join(".orchestrate")
    }

    fn site<'a>(&'a self, state: &'a Path) -> Site<'a> {
        let Self { folder, progress, stop, secrets, env, .. } = self;
        Site { root: folder.path(), state, progress, stop, secrets, env }
    }

    fn call<O: Operation>(&self, operation: O, input: Value, order: &OrderKey) -> Result<Value, String> {
        let operation = dyn_operation(operation).map_err(|error| error.to_string())?;
        self.perform(&*operation, &input.into(), order).map(|json| json.value())
    }

    fn perform(&self, operation: &dyn DynOperation, input: &Json, order: &OrderKey) -> Result<Json, String> {
        let state = self.state();
        let called = self.runtime.block_on(operation.call(input, order, &self.site(&state)));
        called.map_err(|error| error.to_string())
    }

    fn undo<O: Operation>(&self, operation: O, input: Value) -> Vec<Action> {
        let state = self.state();
        let input = serde_json::from_value(input).unwrap();
        self.runtime.block_on(operation.undo(&input, &self.site(&state))).unwrap()
    }

    fn already<O: Operation>(&self, operation: O, input: Value, order: &OrderKey) -> Already<O::Output> {
        let state = self.state();
        let input = serde_json::from_value(input).unwrap();
        self.runtime.block_on(operation.already(&input, order, &self.site(&state)))
    }

    fn agent(&self) -> Deploy {
        Deploy { supervisor: self.supervisor.clone() }
    }

    /// Performs actions as the runner does, stopping at the first that fails.
    fn receipts(&self, actions: &[Action], run: u32, round: u32) -> Vec<Receipt> {
        let mut operations = self.agent().operations().unwrap();
        operations.extend(super::StopDeployment.operations().unwrap());
        let mut receipts = Vec::new();
        for (index, action) in actions.iter().enumerate() {
            let (operation, input) = match action {
                Action::Call(Call { operation, input, .. }) => (operation, input),
                Action::Await(wait) => {
                    let brought = (self.waits.lock().unwrap())(round as usize, wait);
                    let status = if brought.is_some() { Status::Done } else { Status::Elapsed };
                    receipts
                        .push(Receipt { output: brought.unwrap_or_default().into(), ..Receipt::new(status) });
                    continue;
                }
                Action::Run(run) => {
                    receipts.push(crate::testing::perform(action, self.folder.path(), &mut Kept::default()));
                    if !receipts.last().unwrap().ok() && !run.keep_going {
                        break;
                    }
                    continue;
                }
                other => panic!("{other}"),
            };
            let found = operations.iter().find(|known| known.name() == operation).unwrap();
            let state = self.state();
            let order = key(run, round, index as u32);
            let receipt = match self.runtime.block_on(found.call(input, &order, &self.site(&state))) {
                Ok(output) => done(output),
                Err(error) => Receipt::failed(Failure::new(error.to_string()), error.is::<Transient>()),
            };
            let ok = receipt.ok();
            receipts.push(receipt);
            if !ok && !action.keeps_going() {
                break;
            }
        }
        receipts
    }

    /// Deploys with the agent, all rounds of it.
    fn deploy(&self, run: u32, config: Value) -> Result<Conclusion<Json>, Conclusion<()>> {
        let agent = dyn_agent(self.agent()).unwrap();
        let mut task: Task<Json> = task(config.into());
        let look = Workspace::new(self.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
        let mut actions;
        (task.carried, actions) = self.runtime.block_on(agent.prepare(&task, &look)).unwrap();
        for round in 0.. {
            let receipts = self.receipts(&actions, run, round);
            match agent.conclude(&task, &receipts, &Artifacts::new(&Kept::default())).unwrap() {
                Verdict::Passed(conclusion) => return Ok(conclusion),
                Verdict::Failed(conclusion) | Verdict::Skipped(conclusion) => return Err(conclusion),
                Verdict::More { actions: next, carried } => (actions, task.carried) = (next, carried),
            }
        }
        unreachable!("rounds end")
    }

    fn deployments(&self) -> Vec<Deployment> {
        ops::deployments(&self.state()).unwrap()
    }

    /// Version and address of what is current and alive.
    fn current(&self) -> Option<(String, String)> {
        let found =
            self.deployments().into_iter().find(|found| found.role == ops::Role::Current && found.alive)?;
        let said = std::fs::read_to_string(self.state().join("deploy/production/url")).unwrap();
        assert_eq!(said, format!("{}\n", found.url));
        Some((found.version.to_string(), found.url))
    }

    fn history(&self) -> Vec<String> {
        let happened = ops::history(&self.state(), &Environment::new("production").unwrap()).unwrap();
        let line = |happening: &super::Happening| {
            format!(
                "{} {}",
                serde_json::to_value(happening.what).unwrap().as_str().unwrap(),
                happening.version
            )
        };
        happened.iter().map(line).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let stopped = ops::stop_all(&self.state());
        end_all(self.folder.path());
        if !std::thread::panicking() {
            stopped.unwrap();
        }
    }
}

/// What is left of a folder's deployments when its test ends, also when it fails: nothing.
struct Ended(PathBuf);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = ops::stop_all(&self.0.join(".orchestrate"));
        end_all(&self.0);
    }
}

/// Kills whoever was given that folder, whatever became of its records; supervisors first, since they would start the others again.
fn end_all(folder: &Path) {
    let folder = folder.to_string_lossy().into_owned();
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let mut all = named(&folder);
        if all.is_empty() || Instant::now() >= until {
            return;
        }
        all.sort_by_key(|(_, is_supervisor)| !is_supervisor);
        for (pid, _) in all {
            if let Some(pid) = rustix::process::Pid::from_raw(pid.cast_signed()) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Other processes with that text in their arguments or variables, and whether each is a supervisor.
fn named(text: &str) -> Vec<(u32, bool)> {
    let folders = std::fs::read_dir("/proc").unwrap().flatten().map(|folder| folder.path());
    let numbered = folders.filter_map(|folder| {
        let pid: u32 = folder.file_name()?.to_str()?.parse().ok()?;
        let is_over = std::fs::read_to_string(folder.join("stat")).ok()?.contains(") Z ");
        (pid != std::process::id() && !is_over).then_some((pid, folder))
    });
    let said = |folder: &Path, file: &str| {
        String::from_utf8_lossy(&std::fs::read(folder.join(file)).unwrap_or_default()).into_owned()
    };
    let found = numbered.filter_map(|(pid, folder)| {
        let (words, variables) = (said(&folder, "cmdline"), said(&folder, "environ"));
        let is_supervisor = words.contains("the_supervisor") || words.contains("\0supervise\0");
        (words.contains(text) || variables.contains(text)).then_some((pid, is_supervisor))
    });
    found.collect()
}

thread_local! {
    /// Tells the runs of one test from those of all others: services are found by it, machine-wide.
    static BASE: Cell<u32> = Cell::new({
        let unlike = std::collections::hash_map::RandomState::new().build_hasher().finish();
        (unlike as u32) & !0xff
    });
}

fn key(run: u32, round: u32, index: u32) -> OrderKey {
    let run = RunId::at("2026-11-20T23:44:33Z".parse().unwrap(), BASE.get() | run);
    OrderKey { run, task: TaskId::new("deploy").unwrap(), attempt: 1, round, index }
}

/// A deployment to production of a service that behaves like `mode`.
fn config(version: &str, mode: &str) -> Value {
    json!({
        "environment": "production",
        "version": version,
        "artifact": "target/release/app",
        "env": { "MODE": mode, "VERSION": "{version}" },
        "health": { "json": { "/status": "healthy" }, "version": "/version", "timeout": 10 },
        "start_timeout": 10,
        "grace": 5,
        "smoke": [{ "name": "hello", "path": "/hello", "expect": { "contains": "hello from" } }],
    })
}

/// The same as the input of `start-service`.
fn start(version: &str, mode: &str) -> Value {
    let mut input = config(version, mode);
    let fields = input.as_object_mut().unwrap();
    fields.remove("smoke");
    fields.remove("grace");
    input
}

fn get(url: &str) -> String {
    ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap()
}

fn answers(url: &str) -> bool {
    ureq::get(format!("{url}/health")).call().is_ok()
}

fn alive(pid: u64) -> bool {
    ops::identity(pid as u32).is_some()
}

/// Waits for something that is about to be; generous, since nothing here measures time.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "{what} did not come to be");
        std::thread::sleep(Duration::from_millis(10));
    }
}
