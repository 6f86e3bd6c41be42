//! `add_health_checks`: a deployment counts when its address answers. Options: `jobs` (those that deploy), `url`, or `urls`
//! (an address for each job); without them the address of the job's environment.

use orchestrator_core::BoxError;
use serde_json::Value;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::Workflow;
use super::job::Job;
use super::options::Options;
use super::{parts, shape};

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let options = Options::read(with, &["jobs", "url", "urls"])?;
    let mut file = Workflow::read(text)?;
    let url = options.url("url")?;
    let mut said = Vec::new();
    for id in chosen(&file, &options)? {
        let job = file.job(&id)?;
        let steps = job.steps();
        let last = steps.iter().rfind(|step| shape::deploys(step)).copied();
        let last = last.ok_or_else(|| -> BoxError {
            format!("job `{id}` has no step that deploys; steps: {}", job.shown_steps()).into()
        })?;
        if shape::is_placeholder(&last) {
            return Err(format!(
                "job `{id}` only says that it deploys (step `{}`), so there is nothing to ask; make it real first \
                 (`implement_staging_deploy`, `implement_production_deploy`)",
                last.label()
            )
            .into());
        }
        let asked = steps
            .iter()
            .find(|step| step.index >= last.index && step.run().is_some_and(parts::checks_health));
        if let Some(step) = asked {
            said.push(format!("job `{id}` asks in step `{}`", step.label()));
            continue;
        }
        let url = address(with, &job, url)?;
        let (index, label) = (last.index, last.label());
        file.insert_step(&id, index + 1, &parts::health_check("Check that it answers", &url))?;
        said.push(format!("job `{id}`: asks {url} after step `{label}`"));
    }
    file.finish(said)
}

fn chosen(file: &Workflow, options: &Options<'_>) -> Result<Vec<String>, BoxError> {
    if let Some(jobs) = options.list("jobs")? {
        return Ok(jobs);
    }
    let jobs = file.jobs();
    let real = |job: &&Job<'_>| shape::is_deployment(job) && job.steps().iter().any(shape::deploys);
    let found: Vec<String> = jobs.iter().filter(real).map(|job| job.id.to_owned()).collect();
    if found.is_empty() {
        return Err(
            format!("no job deploys; jobs: {}; name some as option `jobs`", shape::shown_jobs(file)).into()
        );
    }
    Ok(found)
}

/// The address of the options, or that of the environment of the job.
fn address(with: &ActionInput<'_>, job: &Job<'_>, url: Option<&str>) -> Result<String, BoxError> {
    let own = match with.options.get("urls") {
        None => None,
        Some(Value::Object(urls)) => match urls.get(job.id) {
            Some(found) => {
                let one = [("url".to_owned(), found.clone())].into_iter().collect();
                let inner = ActionInput { options: &one, ..*with };
                Options::read(&inner, &["url"])?.url("url")?.map(str::to_owned)
            }
            None => None,
        },
        Some(_) => return Err("option `urls` is no mapping of jobs to addresses".into()),
    };
    let shown = job.value["environment"]["url"].as_str().filter(|url| !url.contains("${{"));
    let found = own.or_else(|| url.or(shown).map(str::to_owned));
    found.ok_or_else(|| {
        format!("where job `{}` deploys to is not known; give option `url`, or `urls` by job", job.id).into()
    })
}
