//! `clear-caches`: what the pipeline names as a cache goes, and where it says so what stacks are known to keep.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ops::{CachesInput, ClearPaths, ClearedPaths, FindCaches, FoundCache, FoundCaches, Paths};
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
    /// Whether the caches that the project's stacks are known to keep go as well.
    #[serde(default)]
    pub known: bool,
}

impl Agent for ClearCaches {
    const NAME: &'static str = "clear-caches";
    const ABOUT: &'static str = "Removes caches that git ignores.";
    type Config = ClearCachesConfig;
    type Output = ClearedPaths;

    async fn plan(&self, task: &Task<ClearCachesConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        let ClearCachesConfig { paths, known } = task.config.clone();
        let nothing = paths.is_empty() && !known;
        Ok(if nothing { Vec::new() } else { vec![FindCaches::action(&CachesInput { paths, known })?] })
    }

    fn conclude(
        &self,
        task: &Task<ClearCachesConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<ClearedPaths>, BoxError> {
        let ClearCachesConfig { paths, known } = &task.config;
        if paths.is_empty() && !known {
            return Ok(Verdict::passed("No caches to clear", ClearedPaths { freed: 0, paths: Vec::new() }));
        }
        match task.carried.parse::<Option<FoundCaches>>()? {
            None => match said::output(receipts)? {
                Ok(found) => to_clear(&found),
                Err(why) => Ok(Verdict::failed(why)),
            },
            Some(found) => cleared(&found, receipts),
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(FindCaches)?, dyn_operation(ClearPaths)?])
    }
}

/// One action a cache, so that each is shown with its size, and removed alone.
fn to_clear(found: &FoundCaches) -> Result<Verdict<ClearedPaths>, BoxError> {
    if found.caches.is_empty() {
        return Ok(Verdict::passed("No caches to clear", ClearedPaths { freed: 0, paths: Vec::new() }));
    }
    let action = |cache: &FoundCache| {
        ClearPaths::action(&Paths { paths: vec![cache.path.clone()], bytes: Some(cache.bytes) })
    };
    let actions = found.caches.iter().map(action).collect::<Result<Vec<_>, _>>()?;
    Ok(Verdict::More { actions, carried: Json::of(found)? })
}

fn cleared(found: &FoundCaches, receipts: &[Receipt]) -> Result<Verdict<ClearedPaths>, BoxError> {
    let mut all = ClearedPaths { freed: 0, paths: Vec::new() };
    for receipt in receipts {
        if !receipt.ok() {
            return Ok(Verdict::failed(receipt.status.to_string()));
        }
        let one: ClearedPaths = receipt.output.parse()?;
        all.freed += one.freed;
        all.paths.extend(one.paths);
    }
    let line = |cache: &FoundCache| {
        let whose = cache.of.as_ref().map_or(String::new(), |manifest| format!(" (of {manifest})"));
        let message = format!("{}{whose} cleared: {}", cache.path, said::bytes(cache.bytes));
        Finding::new("cache-cleared", Severity::Note, message)
    };
    let findings: Vec<Finding> = found.caches.iter().map(line).collect();
    let evidence = Evidence::of("orchestrate").command("blocks of the removed files");
    let metrics = [Metric::new("caches.freed", all.freed as f64, "bytes", evidence)];
    let summary = format!("Caches cleared ({} freed)", said::bytes(all.freed));
    Ok(Verdict::Passed(Conclusion::new(summary, all).metrics(metrics).findings(findings)))
}
