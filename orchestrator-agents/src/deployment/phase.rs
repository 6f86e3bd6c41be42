//! The phase `deployment`: staging, then production.

use std::collections::BTreeMap;

use orchestrator_core::BoxError;
use orchestrator_core::action::EnvValue;
use orchestrator_core::id::{AgentName, PhaseName, TaskId};
use orchestrator_core::input::{Input, Reference};
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::pipeline::TaskSpec;
use orchestrator_core::project::{Found, Project, Stack};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::analysis::WatchConfig;
use super::deploy::{check_load, ten_seconds, thirty_seconds};
use super::load::LoadConfig;
use super::migrations::Migrations;
use super::ops::keep;
use super::{
    Deploy, DeployConfig, Environment, Health, LogWatch, Patience, ProxyConfig, Seconds, SmokeTest,
    TargetConfig, Version,
};
use crate::backup::{Backup, BackupConfig, VerifyBackup, VerifyBackupConfig};

/// Drafts a deployment to staging, then one to production, each where the settings say so.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeploymentPhase;

/// The phase's `with:`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseConfig {
    /// Name of the binary of a Cargo project: built, and taken from where Cargo says that it put it.
    #[serde(default)]
    pub binary: Option<String>,
    /// The executable, where it is built elsewhere.
    #[serde(default)]
    pub artifact: Option<Input<String>>,
    /// Which version; that of the manifest by default.
    #[serde(default)]
    pub version: Option<Input<Version>>,
    /// See [`DeployConfig::argv`].
    #[serde(default)]
    pub argv: Vec<String>,
    /// See [`DeployConfig::env`].
    #[serde(default)]
    pub env: BTreeMap<String, EnvValue>,
    /// See [`DeployConfig::health`].
    #[serde(default)]
    pub health: Health,
    /// See [`DeployConfig::smoke`].
    #[serde(default)]
    pub smoke: Vec<SmokeTest>,
    /// See [`DeployConfig::start_timeout`].
    #[serde(default = "thirty_seconds")]
    pub start_timeout: Seconds,
    /// See [`DeployConfig::grace`].
    #[serde(default = "ten_seconds")]
    pub grace: Seconds,
    /// See [`DeployConfig::target`].
    #[serde(default)]
    pub target: TargetConfig,
    /// See [`DeployConfig::proxy`]; where both environments have one, each needs an address of its own.
    #[serde(default)]
    pub proxy: Option<ProxyConfig>,
    /// See [`DeployConfig::watch`].
    #[serde(default)]
    pub watch: Option<WatchConfig>,
    /// See [`DeployConfig::load`].
    #[serde(default)]
    pub load: Option<LoadConfig>,
    /// See [`DeployConfig::log_watch`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_watch: Option<LogWatch>,
    /// See [`DeployConfig::migrations`].
    #[serde(default)]
    pub migrations: Option<Migrations>,
    /// See [`DeployConfig::wait`].
    #[serde(default)]
    pub wait: Option<Patience>,
    /// See [`DeployConfig::keep`].
    #[serde(default = "keep")]
    pub keep: u32,
    /// Whether a person is asked before production gets the version.
    #[serde(default)]
    pub approve: bool,
    /// The backup before production: `true`, the default, where no phase of the run makes one; `false`; or what it backs up.
    #[serde(default)]
    pub backup: BackupChoice,
    /// What is different in staging.
    #[serde(default)]
    pub staging: Overrides,
    /// What is different in production.
    #[serde(default)]
    pub production: Overrides,
}

/// What is different in one environment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// Instead of the phase's.
    pub argv: Option<Vec<String>>,
    /// Added to the phase's.
    pub env: BTreeMap<String, EnvValue>,
    /// Its port; picked by default.
    pub port: u16,
    /// Instead of the phase's.
    pub health: Option<Health>,
    /// Instead of the phase's.
    pub smoke: Option<Vec<SmokeTest>>,
    /// Instead of the phase's.
    pub target: Option<TargetConfig>,
    /// Instead of the phase's.
    pub proxy: Option<ProxyConfig>,
    /// Instead of the phase's.
    pub watch: Option<WatchConfig>,
    /// Instead of the phase's.
    pub load: Option<LoadConfig>,
}

/// Whether, and what, is backed up before production.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BackupChoice {
    /// Whether; everything by default.
    Whether(bool),
    /// What: as the agent `backup` takes it.
    What(BackupBefore),
}

impl Default for BackupChoice {
    fn default() -> Self {
        Self::Whether(true)
    }
}

/// What is backed up before production.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct BackupBefore(pub serde_json::Map<String, serde_json::Value>);

impl Phase for DeploymentPhase {
    fn name(&self) -> PhaseName {
        PhaseName::new("deployment").expect("a valid name")
    }

    fn title(&self) -> &'static str {
        "DEPLOYMENT"
    }

    fn draft(&self, project: &Project, draft: &mut Draft<'_>) -> Result<(), BoxError> {
        let with: PhaseConfig = draft.with()?;
        let settings = draft.settings();
        let shadow = settings.shadow;
        let chosen = [("staging", settings.deploy_to_staging), ("production", settings.deploy_to_production)];
        let targets: Vec<&str> = chosen.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        for (name, _) in chosen.iter().filter(|(_, on)| !on) {
            draft.note(format!("{name} is left out: `deploy_to_{name}` is off"));
        }
        if targets.is_empty() {
            return Ok(());
        }
        let Some(Source { artifact, build }) = source(project, &with, draft)? else { return Ok(()) };
        let version = version(project, &with)?;
        // Cargo's target folder may be anywhere.
        let builds = build.is_some();
        let mut before: Vec<TaskId> = build.into_iter().collect();
        let mut listens = Vec::new();
        for name in targets {
            let mut config = config(&with, name, artifact.clone(), version.clone())?;
            config.outside = builds;
            if let Some(watch) = config.watch.as_mut().filter(|_| shadow) {
                watch.shadow = true;
                draft.note(format!("the watch of {name} only tells: `shadow` is on"));
            }
            check_load(&config).map_err(|error| format!("{name}: {error}"))?;
            listens.extend(config.proxy.as_ref().map(|proxy| (proxy.listen, config.target.clone())));
            if name == "production" {
                before.extend(backup(&with, &before, draft)?);
            }
            let id = format!("deploy-{name}");
            let task =
                TaskSpec::of::<Deploy>(&id, &config)?.needs(before).describe(format!("Deploys to {name}"));
            before = vec![task.id.clone()];
            draft.task(name, task)?;
        }
        if let [(one, here), (other, there)] = listens.as_slice()
            && one == other
            && here.shares_addresses(there)
        {
            return Err(format!("`with.proxy.listen`: staging and production cannot both listen on {one}; say `staging: {{proxy: ..}}`").into());
        }
        Ok(())
    }
}

/// What is deployed.
struct Source {
    artifact: Input<String>,
    /// The task that builds it, where the phase drafts one.
    build: Option<TaskId>,
}

/// What is deployed; none where it is not said: then a note says what to add.
fn source(project: &Project, with: &PhaseConfig, draft: &mut Draft<'_>) -> Result<Option<Source>, BoxError> {
    match (&with.artifact, &with.binary, cargo(project)) {
        // The project's own commands may need no file.
        (None, None, _) if with.target.needs_no_artifact() => {
            Ok(Some(Source { artifact: Input::Given(String::new()), build: None }))
        }
        (Some(artifact), _, _) => Ok(Some(Source { artifact: artifact.clone(), build: None })),
        (None, Some(binary), Some(_)) => {
            let build = build(binary, draft)?;
            let artifact = Input::From(Reference::parse(&format!("{build}/programs/{binary}"))?);
            Ok(Some(Source { artifact, build: Some(build) }))
        }
        (None, Some(binary), None) => {
            draft.note(format!(
                "nothing is deployed: `binary: {binary}` needs a Cargo project; name an `artifact` instead"
            ));
            Ok(None)
        }
        (None, None, cargo) => {
            let hint = if cargo.is_some() { "`binary: NAME` (built with Cargo) or " } else { "" };
            draft.note(format!(
                "nothing is deployed: say what under `with:`, {hint}`artifact: PATH` of an executable"
            ));
            Ok(None)
        }
    }
}

fn cargo(project: &Project) -> Option<&Found> {
    project.stacks.iter().find(|found| found.stack == Stack::Cargo)
}

fn build(binary: &str, draft: &mut Draft<'_>) -> Result<TaskId, BoxError> {
    let id = TaskId::new("build-release")?;
    let task = TaskSpec::new(id.clone(), AgentName::new("cargo-build")?, json!({ "profile": "release" }));
    draft.task("build", task.describe(format!("Builds {binary} as it is deployed")))?;
    Ok(id)
}

/// A backup and its proof before production, unless the run makes one anyway.
fn backup(with: &PhaseConfig, before: &[TaskId], draft: &mut Draft<'_>) -> Result<Vec<TaskId>, BoxError> {
    let config: BackupConfig = match &with.backup {
        BackupChoice::Whether(false) => {
            draft.note("no backup is made before production: `backup: false`");
            return Ok(Vec::new());
        }
        BackupChoice::Whether(true) if draft.is_run("restart_backup") => return Ok(Vec::new()),
        BackupChoice::Whether(true) => serde_json::from_value(json!({}))?,
        BackupChoice::What(BackupBefore(what)) => {
            serde_json::from_value(what.clone().into()).map_err(|error| format!("`with.backup`: {error}"))?
        }
    };
    let backup = TaskSpec::of::<Backup>("backup-production", &config)?
        .needs(before.iter().cloned())
        .describe("Backs up before production is deployed to");
    let verify =
        VerifyBackupConfig { snapshot: backup.output("snapshot"), manifest: Some(backup.output("manifest")) };
    let verify = TaskSpec::of::<VerifyBackup>("verify-backup-production", &verify)?
        .describe("Restores that backup into a scratch folder and compares");
    let id = verify.id.clone();
    draft.task("production", backup)?;
    draft.task("production", verify)?;
    Ok(vec![id])
}

fn version(project: &Project, with: &PhaseConfig) -> Result<Input<Version>, BoxError> {
    if let Some(version) = &with.version {
        return Ok(version.clone());
    }
    let built = with.binary.as_ref().and_then(|_| cargo(project));
    let found = built.or_else(|| project.stack()).and_then(|found| found.version.as_deref());
    let version = found.ok_or("`with.version` is missing, and no manifest names a version")?;
    Ok(Input::Given(Version::new(version)?))
}

fn config(
    with: &PhaseConfig,
    environment: &str,
    artifact: Input<String>,
    version: Input<Version>,
) -> Result<DeployConfig, BoxError> {
    let Overrides { argv, env, port, health, smoke, target, proxy, watch, load } =
        if environment == "staging" { with.staging.clone() } else { with.production.clone() };
    let mut all = with.env.clone();
    all.extend(env);
    Ok(DeployConfig {
        environment: Environment::new(environment)?,
        version,
        artifact,
        outside: false,
        argv: argv.unwrap_or_else(|| with.argv.clone()),
        env: all,
        port,
        health: health.unwrap_or_else(|| with.health.clone()),
        smoke: smoke.unwrap_or_else(|| with.smoke.clone()),
        start_timeout: with.start_timeout,
        grace: with.grace,
        target: target.unwrap_or_else(|| with.target.clone()),
        proxy: proxy.or_else(|| with.proxy.clone()),
        watch: watch.or_else(|| with.watch.clone()),
        load: load.or_else(|| with.load.clone()),
        log_watch: with.log_watch.clone(),
        migrations: with.migrations.clone(),
        approve: with.approve && environment == "production",
        wait: with.wait,
        keep: with.keep,
    })
}
