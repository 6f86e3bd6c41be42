//! `check-dependencies`: is what the lockfile or the manifest names installed?

mod answers;
mod plan;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Conclusion, Dependencies};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::path::RelPath;
use orchestrator_core::settings::Remedies;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_lockfile::not_run;
use super::manager::Manager;
use super::probe::{Answers, Probe};
use super::remedy::Found;
use answers::Synced;

/// Checks that dependencies are installed, and installs what the lockfile says where they are not.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckDependencies;

/// Config of `check-dependencies`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckDependenciesConfig {
    /// Who installs them.
    pub manager: Manager,
    /// The folder of the manifest, relative to the root.
    #[serde(default, skip_serializing_if = "RelPath::is_root")]
    pub cwd: RelPath,
    /// For pip: the interpreter of the virtual environment, relative to `cwd`.
    #[serde(default = "python", skip_serializing_if = "is_default_python")]
    pub python: String,
    /// For pip: the requirements, relative to `cwd`.
    #[serde(default = "requirements", skip_serializing_if = "is_default_requirements")]
    pub requirements: Vec<RelPath>,
    /// What happens when they are not: they are installed as locked, a person is asked, or nothing.
    #[serde(default)]
    pub remedy: Remedies,
}

fn python() -> String {
    ".venv/bin/python".into()
}

fn requirements() -> Vec<RelPath> {
    RelPath::new("requirements.txt").into_iter().collect()
}

fn is_default_python(text: &str) -> bool {
    text == python()
}

fn is_default_requirements(list: &[RelPath]) -> bool {
    list == requirements()
}

impl CheckDependenciesConfig {
    /// The dependencies of a folder.
    pub fn new(manager: Manager, cwd: RelPath) -> Self {
        let (python, requirements) = (python(), requirements());
        Self { manager, cwd, python, requirements, remedy: Remedies::Auto }
    }
}

/// What `check-dependencies` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DependenciesChecked {
    /// Who installed them.
    pub manager: Manager,
}

/// What was there before anything was done.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct DependenciesSeen {
    /// The lockfile is there.
    locked: bool,
    /// Requirements name folders, which pip cannot compare without building them.
    local: bool,
}

impl Probe for CheckDependencies {
    const NAME: &'static str = "check-dependencies";
    const ABOUT: &'static str =
        "Checks that dependencies are installed; installs what is locked where they are not";
    type Config = CheckDependenciesConfig;
    type Output = DependenciesChecked;
    type Seen = DependenciesSeen;

    fn remedies(&self, config: &CheckDependenciesConfig) -> Remedies {
        config.remedy
    }

    fn depends_on(&self, config: &CheckDependenciesConfig) -> Option<Dependencies> {
        Some(config.manager.synced(&config.cwd))
    }

    fn see(&self, config: &CheckDependenciesConfig, look: &Workspace) -> Result<DependenciesSeen, BoxError> {
        plan::see(config, look)
    }

    fn actions(
        &self,
        config: &CheckDependenciesConfig,
        seen: &DependenciesSeen,
    ) -> Result<Vec<Action>, BoxError> {
        Ok(plan::check(config, seen))
    }

    fn read(
        &self,
        config: &CheckDependenciesConfig,
        seen: &DependenciesSeen,
        answers: &Answers<'_>,
    ) -> Result<Found<DependenciesChecked>, BoxError> {
        let manager = config.manager;
        let (problems, metric) = match answers::read(config, seen, answers)? {
            Synced::Known(problems, metric) => (problems, metric),
            Synced::Unknown(why) => {
                let message = format!("whether the dependencies are installed is not known: {why}");
                return Ok(Found::bad(
                    &message,
                    [Finding::new("dependencies", Severity::Error, message.clone())],
                ));
            }
            Synced::NotRun(why) => return Ok(not_run(why)),
        };
        if problems.is_empty() {
            let conclusion = Conclusion::new("dependencies are installed", DependenciesChecked { manager });
            return Ok(Found::Good(conclusion.metrics([metric])));
        }
        let finding = |problem: &String| Finding::new("dependencies", Severity::Error, problem);
        let findings: Vec<Finding> = problems.iter().take(super::MOST).map(finding).collect();
        let summary = format!("dependencies are not installed as {manager} wants them");
        let conclusion = Conclusion::new(summary, ()).findings(findings).metrics([metric]);
        Ok(Found::Bad(conclusion, plan::remedy(config, seen)))
    }
}
