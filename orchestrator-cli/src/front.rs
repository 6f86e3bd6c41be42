//! The front door to the library: what every command that looks at pipelines or runs starts with.

use std::future::Future;
use std::time::Duration;

use orchestrator_core::cache::Cache;
use orchestrator_core::file::{self, PipelineError};
use orchestrator_core::id::AgentName;
use orchestrator_core::layout::Layout;
use orchestrator_core::local::Local;
use orchestrator_core::orchestrator::{Orchestrator, OrchestratorError};
use orchestrator_core::pipeline::{PhaseSpec, Pipeline};
use orchestrator_core::problem::Problems;
use orchestrator_core::project::Project;
use orchestrator_core::registry::Registry;
use orchestrator_core::settings::{Keep, Settings};
use orchestrator_core::store::JsonlStore;
use serde_json::Value;

use crate::args::Global;
use crate::error::CliError;
use crate::here::{Here, shown};
use crate::plugins;
use crate::secrets::EnvSecrets;
use crate::shared::Team;

/// The order of the standard phases.
const PHASES: [&str; 6] =
    ["restart_backup", "code_generation", "build_validation", "merge_integration", "deployment", "reports"];

/// Where the command works, and with which agents.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) here: Here,
    pub(crate) registry: Registry,
    /// What is kept of earlier runs, where that is known already.
    keep: Option<Keep>,
    /// Whether the registry has agents that are programs.
    has_plugins: bool,
}

impl Front {
    pub(crate) fn open(global: &Global, registry: Registry) -> Result<Self, CliError> {
        Ok(Self { here: Here::find(global)?, registry, keep: None, has_plugins: false })
    }

    /// The same, knowing what is kept of earlier runs.
    pub(crate) fn keeping(self, keep: Keep) -> Self {
        Self { keep: Some(keep), ..self }
    }

    /// Adds the agents of these names that are programs.
    pub(crate) fn plug<'n>(&mut self, names: impl Iterator<Item = &'n AgentName>) {
        let registry = plugins::added(self.registry.clone(), names, &self.here.root);
        self.has_plugins |= registry.agents().len() > self.registry.agents().len();
        self.registry = registry;
    }

    /// Whether some agents are programs.
    pub(crate) fn has_plugins(&self) -> bool {
        self.has_plugins
    }

    /// What is kept of earlier runs; none where the pipeline file, which may say it, cannot be read.
    pub(crate) fn keep(&self) -> Option<Keep> {
        self.keep.clone().or_else(|| Some(self.own_settings().ok()?.keep))
    }

    /// The settings of the pipeline file and the environment, for commands that run no pipeline.
    pub(crate) fn own_settings(&self) -> Result<Settings, CliError> {
        match &self.here.file {
            Some(file) => settings(&Pipeline::from_file(shown(file))?.settings, &Value::Null),
            None => settings(&Value::Null, &Value::Null),
        }
    }

    /// The pipeline of the file, or else a default for the project. Agents that it names and that are programs are known from
    /// then on.
    pub(crate) fn pipeline(&mut self) -> Result<Pipeline, CliError> {
        let Some(file) = self.here.file.as_ref().map(|file| shown(file)) else {
            return self.default_pipeline();
        };
        match Pipeline::from_file(&file) {
            Ok(pipeline) => {
                self.plug(plugins::named(&pipeline));
                Ok(pipeline)
            }
            Err(PipelineError::Problems(problems)) => {
                Err(PipelineError::Problems(self.all_problems(&file, problems)).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The problems of reading a pipeline, and those that planning finds in its other tasks.
    fn all_problems(&mut self, file: &str, problems: Problems) -> Problems {
        let Some(pipeline) = Pipeline::readable_part(file, &problems) else { return problems };
        self.plug(plugins::named(&pipeline));
        let planned = match settings(&pipeline.settings, &Value::Null) {
            Ok(settings) => self.with(settings).map(|orchestrator| orchestrator.plan(&pipeline)),
            Err(_) => return problems,
        };
        let Ok(Err(OrchestratorError::Problems(more))) = planned else { return problems };
        let task = |way: &str| {
            let (phase, rest) = way.rsplit_once(".tasks[")?;
            Some((phase.to_owned(), rest.split_once(']')?.0.to_owned()))
        };
        let known: Vec<_> = problems.list.iter().map(|problem| task(&problem.way)).collect();
        // A task that could not be read whole may look wrong in more ways than it is.
        let others = more.list.into_iter().filter(|problem| !known.contains(&task(&problem.way)));
        Problems::new(problems.file, problems.list.into_iter().chain(others).collect())
    }

    /// The standard phases, for a project whose stack is known.
    fn default_pipeline(&self) -> Result<Pipeline, CliError> {
        let root = self.here.root.display();
        let project = self.project()?;
        if project.stacks.is_empty() {
            let git = if project.git.is_some() { "" } else { ", and it is no git repository" };
            return Err(CliError::usage(format!(
                "there is no pipeline file in `{root}`, and no Cargo, npm, Python, PHP or Go project was found there{git}; \
                 go to the folder of a project, or write a pipeline with `orchestrate init`"
            )));
        }
        let mut pipeline = Pipeline::new(project.name);
        for name in PHASES {
            if let Some(name) = self.registry.phases().keys().find(|known| known.as_str() == name) {
                let mut phase = PhaseSpec::new(name.clone());
                phase.uses = Some("standard".into());
                pipeline = pipeline.phase(phase);
            }
        }
        Ok(pipeline)
    }

    /// What is known of the project by looking.
    pub(crate) fn project(&self) -> Result<Project, CliError> {
        orchestrator_core::detect::detect(&self.here.root)
            .map_err(|error| CliError::io("the project could not be looked at", std::io::Error::other(error)))
    }

    /// The library with settings, and logs at their level.
    pub(crate) fn with(&self, settings: Settings) -> Result<Orchestrator, CliError> {
        crate::log::start(&settings.log_level);
        let grace = Duration::try_from_secs_f64(settings.grace).unwrap_or(Duration::from_secs(5));
        let team = Team::open(&settings.shared)?;
        Ok(self.orchestrator(grace, team.as_ref())?.settings(settings))
    }

    /// The library, with the local executor, the journals of the state folder, and the place that a team shares.
    pub(crate) fn orchestrator(
        &self,
        grace: Duration,
        team: Option<&Team>,
    ) -> Result<Orchestrator, CliError> {
        let state = self.here.layout.state();
        let command: Vec<String> = std::env::args().collect();
        let store = JsonlStore::open(state)?.command(command.join(" "));
        let local = Local::new(&self.here.root)
            .state(state)
            .environment_of(std::env::vars_os())
            .secrets(EnvSecrets)
            .grace(grace);
        let mut cache = Cache::open(Layout::new(state));
        if let Some(team) = team {
            cache = cache.shared(team.results());
        }
        Ok(Orchestrator::new(local, store).agents(self.registry.clone()).cache(cache))
    }

    /// The library for commands that look at runs.
    pub(crate) fn look(&self) -> Result<Orchestrator, CliError> {
        crate::log::start("warn");
        self.orchestrator(Duration::from_secs(5), None)
    }

    /// The place that a team shares, by the pipeline file and the environment. A file that cannot be read names none: whoever
    /// looks at runs is not kept from it.
    pub(crate) fn team(&self) -> Result<Option<Team>, CliError> {
        let file = self.here.file.as_ref().and_then(|file| Pipeline::from_file(shown(file)).ok());
        let layer = file.map_or(Value::Null, |pipeline| pipeline.settings);
        match settings(&layer, &Value::Null).or_else(|_| settings(&Value::Null, &Value::Null)) {
            Ok(settings) => Ok(Team::open(&settings.shared)?),
            Err(error) => {
                tracing::warn!(%error, "the settings cannot be used; nothing is shared");
                Ok(None)
            }
        }
    }

    /// The JSON Schema of the pipeline file, with the agents that are known.
    pub(crate) fn schema(registry: &Registry) -> Value {
        file::schema(Some(registry))
    }
}

/// The settings: defaults, the pipeline's, the environment's, the flags'.
pub(crate) fn settings(pipeline: &Value, flags: &Value) -> Result<Settings, CliError> {
    let text = |os: std::ffi::OsString| os.into_string().ok();
    let env: Vec<(String, String)> =
        std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect();
    Ok(Settings::layered(pipeline, &env, flags)?)
}

/// Runs a future to its end on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let workers = (orchestrator_core::settings::processors() as usize).clamp(2, 4);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(|source| CliError::io("the runtime could not be started", source))?;
    let result = runtime.block_on(future);
    // What still blocks, such as a read that never ends, must not keep the program from ending.
    runtime.shutdown_background();
    result
}
