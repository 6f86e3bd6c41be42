//! The executor of this machine: commands, files and operations in one checkout.

mod command;
mod environ;
mod files;
mod survivors;

pub use environ::environ;

use std::ffi::OsString;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::FutureExt;

use crate::BoxError;
use crate::action::{Action, Call};
use crate::executor::{Executor, ExecutorError, FreeSpace, Processes, Survivor};
use crate::id::{OperationName, OrderKey, RunId};
use crate::json::Json;
use crate::layout::Layout;
use crate::operation::{Already, DynOperation, SecretSource, Site, Transient};
use crate::order::{Artifact, Order, Receipt, Status};
use crate::outcome::Failure;
use crate::path::Digest;
use crate::progress::ProgressSink;
use crate::stop::{Stop, StopLevel};

/// The variable that names the order to its processes, those of operations too: what a dead run left is found by it, and ended.
pub const ORDER_VARIABLE: &str = "ORCHESTRATE_ORDER";

type Environment = Arc<[(OsString, OsString)]>;
type Operations = std::collections::BTreeMap<OperationName, Arc<dyn DynOperation>>;

/// Performs orders on this machine, in one checkout.
pub struct Local {
    place: Arc<Place>,
    processes: Processes,
    grace: Duration,
}

/// What operations on other threads need as well.
struct Place {
    root: PathBuf,
    layout: Layout,
    env: Environment,
    secrets: Arc<dyn SecretSource>,
    operations: RwLock<Operations>,
}

/// No secrets.
struct NoSecrets;

impl SecretSource for NoSecrets {
    fn secret(&self, _name: &str) -> Option<String> {
        None
    }
}

impl Local {
    /// Works in the checkout `root` and keeps its state in `root/.orchestrate`. Commands get no environment and no
    /// secrets until they are given.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let place = Place {
            layout: Layout::new(root.join(".orchestrate")),
            root,
            env: Arc::from([]),
            secrets: Arc::new(NoSecrets),
            operations: RwLock::default(),
        };
        Self { place: Arc::new(place), processes: Processes::new(), grace: Duration::from_secs(5) }
    }

    /// Works in the current folder, with the environment that [`crate::baseline`] lets through.
    pub fn here() -> std::io::Result<Self> {
        Ok(Self::new(std::env::current_dir()?).environment_of(std::env::vars_os()))
    }

    /// Keeps its state elsewhere.
    #[must_use]
    pub fn state(self, state: impl Into<PathBuf>) -> Self {
        self.change(|place| place.layout = Layout::new(state))
    }

    /// The environment that every command gets.
    #[must_use]
    pub fn environment(self, env: impl Into<Environment>) -> Self {
        self.change(|place| place.env = env.into())
    }

    /// What of `vars` commands may see, by [`crate::baseline`].
    #[must_use]
    pub fn environment_of(self, vars: impl Iterator<Item = (OsString, OsString)>) -> Self {
        self.environment(crate::baseline::environment(vars))
    }

    /// Where secrets come from.
    #[must_use]
    pub fn secrets(self, secrets: impl SecretSource + 'static) -> Self {
        self.change(|place| place.secrets = Arc::new(secrets))
    }

    /// How long a stopped command gets before it is killed.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Place)) -> Self {
        change(Arc::get_mut(&mut self.place).expect("nobody else has it before it is handed over"));
        self
    }

    async fn call(
        &self,
        order: &Order,
        call: &Call,
        progress: &ProgressSink,
        stop: &Stop,
    ) -> Result<Receipt, ExecutorError> {
        let operation = match self.place.operation(call) {
            Ok(operation) => operation,
            Err(failure) => return Ok(Receipt::failed(failure, false)),
        };
        let began = Instant::now();
        let result = if operation.blocks() {
            let (place, call, key) = (self.place.clone(), call.clone(), order.key.clone());
            let (progress, asked) = (progress.clone(), stop.clone());
            self.elsewhere(async move {
                let env = place.marked(&key);
                operation.call(&call.input, &key, &place.site(&progress, &asked, &env)).await
            })
            .await?
        } else {
            let env = self.place.marked(&order.key);
            operation.call(&call.input, &order.key, &self.place.site(progress, stop, &env)).await
        };
        let mut receipt = match result {
            Ok(output) => {
                let mut receipt = Receipt::new(Status::Done);
                receipt.output = output;
                receipt
            }
            // It gave up because it was asked to: it is to be repeated.
            Err(_) if stop.level() > StopLevel::Go => return Err(ExecutorError::Stopped(order.key.clone())),
            Err(error) => Receipt::failed(Failure::from_error(&*error), is_transient(&*error)),
        };
        receipt.took_ms = millis(began.elapsed());
        Ok(receipt)
    }

    /// What an operation answers; why it could not, which may be a panic of it.
    async fn asked<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, BoxError>> + Send + 'static,
    ) -> Result<Result<T, Unsaid>, ExecutorError> {
        let answer = self.elsewhere(AssertUnwindSafe(question).catch_unwind()).await?;
        Ok(match answer {
            Ok(answer) => answer.map_err(|error| Unsaid {
                why: Failure::from_error(&*error),
                transient: is_transient(&*error),
            }),
            Err(panic) => {
                Err(Unsaid { why: Failure::panicked("the operation panicked", &*panic), transient: false })
            }
        })
    }

    /// Runs what may block on a thread where that harms nobody. A panic goes on here.
    async fn elsewhere<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, ExecutorError> {
        let runtime = tokio::runtime::Handle::current();
        match tokio::task::spawn_blocking(move || runtime.block_on(work)).await {
            Ok(result) => Ok(result),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => Err(ExecutorError::Other(error.to_string())),
        }
    }
}

impl Place {
    fn site<'a>(
        &'a self,
        progress: &'a ProgressSink,
        stop: &'a Stop,
        env: &'a [(OsString, OsString)],
    ) -> Site<'a> {
        let (state, secrets) = (self.layout.state(), &*self.secrets);
        Site { root: &self.root, state, progress, stop, secrets, env }
    }

    /// What names an order to its processes.
    fn mark(&self, key: &OrderKey) -> (OsString, OsString) {
        (ORDER_VARIABLE.into(), format!("{}:{key}", self.layout.state().display()).into())
    }

    /// The environment for the processes of an order.
    fn marked(&self, key: &OrderKey) -> Vec<(OsString, OsString)> {
        self.env.iter().cloned().chain([self.mark(key)]).collect()
    }

    fn operation(&self, call: &Call) -> Result<Arc<dyn DynOperation>, Failure> {
        let operations = self.operations.read().unwrap_or_else(PoisonError::into_inner);
        let Some(operation) = operations.get(&call.operation) else {
            let known = operations.keys().map(OperationName::as_str);
            return Err(Failure::new(crate::problem::unknown("operation", call.operation.as_str(), known)));
        };
        if operation.effect() > call.effect {
            let (name, is, says) = (&call.operation, operation.effect(), call.effect);
            return Err(Failure::new(format!("operation `{name}` is `{is}`, and the action says `{says}`")));
        }
        Ok(operation.clone())
    }
}

#[async_trait]
impl Executor for Local {
    fn root(&self) -> &Path {
        &self.place.root
    }

    fn checkout_lock(&self) -> Option<PathBuf> {
        Some(self.place.layout.checkout_lock())
    }

    fn environment(&self) -> Environment {
        self.place.env.clone()
    }

    fn free_space(&self) -> Vec<FreeSpace> {
        [self.place.layout.state(), &self.place.root].into_iter().filter_map(files::free_space).collect()
    }

    fn register(&self, operation: Arc<dyn DynOperation>) {
        let mut operations = self.place.operations.write().unwrap_or_else(PoisonError::into_inner);
        operations.insert(operation.name().clone(), operation);
    }

    async fn perform(
        &self,
        order: &Order,
        progress: &ProgressSink,
        stop: &Stop,
    ) -> Result<Receipt, ExecutorError> {
        match &order.action {
            Action::Run(run) => self.command(order, run, progress, stop).await,
            Action::Call(call) => self.call(order, call, progress, stop).await,
            Action::Write(write) => {
                let (place, run, write) = (self.place.clone(), order.key.run.clone(), write.clone());
                self.elsewhere(async move { files::write(&place, &run, &write) }).await
            }
            Action::Remove(remove) => {
                let (place, remove) = (self.place.clone(), remove.clone());
                self.elsewhere(async move { files::remove(&place, &remove) }).await
            }
            Action::Await(_) => Err(ExecutorError::Other("a wait is the runner's, not an executor's".into())),
        }
    }

    async fn undo(&self, order: &Order) -> Result<Vec<Action>, ExecutorError> {
        match &order.action {
            Action::Run(run) => Ok(run.undo.clone()),
            Action::Write(write) => {
                files::undo(&self.place, &order.key.run, &write.path, write.content.digest())
            }
            Action::Remove(remove) => files::undo(&self.place, &order.key.run, &remove.path, None),
            Action::Await(_) => Ok(Vec::new()),
            Action::Call(call) => {
                let Ok(operation) = self.place.operation(call) else { return Ok(Vec::new()) };
                let (place, call, env) = (self.place.clone(), call.clone(), self.place.marked(&order.key));
                let (progress, stop) = (ProgressSink::none(order.key.task.clone()), Stop::new());
                let undo =
                    async move { operation.undo(&call.input, &place.site(&progress, &stop, &env)).await };
                self.asked(undo).await?.map_err(|Unsaid { why, transient }| ExecutorError::NoUndo {
                    order: order.key.clone(),
                    why: Box::new(why),
                    transient,
                })
            }
        }
    }

    async fn already(&self, order: &Order) -> Result<Already<Json>, ExecutorError> {
        let Action::Call(call) = &order.action else { return Ok(Already::Unknown) };
        let Ok(operation) = self.place.operation(call) else { return Ok(Already::Unknown) };
        let (place, call, key) = (self.place.clone(), call.clone(), order.key.clone());
        let (progress, stop) = (ProgressSink::none(key.task.clone()), Stop::new());
        let env = self.place.marked(&key);
        let asked =
            async move { operation.already(&call.input, &key, &place.site(&progress, &stop, &env)).await };
        Ok(self.asked(asked).await?.unwrap_or_else(|Unsaid { why, .. }| {
            tracing::warn!(order = %order.key, %why, "whether it was done could not be found out");
            Already::Unknown
        }))
    }

    async fn keep(&self, run: &RunId, bytes: &[u8]) -> Result<Digest, ExecutorError> {
        self.place.keep(run, bytes)
    }

    fn read(&self, run: &RunId, artifact: &Artifact, limit: u64) -> std::io::Result<Vec<u8>> {
        self.place.read(run, artifact, limit)
    }

    async fn end_survivors(&self, runs: &[RunId]) -> Result<Vec<Survivor>, ExecutorError> {
        let (state, runs, grace) = (self.place.layout.state().to_owned(), runs.to_vec(), self.grace);
        self.elsewhere(async move { survivors::end(&state, &runs, grace) }).await
    }
}

/// What an operation could not answer.
struct Unsaid {
    why: Failure,
    transient: bool,
}

fn is_transient(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<Transient>().is_some()
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(all(test, feature = "testkit"))]
mod tests;
