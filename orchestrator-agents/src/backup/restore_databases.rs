//! `restore-databases`: puts databases of a snapshot back where they were.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::databases::DatabaseName;
use super::ops::{RestoreDatabase, RestoreDatabaseInput, RestoredDatabases};
use crate::said;

/// Restores databases of a snapshot where they were; those that are there are kept beside them.
#[derive(Debug, Clone, Copy)]
pub struct RestoreDatabases;

/// Config of [`RestoreDatabases`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreDatabasesConfig {
    /// The snapshot's folder.
    pub snapshot: RelPath,
    /// Names of the databases; all of the snapshot's by default.
    #[serde(default)]
    pub databases: Vec<DatabaseName>,
}

impl Agent for RestoreDatabases {
    const NAME: &'static str = "restore-databases";
    const ABOUT: &'static str = "Restores databases of a backup where they were.";
    type Config = RestoreDatabasesConfig;
    type Output = RestoredDatabases;

    async fn plan(
        &self,
        task: &Task<RestoreDatabasesConfig>,
        _: &Workspace,
    ) -> Result<Vec<Action>, BoxError> {
        let RestoreDatabasesConfig { snapshot, databases } = task.config.clone();
        Ok(vec![RestoreDatabase::action(&RestoreDatabaseInput { snapshot, manifest: None, databases })?])
    }

    fn conclude(
        &self,
        task: &Task<RestoreDatabasesConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<RestoredDatabases>, BoxError> {
        Ok(match said::output::<RestoredDatabases>(receipts)? {
            Ok(restored) => {
                let summary = format!(
                    "{} of {} restored: {}",
                    said::count(restored.done.len() as u64, "database"),
                    task.config.snapshot,
                    restored.done.join("; ")
                );
                Verdict::passed(summary, restored)
            }
            Err(why) => Verdict::failed(why),
        })
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(RestoreDatabase)?])
    }
}
