//! The phase BUILD & VALIDATION: for each stack, the tools that the project uses.

use orchestrator_core::BoxError;
use orchestrator_core::id::PhaseName;
use orchestrator_core::path::RelPath;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::pipeline::{Execution, Kind, TaskSpec};
use orchestrator_core::project::{Found, Project, Stack};
use serde::Deserialize;

use super::cargo::{
    CargoBuild, CargoBuildConfig, CargoClippy, CargoClippyConfig, CargoFmt, CargoFmtConfig, CargoTest,
    CargoTestConfig,
};
use super::go::{GoConfig, GoTest, GoVet};
use super::npm::{Manager, NpmInstall, NpmInstallConfig, NpmScript, NpmScriptConfig};
use super::php::{ComposerScript, ComposerScriptConfig, Phpunit, PhpunitConfig};
use super::python::{Pytest, PytestConfig, PythonCompile, PythonCompileConfig, Ruff, RuffConfig};
use super::tool::Check;

/// The phase BUILD & VALIDATION.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuildValidation;

/// What `with` may hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct With {
    /// Profile of `cargo build`.
    profile: String,
    /// Warnings fail `cargo clippy`.
    deny_warnings: bool,
    /// A run without tests fails.
    require_tests: bool,
}

impl Default for With {
    fn default() -> Self {
        Self { profile: "dev".into(), deny_warnings: true, require_tests: false }
    }
}

/// Scripts that are drafted where they exist, and what kind of work they are.
const SCRIPTS: [(&str, Kind); 6] = [
    ("format:check", Kind::Static),
    ("lint", Kind::Static),
    ("typecheck", Kind::Static),
    ("type-check", Kind::Static),
    ("build", Kind::Gate),
    ("test", Kind::Test),
];

impl Phase for BuildValidation {
    fn name(&self) -> PhaseName {
        PhaseName::new("build_validation").expect("a valid name")
    }

    fn title(&self) -> &'static str {
        "BUILD & VALIDATION"
    }

    fn draft(&self, project: &Project, draft: &mut Draft<'_>) -> Result<(), BoxError> {
        let with: With = draft.with()?;
        if project.stacks.is_empty() {
            draft.note(
                "build and validation: no stack found (Cargo, npm, Python, PHP, Go); name tasks yourself",
            );
        }
        for found in &project.stacks {
            let several = project.stacks.iter().filter(|other| other.folder == found.folder).count() > 1;
            let mut stack = Drafting { found, with: &with, several, draft: &mut *draft };
            match found.stack {
                Stack::Cargo => stack.cargo()?,
                Stack::Npm => stack.npm()?,
                Stack::Python => stack.python()?,
                Stack::Php => stack.php()?,
                Stack::Go => stack.go()?,
            }
        }
        Ok(())
    }
}

/// A stack on its way into the draft.
struct Drafting<'a, 'd> {
    found: &'a Found,
    with: &'a With,
    /// Other stacks share the folder, so ids name the stack.
    several: bool,
    draft: &'a mut Draft<'d>,
}

impl Drafting<'_, '_> {
    fn cargo(&mut self) -> Result<(), BoxError> {
        let cwd = self.cwd();
        let With { profile, deny_warnings, require_tests } = self.with;
        let (profile, deny_warnings, require_tests) = (profile.clone(), *deny_warnings, *require_tests);
        // They share the lock of the target folder: at once they would only wait for each other.
        self.draft.group(&self.group())?.execution = Execution::Sequential;
        let remedy = self.draft.settings().remedies;
        let fmt = CargoFmtConfig { cwd: cwd.clone(), remedy, ..CargoFmtConfig::default() };
        self.add(TaskSpec::of::<Check<CargoFmt>>(&self.id("fmt"), &fmt)?.kind(Kind::Static))?;
        let clippy = CargoClippyConfig { deny_warnings, cwd: cwd.clone(), ..CargoClippyConfig::default() };
        self.add(TaskSpec::of::<Check<CargoClippy>>(&self.id("clippy"), &clippy)?.kind(Kind::Static))?;
        let build = CargoBuildConfig { profile, cwd: cwd.clone(), ..CargoBuildConfig::default() };
        self.add(TaskSpec::of::<Check<CargoBuild>>(&self.id("build"), &build)?.kind(Kind::Gate))?;
        let test = CargoTestConfig { require_tests, cwd, ..CargoTestConfig::default() };
        self.add(TaskSpec::of::<Check<CargoTest>>(&self.id("test"), &test)?.kind(Kind::Test))
    }

    fn npm(&mut self) -> Result<(), BoxError> {
        let manager = match () {
            () if self.uses("pnpm") => Manager::Pnpm,
            () if self.uses("yarn") => Manager::Yarn,
            () => Manager::Npm,
        };
        let scripts = SCRIPTS.iter().filter(|(name, _)| self.is_script(name));
        let scripts: Vec<_> = scripts.copied().collect();
        if scripts.is_empty() {
            self.note("package.json has no script `lint`, `typecheck`, `build` or `test`");
            return Ok(());
        }
        let install = NpmInstallConfig { manager, cwd: self.cwd() };
        let install = TaskSpec::of::<NpmInstall>(&self.id("install"), &install)?;
        let first = install.id.clone();
        self.add(install)?;
        for (name, kind) in scripts {
            let mut config = NpmScriptConfig::new(name, manager, self.cwd());
            config.tests = kind == Kind::Test;
            config.require_tests = config.tests && self.with.require_tests;
            let id = self.id(&name.replace(':', "-"));
            let task = TaskSpec::of::<Check<NpmScript>>(&id, &config)?.kind(kind);
            self.add(task.needs([first.clone()]))?;
        }
        if !self.is_script("test") {
            self.note("package.json has no script `test`, or npm's placeholder: no tests are run");
        }
        Ok(())
    }

    /// A script that exists; the one that `npm init` puts there always fails and tests nothing.
    fn is_script(&self, name: &str) -> bool {
        self.found.scripts.get(name).is_some_and(|script| !script.contains("no test specified"))
    }

    fn python(&mut self) -> Result<(), BoxError> {
        let cwd = self.cwd();
        // What uv runs, or what the virtual environment in the folder has, or what is on the path.
        let run = |program: &str| -> Vec<String> {
            if self.uses("uv") {
                return ["uv", "run", program].map(str::to_owned).into();
            }
            let own = self
                .found
                .tools
                .iter()
                .find(|tool| tool.rsplit_once("/bin/").is_some_and(|(_, name)| name == program));
            vec![own.cloned().unwrap_or_else(|| program.to_owned())]
        };
        let (python, ruff) = (run("python3"), run("ruff"));
        let compile = PythonCompileConfig {
            python: python.clone(),
            cwd: cwd.clone(),
            ..PythonCompileConfig::default()
        };
        let id = self.id("compile");
        self.add(TaskSpec::of::<Check<PythonCompile>>(&id, &compile)?.kind(Kind::Static))?;
        if self.uses("ruff") {
            let config = RuffConfig { ruff, cwd: cwd.clone(), ..RuffConfig::default() };
            self.add(TaskSpec::of::<Check<Ruff>>(&self.id("ruff"), &config)?.kind(Kind::Static))?;
        } else {
            self.note("ruff is not configured: nothing is linted");
        }
        if self.uses("pytest") {
            let require_tests = self.with.require_tests;
            let config = PytestConfig { python, require_tests, cwd, ..PytestConfig::default() };
            self.add(TaskSpec::of::<Check<Pytest>>(&self.id("test"), &config)?.kind(Kind::Test))?;
        } else {
            self.note("pytest is neither configured nor a dependency: no tests are run");
        }
        Ok(())
    }

    fn php(&mut self) -> Result<(), BoxError> {
        let scripts: Vec<_> = SCRIPTS.into_iter().filter(|(name, _)| self.is_script(name)).collect();
        for &(name, kind) in &scripts {
            let (script, cwd) = (name.to_owned(), self.cwd());
            let effect = orchestrator_core::effect::Effect::Reads;
            let config = ComposerScriptConfig { script, effect, cwd, args: Vec::new(), env: [].into() };
            let id = self.id(&name.replace(':', "-"));
            self.add(TaskSpec::of::<Check<ComposerScript>>(&id, &config)?.kind(kind))?;
        }
        if scripts.iter().any(|&(name, _)| name == "test") {
            return Ok(());
        }
        if self.uses("phpunit") {
            let require_tests = self.with.require_tests;
            let config = PhpunitConfig { require_tests, cwd: self.cwd(), ..PhpunitConfig::default() };
            return self.add(TaskSpec::of::<Check<Phpunit>>(&self.id("test"), &config)?.kind(Kind::Test));
        }
        self.note("composer.json has neither a script `test` nor PHPUnit: no tests are run");
        Ok(())
    }

    fn go(&mut self) -> Result<(), BoxError> {
        let config = GoConfig { cwd: self.cwd(), ..GoConfig::default() };
        self.add(TaskSpec::of::<Check<GoVet>>(&self.id("vet"), &config)?.kind(Kind::Static))?;
        let config = GoConfig { require_tests: self.with.require_tests, ..config };
        self.add(TaskSpec::of::<Check<GoTest>>(&self.id("test"), &config)?.kind(Kind::Test))
    }

    fn cwd(&self) -> RelPath {
        self.found.folder.clone()
    }

    fn uses(&self, tool: &str) -> bool {
        self.found.tools.iter().any(|used| used == tool)
    }

    /// `test`; `web-test` for a folder; `npm-test` where several stacks share a folder.
    fn id(&self, what: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let folder: String = self.found.folder.as_str().chars().map(plain).collect();
        let folder = folder.trim_start_matches(['.', '_', '-']);
        let stack = if self.several { self.stack() } else { "" };
        let parts = [folder, stack, what].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("-")
    }

    fn stack(&self) -> &'static str {
        match self.found.stack {
            Stack::Cargo => "cargo",
            Stack::Npm => "npm",
            Stack::Python => "python",
            Stack::Php => "php",
            Stack::Go => "go",
        }
    }

    fn add(&mut self, task: TaskSpec) -> Result<(), BoxError> {
        self.draft.task(&self.group(), task)
    }

    /// One group for each stack and folder, named after both.
    fn group(&self) -> String {
        let folder = self.found.folder.as_str().to_lowercase();
        let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
        let folder: String = folder.chars().map(plain).collect();
        let folder = folder.trim_matches('-');
        if folder.is_empty() { self.stack().to_owned() } else { format!("{}-{folder}", self.stack()) }
    }

    fn note(&mut self, note: &str) {
        let folder = &self.found.folder;
        let place = if folder.is_root() { String::new() } else { format!(" in {folder}") };
        self.draft.note(format!("{}{place}: {note}", self.stack()));
    }
}
