//! `check-lockfile`: does the lockfile say what the manifest asks for?

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Conclusion, Dependencies};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::manager::{Manager, below};
use super::npm;
use super::probe::{Answers, Probe, looks};
use super::remedy::Found;
use crate::validation::ran::Ran;

/// Checks a lockfile against its manifest by the tool's own check. Changes neither, and knows no remedy: what is locked is
/// the user's decision.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckLockfile;

/// Config of `check-lockfile`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckLockfileConfig {
    /// Whose lockfile.
    pub manager: Manager,
    /// The folder of the manifest, relative to the root.
    #[serde(default, skip_serializing_if = "RelPath::is_root")]
    pub cwd: RelPath,
    /// Fail where there is no lockfile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_lockfile: bool,
}

/// What `check-lockfile` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LockfileChecked {
    /// The lockfile that is in sync.
    pub lockfile: RelPath,
}

/// Whether the lockfile is there.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct LockSeen {
    there: bool,
}

impl CheckLockfileConfig {
    /// The tool's own check. None of them changes the manifest, the lockfile or what is installed.
    fn check(&self) -> Option<&'static [&'static str]> {
        match self.manager {
            // Exit code 1 where it would have to change.
            Manager::Uv => Some(&["uv", "lock", "--check"]),
            Manager::Poetry => Some(&["poetry", "check", "--lock", "--no-interaction"]),
            // Not `npm ci --dry-run`: earlier versions of npm remove `node_modules` all the same.
            Manager::Npm => Some(&["npm", "ls", "--json", "--package-lock-only"]),
            Manager::Pnpm => {
                Some(&["pnpm", "install", "--frozen-lockfile", "--lockfile-only", "--ignore-scripts"])
            }
            // Prints nothing, and goes to the network only for crates that were never fetched. `cargo metadata` prints
            // megabytes, and with `--offline` both fail where a crate is not there, in sync or not, with the same code.
            Manager::Cargo => Some(&["cargo", "fetch", "--locked", "--quiet"]),
            Manager::Composer => Some(&[
                "composer",
                "validate",
                "--no-check-publish",
                "--no-check-version",
                "--no-interaction",
                "--no-ansi",
            ]),
            // Every install of Yarn changes `node_modules`, and pip has no lockfile.
            Manager::Yarn | Manager::Pip => None,
        }
    }

    fn lockfile(&self) -> Option<RelPath> {
        self.manager.lockfile().map(|name| below(&self.cwd, name))
    }
}

impl Probe for CheckLockfile {
    const NAME: &'static str = "check-lockfile";
    const ABOUT: &'static str = "Checks that a lockfile is in sync with its manifest; changes neither";
    type Config = CheckLockfileConfig;
    type Output = LockfileChecked;
    type Seen = LockSeen;

    fn depends_on(&self, config: &CheckLockfileConfig) -> Option<Dependencies> {
        Some(config.manager.locked(&config.cwd))
    }

    fn see(&self, config: &CheckLockfileConfig, look: &Workspace) -> Result<LockSeen, BoxError> {
        Ok(LockSeen { there: config.lockfile().is_some_and(|lockfile| look.exists(&lockfile)) })
    }

    fn actions(&self, config: &CheckLockfileConfig, seen: &LockSeen) -> Result<Vec<Action>, BoxError> {
        let check = config.check().filter(|_| seen.there);
        Ok(check.into_iter().map(|check| looks(check.iter().copied(), &config.cwd)).collect())
    }

    fn read(
        &self,
        config: &CheckLockfileConfig,
        seen: &LockSeen,
        answers: &Answers<'_>,
    ) -> Result<Found<LockfileChecked>, BoxError> {
        let CheckLockfileConfig { manager, cwd: _, require_lockfile } = config;
        let Some(lockfile) = config.lockfile() else { return Ok(not_run("pip has no lockfile".into())) };
        if !seen.there {
            let message = format!("`{lockfile}` does not exist: `{}` makes one", manager.locks());
            if *require_lockfile {
                let finding = Finding::new("no-lockfile", Severity::Error, message.clone());
                return Ok(Found::bad(message, [finding]));
            }
            return Ok(not_run(message));
        }
        if config.check().is_none() {
            return Ok(not_run(format!("{manager} has no check of `{lockfile}` that changes nothing")));
        }
        let ran = answers.ran(0, manager.program())?;
        let problems = match manager {
            Manager::Npm => match npm::problems(&ran) {
                Ok(problems) => problems,
                Err(why) => return Ok(unknown(&lockfile, &why)),
            },
            _ if ran.ok() => Vec::new(),
            _ if says_out_of_sync(*manager, &ran) => vec![ran.why()],
            _ => return Ok(unknown(&lockfile, &ran.why())),
        };
        let metric = ran.metric("lockfile.problems", problems.len() as u64);
        if problems.is_empty() {
            let summary = format!("`{lockfile}` is in sync");
            return Ok(Found::Good(Conclusion::new(summary, LockfileChecked { lockfile }).metrics([metric])));
        }
        let findings = problems
            .iter()
            .take(super::MOST)
            .map(|problem| Finding::new("lockfile", Severity::Error, problem).at(lockfile.as_str(), None));
        let summary =
            format!("`{lockfile}` is not in sync with its manifest: `{}` changes it", manager.locks());
        Ok(Found::Bad(Conclusion::new(summary, ()).findings(findings).metrics([metric]), None))
    }
}

/// Whether the exit code is the one for a lockfile that would have to change.
fn says_out_of_sync(manager: Manager, ran: &Ran<'_>) -> bool {
    match manager {
        // For Cargo the same as for all its errors; the finding has its words.
        Manager::Cargo => ran.code() == Some(101),
        // 1 for warnings, 2 for errors, 3 for a file that cannot be read.
        Manager::Composer => ran.code() == Some(2),
        _ => ran.code() == Some(1),
    }
}

fn unknown<O>(lockfile: &RelPath, why: &str) -> Found<O> {
    let message = format!("whether `{lockfile}` is in sync is not known: {why}");
    Found::bad(&message, [Finding::new("lockfile", Severity::Error, message.clone())])
}

/// What did not run has not passed: no output, and the reason.
pub(super) fn not_run<O>(why: String) -> Found<O> {
    let finding = Finding::new(super::NOT_RUN, Severity::Warning, why.clone());
    let summary = format!("not run: {why}");
    Found::Good(Conclusion { output: None, summary, metrics: Vec::new(), findings: vec![finding] })
}
