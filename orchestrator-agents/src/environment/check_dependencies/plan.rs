//! What is looked at, which commands check, and which install.

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::workspace::Workspace;

use super::{CheckDependenciesConfig, DependenciesSeen};
use crate::environment::manager::{Manager, below};
use crate::environment::probe::{looks, mends};
use crate::environment::remedy::Remedy;
use crate::validation::npm::Manager as Npm;

pub(super) fn see(config: &CheckDependenciesConfig, look: &Workspace) -> Result<DependenciesSeen, BoxError> {
    let has = |name: &str| look.exists(&below(&config.cwd, name));
    let mut seen = DependenciesSeen { locked: config.manager.lockfile().is_some_and(has), local: false };
    if config.manager == Manager::Pip {
        for requirements in &config.requirements {
            let path = below(&config.cwd, requirements.as_str());
            let text = look.read_text(&path)?.ok_or_else(|| format!("`{path}` does not exist"))?;
            seen.local |= text.lines().any(is_local);
        }
    }
    Ok(seen)
}

/// What managers leave behind that have no check of their own.
fn marks(manager: Manager) -> &'static [&'static str] {
    match manager {
        Manager::Pnpm => &["node_modules/.modules.yaml"],
        Manager::Yarn => &["node_modules/.yarn-integrity", "node_modules/.yarn-state.yml", ".pnp.cjs"],
        _ => &[],
    }
}

/// A requirement that is a folder or a file: `-e .`, `./package`, `name @ file:///x`.
fn is_local(line: &str) -> bool {
    let line = line.trim();
    let starts = ["-e", "--editable", ".", "/"].iter().any(|start| line.starts_with(start));
    starts || line.contains("file:")
}

/// The commands of the check; none where there is nothing to ask.
pub(super) fn check(config: &CheckDependenciesConfig, seen: &DependenciesSeen) -> Vec<Action> {
    let CheckDependenciesConfig { manager, cwd, python, requirements, remedy: _ } = config;
    let one = |argv: &[&str]| vec![looks(argv.iter().copied(), cwd)];
    match manager {
        // Inexact: what was installed on top, such as extras, is nobody's fault.
        Manager::Uv => one(&["uv", "sync", "--locked", "--inexact", "--check"]),
        Manager::Npm => one(&["npm", "ls", "--json", "--all"]),
        Manager::Composer => vec![
            looks(["composer", "show", "--locked", "--format=json", "--no-interaction", "--no-ansi"], cwd),
            looks(["composer", "show", "--format=json", "--no-interaction", "--no-ansi"], cwd),
        ],
        Manager::Pip if !seen.local => {
            // Without an index it finds only what is installed, and installs nothing.
            let pip = [python, "-I", "-m", "pip", "--disable-pip-version-check"];
            let install = ["install", "--dry-run", "--no-index", "--quiet", "--report", "-"];
            let files = requirements.iter().flat_map(|file| ["-r", file.as_str()]);
            vec![
                looks(pip.into_iter().chain(install).chain(files), cwd),
                looks(pip.into_iter().chain(["check"]), cwd),
            ]
        }
        Manager::Pnpm | Manager::Yarn => {
            let one_of = "for mark; do test -e \"$mark\" && exit 0; done; exit 1";
            vec![looks(["sh", "-c", one_of, "sh"].iter().chain(marks(*manager)).copied(), cwd)]
        }
        Manager::Pip | Manager::Poetry | Manager::Cargo => Vec::new(),
    }
}

/// Installs what is locked; never changes a lockfile.
pub(super) fn remedy(config: &CheckDependenciesConfig, seen: &DependenciesSeen) -> Option<Remedy> {
    let CheckDependenciesConfig { manager, cwd, python, requirements, remedy: _ } = config;
    let argv: Vec<&str> = match manager {
        Manager::Uv => vec!["uv", "sync", "--locked", "--inexact"],
        Manager::Npm => Npm::Npm.install(seen.locked).to_vec(),
        Manager::Pnpm => Npm::Pnpm.install(seen.locked).to_vec(),
        Manager::Yarn => Npm::Yarn.install(seen.locked).to_vec(),
        Manager::Composer => vec!["composer", "install", "--no-interaction", "--no-progress", "--no-ansi"],
        Manager::Pip => {
            let pip =
                [python.as_str(), "-I", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"];
            pip.into_iter().chain(requirements.iter().flat_map(|file| ["-r", file.as_str()])).collect()
        }
        Manager::Poetry | Manager::Cargo => return None,
    };
    Some(Remedy::new("install the dependencies", "the dependencies were installed", vec![mends(argv, cwd)]))
}
