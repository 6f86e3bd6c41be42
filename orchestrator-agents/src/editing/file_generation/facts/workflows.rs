//! The GitHub workflows of a project.

use orchestrator_core::path::RelPath;
use serde::Serialize;
use serde_json::Value;

use super::{Files, word};

/// A workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Workflow {
    path: RelPath,
    /// The name of its file.
    file: String,
    /// Its name, or its path.
    name: String,
    /// What starts it, in order.
    on: Vec<String>,
    /// Whether a person can start it and need give nothing.
    manual: bool,
}

pub(super) fn look(files: &Files<'_>) -> Vec<Workflow> {
    let folder = RelPath::new(".github/workflows").expect("a path");
    let is_workflow = |path: &&RelPath| {
        let name = path.as_str().strip_prefix(".github/workflows/").unwrap_or_default();
        !name.contains('/') && matches!(super::extension(path), "yml" | "yaml")
    };
    let paths = files.below(&folder).filter(is_workflow).take(100);
    paths.filter_map(|path| workflow(path, &files.text(path)?)).collect()
}

fn workflow(path: &RelPath, text: &str) -> Option<Workflow> {
    let tree: Value = serde_saphyr::from_str(text).ok()?;
    let on = tree.get("on").or_else(|| tree.get("true"))?;
    let names: Vec<String> = match on {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Object(map) => map.keys().cloned().collect(),
        _ => return None,
    };
    let inputs = on.pointer("/workflow_dispatch/inputs").and_then(Value::as_object);
    let required = inputs.into_iter().flatten().any(|(_, input)| {
        input.get("required") == Some(&Value::Bool(true)) && input.get("default").is_none()
    });
    let file = crate::rendering::split(path).1.to_owned();
    let name = tree.get("name").and_then(Value::as_str).and_then(word).unwrap_or_else(|| path.to_string());
    let manual = !required && names.iter().any(|name| name == "workflow_dispatch");
    Some(Workflow {
        path: path.clone(),
        file,
        name,
        on: names.iter().filter_map(|name| word(name)).collect(),
        manual,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_it_and_whether_a_person_can() {
        let path = RelPath::new(".github/workflows/a.yml").unwrap();
        let read = |text: &str| workflow(&path, text).unwrap();
        let ci = read("name: CI\non: [push, pull_request]\njobs: {}\n");
        assert_eq!((ci.name.as_str(), ci.on.join(" "), ci.manual), ("CI", "push pull_request".into(), false));
        assert!(read("on:\n  workflow_dispatch:\n").manual);
        let asks = "on:\n  workflow_dispatch:\n    inputs:\n      env: {required: true}\n";
        assert!(!read(asks).manual);
        assert!(workflow(&path, "on: [").is_none() && workflow(&path, "{}").is_none());
    }
}
