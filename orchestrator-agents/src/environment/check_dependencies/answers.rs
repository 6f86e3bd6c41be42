//! What the commands of the check say.

use std::collections::BTreeMap;

use orchestrator_core::BoxError;
use orchestrator_core::evidence::Metric;
use serde::Deserialize;

use super::{CheckDependenciesConfig, DependenciesSeen};
use crate::environment::manager::Manager;
use crate::environment::npm;
use crate::environment::probe::Answers;
use crate::validation::ran::Ran;

/// What is known of the dependencies.
pub(super) enum Synced {
    /// What is wrong with them; nothing where all is well.
    Known(Vec<String>, Metric),
    /// The check did not come to an answer.
    Unknown(String),
    /// There is no check.
    NotRun(String),
}

pub(super) fn read(
    config: &CheckDependenciesConfig,
    seen: &DependenciesSeen,
    answers: &Answers<'_>,
) -> Result<Synced, BoxError> {
    let manager = config.manager;
    Ok(match manager {
        Manager::Cargo => Synced::NotRun("cargo fetches dependencies when it builds".into()),
        Manager::Poetry => Synced::NotRun("poetry has no check of what is installed".into()),
        Manager::Pnpm | Manager::Yarn => marked(manager, &answers.ran(0, "sh")?),
        Manager::Pip if seen.local => Synced::NotRun(
            "the requirements name folders, which pip cannot compare without building them".into(),
        ),
        Manager::Uv => {
            let ran = answers.ran(0, "uv sync")?;
            match ran.code() {
                Some(0) => known(Vec::new(), &ran),
                // 2 is for what it was asked.
                Some(1) => known(vec![ran.why()], &ran),
                _ => Synced::Unknown(ran.why()),
            }
        }
        Manager::Npm => {
            let ran = answers.ran(0, "npm ls")?;
            match npm::problems(&ran) {
                // What is too much keeps nothing from working.
                Ok(mut problems) => {
                    problems.retain(|problem| !problem.starts_with("extraneous:"));
                    known(problems, &ran)
                }
                Err(why) => Synced::Unknown(why),
            }
        }
        Manager::Composer => composer(&answers.ran(0, "composer show")?, &answers.ran(1, "composer show")?),
        Manager::Pip => pip(&answers.ran(0, "pip install")?, &answers.ran(1, "pip check")?),
    })
}

fn known(problems: Vec<String>, ran: &Ran<'_>) -> Synced {
    let metric = ran.metric("dependencies.problems", problems.len() as u64);
    Synced::Known(problems, metric)
}

/// Managers without a check: whether they have installed anything is all that is seen.
fn marked(manager: Manager, ran: &Ran<'_>) -> Synced {
    match ran.code() {
        Some(0) => Synced::NotRun(format!(
            "packages are installed; {manager} has no check whether they are those of the lockfile"
        )),
        Some(1) => known(vec![format!("{manager} has installed nothing yet")], ran),
        _ => Synced::Unknown(ran.why()),
    }
}

/// Format: <https://pip.pypa.io/en/stable/reference/installation-report>.
#[derive(Deserialize)]
struct Report {
    install: Vec<Install>,
}

#[derive(Deserialize)]
struct Install {
    metadata: Metadata,
}

impl Install {
    fn missing(self) -> String {
        format!("{} {} is not installed", self.metadata.name, self.metadata.version)
    }
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

/// `pip install --dry-run` fails where something is missing, since it has no index; `pip check` where versions do not fit.
fn pip(install: &Ran<'_>, check: &Ran<'_>) -> Synced {
    let mut problems = match (install.code(), serde_json::from_str::<Report>(&install.stdout)) {
        (Some(0), Ok(report)) => report.install.into_iter().map(Install::missing).collect(),
        // What is not there cannot be found without an index. 2 is for what pip was asked, such as a flag it does not know.
        (Some(1), _) => vec![install.why()],
        _ => return Synced::Unknown(install.why()),
    };
    if !check.ok() {
        problems.extend(
            check.stdout.lines().filter(|line| !line.trim().is_empty()).map(crate::validation::text::line),
        );
    }
    known(problems, install)
}

/// `composer show --format=json`: under `installed` what is in `vendor`, under `locked` what is to be.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Shown {
    installed: Vec<Package>,
    locked: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

fn composer(locked: &Ran<'_>, installed: &Ran<'_>) -> Synced {
    // Where there is no package, it prints an empty list.
    let shown = |ran: &Ran<'_>| match ran.stdout.trim() {
        "" | "[]" if ran.ok() => Some(Shown::default()),
        text => serde_json::from_str::<Shown>(text).ok(),
    };
    let (Some(wanted), Some(there)) = (shown(locked), shown(installed)) else {
        return Synced::Unknown(if locked.ok() { installed.why() } else { locked.why() });
    };
    let there: BTreeMap<_, _> =
        there.installed.into_iter().map(|package| (package.name, package.version)).collect();
    let problems = wanted.locked.into_iter().filter_map(|Package { name, version }| match there.get(&name) {
        Some(found) if *found == version => None,
        Some(found) => Some(format!("{name} {version} is wanted, {found} is installed")),
        None => Some(format!("{name} {version} is not installed")),
    });
    known(problems.collect(), installed)
}
