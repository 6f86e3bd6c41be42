//! What the journal of a run says of its time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

/// See the module.
#[derive(Default)]
pub(crate) struct Journal {
    /// Milliseconds of each operation.
    pub(crate) spent: BTreeMap<String, f64>,
    /// Metrics of the deployment.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// When the last look of the watch was over: what it decided, it decided then.
    pub(crate) looked: Option<Timestamp>,
}

impl Journal {
    /// Of the latest run of a project.
    pub(crate) fn latest(project: &Path) -> Self {
        let runs = std::fs::read_dir(project.join(".orchestrate/runs")).expect("runs");
        let mut runs: Vec<PathBuf> = runs.flatten().map(|run| run.path()).collect();
        runs.sort();
        let journal = runs.pop().expect("a run").join("journal.jsonl");
        let (mut planned, mut told) = (BTreeMap::new(), Self::default());
        for line in std::fs::read_to_string(journal).expect("a journal").lines() {
            let Ok(record) = serde_json::from_str::<Value>(line) else { continue };
            if let Some(event) = find(&record, "task_planned") {
                planned.insert(event["task"].to_string(), event["actions"].clone());
            }
            if let Some(event) = find(&record, "action_finished") {
                let at = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap_or(0);
                let action = planned.get(&event["task"].to_string()).map_or(&Value::Null, |all| &all[at]);
                let call = action["call"]["operation"].as_str();
                if call == Some("observe") {
                    told.looked = record["at"].as_str().and_then(|at| at.parse().ok());
                }
                let name = call.unwrap_or(if action["run"].is_object() { "commands" } else { "other" });
                *told.spent.entry(name.to_owned()).or_insert(0.0) +=
                    event["receipt"]["took_ms"].as_f64().unwrap_or(0.0);
            }
            measured(&record, &mut told.metrics);
        }
        told
    }
}

/// The value of a key, wherever it is.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    object.get(key).or_else(|| object.values().find_map(|value| find(value, key)))
}

/// Collects whatever is a metric of a deployment.
fn measured(value: &Value, metrics: &mut BTreeMap<String, f64>) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| measured(value, metrics)),
        Value::Object(object) => {
            if let (Some(name), Some(found)) = (value["name"].as_str(), value["value"].as_f64())
                && name.starts_with("deploy.")
            {
                metrics.insert(name.to_owned(), found);
            }
            object.values().for_each(|value| measured(value, metrics));
        }
        _ => {}
    }
}
