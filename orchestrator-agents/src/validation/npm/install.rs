//! `npm-install`: the packages that the scripts need, where they are not there yet.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Run};
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Manager, below};

/// Config of `npm-install`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NpmInstallConfig {
    /// Which package manager.
    pub manager: Manager,
    /// The folder of `package.json`, relative to the root.
    #[serde(skip_serializing_if = "RelPath::is_root")]
    pub cwd: RelPath,
}

/// What `npm-install` gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Installed {
    /// Whether it had to install anything.
    pub installed: bool,
}

/// Installs packages into `node_modules`, which git ignores, where there is none yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct NpmInstall;

impl Agent for NpmInstall {
    const NAME: &'static str = "npm-install";
    const ABOUT: &'static str = "Installs the packages of a package.json where node_modules is not there yet";
    type Config = NpmInstallConfig;
    type Output = Installed;

    async fn plan(&self, task: &Task<NpmInstallConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let NpmInstallConfig { manager, cwd } = &task.config;
        let manifest = below(cwd, "package.json");
        let text = look.read_text(&manifest)?.ok_or_else(|| format!("`{manifest}` does not exist"))?;
        let manifest: Value = serde_json::from_str(&text)
            .map_err(|error| format!("`{manifest}` could not be read: {error}"))?;
        let wanted = ["dependencies", "devDependencies", "optionalDependencies"].iter().any(|kind| {
            manifest.get(kind).and_then(Value::as_object).is_some_and(|packages| !packages.is_empty())
        });
        if !wanted || look.exists(&below(cwd, "node_modules")) {
            return Ok(Vec::new());
        }
        let program = manager.program();
        if look.tool_version(program).is_none() {
            return Err(format!("`{program}` is not installed: {}", manager.wants().install).into());
        }
        let locked = look.exists(&below(cwd, manager.lock_file()));
        let mut run = Run::new(Effect::Reads, manager.install(locked).iter().copied());
        run.cwd = cwd.clone();
        Ok(vec![run.into()])
    }

    fn conclude(
        &self,
        task: &Task<NpmInstallConfig>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<Installed>, BoxError> {
        let program = task.config.manager.program();
        Ok(match receipts.first() {
            None => Verdict::passed("nothing to install", Installed { installed: false }),
            Some(receipt) if receipt.ok() => {
                Verdict::passed("packages installed", Installed { installed: true })
            }
            Some(receipt) => {
                Verdict::failed(format!("{program} could not install the packages: {}", receipt.status))
            }
        })
    }
}
