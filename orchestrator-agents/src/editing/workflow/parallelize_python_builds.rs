//! `parallelize_python_builds`: versions or folders side by side instead of one after another; one that fails does not stop
//! the others. Options: `job`, `versions` (of Python) or `folders` (those with Python that the project has).

use orchestrator_core::BoxError;
use serde_json::Value;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::{Workflow, below, to_job, to_step};
use super::folders;
use super::job::Job;
use super::node::Node;
use super::options::Options;
use super::shape;

const SETUP: &str = "actions/setup-python";

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let options = Options::read(with, &["job", "versions", "folders"])?;
    let mut file = Workflow::read(text)?;
    let versions = options.list("versions")?;
    let folders = options.list("folders")?;
    if let Some(odd) = versions.iter().flatten().find(|version| !is_version(version)) {
        return Err(format!("option `versions`: `{odd}` is no version of Python such as `3.12` (numbers lose zeros: quote them)").into());
    }
    let mut said = Vec::new();
    match (versions, folders) {
        (Some(_), Some(_)) => {
            return Err("options `versions` and `folders`: one edit does one of them; make it two".into());
        }
        (Some(versions), None) => {
            let id = python(&file, options.text("job")?)?;
            by_version(&mut file, &id, &versions, &mut said)?;
            complete(&mut file, &id, "python-version", &mut said)?;
        }
        (None, given) => {
            let known =
                with.facts.python_folders.iter().filter(|folder| !folder.is_root()).map(ToString::to_string);
            let wanted = given.unwrap_or_else(|| known.collect());
            if wanted.len() < 2 {
                return Err("nothing to run side by side: the project has no two folders with Python; give option `versions` or `folders`".into());
            }
            let id = split(&file, options.text("job")?, &wanted)?;
            folders::by_folder(&mut file, &id, &wanted, &mut said)?;
            complete(&mut file, &id, "folder", &mut said)?;
        }
    }
    if said.is_empty() {
        said.push("the builds run side by side".to_owned());
    }
    file.finish(said)
}

fn is_version(text: &str) -> bool {
    let known = text.strip_prefix("pypy").unwrap_or(text);
    known.starts_with(|c: char| c.is_ascii_digit())
        && known.contains('.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
}

/// The job that sets up Python.
fn python(file: &Workflow, named: Option<&str>) -> Result<String, BoxError> {
    let jobs = file.jobs();
    let sets_up = |job: &&Job<'_>| job.steps().iter().any(|step| step.action() == Some(SETUP));
    if let Some(id) = named {
        let job = file.job(id)?;
        if !sets_up(&&job) {
            return Err(format!("job `{id}` has no step with `{SETUP}`; steps: {}", job.shown_steps()).into());
        }
        return Ok(id.to_owned());
    }
    let found: Vec<&str> = jobs.iter().filter(sets_up).map(|job| job.id).collect();
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(format!("no job has a step with `{SETUP}`; jobs: {}", shape::shown_jobs(file)).into()),
        many => {
            Err(format!("several jobs set up Python: {}; name one as option `job`", many.join(", ")).into())
        }
    }
}

/// The job that builds these folders one after another, or side by side already.
fn split(file: &Workflow, named: Option<&str>, wanted: &[String]) -> Result<String, BoxError> {
    if let Some(id) = named {
        return Ok(file.job(id)?.id.to_owned());
    }
    let jobs = file.jobs();
    let serial: Vec<&str> =
        jobs.iter().filter(|job| folders::builds_all(job, wanted)).map(|job| job.id).collect();
    let split = jobs.iter().filter(|job| folders::is_split(job, wanted)).map(|job| job.id);
    let found: Vec<&str> = if serial.is_empty() { split.collect() } else { serial };
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(format!(
            "no job works in all of {} one after another (by `working-directory` or `cd`); jobs: {}",
            wanted.join(", "),
            shape::shown_jobs(file)
        )
        .into()),
        many => {
            Err(format!("several jobs build these folders: {}; name one as option `job`", many.join(", "))
                .into())
        }
    }
}

fn by_version(
    file: &mut Workflow,
    id: &str,
    versions: &[String],
    said: &mut Vec<String>,
) -> Result<(), BoxError> {
    let job = file.job(id)?;
    if let Some(known) = job.value["strategy"]["matrix"].get("python-version") {
        let known = known
            .as_array()
            .ok_or_else(|| format!("the versions of job `{id}` are no plain list; edit them by hand"))?;
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut all: Vec<String> = known.iter().map(text).collect();
        let more: Vec<&String> = versions.iter().filter(|version| !all.contains(version)).collect();
        if !more.is_empty() {
            said.push(format!(
                "job `{id}` runs for {} too",
                more.iter().map(|version| version.as_str()).collect::<Vec<_>>().join(", ")
            ));
            all.extend(more.into_iter().cloned());
            let matrix = below(&below(&to_job(id), "strategy"), "matrix");
            file.set(&matrix, "python-version", &Node::inline(&all, true))?;
        }
    } else {
        matrix(file, id, "python-version", versions)?;
        said.push(format!("job `{id}` runs for {} side by side", versions.join(", ")));
    }
    let steps: Vec<usize> = file
        .job(id)?
        .steps()
        .iter()
        .filter(|step| step.action() == Some(SETUP))
        .map(|step| step.index)
        .collect();
    for index in steps {
        let step = to_step(id, index);
        let inputs = below(&step, "with");
        let wanted = "${{ matrix.python-version }}";
        match file.at(&inputs) {
            Some(Value::Object(pairs)) if pairs.contains_key("python-version-file") => {
                return Err(format!(
                    "job `{id}` takes the version from `python-version-file`; take that input out first"
                )
                .into());
            }
            Some(Value::Object(pairs)) => match pairs.get("python-version") {
                Some(Value::String(text)) if text.contains("matrix.") => {}
                Some(_) => file.set(&inputs, "python-version", &wanted.into())?,
                None => file.add(&inputs, "python-version", &wanted.into(), &[])?,
            },
            Some(_) => file.set(&step, "with", &Node::map([("python-version", wanted.into())]))?,
            None => file.add(&step, "with", &Node::map([("python-version", wanted.into())]), &["uses"])?,
        }
    }
    Ok(())
}

/// Gives a job a matrix with this list.
pub(super) fn matrix(file: &mut Workflow, id: &str, key: &str, items: &[String]) -> Result<(), BoxError> {
    let list = Node::inline(items, true);
    let job = to_job(id);
    let strategy = below(&job, "strategy");
    let found = file.at(&strategy).cloned().unwrap_or_default();
    match (&found, &found["matrix"]) {
        (Value::Null, _) => {
            let node = Node::map([
                ("fail-fast", Node::bare(false)),
                ("matrix", Node::Map(vec![(key.to_owned(), list)])),
            ]);
            file.add(&job, "strategy", &node, &["runs-on", "needs", "name"])
        }
        (_, Value::Null) => file.add(&strategy, "matrix", &Node::Map(vec![(key.to_owned(), list)]), &[]),
        (_, Value::Object(_)) => file.add(&below(&strategy, "matrix"), key, &list, &[]),
        _ => Err(format!("the matrix of job `{id}` is an expression; edit it by hand").into()),
    }
}

/// All runs of the matrix go on and go side by side, and what they keep has names of its own.
fn complete(file: &mut Workflow, id: &str, key: &str, said: &mut Vec<String>) -> Result<(), BoxError> {
    let strategy = below(&to_job(id), "strategy");
    let found = file.at(&strategy).cloned().unwrap_or_default();
    match &found["fail-fast"] {
        Value::Bool(false) => {}
        Value::Null => {
            file.add(&strategy, "fail-fast", &Node::bare(false), &[])?;
            said.push(format!("job `{id}`: one that fails does not stop the others"));
        }
        Value::Bool(true) => {
            file.set(&strategy, "fail-fast", &Node::bare(false))?;
            said.push(format!("job `{id}`: one that fails does not stop the others"));
        }
        other => return Err(format!("`fail-fast` of job `{id}` is {other}; decide that by hand").into()),
    }
    if found["max-parallel"] == 1 {
        file.remove(&strategy, "max-parallel")?;
        said.push(format!("job `{id}`: no longer one at a time"));
    }
    let job = file.job(id)?;
    let keeps = job.steps().into_iter().filter(|step| step.action() == Some("actions/upload-artifact"));
    let plain: Vec<(usize, Option<String>)> = keeps
        .map(|step| (step.index, step.value["with"]["name"].as_str().map(str::to_owned)))
        .filter(|(_, name)| {
            name.as_ref().is_none_or(|name| !name.contains("matrix.") && !name.contains("strategy."))
        })
        .collect();
    for (index, name) in plain {
        let inputs = below(&to_step(id, index), "with");
        // A name with a slash is refused by the service.
        let part = if key == "folder" {
            "${{ strategy.job-index }}".to_owned()
        } else {
            format!("${{{{ matrix.{key} }}}}")
        };
        let wanted = Node::text(format!("{}-{part}", name.as_deref().unwrap_or("artifact")));
        match name {
            Some(_) => file.set(&inputs, "name", &wanted)?,
            None => file.add(&inputs, "name", &wanted, &[])?,
        }
        said.push(format!("job `{id}`: what it keeps has a name of its own in each run"));
    }
    Ok(())
}
