//! The executor of this machine: commands, files and operations in one checkout.

mod files;
mod survivors;

use std::ffi::OsString;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::FutureExt;

use crate::BoxError;
use crate::action::{Action, Call, CommandLine, EnvValue, Run};
use crate::executor::{
    Captured, Executor, ExecutorError, Exit, ExitState, FreeSpace, Mask, Processes, Spawn, SpawnError,
    Stream, Survivor,
};
use crate::id::{OperationName, OrderKey, RunId};
use crate::json::Json;
use crate::layout::Layout;
use crate::operation::{Already, DynOperation, SecretSource, Site, Transient};
use crate::order::{Artifact, Order, Receipt, Status, Used};
use crate::outcome::Failure;
use crate::path::{Digest, RelPath};
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

    async fn command(
        &self,
        order: &Order,
        run: &Run,
        progress: &ProgressSink,
        stop: &Stop,
    ) -> Result<Receipt, ExecutorError> {
        let spawn = match self.spawn(&order.key, run, progress) {
            Ok(spawn) => spawn,
            Err(failure) => return Ok(Receipt::failed(failure, false)),
        };
        let logs = [spawn.stdout.clone(), spawn.stderr.clone()];
        let mask = spawn.mask.clone();
        let exit = match self.processes.run(spawn, stop).await {
            Ok(exit) if exit.stopped => return Err(ExecutorError::Stopped(order.key.clone())),
            Ok(exit) => exit,
            Err(SpawnError::Stopped { .. }) => return Err(ExecutorError::Stopped(order.key.clone())),
            Err(error @ SpawnError::Log { .. }) => {
                return Err(ExecutorError::Other(Failure::from_error(&error).to_string()));
            }
            Err(error) => return Ok(Receipt::failed(Failure::from_error(&error), false)),
        };
        let mut receipt = receipt(exit, &logs);
        if !run.collect.is_empty() {
            let place = self.place.clone();
            let (key, run) = (order.key.run.clone(), run.clone());
            let collected =
                tokio::task::spawn_blocking(move || files::collect(&place, &key, &run, mask.as_deref()))
                    .await;
            match collected.map_err(|error| ExecutorError::Other(error.to_string()))?? {
                Ok(artifacts) => receipt.artifacts = artifacts,
                Err(failure) => receipt.status = Status::Failed { failure, transient: false },
            }
        }
        Ok(receipt)
    }

    /// What to start; or why it cannot be.
    fn spawn(&self, key: &OrderKey, run: &Run, progress: &ProgressSink) -> Result<Spawn, Failure> {
        let refuse = |why: String| Err(Failure::new(why));
        let Some((program, args)) = argv(&run.command) else { return refuse("the command is empty".into()) };
        let mut env = self.place.env.to_vec();
        let mut secrets = Vec::new();
        for (name, value) in &run.env {
            let value = match value {
                EnvValue::Plain(value) => value.clone(),
                EnvValue::Secret { secret } => match self.place.secrets.secret(secret) {
                    Some(value) => {
                        secrets.push((secret.clone(), value.clone()));
                        value
                    }
                    None => {
                        return refuse(format!(
                            "there is no secret `{secret}`; set it where secrets come from"
                        ));
                    }
                },
            };
            env.retain(|(known, _)| known != name.as_str());
            env.push((name.into(), value.into()));
        }
        env.push(self.place.mark(key));
        let mask = if secrets.is_empty() {
            None
        } else {
            match Mask::new(secrets.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
                Ok(mask) => Some(Arc::new(mask)),
                Err(error) => return refuse(error.to_string()),
            }
        };
        let stdin = match &run.stdin {
            None => None,
            Some(content) => Some(self.place.bytes(&key.run, content)?),
        };
        let logs = self.place.layout.logs(&key.run);
        let lines = progress.is_wanted().then(|| {
            let progress = progress.clone();
            let tell = move |stream: Stream, line: &str| progress.line(stream == Stream::Stderr, line);
            Arc::new(tell) as Arc<crate::executor::OnLine>
        });
        Ok(Spawn {
            program,
            args,
            cwd: run.cwd.under(&self.place.root),
            env,
            stdin,
            stdout: logs.join(format!("{}.out", key.file_stem())),
            stderr: logs.join(format!("{}.err", key.file_stem())),
            mask,
            grace: self.grace,
            lines,
            give_up_after_exit: Duration::from_secs(2),
        })
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
            Err(error) => {
                Receipt::failed(Failure::from_error(&*error), error.downcast_ref::<Transient>().is_some())
            }
        };
        receipt.took_ms = millis(began.elapsed());
        Ok(receipt)
    }

    /// What an operation answers; why it could not, which may be a panic of it.
    async fn asked<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, BoxError>> + Send + 'static,
    ) -> Result<Result<T, Failure>, ExecutorError> {
        let answer = self.elsewhere(AssertUnwindSafe(question).catch_unwind()).await?;
        Ok(match answer {
            Ok(answer) => answer.map_err(|error| Failure::from_error(&*error)),
            Err(panic) => Err(Failure::panicked("the operation panicked", &*panic)),
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
                self.asked(undo).await?.map_err(|why| ExecutorError::NoUndo(order.key.clone(), why))
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
        Ok(self.asked(asked).await?.unwrap_or_else(|why| {
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

/// Program and arguments. A line without anything that only a shell understands is split here: a shell doubles the cost
/// of a short command.
fn argv(command: &CommandLine) -> Option<(String, Vec<String>)> {
    let mut words = match command {
        CommandLine::Argv(argv) => argv.clone(),
        CommandLine::Shell(line) => match plain_words(line) {
            Some(words) => words,
            None => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
        },
    };
    if words.first().is_none_or(String::is_empty) {
        return None;
    }
    let program = words.remove(0);
    Some((program, words))
}

/// Words that mean something to a shell although they look like programs.
const SHELL_WORDS: [&str; 58] = [
    ".", ":", "[", "alias", "bg", "break", "builtin", "case", "cd", "command", "continue", "declare", "do",
    "done", "echo", "elif", "else", "esac", "eval", "exec", "exit", "export", "false", "fc", "fg", "fi",
    "for", "function", "getopts", "hash", "if", "jobs", "kill", "let", "local", "printf", "pwd", "read",
    "readonly", "return", "select", "set", "shift", "source", "test", "then", "time", "times", "trap",
    "type", "typeset", "ulimit", "umask", "unalias", "unset", "until", "wait", "while",
];

fn plain_words(line: &str) -> Option<Vec<String>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+@% \t".contains(c);
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let first = words.first()?;
    (line.chars().all(plain) && !SHELL_WORDS.contains(&first.as_str())).then_some(words)
}

fn receipt(exit: Exit, logs: &[PathBuf; 2]) -> Receipt {
    let mut receipt = Receipt::new(match exit.status {
        ExitState::Exited(code) => Status::Exited(code),
        ExitState::Signaled(signal) => Status::Signaled(signal),
    });
    let log = |captured: &Captured, path: &Path, name: &str| {
        let digest = captured.digest?.into();
        let file = path.file_name()?.to_str()?;
        let place = RelPath::new(format!("logs/{file}")).ok()?;
        Some(Artifact { name: name.to_owned(), place, digest, bytes: captured.bytes })
    };
    receipt.stdout = log(&exit.stdout, &logs[0], "stdout");
    receipt.stderr = log(&exit.stderr, &logs[1], "stderr");
    receipt.tail = [exit.stdout.tail, exit.stderr.tail].join("");
    if receipt.tail.len() > 4096 {
        let from = receipt.tail.ceil_char_boundary(receipt.tail.len() - 4096);
        receipt.tail.drain(..from);
    }
    receipt.took_ms = millis(exit.elapsed);
    receipt.used = exit.usage.map(|used| Used { user_ms: used.user_ms, system_ms: used.system_ms });
    receipt
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(all(test, feature = "testkit"))]
mod tests;
