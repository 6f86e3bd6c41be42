//! From a located tree to a pipeline: phases, groups and checkpoints. Notes every problem and goes on.

use std::cell::RefCell;

use serde_json::{Map, Value};

use crate::file::cursor::Cursor;
use crate::file::keys::{CHECKPOINT, EXECUTION, GROUP, MANY, PHASE, PIPELINE};
use crate::file::tree::{Data, Node};
use crate::file::{roadmap, task};
use crate::id::{GroupName, PhaseName};
use crate::pipeline::{Checkpoint, GroupSpec, PhaseSpec, Pipeline};
use crate::problem::Problem;
use crate::settings;

/// Reads a pipeline from the tree of its file.
pub(super) fn pipeline(root: &Node<'_>, wrong: &RefCell<Vec<Problem>>) -> Pipeline {
    let is_roadmap = roadmap::is_roadmap(root);
    let root = Cursor::new(root, wrong);
    if is_roadmap {
        return roadmap::pipeline(&root);
    }
    let mut pipeline = Pipeline::default();
    root.each_key(&PIPELINE, |key, at| match key {
        "version" => version(&at),
        "name" => pipeline.name = at.text().map(str::to_owned),
        "settings" => pipeline.settings = settings_layer(&at),
        "phases" => pipeline.phases = at.list(|_, at| phase(&at)),
        "$schema" => drop(at.text()),
        _ => {}
    });
    pipeline
}

fn version(at: &Cursor<'_>) {
    if at.node.value() != 1 {
        let found = at.node.written().unwrap_or(at.node.kind());
        at.wrong(format!("version `{found}` is not known; this program reads version 1"));
    }
}

fn settings_layer(at: &Cursor<'_>) -> Value {
    settings_layer_of(at, |_| true)
}

/// The settings among the keys that are taken.
pub(super) fn settings_layer_of(at: &Cursor<'_>, takes: impl Fn(&str) -> bool) -> Value {
    let mut layer = Map::new();
    at.each_entry(|key, place, value| {
        if !takes(key) {
            return;
        }
        if matches!(value.node.data, Data::Map(_)) && settings::is_section(key) {
            let mut section = Map::new();
            value.each_entry(|inner, place, at| {
                let name = format!("{key}.{inner}");
                section.extend(setting(&name, place, &at).map(|value| (inner.to_owned(), value)));
            });
            layer.insert(key.to_owned(), Value::Object(section));
        } else {
            layer.extend(setting(key, place, &value).map(|value| (key.to_owned(), value)));
        }
    });
    Value::Object(layer)
}

fn setting(name: &str, key: crate::pipeline::Place, at: &Cursor<'_>) -> Option<Value> {
    match settings::read(name, &at.node.value()) {
        Ok(value) => return Some(value),
        Err(settings::Wrong::Name(message)) => at.wrong_there(key, message),
        Err(settings::Wrong::Value(message)) => at.wrong(message),
    }
    None
}

fn phase(at: &Cursor<'_>) -> Option<PhaseSpec> {
    let mut phase = PhaseSpec::new(placeholder_phase());
    let mut name = None;
    let mut has = Vec::new();
    // The name first: the ids of validations are made from it.
    if let Some(node) = at.node.get("name").and_then(Node::written) {
        name = PhaseName::new(node).ok();
    }
    at.each_key(&PHASE, |key, value| {
        has.push(key);
        match key {
            "name" => drop(value.name::<PhaseName>()),
            "title" => phase.title = value.text().map(str::to_owned),
            "description" => phase.description = value.text().map(str::to_owned),
            "depends_on" => phase.depends_on = Some(value.names()),
            "parallel_with" => phase.parallel_with = value.names(),
            "groups" => phase.groups = value.list(|_, at| group(&at)),
            "tasks" => phase.groups = vec![main_group(&value)],
            "checkpoint" => phase.checkpoint = Some(checkpoint(&value, name.as_ref())),
            "use" => phase.uses = value.name::<PhaseName>().map(|name| name.to_string()),
            "with" => phase.with = task::config_map(&value),
            _ => {}
        }
    });
    check_source(at, &has);
    phase.name = name?;
    phase.place = Some(at.place());
    Some(phase)
}

/// A phase has exactly one source of tasks.
fn check_source(at: &Cursor<'_>, has: &[&str]) {
    let is_map = matches!(at.node.data, Data::Map(_));
    let sources: Vec<&str> = ["groups", "tasks", "use"].into_iter().filter(|key| has.contains(key)).collect();
    match sources[..] {
        [] if is_map => at.wrong("a phase needs `groups`, `tasks` or `use: standard`"),
        [first, .., last] => at.wrong_key(last, format!("give `{first}` or `{last}`, not both")),
        _ => {}
    }
    if has.contains(&"with") && !has.contains(&"use") {
        at.wrong_key("with", "`with` goes with `use`");
    }
}

fn placeholder_phase() -> PhaseName {
    PhaseName::new("unnamed").expect("the name fits its pattern")
}

fn main_group(at: &Cursor<'_>) -> GroupSpec {
    let mut group = GroupSpec::new(GroupName::new("main").expect("the name fits its pattern"));
    group.tasks = at.list(|_, at| task::task(&at));
    group.place = Some(at.place());
    group
}

fn group(at: &Cursor<'_>) -> Option<GroupSpec> {
    let mut group = GroupSpec::new(GroupName::new("unnamed").expect("the name fits its pattern"));
    let mut name = None;
    at.each_key(&GROUP, |key, value| match key {
        "name" => name = value.name(),
        "title" => group.title = value.text().map(str::to_owned),
        "execution" => group.execution = value.word(&EXECUTION).unwrap_or_default(),
        "fail_fast" => group.fail_fast = value.flag(),
        "max_parallel" => group.max_parallel = value.count(&MANY),
        "depends_on" => group.depends_on = value.one_or_list(|at| group_ref(&at)),
        "tasks" => group.tasks = value.list(|_, at| task::task(&at)),
        _ => {}
    });
    group.name = name?;
    group.place = Some(at.place());
    Some(group)
}

/// `group`, or `phase/group`.
pub(super) fn group_ref(at: &Cursor<'_>) -> Option<String> {
    let text = at.text()?;
    let (phase, group) = text.split_once('/').map_or((None, text), |(phase, group)| (Some(phase), group));
    let checked = phase.map_or(Ok(()), |phase| PhaseName::new(phase).map(drop));
    match checked.and_then(|()| GroupName::new(group).map(drop)) {
        Ok(()) => Some(text.to_owned()),
        Err(error) => {
            at.wrong(error.to_string());
            None
        }
    }
}

fn checkpoint(at: &Cursor<'_>, phase: Option<&PhaseName>) -> Checkpoint {
    let mut checkpoint = Checkpoint { name: "checkpoint".into(), validations: Vec::new() };
    let unnamed = placeholder_phase();
    let phase = phase.unwrap_or(&unnamed);
    at.each_key(&CHECKPOINT, |key, value| match key {
        // Its name follows the pattern of groups: it is shown as one.
        "name" => {
            checkpoint.name = value.name::<GroupName>().map_or_else(String::new, |name| name.to_string());
        }
        "validations" => {
            checkpoint.validations = value.list(|index, at| task::validation(&at, phase, index + 1));
        }
        _ => {}
    });
    checkpoint
}
