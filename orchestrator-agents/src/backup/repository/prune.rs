//! `repository-prune`: old snapshots of this checkout go from a repository, by policy.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Metric};
use orchestrator_core::id::NameError;
use orchestrator_core::input::Input;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Keep, Place};
use crate::backup::ops::{PruneInput, PruneRepository, Pruned};
use crate::said;

/// Forgets snapshots that no rule keeps. What was verified stays.
#[derive(Debug, Clone, Copy)]
pub struct RepositoryPrune;

/// Config of [`RepositoryPrune`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepositoryPruneConfig {
    /// Where the repository lies, and where its password comes from.
    pub repository: Place,
    /// Which of this checkout's snapshots are kept.
    pub keep: Keep,
    /// Id of the snapshot that was verified last, which is always kept.
    pub verified: Input<String>,
}

impl Agent for RepositoryPrune {
    const NAME: &'static str = "repository-prune";
    const ABOUT: &'static str = "Forgets old snapshots of a repository of backups.";
    type Config = RepositoryPruneConfig;
    type Output = Pruned;

    async fn plan(&self, task: &Task<RepositoryPruneConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        let RepositoryPruneConfig { repository, keep, verified } = &task.config;
        let input =
            PruneInput { repository: repository.clone(), keep: *keep, verified: verified.value()?.clone() };
        Ok(vec![PruneRepository::action(&input)?])
    }

    fn conclude(
        &self,
        task: &Task<RepositoryPruneConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Pruned>, BoxError> {
        let pruned: Pruned = match said::output(receipts)? {
            Ok(pruned) => pruned,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let place = task.config.repository.path();
        let tool = || Evidence::of("orchestrate").command(format!("prune {place}"));
        let metrics = [Metric::new("repository.removed", pruned.removed as f64, "bytes", tool())];
        let (gone, kept) = (said::count(pruned.forgotten.len() as u64, "snapshot"), pruned.kept);
        let summary = format!(
            "Repository `{place}` pruned: {gone} forgotten, {kept} kept; {} removed",
            said::bytes(pruned.removed)
        );
        Ok(Verdict::Passed(Conclusion::new(summary, pruned).metrics(metrics)))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(PruneRepository)?])
    }
}
