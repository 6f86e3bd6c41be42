//! The other end, on the host: performs the operations that it is sent, one at a time, as an executor performs those of its own machine.
//!
//! It lives as long as its connection: when that ends, or says nothing for a minute, what is under way is told to stop, and it goes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use orchestrator_core::BoxError;
use orchestrator_core::agent::Agent;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{OrderKey, TaskId};
use orchestrator_core::json::Json;
use orchestrator_core::local::ORDER_VARIABLE;
use orchestrator_core::operation::{Already, DynOperation, Site, Transient};
use orchestrator_core::outcome::Failure;
use orchestrator_core::progress::ProgressSink;
use orchestrator_core::stop::{Stop, StopLevel};
use serde::Serialize;

use super::reading::{Heard, read};
use super::under_way::{UnderWay, mark};
use crate::deployment::hosts::wire::{Answer, Ordered, PROTOCOL, Request};
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::place::{Locked, Place};
use crate::deployment::ops::{claim, kept, prune, status};
use crate::deployment::supervise::Supervisor;
use crate::deployment::{Deploy, Environment, StopDeployment, SwitchDeployment};

/// How often it says that it lives.
const BEAT: Duration = Duration::from_secs(2);
/// After how long a silence whoever asks is gone.
const SILENCE: Duration = Duration::from_mins(1);
/// How often, at most, claims are noted because of a sign of life.
const NOTING: Duration = Duration::from_secs(5);
/// How long what is under way gets to end after that.
const LAST: Duration = Duration::from_mins(1);

/// What a front door hands in.
#[derive(Debug, Clone)]
pub struct Performing {
    /// The home folder: paths that are not absolute count from there.
    pub home: PathBuf,
    /// The environment that commands and services get.
    pub env: Vec<(OsString, OsString)>,
    /// The program that keeps services running.
    pub supervisor: Option<Supervisor>,
}

type Out = Arc<Mutex<Box<dyn Write + Send>>>;

/// Answers until its input ends.
pub fn perform(
    input: impl io::Read + Send + 'static,
    output: impl Write + Send + 'static,
    with: Performing,
) -> Result<(), BoxError> {
    prune::program_is_used();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let out: Out = Arc::new(Mutex::new(Box::new(output)));
    let (events, heard) = channel();
    let over = Arc::new(AtomicBool::new(false));
    let (own, home) = (events.clone(), with.home.clone());
    let at_work = Arc::new(AtomicBool::new(false));
    let reads = at_work.clone();
    std::thread::spawn(move || read(BufReader::with_capacity(1 << 20, input), &home, &own, &reads));
    let (beating, ended) = (out.clone(), over.clone());
    std::thread::spawn(move || {
        while !ended.load(Ordering::SeqCst) && say(&beating, &Answer::Alive {}).is_ok() {
            std::thread::sleep(BEAT);
        }
    });
    let mut desk = Desk {
        with,
        out,
        events,
        stop: Stop::new(),
        ground: None,
        busy: false,
        noted: None,
        noting: Arc::default(),
    };
    let mut patience = SILENCE;
    loop {
        match heard.recv_timeout(patience) {
            Ok(Heard::Alive) => desk.goes_on(&runtime),
            Ok(Heard::Done(answer)) => {
                desk.busy = false;
                if say(&desk.out, &answer).is_err() || patience == LAST && desk.stop.level() > StopLevel::Go {
                    break;
                }
            }
            Ok(Heard::Request(request)) => {
                if desk.take(request, &runtime).is_err() {
                    break;
                }
            }
            // A file of some gigabytes is digested, or a slow disk takes it.
            Err(RecvTimeoutError::Timeout) if at_work.load(Ordering::SeqCst) => {}
            Ok(Heard::Over) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let told = desk.stop.level() > StopLevel::Go;
                desk.stop.raise(StopLevel::Graceful);
                if told || !desk.busy {
                    break;
                }
                patience = LAST;
            }
        }
    }
    over.store(true, Ordering::SeqCst);
    // What does not end by itself ends with this process.
    runtime.shutdown_background();
    Ok(())
}

fn say(out: &Out, answer: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
    out.write_all(&line)?;
    out.flush()
}

struct Desk {
    with: Performing,
    out: Out,
    events: Sender<Heard>,
    stop: Stop,
    ground: Option<Ground>,
    busy: bool,
    /// When the claims were looked at last because the other end was heard, and whether that goes on yet.
    noted: Option<Instant>,
    noting: Arc<AtomicBool>,
}

/// Where operations work.
#[derive(Clone)]
struct Ground {
    root: PathBuf,
    state: PathBuf,
    env: Vec<(OsString, OsString)>,
    stop: Stop,
    operations: Arc<BTreeMap<String, Arc<dyn DynOperation>>>,
}

impl Desk {
    fn take(&mut self, request: Request, runtime: &tokio::runtime::Runtime) -> io::Result<()> {
        let Some(ground) = self.ground.clone() else {
            let Request::Hello { folder, owner } = request else {
                return say(&self.out, &failed("it was not said hello to"));
            };
            let operations = match operations(self.with.supervisor.as_ref()) {
                Ok(operations) => Arc::new(operations),
                Err(error) => return say(&self.out, &failed(&error.to_string())),
            };
            let root = self.with.home.join(folder.as_str());
            let mut env = self.with.env.clone();
            env.push((claim::OWNER.into(), owner.into()));
            let (state, stop) = (root.join(".orchestrate"), self.stop.clone());
            self.ground = Some(Ground { root, state, env, stop, operations });
            let version = env!("CARGO_PKG_VERSION").to_owned();
            return say(&self.out, &Answer::Hello { protocol: PROTOCOL, version });
        };
        if self.busy {
            return say(&self.out, &failed("it does one thing at a time"));
        }
        self.busy = true;
        let events = self.events.clone();
        runtime.spawn(async move {
            // A panic is a failure of what was asked, and not of the connection.
            let answer = tokio::spawn(async move { ground.answer(request).await }).await;
            let answer = answer.unwrap_or_else(|panic| failed(&format!("it panicked: {panic}")));
            // Nobody listens where the connection ended meanwhile.
            let _ = events.send(Heard::Done(answer));
        });
        Ok(())
    }
}

impl Desk {
    /// Whoever asks is there: what it has claimed through this process stays claimed, however long something takes, or nothing is asked.
    fn goes_on(&mut self, runtime: &tokio::runtime::Runtime) {
        let Some(Ground { state, stop, .. }) = self.ground.clone() else { return };
        let recently = self.noted.is_some_and(|at| at.elapsed() < NOTING);
        if recently || self.noting.swap(true, Ordering::SeqCst) {
            return;
        }
        self.noted = Some(Instant::now());
        let (heard, noting) = (Timestamp::now(), self.noting.clone());
        runtime.spawn_blocking(move || {
            // One that cannot be noted is told by this process as long as that lives.
            let _ = claim::go_on(&state, heard, &stop);
            noting.store(false, Ordering::SeqCst);
        });
    }
}

/// Every operation of deployments.
fn operations(supervisor: Option<&Supervisor>) -> Result<BTreeMap<String, Arc<dyn DynOperation>>, BoxError> {
    let supervisor = supervisor.cloned();
    let all = Deploy { supervisor: supervisor.clone() }.operations()?;
    let all = all.into_iter().chain(SwitchDeployment { supervisor }.operations()?);
    let all = all.chain(StopDeployment.operations()?);
    // From a host to a host leads nowhere.
    let local = all.filter(|operation| !operation.name().as_str().ends_with("-host"));
    Ok(local.map(|operation| (operation.name().as_str().to_owned(), operation)).collect())
}

fn failed(why: &str) -> Answer {
    Answer::Failed { failure: Failure::new(why), transient: false }
}

fn error(error: &BoxError) -> Answer {
    Answer::Failed { failure: Failure::from_error(&**error), transient: error.is::<Transient>() }
}

impl Ground {
    async fn answer(&self, request: Request) -> Answer {
        let answered = match request {
            Request::Call { order, reads } => self.call(order, reads).await,
            Request::Undo { order } => self.undo(order).await,
            Request::Already { order } => self.already(order).await,
            Request::Standing { environment } => {
                self.output(move |state| status::standing(state, environment.as_ref())).await
            }
            Request::History { environment } => {
                self.output(move |state| status::history(state, &environment)).await
            }
            Request::Kept { environment } => self.output(move |state| kept::kept(state, &environment)).await,
            Request::Prepare {} => {
                let root = self.root.clone();
                let made = tokio::task::spawn_blocking(move || std::fs::create_dir_all(root)).await;
                made.map_err(BoxError::from)
                    .and_then(|made| made.map_err(BoxError::from))
                    .map(|()| Answer::Done {})
            }
            Request::Hello { .. } => Err("it was said hello to before".into()),
            // Whoever reads the connection deals with these.
            Request::Alive {} | Request::Have { .. } | Request::Put { .. } | Request::Keep { .. } => {
                Err("that is none of its questions".into())
            }
        };
        answered.unwrap_or_else(|why| error(&why))
    }

    async fn output<T: Serialize + Send + 'static>(
        &self,
        look: impl FnOnce(&std::path::Path) -> Result<T, super::super::DeployError> + Send + 'static,
    ) -> Result<Answer, BoxError> {
        let state = self.state.clone();
        let found = tokio::task::spawn_blocking(move || look(&state)).await??;
        Ok(Answer::Output(Json::of(&found)?))
    }

    fn operation(&self, name: &str) -> Result<Arc<dyn DynOperation>, BoxError> {
        let found = self.operations.get(name).cloned();
        found.ok_or_else(|| format!("it does not know operation `{name}`").into())
    }

    async fn call(&self, order: Ordered, reads: bool) -> Result<Answer, BoxError> {
        let Ordered { key, operation, input, secrets } = order;
        let operation = self.operation(&operation)?;
        if reads && operation.effect() > Effect::Reads {
            let (name, effect) = (operation.name(), operation.effect());
            return Err(format!("operation `{name}` is `{effect}`, and it was to be read only").into());
        }
        let key = key.ok_or("an operation is called under a key")?;
        // Of two that only look none is in the other's way.
        let under_way = if reads { None } else { Some(self.under_way(&key).await?) };
        // One that cannot be noted, as on a full disk, is told by this process as long as that lives.
        let _ = self.keep_claim(&key, &self.stop).await;
        let (progress, env) = (ProgressSink::none(key.task.clone()), self.marked(&key));
        let called = operation.call(&input, &key, &self.site(&progress, &secrets, &env)).await;
        // It may have taken long, or have made the claim.
        let _ = self.keep_claim(&key, &Stop::new()).await;
        if let Some(under_way) = under_way {
            under_way.over();
        }
        Ok(Answer::Output(called?))
    }

    /// Waits until nothing of that task is under way here, whichever connection brought it.
    async fn under_way(&self, key: &OrderKey) -> Result<UnderWay, BoxError> {
        let (state, key, halt) = (self.state.clone(), key.clone(), Halt::of(&self.stop));
        Ok(tokio::task::spawn_blocking(move || UnderWay::of(&state, &key, &halt)).await??)
    }

    /// The environment for the processes of an order.
    fn marked(&self, key: &OrderKey) -> Vec<(OsString, OsString)> {
        let mark = (ORDER_VARIABLE.into(), mark(&self.state, key).into());
        self.env.iter().cloned().chain([mark]).collect()
    }

    /// The environment that an input is about.
    fn place(&self, input: &Json) -> Result<Option<Place>, BoxError> {
        let fields = input.value();
        let Some(environment) = fields.get("environment").and_then(|environment| environment.as_str()) else {
            return Ok(None);
        };
        Ok(Some(Place::new(&self.state, &Environment::new(environment)?)))
    }

    /// The claims of that task name the process that acts for it now.
    async fn keep_claim(&self, key: &OrderKey, stop: &Stop) -> Result<(), BoxError> {
        let (state, key, stop) = (self.state.clone(), key.clone(), stop.clone());
        Ok(tokio::task::spawn_blocking(move || claim::hold(&state, &key, &stop)).await??)
    }

    /// The lock of the environment, where anything was ever done in it.
    async fn locked(&self, input: &Json) -> Result<Option<Locked>, BoxError> {
        let Some(place) = self.place(input)?.filter(|place| place.folder().is_dir()) else { return Ok(None) };
        let halt = Halt::of(&self.stop);
        Ok(Some(tokio::task::spawn_blocking(move || place.lock(&halt)).await??))
    }

    async fn undo(&self, order: Ordered) -> Result<Answer, BoxError> {
        let progress = ProgressSink::none(TaskId::new("undo")?);
        let site = self.site(&progress, &order.secrets, &self.env);
        Ok(Answer::Undo(self.operation(&order.operation)?.undo(&order.input, &site).await?))
    }

    async fn already(&self, order: Ordered) -> Result<Answer, BoxError> {
        let key = order.key.ok_or("an operation is asked about under its key")?;
        // What a connection that was cut left under way is told to end, and may take back what it did: it is waited for.
        let under_way = if self.state.is_dir() { Some(self.under_way(&key).await?) } else { None };
        let _locked = self.locked(&order.input).await?;
        let (progress, env) = (ProgressSink::none(key.task.clone()), self.marked(&key));
        let site = self.site(&progress, &order.secrets, &env);
        let asked = self.operation(&order.operation)?.already(&order.input, &key, &site).await;
        if let Some(under_way) = under_way {
            under_way.over();
        }
        Ok(match asked? {
            Already::Done(output) => Answer::WasDone(output),
            Already::NotDone => Answer::NotDone {},
            Already::Unknown => Answer::Unknown {},
        })
    }

    fn site<'a>(
        &'a self,
        progress: &'a ProgressSink,
        secrets: &'a BTreeMap<String, String>,
        env: &'a [(OsString, OsString)],
    ) -> Site<'a> {
        let Self { root, state, stop, .. } = self;
        Site { root, state, progress, stop, secrets, env }
    }
}
