//! `remove_continue_on_error`: failures count again. Options: `jobs` (all where not given).

use orchestrator_core::BoxError;
use serde_json::Value;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::{Way, Workflow, shown, to_job, to_step};
use super::options::Options;

const KEY: &str = "continue-on-error";

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let options = Options::read(with, &["jobs"])?;
    let mut file = Workflow::read(text)?;
    let jobs = match options.list("jobs")? {
        Some(jobs) => jobs,
        None => file.jobs().iter().map(|job| job.id.to_owned()).collect(),
    };
    let mut said = Vec::new();
    let mut left = Vec::new();
    for id in &jobs {
        for (way, label) in places(&file, id)? {
            match file.at(&way).map(|mapping| &mapping[KEY]) {
                Some(Value::Bool(true)) => {
                    file.remove(&way, KEY)?;
                    said.push(format!("{label} fails its run again"));
                }
                Some(Value::String(text)) => {
                    left.push(format!("left as it is: `{text}` of {label} ({})", shown(&way)));
                }
                _ => {}
            }
        }
    }
    if said.is_empty() {
        said.push("no job or step has `continue-on-error: true`".to_owned());
    }
    said.extend(left);
    file.finish(said)
}

/// The job and its steps.
fn places(file: &Workflow, id: &str) -> Result<Vec<(Way, String)>, BoxError> {
    let job = file.job(id)?;
    let steps = job
        .steps()
        .into_iter()
        .map(|step| (to_step(id, step.index), format!("step `{}` of job `{id}`", step.label())));
    Ok(std::iter::once((to_job(id), format!("job `{id}`"))).chain(steps).collect())
}
