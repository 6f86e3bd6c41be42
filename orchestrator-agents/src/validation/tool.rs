//! A tool that is run once and whose output is read; the agent that does so for any of them.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, CommandLine, Content, EnvValue, Run};
use orchestrator_core::agent::{Agent, Dependencies, Fact, Task, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::settings::Remedies;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::config::{AsCommon, Common};
use super::ran::{Called, Ran};
use crate::environment::remedy::{Carried, Found, Mending, Remedy};

/// A tool that is run once and whose output is read.
pub trait Tool: Send + Sync + 'static {
    /// As pipelines name its agent.
    const NAME: &'static str;
    /// One sentence for `orchestrate agents`.
    const ABOUT: &'static str;
    /// What it is called in evidence: `cargo test`.
    const TOOL: &'static str;
    /// It prints absolute paths, so that its reader needs the root as the executor sees it.
    const PRINTS_ROOT: bool = false;
    /// What a pipeline gives it.
    type Config: Serialize + DeserializeOwned + JsonSchema + AsCommon + Send + Sync;
    /// What later tasks may take.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// What must be installed.
    fn wants(&self, config: &Self::Config) -> Wants;

    /// Program and arguments.
    fn argv(&self, config: &Self::Config) -> Vec<String>;

    /// The command line as people and evidence are told it.
    fn shown(&self, config: &Self::Config) -> String {
        CommandLine::Argv(self.argv(config)).to_string()
    }

    /// What it is given on standard input; nothing by default.
    fn stdin(&self, _config: &Self::Config, _look: &Workspace) -> Result<Option<Content>, BoxError> {
        Ok(None)
    }

    /// How far it reaches.
    fn effect(&self, _config: &Self::Config, _look: &Workspace) -> Effect {
        Effect::Reads
    }

    /// Environment variables that make its output readable; the config's own come on top.
    fn env(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// What its result depends on, if it may be reused. Default: every file that git does not ignore, the program, and that
    /// it is the result of a quality check. A tool whose purpose is what it makes is not reused.
    fn depends_on(&self, config: &Self::Config) -> Option<Dependencies> {
        Some(everything(&self.wants(config).program, config.common().cwd))
    }

    /// What its output means.
    fn read(&self, config: &Self::Config, ran: &Ran<'_>) -> Verdict<Self::Output>;

    /// What happens with a remedy.
    fn remedies(&self, _config: &Self::Config) -> Remedies {
        Remedies::Off
    }

    /// What would mend what its output says is wrong. Only for tools that read and take no standard input: the same
    /// command is run again after it.
    fn remedy(&self, _config: &Self::Config, _ran: &Ran<'_>) -> Option<Remedy> {
        None
    }
}

/// The whole tree, a program and that the result is one of a quality check.
pub(super) fn everything(program: &str, cwd: &RelPath) -> Dependencies {
    let program = in_folder(program, cwd).map_or_else(|| program.to_owned(), |path| path.to_string());
    Dependencies {
        files: vec![".".into()],
        tools: vec![program],
        fact: Some(Fact::Quality),
        ..Dependencies::default()
    }
}

/// Whether a script looks and makes nothing, by its name: `lint`, `test:unit`, `format:check`.
pub(super) fn is_check(script: &str) -> bool {
    let first = script.split([':', '-', '_']).next().unwrap_or_default();
    matches!(first, "lint" | "test" | "tests" | "check" | "typecheck" | "type" | "analyse" | "phpstan")
        || script.ends_with(":check")
}

/// A program with a `/` in it is found from where the command runs.
fn in_folder(program: &str, cwd: &RelPath) -> Option<RelPath> {
    program.contains('/').then(|| cwd.join(program).ok()).flatten()
}

/// What must be installed for a tool to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wants {
    /// The program that answers `--version`.
    pub program: String,
    /// What people call it.
    pub called: String,
    /// How to install it.
    pub install: &'static str,
}

impl Wants {
    /// A program that people call by its name.
    pub fn new(program: impl Into<String>, install: &'static str) -> Self {
        let program = program.into();
        Self { called: program.clone(), program, install }
    }

    /// Says what people call it.
    #[must_use]
    pub fn called(mut self, called: impl Into<String>) -> Self {
        self.called = called.into();
        self
    }
}

/// What the survey gives: the version of the tool, if it is installed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    #[serde(default)]
    version: Option<String>,
}

/// The agent that runs a tool and reads its output.
#[derive(Debug, Clone, Copy, Default)]
pub struct Check<T>(pub T);

impl<T: Tool> Check<T> {
    fn version(&self, config: &T::Config, look: &Workspace) -> Option<String> {
        let Wants { program, .. } = self.0.wants(config);
        let cwd = config.common().cwd;
        let below = in_folder(&program, cwd);
        look.tool_version(below.as_ref().map_or(&program, |path| path.as_str()))
    }

    /// The commands, which are the same whenever it is run.
    fn actions(&self, config: &T::Config, effect: Effect, stdin: Option<Content>) -> Vec<Action> {
        let Common { cwd, args: _, env } = config.common();
        let mut run = Run::new(effect, self.0.argv(config));
        run.cwd = cwd.clone();
        run.env.insert("NO_COLOR".into(), EnvValue::Plain("1".into()));
        for (name, value) in self.0.env() {
            run.env.insert((*name).into(), EnvValue::Plain((*value).into()));
        }
        run.env.extend(env.clone());
        run.stdin = stdin;
        let mut actions = Vec::new();
        if T::PRINTS_ROOT {
            actions.push(Action::from(Run::new(Effect::Reads, ["pwd", "-P"])).keep_going());
        }
        actions.push(run.into());
        actions
    }

    /// What was printed, where it was run.
    fn ran<'a>(
        &self,
        config: &'a T::Config,
        version: Option<String>,
        receipts: &'a [Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Option<Ran<'a>>, BoxError> {
        let Some(receipt) = receipts.get(usize::from(T::PRINTS_ROOT)) else { return Ok(None) };
        let root = match receipts.first() {
            Some(pwd) if T::PRINTS_ROOT && pwd.ok() => Some(artifacts.text(pwd.stdout.as_ref())?),
            _ => None,
        };
        let called = Called {
            tool: T::TOOL,
            command: self.0.shown(config),
            version,
            root: root.map(|root| root.trim_end_matches('\n').to_owned()),
            cwd: config.common().cwd,
        };
        Ran::read(called, receipt, artifacts).map(Some)
    }
}

impl<T: Tool> Agent for Check<T> {
    const NAME: &'static str = T::NAME;
    const ABOUT: &'static str = T::ABOUT;
    type Config = T::Config;
    type Output = T::Output;

    async fn survey(&self, task: &Task<T::Config>, look: &Workspace) -> Result<Json, BoxError> {
        Ok(Json::of(&Seen { version: self.version(&task.config, look) })?)
    }

    async fn plan(&self, task: &Task<T::Config>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let config = &task.config;
        let seen: Option<Seen> = task.carried.parse()?;
        let version = seen.map_or_else(|| self.version(config, look), |seen| seen.version);
        let Wants { program: _, called, install } = self.0.wants(config);
        if version.is_none() {
            return Err(format!("`{called}` is not installed: {install}").into());
        }
        Ok(self.actions(config, self.0.effect(config, look), self.0.stdin(config, look)?))
    }

    fn depends_on(&self, task: &Task<T::Config>) -> Option<Dependencies> {
        self.0.depends_on(&task.config)
    }

    fn conclude(
        &self,
        task: &Task<T::Config>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<T::Output>, BoxError> {
        let config = &task.config;
        let carried: Carried<Seen> = Carried::of(&task.carried)?;
        let (mode, check) = (self.0.remedies(config), self.actions(config, Effect::Reads, None));
        Mending { task: &task.id, mode, check }.verdict(carried, receipts, |seen, receipts| {
            let Some(ran) = self.ran(config, seen.version.clone(), receipts, artifacts)? else {
                return Ok(Found::bad(format!("`{}` was not run", self.0.shown(config)), []));
            };
            match self.0.read(config, &ran) {
                Verdict::Passed(conclusion) => Ok(Found::Good(conclusion)),
                Verdict::Failed(conclusion) => Ok(Found::Bad(conclusion, self.0.remedy(config, &ran))),
                Verdict::Skipped(conclusion) => Ok(Found::Bad(conclusion, None)),
                Verdict::More { .. } => Err(format!("`{}` asks for more than one run", T::NAME).into()),
            }
        })
    }
}
