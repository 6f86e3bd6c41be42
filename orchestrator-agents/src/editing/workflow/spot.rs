//! Where a way of deploying goes: in place of the step that stands for the deployment, or in a job of its own.

use orchestrator_core::BoxError;

use super::super::config_edit::edited::EditResult;
use super::file::Workflow;
use super::job::Job;
use super::node::Node;
use super::options::Options;
use super::parts;
use super::shape::{self, Target};

/// Options of every way of deploying.
pub(super) const OPTIONS: [&str; 9] =
    ["job", "step", "needs", "env", "branch", "environment", "runs_on", "timeout_minutes", "url"];

/// Writes these steps where the deployment to production is, or appends a job of them. `mark` is the name of one of them by
/// which they are known again.
pub(super) fn deploy_by(
    mut file: Workflow,
    options: &Options<'_>,
    steps: Vec<Node>,
    minutes: u64,
    mark: &str,
    what: &str,
) -> EditResult {
    let target = Target::Production;
    let named = options.job("job")?;
    let known = file
        .jobs()
        .iter()
        .find(|job| named.is_none_or(|id| id == job.id) && has_mark(job, mark))
        .map(|job| job.id.to_owned());
    if let Some(id) = known {
        return file.finish(vec![format!("job `{id}` deploys by {what}")]);
    }
    let id = match named {
        Some(id) => id.to_owned(),
        None => candidate(&file, target)?.unwrap_or_else(|| format!("deploy-{}", target.word())),
    };
    let Ok(job) = file.job(&id) else {
        let mut all = vec![parts::checkout()];
        all.extend(steps);
        let job = parts::deployment(&file, options, target, minutes, all)?;
        let mut said = vec![format!("job `{id}` is new: it deploys by {what}")];
        said.extend(parts::append(&mut file, &id, &job)?);
        return file.finish(said);
    };
    if let Some(called) = job.calls() {
        return Err(format!("job `{id}` calls `{called}`; edit that workflow instead").into());
    }
    let index = place(&job, options.text("step")?, target)?;
    let label = job.steps()[index].label();
    file.replace_step(&id, index, &steps)?;
    let mut said = vec![format!("job `{id}` deploys in place of step `{label}` by {what}")];
    said.extend(parts::check_out(&mut file, &id)?);
    said.extend(parts::complete(&mut file, options, &id, target, minutes)?);
    file.finish(said)
}

fn has_mark(job: &Job<'_>, mark: &str) -> bool {
    job.steps().iter().any(|step| step.name() == mark)
}

fn candidate(file: &Workflow, target: Target) -> Result<Option<String>, BoxError> {
    let jobs = file.jobs();
    let found: Vec<&str> = jobs.iter().filter(|job| shape::goes_to(job, target)).map(|job| job.id).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some((*one).to_owned())),
        many => {
            Err(format!("several jobs deploy to production: {}; name one as option `job`", many.join(", "))
                .into())
        }
    }
}

/// The step that gives way: the named one, else the one that only says that it deploys.
fn place(job: &Job<'_>, named: Option<&str>, target: Target) -> Result<usize, BoxError> {
    let steps = job.steps();
    let found = match named {
        Some(name) => super::migration::named(&steps, name),
        None => {
            let open = steps.iter().filter(|step| shape::is_placeholder(step) && shape::deploys(step));
            open.max_by_key(|step| (shape::says(step, target), std::cmp::Reverse(step.index))).copied()
        }
    };
    found.map(|step| step.index).ok_or_else(|| {
        let wanted = named.map_or("that stands in for a deployment".to_owned(), |name| format!("`{name}`"));
        format!(
            "job `{}` has no step {wanted}; steps: {}; name the one to replace as option `step`",
            job.id,
            job.shown_steps()
        )
        .into()
    })
}
