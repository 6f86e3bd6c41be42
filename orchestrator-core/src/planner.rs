//! From a pipeline to a plan: drafts, checks and wires. Finds every problem at once and starts nothing.

mod order;
mod select;
mod ways;
mod wiring;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::agent::{ConfigError, DynAgent};
use crate::id::{AgentName, PhaseName, TaskId};
use crate::input::{Reference, references};
use crate::json::Json;
use crate::path::RelPath;
use crate::patterns;
use crate::phase::Draft;
use crate::pipeline::{Checkpoint, Execution, GroupSpec, PhaseSpec, Pipeline, Place, Retry, TaskSpec, When};
use crate::plan::{Plan, PlanError, PlanParts, PlannedGroup, PlannedPhase, PlannedTask, Rules, Selection};
use crate::problem::{Problem, Problems, unknown};
use crate::project::Project;
use crate::registry::Registry;
use crate::settings::Settings;

pub use select::{Earlier, Nothing, Selector};

/// All that a plan is made from.
#[derive(Clone, Copy)]
pub struct Planner<'a> {
    /// Agents and phases.
    pub registry: &'a Registry,
    /// All layers merged.
    pub settings: &'a Settings,
    /// What is known of the repository.
    pub project: &'a Project,
    /// What the user chose to run.
    pub selector: &'a Selector,
    /// What passed in earlier runs.
    pub earlier: &'a dyn Earlier,
}

/// A task on its way into the plan, with the way to it for messages.
struct Entry {
    spec: TaskSpec,
    way: String,
    group: u32,
    /// The part of its task that holds the agent's config.
    inside: &'static str,
}

/// What is collected while a plan is made.
#[derive(Default)]
struct Parts {
    phases: Vec<PlannedPhase>,
    groups: Vec<PlannedGroup>,
    group_after: Vec<(u32, Vec<String>, String, Option<Place>)>,
    entries: Vec<Entry>,
    notes: Vec<String>,
    problems: Vec<Problem>,
    /// Whether an agent's config says what happens when it knows a remedy; asked once for each agent.
    mends: BTreeMap<AgentName, bool>,
    /// The registered phases that draft tasks of the run.
    run: Vec<String>,
    /// Agents that are not known, and were said to be.
    unknown: BTreeSet<AgentName>,
}

impl Planner<'_> {
    /// Makes the plan.
    pub fn plan(&self, pipeline: &Pipeline) -> Result<Plan, Problems> {
        let mut parts = Parts::default();
        if pipeline.phases.is_empty() {
            parts.problems.push(Problem::new("phases", "a pipeline needs at least one phase"));
        }
        parts.run = self.selector.drafting(self, &pipeline.phases).map(str::to_owned).collect();
        for (at, phase) in pipeline.phases.iter().enumerate() {
            self.phase(at, phase, &mut parts);
        }
        order::phases(&pipeline.phases, &mut parts.phases, &mut parts.problems);
        wiring::groups(&mut parts);
        let index = wiring::index(&parts.entries, &mut parts.problems);
        wiring::told_phases(&parts.entries, &parts.phases, &mut parts.problems);
        let takes = wiring::references(&parts.entries, &index, self.registry, &mut parts.problems);
        let follows = wiring::declared_files(&parts);
        let mut tasks = self.tasks(&parts, takes, follows);
        self.carry_once(&parts, &mut tasks);
        let without =
            self.selector.apply(self, &parts.phases, &parts.groups, &mut tasks, &mut parts.problems);
        parts.notes.extend(without.notes());
        // Names that lead nowhere are problems already; without them, cycles are found all the same.
        for task in &mut tasks {
            keep_known(task, &index, &parts.phases);
        }
        let name = pipeline.name.clone().unwrap_or_else(|| self.project.name.clone());
        let made = PlanParts {
            version: Plan::VERSION,
            pipeline: name,
            rules: self.rules(),
            phases: parts.phases,
            groups: parts.groups,
            tasks,
            notes: parts.notes,
        };
        let mut problems = parts.problems;
        match Plan::new(made) {
            Ok(plan) if problems.is_empty() => return Ok(plan),
            Err(PlanError::Cycle(names)) => {
                let (way, place) = whereabouts(&names, &parts.entries, pipeline);
                problems.push(Problem::new(way, PlanError::Cycle(names).to_string()).at(place));
            }
            Err(error) if problems.is_empty() => problems.push(Problem::new("", error.to_string())),
            Ok(_) | Err(_) => {}
        }
        if pipeline.roadmap {
            problems = problems.into_iter().map(|problem| ways::of_roadmap(pipeline, problem)).collect();
        }
        Err(Problems::new(pipeline.file.clone(), problems))
    }

    fn rules(&self) -> Rules {
        Rules {
            jobs: if self.selector.sequential { 1 } else { self.settings.jobs.max(1) },
            fail_fast: self.settings.fail_fast,
            ceiling: self.settings.ceiling,
            grace: std::time::Duration::from_secs_f64(self.settings.grace.clamp(0.0, 3600.0)),
            cpu_milli: self.settings.cpu_milli,
            memory: self.settings.memory,
        }
    }

    fn phase(&self, at: usize, spec: &PhaseSpec, parts: &mut Parts) {
        let way = format!("phases[{at}]");
        let drafted = spec.uses.as_deref().map(|uses| self.draft(spec, uses, &way, parts));
        let registered = self.registry.phases().get(&spec.name).map(|phase| phase.title().to_owned());
        let title = spec.title.clone().or(registered).unwrap_or_else(|| readable(&spec.name));
        parts.phases.push(PlannedPhase {
            name: spec.name.clone(),
            title,
            depends_on: Vec::new(),
            checkpoint: spec.checkpoint.as_ref().map(|checkpoint| checkpoint.name.clone()),
        });
        for (group_at, group) in drafted.as_ref().unwrap_or(&spec.groups).iter().enumerate() {
            self.group(at as u32, group, format!("{way}.groups[{group_at}]"), parts);
        }
        if let Some(checkpoint) = &spec.checkpoint {
            self.checkpoint(at as u32, checkpoint, &way, parts);
        }
    }

    fn draft(&self, spec: &PhaseSpec, uses: &str, way: &str, parts: &mut Parts) -> Vec<GroupSpec> {
        let name = if uses == "standard" { spec.name.as_str() } else { uses };
        let phases = self.registry.phases();
        let Some(phase) = phases.get(name) else {
            let message = unknown("phase", name, phases.keys().map(PhaseName::as_str));
            parts.problems.push(Problem::new(format!("{way}.use"), message).at(spec.place));
            return Vec::new();
        };
        let mut draft = Draft::new(self.settings, &spec.with).among(parts.run.iter().cloned());
        if let Err(error) = phase.draft(self.project, &mut draft) {
            parts.problems.push(Problem::new(way, error.to_string()).at(spec.place));
        }
        let (groups, notes) = draft.finish();
        parts.notes.extend(notes.into_iter().map(|note| format!("{}: {note}", spec.name)));
        groups
    }

    fn group(&self, phase: u32, spec: &GroupSpec, way: String, parts: &mut Parts) {
        let at = parts.groups.len() as u32;
        if parts.groups.iter().any(|group| group.phase == phase && group.name == spec.name) {
            let message = format!("two groups of this phase are called `{}`", spec.name);
            parts.problems.push(Problem::new(&way, message).at(spec.place));
        }
        if spec.max_parallel == Some(0) {
            parts
                .problems
                .push(Problem::new(format!("{way}.max_parallel"), "must be at least 1").at(spec.place));
        }
        parts.groups.push(PlannedGroup {
            name: spec.name.clone(),
            title: spec.title.clone(),
            phase,
            execution: spec.execution,
            fail_fast: spec.fail_fast.unwrap_or(self.settings.fail_fast),
            max_parallel: spec.max_parallel,
            depends_on: Vec::new(),
            checkpoint: false,
        });
        if !spec.depends_on.is_empty() {
            parts.group_after.push((at, spec.depends_on.clone(), way.clone(), spec.place));
        }
        for (task_at, task) in spec.tasks.iter().enumerate() {
            self.entry(task, at, format!("{way}.tasks[{task_at}]"), parts);
        }
    }

    fn checkpoint(&self, phase: u32, checkpoint: &Checkpoint, way: &str, parts: &mut Parts) {
        let at = parts.groups.len() as u32;
        parts.groups.push(PlannedGroup {
            name: crate::id::GroupName::new("checkpoint").expect("a valid name"),
            title: None,
            phase,
            execution: Execution::Parallel,
            fail_fast: false,
            max_parallel: None,
            depends_on: Vec::new(),
            checkpoint: true,
        });
        for (task_at, task) in checkpoint.validations.iter().enumerate() {
            self.entry(task, at, format!("{way}.checkpoint.validations[{task_at}]"), parts);
        }
    }

    fn entry(&self, spec: &TaskSpec, group: u32, way: String, parts: &mut Parts) {
        let inside = if spec.agent.as_str() == "command" { "" } else { ".with" };
        let agents = self.registry.agents();
        match agents.get(&spec.agent) {
            None => {
                // What is known is said once, not for each of eighty tasks.
                let known = || unknown("agent", spec.agent.as_str(), agents.keys().map(AgentName::as_str));
                let message = if parts.unknown.insert(spec.agent.clone()) {
                    self.registry.why_absent(&spec.agent).map_or_else(known, str::to_owned)
                } else {
                    format!("unknown agent `{}`", spec.agent)
                };
                parts.problems.push(Problem::new(format!("{way}.uses"), message).at(spec.place));
            }
            Some(agent) => {
                if !parts.mends.contains_key(&spec.agent) {
                    parts.mends.insert(spec.agent.clone(), mends(&**agent));
                }
                let is_bad_reference = |error: &ConfigError| {
                    let mut all = references(&spec.with).into_iter();
                    all.any(|(way, text)| way == error.way && Reference::parse(&text).is_err())
                };
                // A reference that is none is said once, where references are followed.
                if let Err(error) = agent.check(&self.config(spec, &parts.mends))
                    && !is_bad_reference(&error)
                {
                    let place = spec.places.get(&error.way.join("/")).copied().or(spec.place);
                    let inner: String = error.way.iter().map(|part| format!(".{part}")).collect();
                    parts
                        .problems
                        .push(Problem::new(format!("{way}{inside}{inner}"), error.message).at(place));
                }
            }
        }
        if spec.retry.is_some_and(|retry| retry.attempts == 0) {
            parts
                .problems
                .push(Problem::new(format!("{way}.retry"), "needs at least 1 attempt").at(spec.place));
        }
        for (key, patterns) in [("inputs", &spec.inputs), ("outputs", &spec.outputs)] {
            for (at, error) in
                patterns.iter().enumerate().filter_map(|(at, text)| Some((at, patterns::check(text).err()?)))
            {
                parts.problems.push(Problem::new(format!("{way}.{key}[{at}]"), error).at(spec.place));
            }
        }
        parts.entries.push(Entry { spec: spec.clone(), way, group, inside });
    }

    /// The config of a task. One that gives none gets the agent's defaults; one of an agent that knows remedies, and
    /// does not say what is to happen with them, what the settings say.
    fn config(&self, spec: &TaskSpec, mends: &BTreeMap<AgentName, bool>) -> Json {
        if mends.get(&spec.agent) == Some(&true) {
            let with =
                if spec.with.is_null() { Value::Object(serde_json::Map::new()) } else { spec.with.clone() };
            if let Value::Object(mut with) = with {
                with.entry(REMEDY).or_insert_with(|| serde_json::json!(self.settings.remedies));
                return Value::Object(with).into();
            }
        }
        let agent = self.registry.agents().get(&spec.agent);
        let takes_none = || agent.is_some_and(|agent| agent.check(&Json::null()).is_ok());
        if spec.with.is_null() && !takes_none() {
            Value::Object(serde_json::Map::new()).into()
        } else {
            spec.config()
        }
    }

    /// What is to be done once and was done in an earlier run is carried, unless it is asked for by name.
    fn carry_once(&self, parts: &Parts, tasks: &mut [PlannedTask]) {
        for (Entry { spec, .. }, task) in parts.entries.iter().zip(tasks) {
            let named = self.selector.tasks.iter().any(|name| name == task.id.as_str());
            if spec.once
                && !named
                && self.earlier.passed_with(&task.id, &task.config)
                && let Some((run, output)) = self.earlier.passed(&task.id)
            {
                task.selection = Selection::Carried { run, output };
            }
        }
    }

    fn touches(&self, spec: &TaskSpec, mends: &BTreeMap<AgentName, bool>) -> Vec<RelPath> {
        let agent = self.registry.agents().get(&spec.agent);
        agent.map(|agent| agent.touches(&self.config(spec, mends))).unwrap_or_default()
    }

    fn tasks(
        &self,
        parts: &Parts,
        mut takes: Vec<Vec<TaskId>>,
        mut follows: Vec<Vec<TaskId>>,
    ) -> Vec<PlannedTask> {
        let general = Retry {
            attempts: self.settings.retries.saturating_add(1),
            delay: std::time::Duration::from_secs_f64(self.settings.retry_delay.clamp(0.0, 3600.0)),
            explicit: false,
        };
        let entries = parts.entries.iter().enumerate();
        entries
            .map(|(at, Entry { spec, way: _, group, inside: _ })| PlannedTask {
                id: spec.id.clone(),
                agent: spec.agent.clone(),
                config: self.config(spec, &parts.mends),
                group: *group,
                needs: spec.needs.clone(),
                takes: std::mem::take(&mut takes[at]),
                follows: std::mem::take(&mut follows[at]),
                when: spec.when.clone(),
                timeout: Some(spec.timeout.unwrap_or_else(|| self.settings.timeout())),
                retry: spec.retry.unwrap_or(general),
                continue_on_error: spec.continue_on_error,
                priority: spec.priority,
                kind: spec.kind,
                resources: spec.resources,
                tags: spec.tags.clone(),
                inputs: spec.inputs.clone(),
                outputs: spec.outputs.clone(),
                touches: self.touches(spec, &parts.mends),
                reuse: spec.reuse.clone(),
                description: spec.description.clone(),
                selection: Selection::Selected,
            })
            .collect()
    }
}

/// The key of a config that says what happens when a check knows a remedy.
const REMEDY: &str = "remedy";

/// Whether the config of an agent has that key, and means the same by it.
fn mends(agent: &dyn DynAgent) -> bool {
    let schema = agent.config_schema();
    let key = schema.get("properties").and_then(|keys| keys.get(REMEDY));
    let kind = key.and_then(|key| key.get("$ref")?.as_str());
    kind.is_some_and(|kind| kind.strip_prefix("#/$defs/") == Some("Remedies"))
}

/// Leaves out what leads nowhere.
fn keep_known(task: &mut PlannedTask, index: &Index, phases: &[PlannedPhase]) {
    for names in [&mut task.needs, &mut task.takes, &mut task.follows] {
        names.retain(|id| index.contains_key(id));
    }
    let is_known = |name: &PhaseName| phases.iter().any(|phase| phase.name == *name);
    if task.when.task().is_some_and(|id| !index.contains_key(id))
        || task.when.phase().is_some_and(|name| !is_known(name))
    {
        task.when = When::Needed;
    }
}

/// Where a cycle is: at its first task, or else its first phase.
fn whereabouts(names: &[String], entries: &[Entry], pipeline: &Pipeline) -> (String, Option<Place>) {
    if let Some(entry) = entries.iter().find(|entry| names.iter().any(|name| name == entry.spec.id.as_str()))
    {
        return (entry.way.clone(), entry.spec.place);
    }
    let is_named = |phase: &PhaseSpec| {
        let group = format!("group {}/", phase.name);
        names.iter().any(|name| *name == format!("phase {}", phase.name) || name.starts_with(&group))
    };
    let found = pipeline.phases.iter().position(is_named);
    found.map_or((String::new(), None), |at| (format!("phases[{at}]"), pipeline.phases[at].place))
}

/// `build_validation` as people write it.
fn readable(name: &PhaseName) -> String {
    name.as_str().replace(['_', '-'], " ").to_uppercase()
}

/// Ids to places in the plan.
type Index = HashMap<TaskId, usize>;

/// Schemas of agents' configs and outputs, made when first asked for.
type Schemas = BTreeMap<AgentName, (Value, Value)>;

#[cfg(all(test, feature = "testkit"))]
mod tests;
