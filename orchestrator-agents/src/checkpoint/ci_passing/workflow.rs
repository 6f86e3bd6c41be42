//! Finds a workflow and reads it, as far as its commands are concerned.

use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::workspace::Workspace;
use serde_json::{Map, Value};

/// The most bytes of a workflow.
const LIMIT: usize = 1 << 20;

/// The workflow that was named, the one called `ci`, or the only one.
pub(super) fn find(target: Option<&RelPath>, look: &Workspace) -> Result<RelPath, String> {
    if let Some(path) = target {
        return if look.exists(path) {
            Ok(path.clone())
        } else {
            Err(format!("the workflow `{path}` does not exist"))
        };
    }
    let folder = RelPath::new(".github/workflows").map_err(|error| error.to_string())?;
    let is_yaml = |path: &RelPath| {
        path.as_str().rsplit_once('.').is_some_and(|(_, extension)| matches!(extension, "yml" | "yaml"))
    };
    let all: Vec<RelPath> = look.files(&folder).into_iter().filter(is_yaml).collect();
    let named =
        all.iter().find(|path| path.as_str().ends_with("/ci.yml") || path.as_str().ends_with("/ci.yaml"));
    match (named, &all[..]) {
        (Some(path), _) => Ok(path.clone()),
        (None, [path]) => Ok(path.clone()),
        (None, []) => Err("there is no workflow in `.github/workflows`".into()),
        (None, all) => {
            let all: Vec<&str> = all.iter().map(RelPath::as_str).collect();
            Err(format!("there are several workflows; name one with `target`: {}", all.join(", ")))
        }
    }
}

/// A workflow as data, with the digest of its text.
pub(super) fn read(path: &RelPath, look: &Workspace) -> Result<(Value, Digest), String> {
    let text = look.read_text(path).map_err(|error| error.to_string())?;
    let text = text.ok_or_else(|| format!("the workflow `{path}` does not exist"))?;
    if text.len() > LIMIT {
        return Err(format!("the workflow `{path}` is larger than {} MiB", LIMIT >> 20));
    }
    let value: Value = serde_saphyr::from_str(&text).map_err(|error| {
        let error = error.to_string();
        format!("the workflow `{path}` cannot be read: {}", error.lines().next().unwrap_or_default())
    })?;
    Ok((value, Digest::of(text.as_bytes())))
}

/// Name and content of a job.
pub(super) type Job<'a> = (&'a str, &'a Map<String, Value>);

/// The jobs, each after those that it needs.
pub(super) fn jobs(workflow: &Value) -> Result<Vec<Job<'_>>, String> {
    let jobs = workflow.get("jobs").and_then(Value::as_object).ok_or("it has no `jobs`")?;
    let mut ordered: Vec<Job<'_>> = Vec::new();
    while ordered.len() < jobs.len() {
        let before = ordered.len();
        for (name, job) in jobs {
            let job = job.as_object().ok_or_else(|| format!("job `{name}` is no map"))?;
            let has = |wanted: &str| ordered.iter().any(|(name, _)| *name == wanted);
            if !has(name) && needs(job).iter().all(|need| has(need)) {
                ordered.push((name, job));
            }
        }
        if ordered.len() == before {
            return Err("its jobs need each other in a circle, or one that is not there".into());
        }
    }
    Ok(ordered)
}

/// The jobs that a job needs: one name or a list.
fn needs(job: &Map<String, Value>) -> Vec<&str> {
    match job.get("needs") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
