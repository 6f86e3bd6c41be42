//! An executor that follows a script, and an agent that performs what its config says.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::BoxError;
use crate::action::Action;
use crate::agent::{Agent, Task, Verdict};
use crate::executor::{Executor, ExecutorError, Survivor};
use crate::id::{OrderKey, RunId};
use crate::json::Json;
use crate::operation::{Already, DynOperation};
use crate::order::{Artifact, Artifacts, Order, Receipt, Status};
use crate::outcome::Failure;
use crate::path::Digest;
use crate::progress::ProgressSink;
use crate::stop::{Stop, StopLevel};
use crate::workspace::Workspace;

/// Takes a second for each command, of the test's own time. Commands: `ok`, `fail`, `fail-first N`, `slow SECONDS`.
#[derive(Clone, Default)]
pub struct Scripted {
    root: PathBuf,
    seen: Arc<Mutex<Seen>>,
}

/// What a [`Scripted`] executor was asked for.
#[derive(Default)]
struct Seen {
    finished: Vec<OrderKey>,
    kept: HashMap<Digest, Vec<u8>>,
    already: BTreeMap<String, Already<Json>>,
}

impl Scripted {
    /// Looks at the folder `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), seen: Arc::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The orders that were carried out, in the order of their ends.
    pub fn finished(&self) -> Vec<OrderKey> {
        self.seen().finished.clone()
    }

    /// What to answer when asked whether an order of this task was carried out before a crash.
    pub fn answer_already(&self, task: &str, answer: Already<Json>) {
        self.seen().already.insert(task.to_owned(), answer);
    }
}

#[async_trait]
impl Executor for Scripted {
    fn root(&self) -> &Path {
        &self.root
    }

    fn register(&self, _operation: Arc<dyn DynOperation>) {}

    async fn perform(
        &self,
        order: &Order,
        _progress: &ProgressSink,
        stop: &Stop,
    ) -> Result<Receipt, ExecutorError> {
        let line = match &order.action {
            Action::Run(run) => run.command.to_string(),
            Action::Call(call) => call.input.value().as_str().unwrap_or("ok").to_owned(),
            Action::Write(_) | Action::Remove(_) | Action::Await(_) => "ok".to_owned(),
        };
        let mut words = line.split(' ');
        let (command, number) =
            (words.next().unwrap_or("ok"), words.next().and_then(|word| word.parse::<u32>().ok()));
        let seconds = if command == "slow" { u64::from(number.unwrap_or(60)) } else { 1 };
        tokio::select! {
            biased;
            () = stop.at_least(StopLevel::Graceful) => return Err(ExecutorError::Stopped(order.key.clone())),
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
        }
        let fails =
            command == "fail" || (command == "fail-first" && order.key.attempt <= number.unwrap_or(1));
        self.seen().finished.push(order.key.clone());
        Ok(match (&order.action, fails) {
            (Action::Run(_), fails) => Receipt::new(Status::Exited(i32::from(fails))),
            (_, true) => Receipt::failed(Failure::new("as the script says"), true),
            (_, false) => super::done(order.key.index),
        })
    }

    async fn undo(&self, order: &Order) -> Result<Vec<Action>, ExecutorError> {
        Ok(match &order.action {
            Action::Run(run) => run.undo.clone(),
            _ => Vec::new(),
        })
    }

    async fn already(&self, order: &Order) -> Result<Already<Json>, ExecutorError> {
        Ok(self.seen().already.get(order.key.task.as_str()).cloned().unwrap_or(Already::Unknown))
    }

    async fn keep(&self, _run: &RunId, bytes: &[u8]) -> Result<Digest, ExecutorError> {
        let digest = Digest::of(bytes);
        self.seen().kept.insert(digest, bytes.to_vec());
        Ok(digest)
    }

    fn read(&self, _run: &RunId, artifact: &Artifact, limit: u64) -> std::io::Result<Vec<u8>> {
        let seen = self.seen();
        let bytes = seen.kept.get(&artifact.digest).ok_or(std::io::ErrorKind::NotFound)?;
        Ok(bytes[..bytes.len().min(limit as usize)].to_vec())
    }

    async fn end_survivors(&self, _runs: &[RunId]) -> Result<Vec<Survivor>, ExecutorError> {
        Ok(Vec::new())
    }
}

/// Performs the actions of its config, round after round.
#[derive(Debug, Clone, Copy, Default)]
pub struct Acts;

/// What [`Acts`] does.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActsConfig {
    /// Rounds of actions.
    #[schemars(with = "Vec<Vec<serde_json::Value>>")]
    pub rounds: Vec<Vec<Action>>,
    /// What it gives.
    pub output: Option<crate::input::Input<serde_json::Value>>,
    /// Panic instead of planning.
    pub panic: bool,
}

impl Agent for Acts {
    const NAME: &'static str = "acts";
    type Config = ActsConfig;
    type Output = serde_json::Value;

    async fn plan(&self, task: &Task<ActsConfig>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        assert!(!task.config.panic, "told to panic");
        Ok(task.config.rounds.first().cloned().unwrap_or_default())
    }

    fn conclude(
        &self,
        task: &Task<ActsConfig>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<serde_json::Value>, BoxError> {
        if let Some(failed) = receipts.iter().find(|receipt| !receipt.ok()) {
            return Ok(Verdict::failed(failed.status.to_string()));
        }
        let round = if task.carried.is_null() { 1 } else { task.carried.parse::<usize>()? };
        match task.config.rounds.get(round) {
            Some(actions) => Ok(Verdict::More { actions: actions.clone(), carried: Json::of(&(round + 1))? }),
            None => {
                let output = match &task.config.output {
                    Some(output) => output.value()?.clone(),
                    None => serde_json::json!(receipts.len()),
                };
                Ok(Verdict::passed("done", output))
            }
        }
    }
}
