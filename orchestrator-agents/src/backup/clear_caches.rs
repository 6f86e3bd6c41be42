//! `clear-caches`: what the pipeline names as a cache goes.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Metric};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ops::{ClearPaths, ClearedPaths, Paths};
use crate::said;

/// Removes paths that git ignores, inside the checkout.
#[derive(Debug, Clone, Copy)]
pub struct ClearCaches;

/// Config of [`ClearCaches`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearCachesConfig {
    /// Files or folders; git must ignore them.
    pub paths: Vec<RelPath>,
}

impl Agent for ClearCaches {
    const NAME: &'static str = "clear-caches";
    const ABOUT: &'static str = "Removes caches that git ignores.";
    type Config = ClearCachesConfig;
    type Output = ClearedPaths;

    async fn plan(&self, task: &Task<ClearCachesConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        let paths = task.config.paths.clone();
        Ok(if paths.is_empty() { Vec::new() } else { vec![ClearPaths::action(&Paths { paths })?] })
    }

    fn conclude(
        &self,
        task: &Task<ClearCachesConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<ClearedPaths>, BoxError> {
        if task.config.paths.is_empty() {
            let nothing = ClearedPaths { freed: 0, paths: Vec::new() };
            return Ok(Verdict::passed("No caches to clear", nothing));
        }
        let cleared: ClearedPaths = match said::output(receipts)? {
            Ok(cleared) => cleared,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let evidence = Evidence::of("orchestrate").command("blocks of the removed files");
        let metrics = [Metric::new("caches.freed", cleared.freed as f64, "bytes", evidence)];
        let summary = format!("Caches cleared ({} freed)", said::bytes(cleared.freed));
        Ok(Verdict::Passed(Conclusion::new(summary, cleared).metrics(metrics)))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(ClearPaths)?])
    }
}
