//! Edges that nobody writes twice: references in configs, and declared outputs that are declared inputs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Entry, Index, Parts, Schemas};
use crate::id::TaskId;
use crate::input::{Reference, references as find_references};
use crate::patterns::{Patterns, is_glob};
use crate::plan::PlannedPhase;
use crate::problem::{Problem, unknown};
use crate::registry::Registry;

/// Where each task is; duplicates, and names in `needs` and `when` that lead nowhere, are problems.
pub(super) fn index(entries: &[Entry], problems: &mut Vec<Problem>) -> Index {
    let mut index = Index::with_capacity(entries.len());
    for (at, Entry { spec, way, .. }) in entries.iter().enumerate() {
        if let Some(first) = index.insert(spec.id.clone(), at) {
            let message = match entries[first].spec.place {
                Some(place) => {
                    format!("two tasks are called `{}`; the first is on line {}", spec.id, place.line)
                }
                None => format!("two tasks are called `{}`", spec.id),
            };
            problems.push(Problem::new(format!("{way}.id"), message).at(spec.place));
        }
    }
    for Entry { spec, way, .. } in entries {
        let needs = spec.needs.iter().map(|id| ("needs", id));
        for (key, id) in needs.chain(spec.when.task().map(|id| ("when", id))) {
            if !index.contains_key(id) {
                problems.push(
                    Problem::new(format!("{way}.{key}"), unknown_task(id.as_str(), &index)).at(spec.place),
                );
            }
        }
    }
    index
}

fn unknown_task(id: &str, index: &Index) -> String {
    let known: BTreeSet<&str> = index.keys().map(TaskId::as_str).collect();
    unknown("task", id, known)
}

/// Resolves what groups depend on.
pub(super) fn groups(parts: &mut Parts) {
    for (at, names, way, place) in std::mem::take(&mut parts.group_after) {
        let phase = parts.groups[at as usize].phase;
        let full = |group: &crate::plan::PlannedGroup| {
            format!("{}/{}", parts.phases[group.phase as usize].name, group.name)
        };
        let mut depends_on = Vec::new();
        for name in names {
            let found = parts.groups.iter().position(|group| {
                !group.checkpoint
                    && ((group.phase == phase && group.name.as_str() == name) || full(group) == name)
            });
            match found {
                Some(found) => depends_on.push(found as u32),
                None => {
                    let own = parts.groups.iter().filter(|group| group.phase == phase && !group.checkpoint);
                    let known: Vec<String> = own.map(|group| group.name.to_string()).collect();
                    let message = unknown("group", &name, known.iter().map(String::as_str));
                    parts.problems.push(Problem::new(format!("{way}.depends_on"), message).at(place));
                }
            }
        }
        parts.groups[at as usize].depends_on = depends_on;
    }
}

/// Names of phases in `when` that lead nowhere are problems.
pub(super) fn told_phases(entries: &[Entry], phases: &[PlannedPhase], problems: &mut Vec<Problem>) {
    for Entry { spec, way, .. } in entries {
        let Some(name) = spec.when.phase() else { continue };
        if !phases.iter().any(|phase| phase.name == *name) {
            let message = unknown("phase", name.as_str(), phases.iter().map(|phase| phase.name.as_str()));
            problems.push(Problem::new(format!("{way}.when"), message).at(spec.place));
        }
    }
}

/// The tasks whose outputs each task takes. Fields that do not exist and types that do not fit are problems.
pub(super) fn references(
    entries: &[Entry],
    index: &Index,
    registry: &Registry,
    problems: &mut Vec<Problem>,
) -> Vec<Vec<TaskId>> {
    let mut schemas = Schemas::new();
    let mut schema = |entry: &Entry| -> Option<(Value, Value)> {
        let agent = registry.agents().get(&entry.spec.agent)?;
        let make = || (agent.config_schema().to_value(), agent.output_schema().to_value());
        Some(schemas.entry(entry.spec.agent.clone()).or_insert_with(make).clone())
    };
    let mut all = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut takes = BTreeSet::new();
        for (way, text) in find_references(&entry.spec.with) {
            let full: String = way.iter().map(|part| format!(".{part}")).collect();
            let place = entry.spec.places.get(&way.join("/")).copied().or(entry.spec.place);
            let mut problem = |message: String| {
                problems.push(
                    Problem::new(format!("{}{}{full}.from", entry.way, entry.inside), message).at(place),
                );
            };
            let reference = match Reference::parse(&text) {
                Ok(reference) => reference,
                Err(error) => {
                    problem(error.to_string());
                    continue;
                }
            };
            let Some(source) = index.get(&reference.task) else {
                problem(unknown_task(reference.task.as_str(), index));
                continue;
            };
            if let (Some((_, output)), Some((config, _))) = (schema(&entries[*source]), schema(entry))
                && let Err(message) = fits(&output, &reference, &config, &way)
            {
                problem(message);
            }
            takes.insert(reference.task);
        }
        all.push(takes.into_iter().collect());
    }
    all
}

/// Whether the field exists in the output's schema and its type is one that the config takes there.
fn fits(output: &Value, reference: &Reference, config: &Value, way: &[String]) -> Result<(), String> {
    let mut given = resolve(output, output);
    for part in &reference.field {
        if let Some(items) = given.get("items").filter(|_| part.parse::<usize>().is_ok()) {
            given = resolve(output, items);
            continue;
        }
        let Some(Value::Object(fields)) = given.get("properties") else { return Ok(()) };
        match fields.get(part) {
            Some(field) => given = resolve(output, field),
            None if given.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false)) => {
                return Ok(());
            }
            None => {
                let what = format!("output of `{}` field", reference.task);
                return Err(unknown(&what, part, fields.keys().map(String::as_str)));
            }
        }
    }
    let mut wanted = resolve(config, config);
    for part in way {
        let below = wanted.get("properties").and_then(|fields| fields.get(part));
        let below = below.or_else(|| wanted.get("additionalProperties")).or_else(|| wanted.get("items"));
        let Some(below) = below else { return Ok(()) };
        wanted = resolve(config, below);
    }
    let (given, wanted) = (types(output, given), types(config, wanted));
    match (given, wanted) {
        (Some(given), Some(wanted)) if given.iter().all(|kind| !takes(&wanted, kind)) => Err(format!(
            "`{reference}` is {}, and {} is wanted here",
            given.iter().cloned().collect::<Vec<_>>().join(" or "),
            wanted.iter().cloned().collect::<Vec<_>>().join(" or "),
        )),
        _ => Ok(()),
    }
}

fn takes(wanted: &BTreeSet<String>, kind: &str) -> bool {
    wanted.contains(kind) || (kind == "integer" && wanted.contains("number"))
}

/// Follows `$ref` into the definitions of `root`.
fn resolve<'v>(root: &'v Value, schema: &'v Value) -> &'v Value {
    let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// The JSON types that a schema allows, references aside; none where it does not say.
fn types(root: &Value, schema: &Value) -> Option<BTreeSet<String>> {
    let schema = resolve(root, schema);
    match schema.get("type") {
        Some(Value::String(kind)) => return Some(BTreeSet::from([kind.clone()])),
        Some(Value::Array(kinds)) => {
            return Some(kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        _ => {}
    }
    let any = schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()?;
    let is_reference = |option: &&Value| option.pointer("/properties/from").is_none();
    let mut all = BTreeSet::new();
    for option in any.iter().filter(is_reference) {
        all.extend(types(root, option)?);
    }
    Some(all)
}

/// The tasks whose declared outputs are declared inputs of each task. A task of a later phase is never waited for: then the
/// input is what was there before.
pub(super) fn declared_files(parts: &Parts) -> Vec<Vec<TaskId>> {
    let entries = &parts.entries;
    let phase_of = |at: usize| parts.groups[entries[at].group as usize].phase;
    let mut makers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut folders: Vec<(Patterns, usize)> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        for output in &entry.spec.outputs {
            makers.entry(plain(output)).or_default().push(at);
            // What lies in a folder, or matches a glob, is made as well.
            if is_glob(output)
                && let Ok(patterns) = Patterns::parse([output])
            {
                folders.push((patterns, at));
            }
        }
    }
    let mut all = vec![Vec::new(); entries.len()];
    if makers.is_empty() {
        return all;
    }
    for (at, entry) in entries.iter().enumerate() {
        let mut found = BTreeSet::new();
        let (unwanted, wanted): (Vec<&String>, Vec<_>) =
            entry.spec.inputs.iter().partition(|input| input.starts_with('!'));
        // A pattern that cannot be read is a problem already.
        let unwanted = (!unwanted.is_empty()).then(|| Patterns::parse(unwanted).ok()).flatten();
        let counts = |path: &str| unwanted.as_ref().is_none_or(|unwanted| !unwanted.leaves_out(path));
        for input in wanted.into_iter().map(|input| plain(input)).filter(|input| counts(input)) {
            found.extend(makers.get(input).into_iter().flatten().copied());
            found.extend(above(input).filter_map(|folder| makers.get(folder)).flatten().copied());
            if !is_glob(input) {
                found.extend(folders.iter().filter(|(made, _)| made.matches(input)).map(|(_, at)| *at));
            }
            found.extend(below(&makers, input, &counts));
        }
        found.retain(|maker| *maker != at && phase_of(*maker) <= phase_of(at));
        all[at] = found.into_iter().map(|maker| entries[maker].spec.id.clone()).collect();
    }
    all
}

fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_end_matches('/')
}

/// The folders that a path, or all that a glob matches, lies in.
fn above(input: &str) -> impl Iterator<Item = &str> {
    let fixed = input.split(['*', '?', '[', '{']).next().unwrap_or_default();
    fixed.match_indices('/').map(|(at, _)| &fixed[..at])
}

/// The makers of what lies below an input that is a folder, or matches one that is a glob. A glob is only made ready where
/// something begins as it does: that is costly.
fn below(makers: &BTreeMap<&str, Vec<usize>>, input: &str, counts: &dyn Fn(&str) -> bool) -> Vec<usize> {
    let fixed = input.split(['*', '?', '[', '{']).next().unwrap_or_default();
    let mut near = makers.range(fixed..).take_while(|(output, _)| output.starts_with(fixed)).peekable();
    if near.peek().is_none() {
        return Vec::new();
    }
    let input = input.to_owned();
    let Ok(patterns) = Patterns::parse([&input]) else { return Vec::new() };
    let near = near.filter(|(output, _)| patterns.matches(output) && counts(output));
    near.flat_map(|(_, at)| at.iter().copied()).collect()
}
