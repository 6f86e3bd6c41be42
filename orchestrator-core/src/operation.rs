//! Operations: side effects written in Rust that actions call by name.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::BoxError;
use crate::action::{Action, Call};
use crate::effect::Effect;
use crate::id::{OperationName, OrderKey};
use crate::json::Json;
use crate::progress::ProgressSink;
use crate::stop::Stop;

/// A side effect written in Rust.
#[async_trait]
pub trait Operation: Send + Sync + 'static {
    /// As actions name it.
    const NAME: &'static str;
    /// How far it reaches.
    const EFFECT: Effect;
    /// Whether a call may block its thread: read files, start processes, compute for long. One that never does may say so,
    /// and is then called without a thread of its own.
    const BLOCKS: bool = true;
    /// What it is given.
    type Input: Serialize + DeserializeOwned + JsonSchema + Send + Sync;
    /// What it gives.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// Carries it out. An error that a retry can cure is wrapped in [`Transient`].
    async fn call(
        &self,
        input: Self::Input,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Self::Output, BoxError>;

    /// What would reverse it, asked before it is called.
    async fn undo(&self, _input: &Self::Input, _site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }

    /// What people can do instead where it has no undo, in one line. Pure, and without secrets; by default nobody knows.
    fn advice(&self, _input: &Self::Input) -> Option<String> {
        None
    }

    /// Asked first after a crash: was this order already carried out?
    async fn already(
        &self,
        _input: &Self::Input,
        _order: &OrderKey,
        _site: &Site<'_>,
    ) -> Already<Self::Output> {
        Already::Unknown
    }

    /// The action that calls it.
    fn action(input: &Self::Input) -> Result<Action, BoxError>
    where
        Self: Sized,
    {
        Ok(Call {
            operation: OperationName::new(Self::NAME)?,
            input: Json::of(input)?,
            effect: Self::EFFECT,
            keep_going: false,
        }
        .into())
    }
}

/// Where an operation works.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The root of the checkout.
    pub root: &'a Path,
    /// The state folder, usually `.orchestrate` in the checkout.
    pub state: &'a Path,
    /// Where signs of life go.
    pub progress: &'a ProgressSink,
    /// Says when to stop.
    pub stop: &'a Stop,
    /// Where secrets come from.
    pub secrets: &'a dyn SecretSource,
    /// The environment that commands get. It names the order: what it starts is ended with a dead run, unless that variable is left
    /// out.
    pub env: &'a [(std::ffi::OsString, std::ffi::OsString)],
}

/// Whether an order was carried out before a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Already<O> {
    /// It was, and this is what it gave.
    Done(O),
    /// It was not.
    NotDone,
    /// Nobody can tell.
    Unknown,
}

/// Gives secrets by name. The library never looks for them itself.
pub trait SecretSource: Send + Sync {
    /// The value of a secret; none where it is not known.
    fn secret(&self, name: &str) -> Option<String>;
}

impl SecretSource for std::collections::BTreeMap<String, String> {
    fn secret(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}

/// Marks an error that a retry can cure.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Transient(pub BoxError);

/// The same, object-safe over JSON: what the executor holds.
#[async_trait]
pub trait DynOperation: Send + Sync {
    /// As actions name it.
    fn name(&self) -> &OperationName;
    /// How far it reaches.
    fn effect(&self) -> Effect;
    /// Whether a call may block its thread.
    fn blocks(&self) -> bool;
    /// Carries it out.
    async fn call(&self, input: &Json, order: &OrderKey, site: &Site<'_>) -> Result<Json, BoxError>;
    /// What would reverse it.
    async fn undo(&self, input: &Json, site: &Site<'_>) -> Result<Vec<Action>, BoxError>;
    /// What people can do instead; none where the input is none of its own.
    fn advice(&self, _input: &Json) -> Option<String> {
        None
    }
    /// Whether it was carried out before a crash.
    async fn already(
        &self,
        input: &Json,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Already<Json>, BoxError>;
}

struct Typed<O> {
    name: OperationName,
    operation: O,
}

/// Makes an operation object-safe. Fails where its `NAME` is not a valid name.
pub fn dyn_operation<O: Operation>(operation: O) -> Result<Arc<dyn DynOperation>, crate::id::NameError> {
    Ok(Arc::new(Typed { name: OperationName::new(O::NAME)?, operation }))
}

#[async_trait]
impl<O: Operation> DynOperation for Typed<O> {
    fn name(&self) -> &OperationName {
        &self.name
    }

    fn effect(&self) -> Effect {
        O::EFFECT
    }

    fn blocks(&self) -> bool {
        O::BLOCKS
    }

    async fn call(&self, input: &Json, order: &OrderKey, site: &Site<'_>) -> Result<Json, BoxError> {
        Ok(Json::of(&self.operation.call(input.parse()?, order, site).await?)?)
    }

    async fn undo(&self, input: &Json, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        self.operation.undo(&input.parse()?, site).await
    }

    fn advice(&self, input: &Json) -> Option<String> {
        self.operation.advice(&input.parse().ok()?)
    }

    async fn already(
        &self,
        input: &Json,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Already<Json>, BoxError> {
        Ok(match self.operation.already(&input.parse()?, order, site).await {
            Already::Done(output) => Already::Done(Json::of(&output)?),
            Already::NotDone => Already::NotDone,
            Already::Unknown => Already::Unknown,
        })
    }
}
