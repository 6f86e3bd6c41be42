//! `add_migration_step`: the database has its tables before tests use it. Options: `jobs` (those that test), `command`
//! (that of the project's tool), `before` (a step; the first that tests), `env`, `working_directory`, `name`.

use orchestrator_core::BoxError;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::Workflow;
use super::job::Job;
use super::migration::{self, Migration};
use super::options::Options;
use super::shape;

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let options = Options::read(with, &migration::OPTIONS)?;
    let mut file = Workflow::read(text)?;
    let jobs = chosen(&file, &options)?;
    let before = options.text("before")?;
    let migration = migration::migration(&options, with);
    let mut said = Vec::new();
    for id in jobs {
        let job = file.job(&id)?;
        let steps = job.steps();
        let first = match before {
            Some(name) => migration::named(&steps, name),
            None => steps.iter().find(|step| shape::tests(step)).copied(),
        };
        let Some(first) = first else { return Err(nowhere(&job, before)) };
        let command = migration.as_ref().ok().map(|migration| migration.command.as_str());
        let found = steps
            .iter()
            .find(|step| command.is_some_and(|command| shape::runs(step, command)) || shape::migrates(step));
        match found {
            Some(step) if step.index <= first.index => {
                said.push(format!("job `{id}` applies migrations in step `{}`", step.label()));
                continue;
            }
            Some(step) => {
                return Err(format!(
                    "job `{id}` applies migrations in step `{}`, after its tests in step `{}`; move it up",
                    step.label(),
                    first.label()
                )
                .into());
            }
            None => {}
        }
        let migration: &Migration = migration.as_ref().map_err(ToString::to_string)?;
        let node = migration::step(&options, migration, &first)?;
        let (index, label) = (first.index, first.label());
        file.insert_step(&id, index, &node)?;
        said.push(format!("job `{id}`: `{}` before step `{label}`", migration.command));
    }
    file.finish(said)
}

fn chosen(file: &Workflow, options: &Options<'_>) -> Result<Vec<String>, BoxError> {
    if let Some(jobs) = options.list("jobs")? {
        return Ok(jobs);
    }
    let jobs = file.jobs();
    let tests = |job: &&Job<'_>| {
        let named = shape::mentions(job.id, &["test", "tests", "integration", "e2e", "ci"])
            || shape::mentions(job.name(), &["test", "tests"]);
        let wants =
            !job.value["services"].is_null() || job.value["env"].get("DATABASE_URL").is_some() || named;
        job.steps().iter().any(shape::tests) && wants
    };
    let any = |job: &&Job<'_>| job.steps().iter().any(shape::tests);
    // Where some test jobs start a database, it is those that need the tables.
    let served: Vec<&Job<'_>> =
        jobs.iter().filter(tests).filter(|job| !job.value["services"].is_null()).collect();
    let mut found = if served.is_empty() { jobs.iter().filter(tests).collect() } else { served };
    if found.is_empty() {
        found = jobs.iter().filter(any).collect();
    }
    if found.is_empty() {
        return Err(format!(
            "no job has a step that tests; jobs: {}; name some as option `jobs`, and the step as option `before`",
            shape::shown_jobs(file)
        )
        .into());
    }
    Ok(found.iter().map(|job| job.id.to_owned()).collect())
}

fn nowhere(job: &Job<'_>, before: Option<&str>) -> BoxError {
    let wanted = before.map_or("that tests".to_owned(), |name| format!("`{name}`"));
    format!(
        "job `{}` has no step {wanted}; steps: {}; name one as option `before`",
        job.id,
        job.shown_steps()
    )
    .into()
}
