//! `add_path_filters`: the workflow runs only where its files changed. Options: `paths` (the folders that the project's
//! facts name), `events` (`push` and `pull_request` where the workflow has them).

use orchestrator_core::BoxError;
use serde_json::Value;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::{Way, Workflow, below};
use super::node::Node;
use super::options::Options;
use super::shape;

/// Events that can be limited to paths.
const EVENTS: [&str; 3] = ["push", "pull_request", "pull_request_target"];

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let options = Options::read(with, &["paths", "events"])?;
    let mut file = Workflow::read(text)?;
    let paths = paths(&options, with)?;
    let events = events(&file, &options)?;
    let mut said = Vec::new();
    spread(&mut file)?;
    let on: Way = below(&Vec::new(), "on");
    for event in events {
        let way = below(&on, event.as_str());
        let stands = file.at(&way).cloned().unwrap_or_default();
        if stands.get("paths-ignore").is_some() {
            return Err(format!("`on.{event}` has `paths-ignore`, and GitHub takes only one of it and `paths`; take it out first").into());
        }
        match &stands["paths"] {
            Value::Null => {
                let node = Node::List(paths.iter().map(|path| quoted(path)).collect());
                if stands.as_object().is_some_and(|pairs| !pairs.is_empty()) {
                    file.add(&way, "paths", &node, &["branches", "branches-ignore", "types"])?;
                } else {
                    file.set(&on, &event, &Node::Map(vec![("paths".to_owned(), node)]))?;
                }
                said.push(format!("`{event}` runs for {} alone", paths.join(", ")));
            }
            Value::Array(known) => {
                let more: Vec<&String> =
                    paths.iter().filter(|path| !known.iter().any(|known| known == path.as_str())).collect();
                if more.is_empty() {
                    continue;
                }
                let all = known.iter().filter_map(Value::as_str).chain(more.iter().map(|path| path.as_str()));
                extend(&mut file, &below(&way, "paths"), known.len(), &more, all.map(quoted).collect())?;
                let more: Vec<&str> = more.into_iter().map(String::as_str).collect();
                said.push(format!("`{event}` runs for {} too", more.join(", ")));
            }
            _ => return Err(format!("`on.{event}.paths` is no list; write it as one").into()),
        }
    }
    if said.is_empty() {
        return file.finish(vec![format!("its events are limited to {}", paths.join(", "))]);
    }
    said.push("a check that is required and did not run keeps a pull request waiting; see the branch rules of the repository".to_owned());
    file.finish(said)
}

/// Patterns are always quoted: most begin with or hold a `*`.
fn quoted(path: &str) -> Node {
    Node::quoted(path)
}

/// The paths that are asked for, and the workflow itself.
fn paths(options: &Options<'_>, with: &ActionInput<'_>) -> Result<Vec<String>, BoxError> {
    let mut paths = match options.list("paths")? {
        Some(paths) => paths,
        None => {
            let facts = with.facts;
            let folders = facts
                .script_sources
                .iter()
                .chain(&facts.python_sources)
                .chain(&facts.node_folders)
                .chain(&facts.python_folders);
            let mut found: Vec<String> =
                folders.filter(|folder| !folder.is_root()).map(|folder| format!("{folder}/**")).collect();
            found.sort();
            found.dedup();
            found
        }
    };
    if paths.is_empty() {
        return Err("which paths the workflow is about is not known: the project has no folder of code; give option `paths`".into());
    }
    if paths.iter().all(|path| path.starts_with('!')) {
        return Err("option `paths` takes everything out (`!`) and puts nothing in; add `**` first".into());
    }
    let own = with.path.to_string();
    if own.starts_with(".github/workflows/")
        && !paths.iter().any(|path| *path == own || path == ".github/**" || path == "**")
    {
        paths.push(own);
    }
    Ok(paths)
}

fn events(file: &Workflow, options: &Options<'_>) -> Result<Vec<String>, BoxError> {
    let has = shape::events(file);
    if let Some(wanted) = options.list("events")? {
        if let Some(odd) =
            wanted.iter().find(|event| !EVENTS.contains(&event.as_str()) || !has.contains(event))
        {
            return Err(format!(
                "option `events`: `{odd}` cannot be limited here; the workflow runs on: {}; paths limit {}",
                has.join(", "),
                EVENTS.join(", ")
            )
            .into());
        }
        return Ok(wanted);
    }
    let found: Vec<String> = has.iter().filter(|event| EVENTS.contains(&event.as_str())).cloned().collect();
    if found.is_empty() {
        return Err(format!(
            "the workflow runs on {}, none of which can be limited to paths",
            has.join(", ")
        )
        .into());
    }
    Ok(found)
}

/// `on: push` and `on: [push, pull_request]` as a mapping.
fn spread(file: &mut Workflow) -> Result<(), BoxError> {
    let events: Vec<String> = match &file.value["on"] {
        Value::String(event) => vec![event.clone()],
        Value::Array(events) => events.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return Ok(()),
    };
    let pairs = events.into_iter().map(|event| (event, Node::Map(Vec::new()))).collect();
    file.set(&Vec::new(), "on", &Node::Map(pairs))
}

/// Adds to a list of paths, after its last entry.
fn extend(
    file: &mut Workflow,
    list: &Way,
    count: usize,
    more: &[&String],
    all: Vec<Node>,
) -> Result<(), BoxError> {
    let last = below(list, count.saturating_sub(1));
    if count > 0 && !file.place(&last)?.flow {
        return file.append_items(&last, &more.iter().map(|path| quoted(path)).collect::<Vec<_>>());
    }
    let (parent, key) = (list[..list.len() - 1].to_vec(), "paths");
    file.set(&parent, key, &Node::bare(Node::List(all).flow()))
}
