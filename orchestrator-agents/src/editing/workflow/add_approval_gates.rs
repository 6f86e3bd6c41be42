//! `add_approval_gates`: what goes to production waits for its environment, where people approve. Options: `jobs` (those
//! that deploy to production), `environment` (`production`).

use orchestrator_core::BoxError;
use serde_json::Value;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::{Workflow, to_job};
use super::options::Options;
use super::parts;
use super::shape::{self, Target};

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let options = Options::read(with, &["jobs", "environment"])?;
    let mut file = Workflow::read(text)?;
    let name = options.text("environment")?.unwrap_or("production");
    let mut said = Vec::new();
    let mut changed = false;
    for id in chosen(&file, &options)? {
        let job = file.job(&id)?;
        if let Some(called) = job.calls() {
            return Err(format!(
                "job `{id}` calls `{called}`, and such a job can have no environment; edit that workflow"
            )
            .into());
        }
        match &job.value["environment"] {
            Value::Null => {
                file.add(
                    &to_job(&id),
                    "environment",
                    &parts::environment(name, None),
                    &["timeout-minutes", "runs-on"],
                )?;
                said.push(format!("job `{id}` waits for the environment `{name}`"));
                changed = true;
            }
            given => {
                let shown = job.environment().map_or_else(|| given.to_string(), str::to_owned);
                if options.text("environment")?.is_some_and(|name| name != shown) {
                    return Err(format!(
                        "job `{id}` has the environment `{shown}` already, not `{name}`; change it by hand"
                    )
                    .into());
                }
                said.push(format!("job `{id}` has the environment `{shown}`"));
            }
        }
    }
    if changed {
        said.push(format!(
            "who must approve is set in the repository: Settings, Environments, `{name}`, Required reviewers; without it nobody is asked"
        ));
    }
    file.finish(said)
}

fn chosen(file: &Workflow, options: &Options<'_>) -> Result<Vec<String>, BoxError> {
    if let Some(jobs) = options.list("jobs")? {
        return Ok(jobs);
    }
    let jobs = file.jobs();
    let found: Vec<String> = jobs
        .iter()
        .filter(|job| shape::goes_to(job, Target::Production))
        .map(|job| job.id.to_owned())
        .collect();
    if found.is_empty() {
        let known = shape::shown_jobs(file);
        return Err(format!(
            "no job deploys to production, by its names and steps; jobs: {known}; name some as option `jobs`"
        )
        .into());
    }
    Ok(found)
}
