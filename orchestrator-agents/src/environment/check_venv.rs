//! `check-venv`: is the virtual environment there, and does it work?

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Content, Expects, Run, Write};
use orchestrator_core::agent::{Conclusion, Dependencies, Fact};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::path::RelPath;
use orchestrator_core::settings::Remedies;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::manager::below;
use super::probe::{Answers, Probe, mends};
use super::remedy::{Found, Remedy};
use super::version::Version;

/// What the interpreter is asked.
const ASK: &str = include_str!("venv.py");

/// Checks that a Python virtual environment is there and works.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckVenv;

/// Config of `check-venv`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckVenvConfig {
    /// The environment, relative to `cwd`.
    pub path: RelPath,
    /// The folder of the project, relative to the root.
    #[serde(skip_serializing_if = "RelPath::is_root")]
    pub cwd: RelPath,
    /// What makes one; the path, and `--clear` where a broken one is replaced, come behind it.
    pub make: Vec<String>,
    /// What happens when it is missing or broken: it is made, a person is asked, or nothing.
    pub remedy: Remedies,
}

impl Default for CheckVenvConfig {
    fn default() -> Self {
        let path = RelPath::new(".venv").unwrap_or_default();
        let make = ["python3", "-m", "venv"].map(str::to_owned).into();
        Self { path, cwd: RelPath::root(), make, remedy: Remedies::Auto }
    }
}

/// What `check-venv` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VenvChecked {
    /// The environment.
    pub path: RelPath,
    /// The version of its interpreter.
    pub version: String,
}

/// What was there before anything was done.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct VenvSeen {
    /// Something is at the path.
    there: bool,
    /// It has a `pyvenv.cfg`.
    is_venv: bool,
    /// Git keeps files of it.
    tracked: bool,
}

/// What the interpreter says.
#[derive(Deserialize)]
struct Says {
    inside: bool,
    base: bool,
    version: String,
    /// What `pyvenv.cfg` says.
    made_with: Option<String>,
    stale: Vec<String>,
}

impl CheckVenvConfig {
    fn place(&self) -> RelPath {
        below(&self.cwd, self.path.as_str())
    }

    /// A new environment; over one that is there only where that is known to be an environment that git does not keep.
    fn remedy(&self, seen: &VenvSeen) -> Option<Remedy> {
        if seen.there && !seen.is_venv || seen.tracked || self.make.is_empty() || self.path.is_root() {
            return None;
        }
        let clear = seen.there.then(|| "--clear".to_owned());
        let argv = self.make.iter().cloned().chain(clear).chain([self.path.to_string()]);
        let mut actions = vec![mends(argv, &self.cwd)];
        if self.make.first().is_none_or(|program| program != "uv") {
            // As uv, and Python from 3.13 on, do themselves.
            let path = below(&self.place(), ".gitignore");
            let content = Content::new("*\n");
            actions.push(Write { path, content, mode: None, expects: Expects::Anything }.into());
        }
        let place = self.place();
        let anew = if seen.there { " anew" } else { "" };
        Some(Remedy::new(format!("make `{place}`{anew}"), format!("`{place}` was made{anew}"), actions))
    }
}

impl Probe for CheckVenv {
    const NAME: &'static str = "check-venv";
    const ABOUT: &'static str =
        "Checks that a Python virtual environment is there and works; makes it where it is not";
    type Config = CheckVenvConfig;
    type Output = VenvChecked;
    type Seen = VenvSeen;

    fn remedies(&self, config: &CheckVenvConfig) -> Remedies {
        config.remedy
    }

    fn depends_on(&self, config: &CheckVenvConfig) -> Option<Dependencies> {
        let below = |name: &str| config.cwd.join(config.path.as_str()).and_then(|path| path.join(name)).ok();
        let files = ["pyvenv.cfg", "bin/python", "Scripts/python.exe"].into_iter().filter_map(below);
        let (files, fact) = (files.map(|path| path.to_string()).collect(), Some(Fact::VirtualEnvironment));
        Some(Dependencies { files, fact, ..Dependencies::default() })
    }

    fn see(&self, config: &CheckVenvConfig, look: &Workspace) -> Result<VenvSeen, BoxError> {
        let place = config.place();
        let cfg = look.read_text(&below(&place, "pyvenv.cfg")).ok().flatten();
        let tracked = look.git(&["ls-files", "--", place.as_str()]).is_ok_and(|files| !files.is_empty());
        Ok(VenvSeen { there: look.exists(&place), is_venv: cfg.is_some(), tracked })
    }

    fn actions(&self, config: &CheckVenvConfig, _: &VenvSeen) -> Result<Vec<Action>, BoxError> {
        // Isolated, so that no module of the project stands in for one of Python's.
        let argv = [&format!("{}/bin/python", config.path), "-I", "-", config.path.as_str()];
        let stdin = Some(Content::new(ASK));
        let run = Run { cwd: config.cwd.clone(), stdin, ..Run::new(Effect::Reads, argv) };
        Ok(vec![Action::from(run).keep_going()])
    }

    fn read(
        &self,
        config: &CheckVenvConfig,
        seen: &VenvSeen,
        answers: &Answers<'_>,
    ) -> Result<Found<VenvChecked>, BoxError> {
        let place = config.place();
        let ran = answers.ran(0, "python")?;
        let says = if ran.ok() { serde_json::from_str::<Says>(ran.stdout.trim()).ok() } else { None };
        let wrong = match &says {
            None if !seen.there => format!("the virtual environment `{place}` does not exist"),
            None if !seen.is_venv => {
                format!("`{place}` is no virtual environment: it has no `pyvenv.cfg`; move it away")
            }
            None => {
                format!("the interpreter of `{place}` does not run: it was moved, or Python was upgraded")
            }
            Some(says) if !says.inside || !says.base => {
                format!("the interpreter of `{place}` is not confined to it: `pyvenv.cfg` does not hold")
            }
            Some(says) if !says.stale.is_empty() => {
                let names = crate::validation::text::some(says.stale.iter().map(String::as_str));
                format!("`{place}` was moved: {names} start an interpreter elsewhere")
            }
            Some(Says { made_with: Some(made_with), version, .. }) if is_other(made_with, version) => {
                format!("`{place}` was made with Python {made_with} and now runs {version}")
            }
            Some(says) => {
                let summary = format!("`{place}` works (Python {})", says.version);
                let metric = ran.metric("venv.stale_programs", 0);
                let output = VenvChecked { path: place, version: says.version.clone() };
                return Ok(Found::Good(Conclusion::new(summary, output).metrics([metric])));
            }
        };
        let finding = Finding::new("venv", Severity::Error, wrong.clone()).at(place.as_str(), None);
        Ok(Found::Bad(Conclusion::new(wrong, ()).findings([finding]), config.remedy(seen)))
    }
}

/// Whether two versions of Python have different folders of packages: 3.11 and 3.12, not 3.11.2 and 3.11.7.
fn is_other(one: &str, two: &str) -> bool {
    let (Some(one), Some(two)) = (Version::at_start(one), Version::at_start(two)) else { return false };
    (one.part(0), one.part(1)) != (two.part(0), two.part(1))
}
