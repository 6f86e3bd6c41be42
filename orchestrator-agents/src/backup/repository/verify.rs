//! `repository-verify`: a snapshot counts only when it was restored.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Metric};
use orchestrator_core::id::NameError;
use orchestrator_core::input::Input;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::Digest;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Place;
use crate::backup::ops::{RepositoryVerification, VerifyRepository, VerifyRepositoryInput};
use crate::said;

/// Reads a whole repository, restores one of its snapshots into a scratch folder and compares.
#[derive(Debug, Clone, Copy)]
pub struct RepositoryVerify;

/// Config of [`RepositoryVerify`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepositoryVerifyConfig {
    /// Where the repository lies, and where its password comes from.
    pub repository: Place,
    /// Id of the snapshot.
    pub snapshot: Input<String>,
    /// Digest of its manifest; any by default.
    #[serde(default)]
    pub manifest: Option<Input<Digest>>,
}

impl Agent for RepositoryVerify {
    const NAME: &'static str = "repository-verify";
    const ABOUT: &'static str =
        "Checks a repository of backups and restores a snapshot of it into a scratch folder.";
    type Config = RepositoryVerifyConfig;
    type Output = RepositoryVerification;

    async fn plan(
        &self,
        task: &Task<RepositoryVerifyConfig>,
        _: &Workspace,
    ) -> Result<Vec<Action>, BoxError> {
        let RepositoryVerifyConfig { repository, snapshot, manifest } = &task.config;
        let manifest = manifest.as_ref().map(Input::value).transpose()?.copied();
        let (repository, snapshot) = (repository.clone(), snapshot.value()?.clone());
        Ok(vec![VerifyRepository::action(&VerifyRepositoryInput { repository, snapshot, manifest })?])
    }

    fn conclude(
        &self,
        task: &Task<RepositoryVerifyConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<RepositoryVerification>, BoxError> {
        let verified: RepositoryVerification = match said::output(receipts)? {
            Ok(verified) => verified,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let place = task.config.repository.path();
        let tool =
            || Evidence::of("orchestrate").command(format!("restore {} of {place}", verified.snapshot));
        let metrics = [
            Metric::new("repository.restore_time", verified.restore_ms, "ms", tool()),
            Metric::new("repository.files_verified", verified.files as f64, "count", tool()),
        ];
        let (files, time) = (said::count(verified.files, "file"), said::duration(verified.restore_ms));
        let summary = format!("Repository `{place}` verified: {files} restored in {time}");
        Ok(Verdict::Passed(Conclusion::new(summary, verified).metrics(metrics)))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(VerifyRepository)?])
    }
}
