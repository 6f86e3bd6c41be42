//! The ready-made agent for work that is just Rust code: an operation used as a task.

use std::sync::Arc;

use crate::BoxError;
use crate::action::Action;
use crate::agent::{Agent, Task, Verdict};
use crate::id::NameError;
use crate::operation::{DynOperation, Operation, dyn_operation};
use crate::order::{Artifacts, Receipt};
use crate::workspace::Workspace;

/// Uses an operation as an agent of the same name: its config is the operation's input, its output the operation's.
#[derive(Debug, Clone, Copy)]
pub struct Perform<O>(O);

impl<O: Operation + Clone> Perform<O> {
    /// The agent of an operation.
    pub fn new(operation: O) -> Self {
        Self(operation)
    }
}

impl<O: Operation + Clone> Agent for Perform<O> {
    const NAME: &'static str = O::NAME;
    type Config = O::Input;
    type Output = O::Output;

    async fn plan(&self, task: &Task<O::Input>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(vec![O::action(&task.config)?])
    }

    fn conclude(
        &self,
        _task: &Task<O::Input>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<O::Output>, BoxError> {
        let Some(receipt) = receipts.first() else {
            return Ok(Verdict::failed("the operation was not called"));
        };
        if receipt.ok() {
            Ok(Verdict::passed("", receipt.output.parse()?))
        } else {
            Ok(Verdict::failed(receipt.status.to_string()))
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(self.0.clone())?])
    }
}
