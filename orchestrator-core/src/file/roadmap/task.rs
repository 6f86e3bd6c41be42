//! Tasks and validations of roadmaps. What a task's agent takes is what is not a task's own.

use serde_json::{Value, json};

use crate::file::cursor::Cursor;
use crate::file::keys::roadmap::{SAID, TAKEN, TASK};
use crate::file::task::{COMMAND_AGENT, Config, blank, common, validation as plain};
use crate::file::tree::Node;
use crate::id::{AgentName, PhaseName, TaskId};
use crate::pipeline::{PhaseSpec, Priority, TaskSpec};

/// The agent that asks a person.
const MANUAL: &str = "manual";
/// The agent whose tasks make tests.
const TESTS: &str = "test_generation";
/// The validation that wants to know what is critical.
const ALL_CRITICAL: &str = "all_critical_tested";

/// A task of a group; before it, where a person must agree, the task that asks.
pub(super) fn tasks(at: &Cursor<'_>) -> Vec<TaskSpec> {
    let mut task = blank();
    let mut config = Config::default();
    let (mut id, mut agent, mut name, mut asks) = (None, None::<AgentName>, None, false);
    let taken = at.node.get("type").and_then(Node::written).and_then(taken);
    let mut needs = Vec::new();
    at.each_key(&TASK, |key, value| match key {
        "id" => id = value.name::<TaskId>(),
        "name" => name = value.text().map(str::to_owned),
        "type" => agent = value.name(),
        "depends_on" => needs = value.names(),
        "requires_manual" => asks = value.flag().unwrap_or_default(),
        _ if common(&mut task, key, &value) => {}
        // For people: another agent of the dialect takes it.
        _ if SAID.contains(&key) && taken.is_some_and(|taken| !taken.contains(&key)) => {}
        _ => config.keep(key, &value, Some(value.node.value())),
    });
    let (Some(id), Some(agent)) = (id, agent) else { return Vec::new() };
    task.needs.extend(needs);
    let told = task.description.take();
    task.description = match (&name, &told) {
        (Some(name), Some(told)) if name != told => Some(format!("{name}: {told}")),
        (name, told) => name.clone().or_else(|| told.clone()),
    };
    // What a person did is done.
    task.once |= agent.as_str() == MANUAL && at.node.get("once").is_none();
    if agent.as_str() == MANUAL && !config.fields.contains_key("instructions") {
        let text = told.or(name).unwrap_or_else(|| format!("do what task {id} is for"));
        config.fields.insert("instructions".into(), text.into());
    }
    task.with = Value::Object(config.fields);
    task.places = config.places;
    task.place = Some(at.place());
    (task.id, task.agent) = (id, agent);
    if asks && task.agent.as_str() != MANUAL { asked(task) } else { vec![task] }
}

fn taken(agent: &str) -> Option<&'static [&'static str]> {
    TAKEN.iter().find(|(name, _)| *name == agent).map(|(_, taken)| *taken)
}

/// A task that a person must agree to, after the one that asks.
fn asked(mut task: TaskSpec) -> Vec<TaskSpec> {
    let names = (TaskId::new(format!("{}.agree", task.id)), AgentName::new(MANUAL));
    let (Ok(id), Ok(agent)) = names else { return vec![task] };
    let what = task.description.clone().unwrap_or_else(|| format!("task {}", task.id));
    let text = format!("{} needs a person's agreement before it is done: {what}", task.id);
    let mut ask = TaskSpec::new(id.clone(), agent, json!({ "instructions": text }));
    ask.description = Some(format!("Agree to {}", task.id));
    (ask.needs, ask.when, ask.priority) = (task.needs.clone(), task.when.clone(), task.priority);
    (ask.tags, ask.place, ask.once) = (task.tags.clone(), task.place, true);
    task.needs.push(id);
    vec![ask, task]
}

/// A validation of a checkpoint. Some of its types mean by `target` what pipelines call otherwise.
pub(super) fn validation(
    at: &Cursor<'_>,
    phase: &PhaseName,
    number: usize,
    phases: &[PhaseSpec],
) -> Option<TaskSpec> {
    let kind = at.node.get("type").and_then(Node::written).unwrap_or_default();
    if kind == COMMAND_AGENT && at.node.get("run").is_none() && at.node.get("target").is_some() {
        return crate::file::task::target_command(at, phase, number);
    }
    let mut task = plain(at, phase, number)?;
    if kind == ALL_CRITICAL
        && let Value::Object(fields) = &mut task.with
    {
        // Whatever a target says, it is the tasks that are marked which count.
        fields.remove("target");
        fields.entry("critical").or_insert_with(|| critical(phases));
    }
    Some(task)
}

/// The tasks that make tests and are marked as critical, up to a phase.
fn critical(phases: &[PhaseSpec]) -> Value {
    let tasks = phases.iter().flat_map(|phase| &phase.groups).flat_map(|group| &group.tasks);
    let critical = tasks.filter(|task| task.agent.as_str() == TESTS && task.priority == Priority::Critical);
    critical
        .map(|task| {
            let mut known = json!({ "task": task.id });
            for key in ["target", "test_file"] {
                if let Some(value) = task.with.get(key) {
                    known[key] = value.clone();
                }
            }
            known
        })
        .collect()
}
