//! `add_container_scanning`: an image with serious known vulnerabilities fails the run right after it was built. Options:
//! `job` (the one that builds an image), `image` (what the build names it), `severity` (`CRITICAL,HIGH`), `ignore_unfixed`.

use orchestrator_core::BoxError;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::{Workflow, below, to_step};
use super::job::{Job, Step};
use super::node::Node;
use super::options::Options;
use super::{pins, shape};

const BUILD: &str = "docker/build-push-action";

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let options = Options::read(with, &["job", "image", "severity", "ignore_unfixed"])?;
    let mut file = Workflow::read(text)?;
    let named = options.text("job")?;
    if let Some(id) = named {
        file.job(id)?;
    }
    for job in file.jobs().iter().filter(|job| named.is_none_or(|id| id == job.id)) {
        if let Some(step) = job.steps().iter().find(|step| scans(step)) {
            let said = format!("job `{}` scans the image in step `{}`", job.id, step.label());
            return file.finish(vec![said]);
        }
    }
    let (id, index, label) = build(&file, named)?;
    let step = file.job(&id)?.steps()[index];
    let mut said = Vec::new();
    let image = match options.text("image")? {
        Some(image) => image.to_owned(),
        None => image(&step).ok_or_else(|| -> BoxError {
            format!(
                "what step `{label}` of job `{id}` names the image is not plain; give it as option `image`"
            )
            .into()
        })?,
    };
    if step.action() == Some(BUILD) && !loaded(&step, &id)? {
        file.add(&below(&to_step(&id, index), "with"), "load", &Node::bare(true), &["push", "context"])?;
        said.push(format!("job `{id}`: step `{label}` loads the image, so that it can be scanned"));
    }
    let severity = options.text("severity")?.unwrap_or("CRITICAL,HIGH");
    let unfixed = with.options.get("ignore_unfixed").map(|value| {
        value
            .as_bool()
            .map(Node::bare)
            .ok_or_else(|| "option `ignore_unfixed` is neither true nor false".to_owned())
    });
    let inputs = Node::map([
        ("image-ref", image.as_str().into()),
        ("format", "table".into()),
        ("exit-code", "1".into()),
        ("severity", severity.into()),
    ])
    .with_some("ignore-unfixed", unfixed.transpose()?);
    let scan =
        Node::map([("name", "Scan the image".into()), ("uses", Node::Uses(pins::TRIVY)), ("with", inputs)]);
    file.insert_step(&id, index + 1, &scan)?;
    said.push(format!("job `{id}`: `{image}` is scanned after step `{label}`; {severity} fail the run"));
    file.finish(said)
}

/// A step that scans an image.
fn scans(step: &Step<'_>) -> bool {
    let inputs = &step.value["with"];
    let kind = inputs["scan-type"].as_str().unwrap_or("image");
    let action = step.action().unwrap_or_default();
    let trivy = action.eq_ignore_ascii_case("aquasecurity/trivy-action")
        && kind == "image"
        && inputs.get("image-ref").or(inputs.get("input")).is_some();
    let other = action == "anchore/scan-action" && inputs.get("image").is_some()
        || action.starts_with("snyk/actions/docker");
    let commands = ["trivy image ", "grype ", "docker scout cves"];
    let run = step.run().is_some_and(|run| {
        run.lines().any(|line| commands.iter().any(|command| line.trim_start().starts_with(command)))
    });
    trivy || other || run
}

/// The step that builds an image.
fn build(file: &Workflow, named: Option<&str>) -> Result<(String, usize, String), BoxError> {
    let jobs = file.jobs();
    let builds = |job: &Job<'_>| -> Option<(String, usize, String)> {
        let step = job.steps().into_iter().rfind(|step| {
            step.action() == Some(BUILD)
                || step.run().is_some_and(|run| run.lines().any(|line| built(line).is_some()))
        })?;
        Some((job.id.to_owned(), step.index, step.label()))
    };
    let found: Vec<_> =
        jobs.iter().filter(|job| named.is_none_or(|id| id == job.id)).filter_map(builds).collect();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let known = shape::shown_jobs(file);
            Err(format!("no step builds an image (looked for `docker build` and `{BUILD}`); jobs: {known}")
                .into())
        }
        many => {
            let ids: Vec<&str> = many.iter().map(|(id, ..)| id.as_str()).collect();
            Err(format!("several jobs build an image: {}; name one as option `job`", ids.join(", ")).into())
        }
    }
}

/// What follows `docker build` in a line of a script.
fn built(line: &str) -> Option<&str> {
    let line = line.trim();
    ["docker build ", "docker buildx build ", "podman build "]
        .iter()
        .find_map(|command| line.strip_prefix(command))
}

/// The name that a build gives its image.
fn image(step: &Step<'_>) -> Option<String> {
    if let Some(tags) = step.value["with"]["tags"].as_str() {
        let first =
            tags.lines().flat_map(|line| line.split(',')).map(str::trim).find(|tag| !tag.is_empty())?;
        // A list that an expression gives may hold several.
        let whole = first.starts_with("${{") && first.ends_with("}}") && first.matches("${{").count() == 1;
        return (!whole).then(|| first.to_owned());
    }
    let run = step.run()?.replace("\\\n", " ");
    let line = run.lines().find_map(built)?;
    let mut words = line.split_whitespace();
    let name = loop {
        match words.next()? {
            "-t" | "--tag" => break words.next()?,
            word => {
                if let Some(name) = word.strip_prefix("--tag=") {
                    break name;
                }
            }
        }
    };
    let name = name.trim_matches(['"', '\'']);
    // The variables of a shell are not known to an action; the commit is, under both of its names.
    let name = name.replace("${GITHUB_SHA}", "${{ github.sha }}").replace("$GITHUB_SHA", "${{ github.sha }}");
    let rest = name.replace("${{ github.sha }}", "");
    let plain = !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:".contains(c));
    (plain || name.contains("${{") && !rest.contains('$')).then_some(name)
}

/// Whether the image can be scanned where it was built, or is in a registry by then.
fn loaded(step: &Step<'_>, id: &str) -> Result<bool, BoxError> {
    let inputs = &step.value["with"];
    let is =
        |key: &str| inputs[key].as_bool().or_else(|| inputs[key].as_str().and_then(|text| text.parse().ok()));
    let odd = |key: &str| !inputs[key].is_null() && is(key).is_none();
    if is("load") == Some(true) || is("push") == Some(true) {
        return Ok(true);
    }
    if odd("load") || odd("push") || inputs.get("outputs").is_some() || is("load") == Some(false) {
        return Err(format!(
            "whether the image of job `{id}` is there to be scanned depends on `push`, `load` or `outputs` of step `{}`; build it \
             with `load: true`",
            step.label()
        )
        .into());
    }
    Ok(false)
}
