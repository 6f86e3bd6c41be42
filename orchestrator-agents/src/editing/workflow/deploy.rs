//! A deployment in place of one that only says that it deploys, or where there is none. `implement_staging_deploy` and
//! `implement_production_deploy` are this for their targets.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use serde_json::Value;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::{Workflow, below, to_step};
use super::job::Job;
use super::node::Node;
use super::options::Options;
use super::parts;
use super::shape::{self, Target};

const OPTIONS: [&str; 10] = [
    "job",
    "command",
    "url",
    "needs",
    "env",
    "branch",
    "environment",
    "runs_on",
    "timeout_minutes",
    "working_directory",
];

/// A command, and what must be done before it can run on a fresh machine.
struct Command {
    text: String,
    given: bool,
    folder: Option<String>,
    prepare: Option<&'static str>,
}

pub(super) fn implement(text: &str, with: &ActionInput<'_>, target: Target) -> EditResult {
    let options = Options::read(with, &OPTIONS)?;
    let file = Workflow::read(text)?;
    let command = command(&options, with, target);
    match options.job("job")? {
        Some(id) if file.job(id).is_ok() => fill(file, &options, id, target, command),
        Some(id) => append(file, &options, id, target, command?),
        None => match candidate(&file, target, command.as_ref().ok())? {
            Some(id) => fill(file, &options, &id, target, command),
            None => append(file, &options, &format!("deploy-{}", target.word()), target, command?),
        },
    }
}

/// The job that is to deploy there: the only one, the only one that does not do it yet, or the only one that does it by this
/// very command.
fn candidate(file: &Workflow, target: Target, command: Option<&Command>) -> Result<Option<String>, BoxError> {
    let jobs = file.jobs();
    let all: Vec<&Job<'_>> = jobs.iter().filter(|job| shape::goes_to(job, target)).collect();
    let stands_in =
        |job: &&&Job<'_>| job.steps().iter().any(|step| shape::deploys(step) && shape::is_placeholder(step));
    let same = |job: &&&Job<'_>| {
        command.is_some_and(|command| job.steps().iter().any(|step| shape::runs(step, &command.text)))
    };
    let open: Vec<&&Job<'_>> = all.iter().filter(stands_in).collect();
    let done: Vec<&&Job<'_>> = all.iter().filter(same).collect();
    match (all.as_slice(), open.as_slice(), done.as_slice()) {
        ([], ..) => Ok(None),
        ([one], ..) => Ok(Some(one.id.to_owned())),
        (_, [one], _) | (_, [], [one]) => Ok(Some(one.id.to_owned())),
        (all, ..) => {
            let ids: Vec<&str> = all.iter().map(|job| job.id).collect();
            Err(format!(
                "several jobs deploy to {}: {}; name one as option `job`",
                target.word(),
                ids.join(", ")
            )
            .into())
        }
    }
}

fn fill(
    mut file: Workflow,
    options: &Options<'_>,
    id: &str,
    target: Target,
    command: Result<Command, BoxError>,
) -> EditResult {
    let job = file.job(id)?;
    if let Some(called) = job.calls() {
        return Err(format!("job `{id}` calls `{called}`; edit that workflow instead").into());
    }
    let steps = job.steps();
    let other = |step: &super::job::Step<'_>| shape::says(step, target.other()) && !shape::says(step, target);
    let open =
        steps.iter().filter(|step| shape::is_placeholder(step) && shape::deploys(step) && !other(step));
    let open = open.max_by_key(|step| (shape::says(step, target), std::cmp::Reverse(step.index))).copied();
    let shared = steps.iter().any(|step| shape::deploys(step) && other(step));
    let done =
        command.as_ref().is_ok_and(|command| steps.iter().any(|step| shape::runs(step, &command.text)));
    let mut said = Vec::new();
    let deployed = match open.filter(|_| !done) {
        Some(step) => {
            let command = command?;
            let (index, label) = (step.index, step.label());
            write_command(&mut file, options, id, index, &command)?;
            said.push(format!("job `{id}`: step `{label}` runs `{}` now", first_line(&command.text)));
            let mut at = index;
            if let Some(prepare) = command.prepare.filter(|_| !parts::installs(&file, id)) {
                let step = parts::command_step("Install packages", prepare, &[], command.folder.as_deref());
                file.insert_step(id, at, &step)?;
                at += 1;
            }
            if let Some(line) = parts::check_out(&mut file, id)? {
                at += 1;
                said.push(line);
            }
            at
        }
        None => real(&job, target, command.ok().filter(|command| command.given || done))?,
    };
    if let Some(url) = options.url("url")?.filter(|url| !asks(&file, id, deployed, url)) {
        let name = format!("Check that {} answers", target.word());
        file.insert_step(id, deployed + 1, &parts::health_check(&name, url))?;
        said.push(format!("job `{id}`: asks {url} afterwards"));
    }
    if shared {
        said.push(format!("job `{id}` deploys elsewhere too, so it was given no environment; split it"));
    } else {
        said.extend(parts::complete(&mut file, options, id, target, 0)?);
    }
    if said.is_empty() {
        said.push(format!("job `{id}` deploys to {}", target.word()));
    }
    file.finish(said)
}

/// The step of a job that deploys already.
fn real(job: &Job<'_>, target: Target, command: Option<Command>) -> Result<usize, BoxError> {
    let steps = job.steps();
    let real: Vec<_> = steps.iter().filter(|step| shape::really_deploys(step)).collect();
    if let Some(command) = command {
        let found = steps.iter().find(|step| shape::runs(step, &command.text));
        let has =
            real.first().map_or("no step that deploys".to_owned(), |step| format!("step `{}`", step.label()));
        return found.map(|step| step.index).ok_or_else(|| {
            format!(
                "job `{}` has {has} and none that stands in for a deployment to {} (an `echo`), so it is not known where \
                 `{}` goes; steps: {}; edit it by hand, or name another job as option `job`",
                job.id,
                target.word(),
                first_line(&command.text),
                job.shown_steps()
            )
            .into()
        });
    }
    let last = real.last().map(|step| step.index);
    last.ok_or_else(|| {
        format!(
            "job `{}` has no step that deploys; steps: {}; give option `command`",
            job.id,
            job.shown_steps()
        )
        .into()
    })
}

fn write_command(
    file: &mut Workflow,
    options: &Options<'_>,
    id: &str,
    index: usize,
    command: &Command,
) -> Result<(), BoxError> {
    let step = to_step(id, index);
    file.set(&step, "run", &parts::script(&command.text))?;
    let has = |file: &Workflow, key: &str| file.at(&step).is_some_and(|step| step.get(key).is_some());
    let env = options.env()?;
    if has(file, "env") {
        for (name, value) in env {
            let taken = file
                .at(&below(&step, "env"))
                .and_then(|env| env.get(&name))
                .and_then(Value::as_str)
                .map(Node::text);
            match taken {
                None => file.add(&below(&step, "env"), &name, &value, &[])?,
                Some(same) if same == value => {}
                Some(_) => file.set(&below(&step, "env"), &name, &value)?,
            }
        }
    } else if !env.is_empty() {
        file.add(&step, "env", &Node::Map(env), &["name"])?;
    }
    if let Some(folder) = command.folder.as_deref().filter(|_| !has(file, "working-directory")) {
        file.add(&step, "working-directory", &folder.into(), &["name"])?;
    }
    Ok(())
}

fn append(
    mut file: Workflow,
    options: &Options<'_>,
    id: &str,
    target: Target,
    command: Command,
) -> EditResult {
    let mut steps = vec![parts::checkout()];
    let folder = command.folder.as_deref();
    steps
        .extend(command.prepare.map(|prepare| parts::command_step("Install packages", prepare, &[], folder)));
    let name = format!("Deploy to {}", target.word());
    steps.push(parts::command_step(&name, &command.text, &options.env()?, folder));
    if let Some(url) = options.url("url")? {
        steps.push(parts::health_check(&format!("Check that {} answers", target.word()), url));
    }
    let job = parts::deployment(&file, options, target, 0, steps)?;
    let limited = parts::append(&mut file, id, &job)?;
    let mut said = vec![format!("job `{id}` is new: it runs `{}`", first_line(&command.text))];
    said.extend(limited);
    let jobs = file.jobs();
    let plain = jobs
        .iter()
        .filter(|job| job.id != id && shape::is_deployment(job) && !shape::is_for(job, target.other()));
    let left = plain
        .filter(|job| job.steps().iter().any(|step| shape::deploys(step) && shape::is_placeholder(step)));
    said.extend(
        left.map(|job| format!("job `{}` still only says that it deploys; it is left as it was", job.id)),
    );
    file.finish(said)
}

/// The command of the options, or the project's own script for this target.
fn command(options: &Options<'_>, with: &ActionInput<'_>, target: Target) -> Result<Command, BoxError> {
    let folder = options.text("working_directory")?.map(str::to_owned);
    if let Some(text) = options.command("command")? {
        return Ok(Command { text, given: true, folder, prepare: None });
    }
    let facts = with.facts;
    let name = format!("deploy:{}", target.word());
    let has = |scripts: &Vec<String>| scripts.contains(&name);
    if let Some((at, _)) = facts.node_scripts.iter().find(|(_, scripts)| has(scripts)) {
        let manager = facts.package_manager.as_deref();
        let prepare = parts::install(manager);
        let run = format!("{} run", manager.unwrap_or("npm"));
        let folder = folder.or_else(|| (!at.is_root()).then(|| at.to_string()));
        return Ok(Command { text: format!("{run} {name}"), given: false, folder, prepare });
    }
    let script = |path: &&RelPath| target.is_named(path.as_str());
    let own = facts.deploy_scripts.iter().find(script).map(|path| format!("bash {path}"));
    let general = facts.deploy_scripts.iter().find(|path| !target.other().is_named(path.as_str()));
    let found = own.or_else(|| general.map(|path| format!("bash {path} {}", target.word())));
    match found {
        Some(text) => Ok(Command { text, given: false, folder, prepare: None }),
        None => Err(format!(
            "how this project is deployed to {} is not known: no script `{name}` in a `package.json` and no `deploy*.sh`; give \
             option `command`",
            target.word()
        )
        .into()),
    }
}

/// Whether a step after the deployment asks this address.
fn asks(file: &Workflow, id: &str, after: usize, url: &str) -> bool {
    let steps = file.job(id).map(|job| job.steps()).unwrap_or_default();
    let later = steps.iter().filter(|step| step.index > after);
    later.filter_map(|step| Some((step, step.run()?))).any(|(step, run)| {
        let given = step.value["env"].as_object().into_iter().flatten().any(|(_, value)| value == url);
        parts::checks_health(run) && (given || run.contains(url))
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
