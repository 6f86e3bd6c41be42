//! Steps and pieces of jobs that several actions write.

use orchestrator_core::BoxError;
use serde_json::Value;

use super::file::{Workflow, below, to_job};
use super::job::Job;
use super::node::Node;
use super::options::Options;
use super::pins;
use super::shape::{self, Target};

/// The most minutes that a step or job is given where nothing else is asked for.
pub(super) const JOB_MINUTES: u64 = 30;

/// Checks out without leaving the token behind.
pub(super) fn checkout() -> Node {
    Node::map([
        ("name", "Check out".into()),
        ("uses", Node::Uses(pins::CHECKOUT)),
        ("with", Node::map([("persist-credentials", Node::bare(false))])),
    ])
}

/// Asks an address until it answers with success, for at most about a minute.
pub(super) fn health_check(name: &str, url: &str) -> Node {
    Node::map([
        ("name", name.into()),
        ("timeout-minutes", Node::bare(5)),
        ("env", Node::map([("HEALTH_URL", url.into())])),
        ("run", Node::text(format!("{ASK} \"$HEALTH_URL\"\n"))),
    ])
}

/// Makes a job check out first, where it does not yet, and lets it read the repository.
pub(super) fn check_out(file: &mut Workflow, id: &str) -> Result<Option<String>, BoxError> {
    if file.job(id)?.steps().iter().any(|step| step.action() == Some("actions/checkout")) {
        return Ok(None);
    }
    file.insert_step(id, 0, &checkout())?;
    let own = file.job(id)?.value.get("permissions").cloned();
    let all = file.value.get("permissions").cloned();
    let lacks = |given: &Value| given.as_object().is_some_and(|given| !given.contains_key("contents"));
    match (own, all) {
        (Some(Value::Object(given)), _) if given.is_empty() => {
            file.set(&to_job(id), "permissions", &reads())?;
        }
        (Some(given), _) if lacks(&given) => {
            file.add(&below(&to_job(id), "permissions"), "contents", &"read".into(), &[])?;
        }
        (None, Some(given)) if lacks(&given) => {
            let known = given.as_object().into_iter().flatten();
            let known = known.filter_map(|(key, value)| Some((key.clone(), Node::text(value.as_str()?))));
            let node = Node::Map(known.chain([("contents".to_owned(), "read".into())]).collect());
            file.add(&to_job(id), "permissions", &node, &["timeout-minutes", "runs-on"])?;
        }
        _ => {}
    }
    Ok(Some(format!("job `{id}`: checks out first")))
}

/// The command that installs the packages of a JavaScript project by its lockfile.
pub(super) fn install(package_manager: Option<&str>) -> Option<&'static str> {
    match package_manager {
        Some("pnpm") => Some("corepack enable\npnpm install --frozen-lockfile"),
        Some("yarn") => Some("corepack enable\nyarn install --immutable"),
        Some("npm") | None => Some("npm ci"),
        Some(_) => None,
    }
}

/// Whether a job installs packages of a JavaScript project.
pub(super) fn installs(file: &Workflow, id: &str) -> bool {
    let install = ["npm ci", "npm install", "pnpm install", "pnpm i ", "yarn install", "bun install"];
    let steps = file.job(id).map(|job| job.steps()).unwrap_or_default();
    steps.iter().any(|step| step.run().is_some_and(|run| install.iter().any(|command| run.contains(command))))
}

/// Appends a job. Where nothing was said of permissions, the jobs that are there keep the default, which may write: they
/// are limited to reading where it shows that they do no more.
pub(super) fn append(file: &mut Workflow, id: &str, job: &Node) -> Result<Option<String>, BoxError> {
    let open = file.value.get("permissions").is_none();
    let jobs = file.jobs();
    let plain: Vec<&Job<'_>> = jobs.iter().filter(|job| job.value.get("permissions").is_none()).collect();
    let limit = open && !plain.is_empty() && plain.iter().all(|job| shape::only_reads(job));
    file.append_job(id, job)?;
    if !limit {
        return Ok(None);
    }
    file.add_top("permissions", &reads(), "on")?;
    Ok(Some("all jobs may read the repository and no more, which is all that they do".to_owned()))
}

/// `curl` that fails unless the answer is a success.
pub(super) const ASK: &str = "curl --fail --silent --show-error --location --output /dev/null \\\n  \
                              --retry 10 --retry-delay 6 --retry-all-errors --max-time 10";

/// Whether a step asks an address whether all is well.
pub(super) fn checks_health(run: &str) -> bool {
    run.contains("curl") || run.contains("wget") || shape::mentions(run, &["health", "healthcheck", "smoke"])
}

/// A command as a step; `env` only where there is some.
pub(super) fn command_step(name: &str, command: &str, env: &[(String, Node)], folder: Option<&str>) -> Node {
    Node::map([("name", name.into())])
        .with_some("working-directory", folder.map(Node::text))
        .with_some("env", (!env.is_empty()).then(|| Node::Map(env.to_vec())))
        .with("run", script(command))
}

/// A command as the value of `run`.
pub(super) fn script(command: &str) -> Node {
    if command.contains('\n') { Node::text(format!("{command}\n")) } else { Node::text(command) }
}

/// `permissions` of a job that reads the repository and no more.
pub(super) fn reads() -> Node {
    Node::map([("contents", "read".into())])
}

/// One deployment at a time; one that is under way is never cut off.
pub(super) fn one_at_a_time(group: &str) -> Node {
    Node::map([("group", group.into()), ("cancel-in-progress", Node::bare(false))])
}

/// `environment` of a job; the address is shown there if it is a plain one.
pub(super) fn environment(name: &str, url: Option<&str>) -> Node {
    let shown = url.filter(|url| !url.contains("secrets."));
    Node::map([("name", name.into())]).with_some("url", shown.map(Node::text))
}

/// The jobs that no other waits for, deployments aside.
pub(super) fn leaves(file: &Workflow) -> Vec<String> {
    let jobs = file.jobs();
    let plain: Vec<&Job<'_>> = jobs.iter().filter(|job| !shape::is_deployment(job)).collect();
    let needed = |id: &str| plain.iter().any(|job| job.needs().contains(&id));
    plain.iter().filter(|job| !needed(job.id)).map(|job| job.id.to_owned()).collect()
}

/// What a new deployment waits for: the option, the staging deployment, or all that is last.
pub(super) fn needs(file: &Workflow, options: &Options<'_>, target: Target) -> Result<Vec<String>, BoxError> {
    if let Some(needs) = options.list("needs")? {
        for id in &needs {
            file.job(id)?;
        }
        return Ok(needs);
    }
    let staging = file
        .jobs()
        .into_iter()
        .filter(|job| shape::goes_to(job, Target::Staging))
        .map(|job| job.id.to_owned());
    let staging: Vec<String> = staging.collect();
    Ok(if target == Target::Production && !staging.is_empty() { staging } else { leaves(file) })
}

/// The condition under which a new deployment runs: a push to the branch.
pub(super) fn condition(file: &Workflow, options: &Options<'_>) -> Result<Option<String>, BoxError> {
    let events = shape::events(file);
    let has = |event: &str| events.iter().any(|known| known == event);
    let branch = options.text("branch")?;
    if let Some(odd) = branch.filter(|name| {
        name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
    }) {
        return Err(format!("option `branch`: `{odd}` is no name of a branch").into());
    }
    if has("push") {
        let listed = file.value["on"]["push"]["branches"].as_array().into_iter().flatten();
        let mut literal = listed.filter_map(|name| name.as_str()).filter(|name| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c)) && !name.is_empty()
        });
        let branch = branch.or_else(|| literal.next()).unwrap_or("main");
        return Ok(Some(format!("github.event_name == 'push' && github.ref == 'refs/heads/{branch}'")));
    }
    if branch.is_some() {
        return Err(format!(
            "option `branch` needs the event `push`; the workflow runs on: {}",
            events.join(", ")
        )
        .into());
    }
    let asks = |event: &String| event == "pull_request" || event == "pull_request_target";
    if events.iter().all(asks) {
        return Err("the workflow runs on pull requests alone, so a deployment in it would never run; add `push` to `on`".into());
    }
    Ok(events.iter().any(asks).then(|| {
        "github.event_name != 'pull_request' && github.event_name != 'pull_request_target'".to_owned()
    }))
}

/// A job of these steps that reads the repository and no more.
pub(super) fn job(name: &str, minutes: u64, needs: &[String], steps: Vec<Node>) -> Node {
    Node::map([("name", name.into())])
        .with_some("needs", (!needs.is_empty()).then(|| Node::inline(needs, false)))
        .with("runs-on", "ubuntu-latest".into())
        .with("timeout-minutes", Node::bare(minutes))
        .with("permissions", reads())
        .with("steps", Node::List(steps))
}

/// A deployment: a job with an environment that runs one at a time, for `least` minutes if it needs them.
pub(super) fn deployment(
    file: &Workflow,
    options: &Options<'_>,
    target: Target,
    least: u64,
    steps: Vec<Node>,
) -> Result<Node, BoxError> {
    let environment = options.text("environment")?.unwrap_or(target.word());
    let needs = needs(file, options, target)?;
    let minutes = options.whole("timeout_minutes", 1, 360)?.unwrap_or(JOB_MINUTES.max(least));
    Ok(Node::map([("name", format!("Deploy to {}", target.word()).as_str().into())])
        .with_some("needs", (!needs.is_empty()).then(|| Node::inline(&needs, false)))
        .with_some("if", condition(file, options)?.map(Node::text))
        .with("runs-on", options.text("runs_on")?.unwrap_or("ubuntu-latest").into())
        .with("timeout-minutes", Node::bare(minutes))
        .with(
            "environment",
            self::environment(environment, options.url("url")?.filter(|url| !url.contains("{colour}"))),
        )
        .with("concurrency", one_at_a_time(&format!("deploy-{}", target.word())))
        .with("permissions", reads())
        .with("steps", Node::List(steps)))
}

/// Gives a job that deploys what it lacks of environment, concurrency and a time limit; says what it was given.
pub(super) fn complete(
    file: &mut Workflow,
    options: &Options<'_>,
    id: &str,
    target: Target,
    least: u64,
) -> Result<Vec<String>, BoxError> {
    let value = file.job(id)?.value.clone();
    let mut said = Vec::new();
    let environment = options.text("environment")?.unwrap_or(target.word());
    let url = options.url("url")?.filter(|url| !url.contains("{colour}"));
    let minutes = options.whole("timeout_minutes", 1, 360)?.unwrap_or(JOB_MINUTES.max(least));
    let lacks = |key: &str| value.get(key).is_none();
    let mut add = |key: &str, node: Node, after: &[&str], what: String| -> Result<(), BoxError> {
        file.add(&to_job(id), key, &node, after)?;
        said.push(format!("job `{id}`: {what}"));
        Ok(())
    };
    if lacks("timeout-minutes") {
        add(
            "timeout-minutes",
            Node::bare(minutes),
            &["runs-on"],
            format!("ends after {minutes} minutes at most"),
        )?;
    }
    if lacks("environment") {
        let node = self::environment(environment, url);
        add("environment", node, &["timeout-minutes", "runs-on"], format!("environment `{environment}`"))?;
    }
    if lacks("concurrency") {
        let node = one_at_a_time(&format!("deploy-{}", target.word()));
        add("concurrency", node, &["environment", "runs-on"], "one at a time".to_owned())?;
    }
    Ok(said)
}
