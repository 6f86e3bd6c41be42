//! `make_trivy_blocking`: what trivy finds fails the run. Options: `jobs` (all), `severity` (`CRITICAL,HIGH` where a scan
//! names none). `ignore-unfixed` stays as it is.

use orchestrator_core::BoxError;
use serde_json::Value;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::{Way, Workflow, below, to_job, to_step};
use super::node::Node;
use super::options::Options;
use super::shape;

const SEVERITY: &str = "CRITICAL,HIGH";
const ON_ERROR: &str = "continue-on-error";

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let options = Options::read(with, &["jobs", "severity"])?;
    let mut file = Workflow::read(text)?;
    let severity = severity(options.text("severity")?)?;
    let mut said = Vec::new();
    let scans = scans(&file, options.list("jobs")?)?;
    for (id, index) in &scans {
        let label = file.job(id)?.steps()[*index].label();
        let before = said.len();
        for way in [to_job(id), to_step(id, *index)] {
            match file.at(&way).map(|value| value[ON_ERROR].clone()) {
                Some(Value::Bool(true)) => {
                    file.remove(&way, ON_ERROR)?;
                    said.push(format!("job `{id}`: `continue-on-error` is gone"));
                }
                Some(Value::String(text)) => {
                    return Err(
                        format!("job `{id}` goes on after errors by `{text}`; decide that by hand").into()
                    );
                }
                _ => {}
            }
        }
        if file.job(id)?.steps()[*index].run().is_some() {
            command(&mut file, id, *index, severity.as_deref(), &mut said)?;
        } else {
            action(&mut file, id, *index, severity.as_deref(), &mut said)?;
        }
        if said.len() > before {
            said.push(format!("job `{id}`: step `{label}` fails the run on what it finds"));
        }
    }
    if said.is_empty() {
        said.push(format!("all {} scans of trivy fail the run on what they find", scans.len()));
    }
    file.finish(said)
}

fn severity(given: Option<&str>) -> Result<Option<String>, BoxError> {
    const KNOWN: [&str; 5] = ["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"];
    let Some(given) = given else { return Ok(None) };
    let parts: Vec<String> = given.split(',').map(|part| part.trim().to_ascii_uppercase()).collect();
    match parts.iter().find(|part| !KNOWN.contains(&part.as_str())) {
        Some(odd) => Err(format!("option `severity`: `{odd}` is none of {}", KNOWN.join(", ")).into()),
        None => Ok(Some(parts.join(","))),
    }
}

/// Steps that scan: by the action, or by the command.
fn scans(file: &Workflow, jobs: Option<Vec<String>>) -> Result<Vec<(String, usize)>, BoxError> {
    for id in jobs.iter().flatten() {
        file.job(id)?;
    }
    let mut found = Vec::new();
    for job in
        file.jobs().iter().filter(|job| jobs.as_ref().is_none_or(|jobs| jobs.iter().any(|id| id == job.id)))
    {
        let scans = job.steps().into_iter().filter(|step| {
            let action =
                step.action().is_some_and(|action| action.eq_ignore_ascii_case("aquasecurity/trivy-action"));
            // An inventory is no scan.
            let listing = step.value["with"]["format"]
                .as_str()
                .is_some_and(|format| matches!(format, "cyclonedx" | "spdx" | "spdx-json" | "github"));
            (action && !listing) || step.run().is_some_and(|run| run.lines().any(|line| scan(line).is_some()))
        });
        found.extend(scans.map(|step| (job.id.to_owned(), step.index)));
    }
    if found.is_empty() {
        let known = shape::shown_jobs(file);
        return Err(format!(
            "no step scans with trivy; jobs: {known}; `add_container_scanning` adds a scan of the image"
        )
        .into());
    }
    Ok(found)
}

fn action(
    file: &mut Workflow,
    id: &str,
    index: usize,
    severity: Option<&str>,
    said: &mut Vec<String>,
) -> Result<(), BoxError> {
    let step = to_step(id, index);
    let inputs = below(&step, "with");
    if file.at(&inputs).is_none_or(|inputs| !inputs.is_object()) {
        let node = Node::map([("exit-code", "1".into()), ("severity", severity.unwrap_or(SEVERITY).into())]);
        if file.at(&inputs).is_some() {
            file.set(&step, "with", &node)?;
        } else {
            file.add(&step, "with", &node, &["uses"])?;
        }
        said.push(format!("job `{id}`: exit code 1"));
    } else {
        put(file, &inputs, "exit-code", "1", true, said)?;
        put(file, &inputs, "severity", severity.unwrap_or(SEVERITY), severity.is_some(), said)?;
    }
    let sarif = file.at(&inputs).is_some_and(|inputs| inputs["format"] == "sarif");
    if sarif {
        // Without it trivy puts all severities into the report, and then all of them count.
        put(file, &inputs, "limit-severities-for-sarif", "true", true, said)?;
        upload(file, id, index, said)?;
    }
    Ok(())
}

/// Gives an input a value; one that is there already stays unless it is to be `over`written.
fn put(
    file: &mut Workflow,
    inputs: &Way,
    key: &str,
    wanted: &str,
    over: bool,
    said: &mut Vec<String>,
) -> Result<(), BoxError> {
    let stands = file.at(inputs).and_then(|inputs| inputs.get(key)).map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    match stands {
        None => file.add(inputs, key, &wanted.into(), &["exit-code", "severity", "format"])?,
        Some(stands) if !over || stands == wanted => return Ok(()),
        Some(_) => file.set(inputs, key, &wanted.into())?,
    }
    said.push(format!("`{key}` is `{wanted}`"));
    Ok(())
}

/// A report is uploaded though the scan failed.
fn upload(file: &mut Workflow, id: &str, after: usize, said: &mut Vec<String>) -> Result<(), BoxError> {
    let steps = file.job(id)?.steps();
    let uploads = steps
        .iter()
        .filter(|step| step.index > after && step.action() == Some("github/codeql-action/upload-sarif"));
    let open: Vec<usize> =
        uploads.filter(|step| step.value.get("if").is_none()).map(|step| step.index).collect();
    for index in open {
        file.add(&to_step(id, index), "if", &"always()".into(), &["name", "uses"])?;
        said.push(format!("job `{id}`: the report is uploaded though the scan failed"));
    }
    Ok(())
}

/// Where the flags of a scan begin in a line of a script.
fn scan(line: &str) -> Option<usize> {
    let trimmed = line.trim_start();
    if trimmed.starts_with('#') {
        return None;
    }
    ["trivy image ", "trivy fs ", "trivy filesystem ", "trivy config ", "trivy repo ", "trivy rootfs "]
        .iter()
        .find_map(|command| {
            let at = line.find(command)?;
            let alone =
                at == 0 || !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c));
            let listing = ["cyclonedx", "spdx", "--download-db-only"].iter().any(|word| line.contains(word));
            (alone && !listing).then_some(at + command.len())
        })
}

/// The same for the command: `--exit-code 1`, and nothing after it that hides the failure.
fn command(
    file: &mut Workflow,
    id: &str,
    index: usize,
    severity: Option<&str>,
    said: &mut Vec<String>,
) -> Result<(), BoxError> {
    let step = to_step(id, index);
    let run = file.at(&below(&step, "run")).and_then(Value::as_str).unwrap_or_default().to_owned();
    let whole = run.contains("--exit-code");
    let mut lines: Vec<String> = Vec::new();
    let mut scanning = false;
    for line in run.lines() {
        let mut line = line.to_owned();
        let begins = scan(&line);
        scanning |= begins.is_some();
        if scanning {
            line = flag(&line, "--exit-code", "1");
            if let Some(severity) = severity {
                line = flag(&line, "--severity", severity);
            }
            if let Some(at) = begins.and(scan(&line)) {
                if !run.contains("--severity") {
                    line.insert_str(at, &format!("--severity {} ", severity.unwrap_or(SEVERITY)));
                }
                if !whole {
                    line.insert_str(at, "--exit-code 1 ");
                }
            }
            let bare = line.trim_end();
            if let Some(rest) = bare.strip_suffix("|| true").or_else(|| bare.strip_suffix("|| :")) {
                line.truncate(rest.trim_end().len());
            }
            if line.contains("||") || line.contains("| ") {
                return Err(format!(
                    "job `{id}`: `{}` may hide that the scan failed; edit it by hand",
                    line.trim()
                )
                .into());
            }
            scanning = line.trim_end().ends_with('\\');
        }
        lines.push(line);
    }
    let mut text = lines.join("\n");
    if text == run.trim_end_matches('\n') {
        return Ok(());
    }
    if run.ends_with('\n') {
        text.push('\n');
    }
    file.set(&step, "run", &Node::text(text))?;
    said.push(format!("job `{id}`: `--exit-code 1`"));
    Ok(())
}

/// A line with another value after a flag, where it has the flag.
fn flag(line: &str, name: &str, value: &str) -> String {
    let Some(at) = line.find(name) else { return line.to_owned() };
    let rest = &line[at + name.len()..];
    let Some(skip) = rest.find(|c: char| c != ' ' && c != '=') else { return line.to_owned() };
    let old = rest[skip..].find(' ').map_or(rest.len(), |end| skip + end);
    format!("{}{}{}{}", &line[..at + name.len()], &rest[..skip], value, &rest[old..])
}
