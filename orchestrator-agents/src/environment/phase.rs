//! The phase ENVIRONMENT: for each stack, whether this machine has what it takes.

use std::collections::BTreeMap;

use orchestrator_core::BoxError;
use orchestrator_core::id::{PhaseName, TaskId};
use orchestrator_core::path::RelPath;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::pipeline::{Kind, TaskSpec};
use orchestrator_core::project::{Found, Project, Stack};
use orchestrator_core::settings::Remedies;
use serde::Deserialize;

use super::{
    CheckDependencies, CheckDependenciesConfig, CheckLockfile, CheckLockfileConfig, CheckPlatform,
    CheckPlatformConfig, CheckTool, CheckToolConfig, CheckVenv, CheckVenvConfig, Manager, Probing, Version,
};

/// The phase ENVIRONMENT. Not among the standard ones: a pipeline says `use: environment`, `orchestrate doctor` always.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment;

/// What `with` may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct With {
    /// Programs besides those of the stacks, or the oldest versions of any that will do.
    tools: BTreeMap<String, Wanted>,
    /// A stack without a lockfile fails.
    require_lockfile: bool,
}

/// What is wanted of a program: `"3.11"`, or more.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Wanted {
    Minimum(Version),
    More(More),
}

/// More that is wanted of a program.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct More {
    minimum: Option<Version>,
    requires: Option<String>,
    install: Option<String>,
}

impl Phase for Environment {
    fn name(&self) -> PhaseName {
        PhaseName::new("environment").expect("a valid name")
    }

    fn title(&self) -> &'static str {
        "ENVIRONMENT"
    }

    fn draft(&self, project: &Project, draft: &mut Draft<'_>) -> Result<(), BoxError> {
        let with: With = draft.with()?;
        let remedies = draft.settings().remedies;
        let mut drafting = Drafting { with: &with, remedies, tools: Vec::new(), draft };
        if project.git.is_some() {
            drafting.tool("git", None)?;
        }
        for found in &project.stacks {
            drafting.stack(found, project)?;
        }
        for tool in with.tools.keys() {
            drafting.tool(tool, None)?;
        }
        let config = CheckPlatformConfig { remedy: remedies };
        drafting.add("platform", TaskSpec::of::<Probing<CheckPlatform>>("check-platform", &config)?)
    }
}

/// Checks on their way into the draft.
struct Drafting<'a, 'd> {
    with: &'a With,
    remedies: Remedies,
    /// The programs that are checked already: name, range, task.
    tools: Vec<(String, Option<String>, TaskId)>,
    draft: &'a mut Draft<'d>,
}

impl Drafting<'_, '_> {
    fn stack(&mut self, found: &Found, project: &Project) -> Result<(), BoxError> {
        let several = project.stacks.iter().filter(|other| other.folder == found.folder).count() > 1;
        let uses = |tool: &str| found.tools.iter().any(|used| used == tool);
        let name = match found.stack {
            Stack::Cargo => "cargo",
            Stack::Npm => "npm",
            Stack::Python => "python",
            Stack::Php => "php",
            Stack::Go => "go",
        };
        let place = Place { found, stack: name, several };
        match found.stack {
            Stack::Cargo => {
                self.tool("rustc", Some(found))?;
                let cargo = self.tool("cargo", Some(found))?;
                self.lockfile(&place, Manager::Cargo, cargo).map(drop)
            }
            Stack::Go => self.tool("go", Some(found)).map(drop),
            Stack::Php => {
                self.tool("php", Some(found))?;
                let composer = self.tool("composer", Some(found))?;
                self.locked(&place, Manager::Composer, composer)
            }
            Stack::Npm => {
                let manager = match () {
                    () if uses("pnpm") => Manager::Pnpm,
                    () if uses("yarn") => Manager::Yarn,
                    () if uses("bun") => {
                        self.draft.note(format!(
                            "{}: bun is not known: its packages are not checked",
                            found.manifest
                        ));
                        return self.tool("bun", Some(found)).map(drop);
                    }
                    () => Manager::Npm,
                };
                self.tool("node", Some(found))?;
                let program = self.tool(manager.program(), Some(found))?;
                self.locked(&place, manager, program)
            }
            Stack::Python if uses("uv") => {
                // The interpreter is uv's to find or to install.
                let uv = self.tool("uv", Some(found))?;
                let lockfile = self.lockfile(&place, Manager::Uv, uv.clone())?;
                let make = ["uv", "venv"].map(str::to_owned).into();
                let venv = self.venv(&place, ".venv", make, uv)?;
                self.dependencies(
                    &place,
                    CheckDependenciesConfig::new(Manager::Uv, found.folder.clone()),
                    [lockfile, venv],
                )
            }
            Stack::Python if uses("poetry") => {
                self.tool("python", Some(found))?;
                let poetry = self.tool("poetry", Some(found))?;
                self.locked(&place, Manager::Poetry, poetry)
            }
            Stack::Python => self.python(&place),
        }
    }

    /// Python without a manager: what its virtual environment and `requirements.txt` say.
    fn python(&mut self, place: &Place<'_>) -> Result<(), BoxError> {
        let found = place.found;
        let python = self.tool("python", Some(found))?;
        let requirements = found.manifest.as_str().ends_with("requirements.txt");
        let own = found.tools.iter().find_map(|tool| {
            let (folder, rest) = tool.split_once('/')?;
            matches!(rest, "pyvenv.cfg" | "bin/python3").then_some(folder)
        });
        let Some(path) = own.or(requirements.then_some(".venv")) else {
            self.draft.note(format!(
                "{}: there is no virtual environment, and nothing that asks for one",
                found.manifest
            ));
            return Ok(());
        };
        let venv = self.venv(place, path, CheckVenvConfig::default().make, python)?;
        if !requirements {
            self.draft.note(format!(
                "{}: there is no `requirements.txt`: dependencies are not checked",
                found.manifest
            ));
            return Ok(());
        }
        let mut config = CheckDependenciesConfig::new(Manager::Pip, found.folder.clone());
        config.python = format!("{path}/bin/python");
        self.dependencies(place, config, [venv])
    }

    /// A lockfile, and what is installed from it.
    fn locked(&mut self, place: &Place<'_>, manager: Manager, program: TaskId) -> Result<(), BoxError> {
        let lockfile = self.lockfile(place, manager, program)?;
        let config = CheckDependenciesConfig::new(manager, place.found.folder.clone());
        self.dependencies(place, config, [lockfile])
    }

    fn lockfile(&mut self, place: &Place<'_>, manager: Manager, program: TaskId) -> Result<TaskId, BoxError> {
        let require_lockfile = self.with.require_lockfile;
        let config = CheckLockfileConfig { manager, cwd: place.found.folder.clone(), require_lockfile };
        let task = TaskSpec::of::<Probing<CheckLockfile>>(&place.id("lockfile"), &config)?.needs([program]);
        let id = task.id.clone();
        self.add(&place.group(), task).map(|()| id)
    }

    fn venv(
        &mut self,
        place: &Place<'_>,
        path: &str,
        make: Vec<String>,
        program: TaskId,
    ) -> Result<TaskId, BoxError> {
        let (path, cwd, remedy) = (RelPath::new(path)?, place.found.folder.clone(), self.remedies);
        let config = CheckVenvConfig { path, cwd, make, remedy };
        let task = TaskSpec::of::<Probing<CheckVenv>>(&place.id("venv"), &config)?.needs([program]);
        let id = task.id.clone();
        self.add(&place.group(), task).map(|()| id)
    }

    fn dependencies(
        &mut self,
        place: &Place<'_>,
        config: CheckDependenciesConfig,
        needs: impl IntoIterator<Item = TaskId>,
    ) -> Result<(), BoxError> {
        let config = CheckDependenciesConfig { remedy: self.remedies, ..config };
        let task = TaskSpec::of::<Probing<CheckDependencies>>(&place.id("dependencies"), &config)?;
        self.add(&place.group(), task.needs(needs))
    }

    /// The check of a program; the one that is there where it asks the same.
    fn tool(&mut self, tool: &str, found: Option<&Found>) -> Result<TaskId, BoxError> {
        let declared = found.and_then(|found| Some((found.requires.get(tool)?.clone(), found)));
        let range = declared.as_ref().map(|(range, _)| range.clone());
        let same = |(name, of, _): &&(String, Option<String>, TaskId)| {
            name == tool && (*of == range || range.is_none())
        };
        if let Some((_, _, id)) = self.tools.iter().find(same) {
            return Ok(id.clone());
        }
        let mut config = CheckToolConfig::new(tool);
        if let Some((range, found)) = declared {
            config.requires = Some(range);
            config.declared = Some(found.manifest.to_string());
            config.cwd = found.folder.clone();
        }
        match self.with.tools.get(tool).cloned() {
            None => {}
            Some(Wanted::Minimum(minimum)) => config.minimum = Some(minimum),
            Some(Wanted::More(More { minimum, requires, install })) => {
                config.minimum = minimum;
                if requires.is_some() {
                    (config.requires, config.declared) = (requires, Some("the pipeline".into()));
                }
                config.install = install;
            }
        }
        let again = self.tools.iter().filter(|(name, ..)| name == tool).count();
        let plain: String = tool.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let id = match again {
            0 => format!("check-{plain}"),
            n => format!("check-{plain}-{}", n + 1),
        };
        let task = TaskSpec::of::<Probing<CheckTool>>(&id, &config)?;
        let id = task.id.clone();
        self.tools.push((tool.to_owned(), range, id.clone()));
        self.add("tools", task).map(|()| id)
    }

    fn add(&mut self, group: &str, task: TaskSpec) -> Result<(), BoxError> {
        self.draft.task(group, task.kind(Kind::Static))
    }
}

/// A stack where it is.
struct Place<'a> {
    found: &'a Found,
    stack: &'static str,
    /// Other stacks share the folder, so ids name the stack.
    several: bool,
}

impl Place<'_> {
    /// `check-lockfile`; `check-web-lockfile` for a folder; `check-npm-lockfile` where several stacks share a folder.
    fn id(&self, what: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let folder: String = self.found.folder.as_str().chars().map(plain).collect();
        let stack = if self.several { self.stack } else { "" };
        let parts = ["check", folder.trim_matches(['.', '_', '-']), stack, what];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    }

    fn group(&self) -> String {
        let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
        let folder: String = self.found.folder.as_str().to_lowercase().chars().map(plain).collect();
        let folder = folder.trim_matches('-');
        if folder.is_empty() { self.stack.to_owned() } else { format!("{}-{folder}", self.stack) }
    }
}
