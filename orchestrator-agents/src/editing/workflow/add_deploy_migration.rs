//! `add_deploy_migration`: the database is migrated before new code meets it. Options: `jobs` (those that deploy),
//! `command` (that of the project's tool), `before` (a step; the first that deploys), `env`, `working_directory`, `name`.

use orchestrator_core::BoxError;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::{Workflow, to_job};
use super::job::Step;
use super::migration;
use super::node::Node;
use super::options::Options;
use super::parts;
use super::shape::{self, Target};

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let options = Options::read(with, &migration::OPTIONS)?;
    let mut file = Workflow::read(text)?;
    let before = options.text("before")?;
    let migration = migration::migration(&options, with);
    let mut said = Vec::new();
    for id in chosen(&file, &options)? {
        let job = file.job(&id)?;
        let steps = job.steps();
        let first = match before {
            Some(name) => migration::named(&steps, name),
            None => steps.iter().find(|step| shape::deploys(step)).copied(),
        };
        let first = first.ok_or_else(|| -> BoxError {
            format!(
                "job `{id}` has no step to migrate before; steps: {}; name one as option `before`",
                job.shown_steps()
            )
            .into()
        })?;
        let command = migration.as_ref().ok().map(|migration| migration.command.as_str());
        let migrates = |step: &&Step<'_>| {
            shape::migrates(step) || command.is_some_and(|command| shape::runs(step, command))
        };
        match steps.iter().find(migrates) {
            Some(step) if step.index <= first.index => {
                said.push(format!("job `{id}` migrates in step `{}`", step.label()));
                continue;
            }
            Some(step) => {
                return Err(format!(
                    "job `{id}` migrates in step `{}`, after it deployed; move it up",
                    step.label()
                )
                .into());
            }
            None => {}
        }
        let migration = migration.as_ref().map_err(ToString::to_string)?;
        let node = migration::step(&options, migration, &first)?;
        let (index, label) = (first.index, first.label());
        file.insert_step(&id, index, &node)?;
        said.push(format!("job `{id}`: `{}` before step `{label}`", migration.command));
        if let Some(install) = migration.install.filter(|_| !parts::installs(&file, &id)) {
            let step = parts::command_step("Install packages", install, &[], migration.folder.as_deref());
            file.insert_step(&id, index, &step)?;
            said.push(format!("job `{id}`: installs packages before"));
        }
        said.extend(parts::check_out(&mut file, &id)?);
        said.extend(environment(&mut file, &options, &id)?);
    }
    file.finish(said)
}

/// A secret of the database belongs to the environment of the deployment, so a job for one target is given that.
fn environment(file: &mut Workflow, options: &Options<'_>, id: &str) -> Result<Option<String>, BoxError> {
    let secret = |node: &Node| matches!(node, Node::Text(text) if text.contains("secrets."));
    if !options.env()?.iter().any(|(_, value)| secret(value)) {
        return Ok(None);
    }
    let job = file.job(id)?;
    let target = match [Target::Staging, Target::Production].map(|target| shape::goes_to(&job, target)) {
        [true, false] => Target::Staging,
        [false, true] => Target::Production,
        _ => return Ok(None),
    };
    if job.environment().is_some() || !job.value["environment"].is_null() {
        return Ok(None);
    }
    let node = parts::environment(target.word(), None);
    file.add(&to_job(id), "environment", &node, &["timeout-minutes", "runs-on"])?;
    Ok(Some(format!("job `{id}`: environment `{}`, where the secret belongs", target.word())))
}

fn chosen(file: &Workflow, options: &Options<'_>) -> Result<Vec<String>, BoxError> {
    if let Some(jobs) = options.list("jobs")? {
        return Ok(jobs);
    }
    let jobs = file.jobs();
    let found: Vec<String> = jobs
        .iter()
        .filter(|job| job.steps().iter().any(shape::deploys))
        .map(|job| job.id.to_owned())
        .collect();
    if found.is_empty() {
        let known = shape::shown_jobs(file);
        return Err(format!(
            "no job has a step that deploys; jobs: {known}; name some as option `jobs`, the step as `before`"
        )
        .into());
    }
    Ok(found)
}
