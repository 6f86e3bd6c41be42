//! From a located tree to tasks: what every task takes, commands, and the configs of agents.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::file::cursor::Cursor;
use crate::file::keys::{
    ATTEMPTS, CACHE, COMMAND, EFFECT, KIND, MOST_CPU, PRIORITY, RESOURCES, RETRY, TASK, UNDO, VALIDATION,
    VALIDATION_COMMAND,
};
use crate::file::tree::{Data, Node, Plain};
use crate::id::{AgentName, PhaseName, TaskId};
use crate::input::Reference;
use crate::path::RelPath;
use crate::pipeline::{Place, Resources, Retry, Reuse, TaskSpec, When};
use crate::problem;

/// The agent that runs commands.
pub(super) const COMMAND_AGENT: &str = "command";

/// An agent's config while it is read, and where its parts stand.
#[derive(Default)]
pub(super) struct Config {
    pub(super) fields: Map<String, Value>,
    pub(super) places: BTreeMap<String, Place>,
}

impl Config {
    /// Keeps a field and the places of its parts. `value` is what was read of `at`.
    pub(super) fn keep(&mut self, key: &str, at: &Cursor<'_>, value: Option<Value>) {
        if let Some(value) = value {
            self.fields.insert(key.to_owned(), value);
            places(at.node, &mut key.to_owned(), &mut self.places);
        }
    }
}

fn places(node: &Node<'_>, way: &mut String, all: &mut BTreeMap<String, Place>) {
    use std::fmt::Write as _;
    all.insert(way.clone(), node.place);
    let end = way.len();
    match &node.data {
        Data::Plain(..) | Data::Text(_) => {}
        Data::List(items) => {
            for (at, item) in items.iter().enumerate() {
                write!(way, "/{at}").expect("a string takes everything");
                places(item, way, all);
                way.truncate(end);
            }
        }
        Data::Map(entries) => {
            for entry in entries {
                way.push('/');
                way.push_str(&entry.key);
                places(&entry.node, way, all);
                way.truncate(end);
            }
        }
    }
}

pub(super) fn blank() -> TaskSpec {
    let id = TaskId::new("unnamed").expect("the id fits its pattern");
    let agent = AgentName::new(COMMAND_AGENT).expect("the name fits its pattern");
    TaskSpec::new(id, agent, Value::Null)
}

/// A task of a group.
pub(super) fn task(at: &Cursor<'_>) -> Option<TaskSpec> {
    let mut task = blank();
    let mut config = Config::default();
    let (mut id, mut uses, mut with) = (None, None, None);
    let mut has = Vec::with_capacity(12);
    at.each_key(&TASK, |key, value| {
        has.push(key);
        match key {
            "id" => id = value.name(),
            "uses" => uses = value.name::<AgentName>(),
            "with" => with = Some(with_map(&value)),
            _ if common(&mut task, key, &value) => {}
            _ => config.keep(key, &value, command_field(key, &value)),
        }
    });
    check_kind(at, &has);
    if let Some(agent) = uses {
        task.agent = agent;
        config = with.unwrap_or_default();
    }
    task.with = Value::Object(config.fields);
    task.places = config.places;
    task.place = Some(at.place());
    task.id = id?;
    Some(task)
}

/// A task runs a command or uses an agent, and says only what goes with that.
fn check_kind(at: &Cursor<'_>, has: &[&str]) {
    let (run, uses) = (has.contains(&"run"), has.contains(&"uses"));
    match (run, uses) {
        (true, true) => at.wrong_key("uses", "give `run` or `uses`, not both"),
        (false, false) if matches!(at.node.data, Data::Map(_)) => at.wrong("a task needs `run` or `uses`"),
        _ => {}
    }
    if run && !uses && has.contains(&"with") {
        at.wrong_key("with", "`with` goes with `uses`");
    }
    if uses && !run {
        for key in COMMAND.iter().map(|key| key.name).filter(|name| has.contains(name)) {
            at.wrong_key(key, format!("`{key}` belongs to `run`; what an agent takes goes under `with`"));
        }
    }
}

/// A validation of a checkpoint: the `number`th of its phase.
pub(super) fn validation(at: &Cursor<'_>, phase: &PhaseName, number: usize) -> Option<TaskSpec> {
    let command = at.node.get("type").and_then(Node::written) == Some(COMMAND_AGENT);
    let mut task = blank();
    let mut config = Config::default();
    let (mut id, mut agent) = (TaskId::new(format!("{phase}.checkpoint.{number}")).ok(), None);
    at.each_key(if command { &VALIDATION_COMMAND } else { &VALIDATION }, |key, value| match key {
        "id" => id = value.name(),
        "type" => agent = value.name(),
        _ if common(&mut task, key, &value) => {}
        _ if command => config.keep(key, &value, command_field(key, &value)),
        _ => config.keep(key, &value, Some(value.node.value())),
    });
    task.id = id?;
    task.agent = agent?;
    task.with = Value::Object(config.fields);
    task.places = config.places;
    task.place = Some(at.place());
    Some(task)
}

/// A validation whose `target` is a command, as roadmaps say it.
pub(super) fn target_command(at: &Cursor<'_>, phase: &PhaseName, number: usize) -> Option<TaskSpec> {
    let mut task = blank();
    let mut config = Config::default();
    let mut id = TaskId::new(format!("{phase}.checkpoint.{number}")).ok();
    at.each_key(&VALIDATION, |key, value| match key {
        "id" => id = value.name(),
        "type" => {}
        "target" => config.keep("run", &value, command(&value)),
        _ if common(&mut task, key, &value) => {}
        _ if COMMAND.iter().any(|known| known.name == key) => {
            config.keep(key, &value, command_field(key, &value));
        }
        _ => value.wrong(problem::unknown("key of a validation of type `command`", key, ["target", "run"])),
    });
    task.id = id?;
    task.with = Value::Object(config.fields);
    task.places = config.places;
    task.place = Some(at.place());
    Some(task)
}

/// Reads a key that every task takes; false for any other.
pub(super) fn common(task: &mut TaskSpec, key: &str, at: &Cursor<'_>) -> bool {
    match key {
        "description" => task.description = at.text().map(str::to_owned),
        "needs" => task.needs = at.names(),
        "when" => task.when = when(at).unwrap_or_default(),
        "timeout" => task.timeout = at.some_duration(),
        "retry" => task.retry = retry(at),
        "continue_on_error" => task.continue_on_error = at.flag().unwrap_or_default(),
        "priority" => task.priority = at.word(&PRIORITY).unwrap_or_default(),
        "tags" => task.tags = at.texts(),
        "kind" => task.kind = at.word(&KIND).unwrap_or_default(),
        "resources" => task.resources = resources(at),
        "inputs" => task.inputs = at.texts(),
        "outputs" => task.outputs = at.texts(),
        "once" => task.once = at.flag().unwrap_or_default(),
        "cache" => task.reuse = reuse(at),
        _ => return false,
    }
    true
}

fn when(at: &Cursor<'_>) -> Option<When> {
    When::parse(at.text()?).map_err(|message| at.wrong(message)).ok()
}

/// `3`, or `{attempts: 3, delay: 1s}`.
fn retry(at: &Cursor<'_>) -> Option<Retry> {
    let mut delay = Duration::from_secs(1);
    let mut attempts = None;
    if matches!(at.node.data, Data::Plain(Plain::Number(_), _)) {
        attempts = at.count(&ATTEMPTS);
    } else {
        at.each_key(&RETRY, |key, value| match key {
            "attempts" => attempts = value.count(&ATTEMPTS),
            "delay" => delay = value.duration().unwrap_or(delay),
            _ => {}
        });
    }
    Some(Retry { attempts: attempts?, delay, explicit: true })
}

/// `false`, or what the reuse depends on.
fn reuse(at: &Cursor<'_>) -> Reuse {
    let mut reuse = Reuse::default();
    if !matches!(at.node.data, Data::Map(_)) {
        reuse.off = at.flag().is_some_and(|on| !on);
        return reuse;
    }
    at.each_key(&CACHE, |key, value| match key {
        "env" => reuse.env = value.texts(),
        "tools" => reuse.tools = value.texts(),
        "ttl" => reuse.ttl = value.some_duration(),
        _ => {}
    });
    reuse
}

#[expect(clippy::cast_sign_loss, reason = "amounts are not negative")]
fn resources(at: &Cursor<'_>) -> Resources {
    let mut resources = Resources::default();
    at.each_key(&RESOURCES, |key, value| match key {
        "cpu" => {
            let cpu = value.amount(f64::from(MOST_CPU)).unwrap_or_default();
            resources.cpu_milli = (cpu * 1_000.0).round() as u32;
        }
        "memory" => resources.memory = value.size().unwrap_or_default(),
        _ => {}
    });
    resources
}

/// A field of the command agent's config.
fn command_field(key: &str, at: &Cursor<'_>) -> Option<Value> {
    match key {
        "run" => command(at),
        "effect" => at.word::<String>(&EFFECT).map(Value::String),
        "env" => Some(environment(at)),
        "cwd" => {
            text_or_reference(at, |text| RelPath::new(text).map(drop).map_err(|error| error.to_string()))
        }
        "collect" => Some(at.texts().into_iter().collect()),
        "undo" => {
            let mut undo = Map::new();
            at.each_key(&UNDO, |key, value| {
                undo.extend(command_field(key, &value).map(|value| (key.to_owned(), value)));
            });
            Some(Value::Object(undo))
        }
        _ => None,
    }
}

/// A list is argv, text is a shell line.
fn command(at: &Cursor<'_>) -> Option<Value> {
    if let Data::List(items) = &at.node.data {
        if items.is_empty() {
            at.wrong("a command needs at least the name of a program");
        }
        return Some(Value::Array(at.list(|_, word| text_or_reference(&word, |_| Ok(())))));
    }
    match &at.node.data {
        Data::Text(line) if !line.trim().is_empty() => Some(Value::String(line.clone().into_owned())),
        Data::Text(_) => {
            at.wrong("a command needs at least the name of a program");
            None
        }
        _ => {
            at.wrong(format!("expected a list of words or a shell line, found {}", at.node.kind()));
            None
        }
    }
}

/// Text, or another task's output.
fn text_or_reference(at: &Cursor<'_>, check: impl Fn(&str) -> Result<(), String>) -> Option<Value> {
    if matches!(at.node.data, Data::Map(_)) {
        let value = at.node.value();
        if Reference::of(&value).is_some() {
            return Some(value);
        }
        at.wrong("expected text or `{from: TASK/field}`");
        return None;
    }
    let text = at.text()?;
    check(text).map_err(|message| at.wrong(message)).ok()?;
    Some(Value::String(text.to_owned()))
}

fn environment(at: &Cursor<'_>) -> Value {
    let mut variables = Map::new();
    at.each_entry(|name, place, value| {
        if name.is_empty() || name.contains(['=', '\0']) {
            value.wrong_there(place, format!("`{name}` cannot be the name of an environment variable"));
        }
        let read = match value.node.get("secret") {
            Some(_) => secret(&value),
            None if matches!(value.node.data, Data::Map(_)) && value.node.get("from").is_none() => {
                value.wrong("expected text, `{secret: NAME}` or `{from: TASK/field}`");
                None
            }
            None => text_or_reference(&value, |_| Ok(())),
        };
        variables.extend(read.map(|value| (name.to_owned(), value)));
    });
    Value::Object(variables)
}

fn secret(at: &Cursor<'_>) -> Option<Value> {
    let value = at.node.value();
    let name = value.get("secret").and_then(Value::as_str).filter(|name| !name.is_empty());
    if name.is_some() && value.as_object().is_some_and(|fields| fields.len() == 1) {
        return Some(value);
    }
    at.wrong("expected `{secret: NAME}` and nothing else");
    None
}

/// A map that an agent or a phase understands.
pub(super) fn config_map(at: &Cursor<'_>) -> Value {
    if !matches!(at.node.data, Data::Map(_)) {
        at.wrong(format!("expected a map, found {}", at.node.kind()));
    }
    at.node.value()
}

fn with_map(at: &Cursor<'_>) -> Config {
    let mut config = Config::default();
    at.each_entry(|key, _, value| config.keep(key, &value, Some(value.node.value())));
    config
}
