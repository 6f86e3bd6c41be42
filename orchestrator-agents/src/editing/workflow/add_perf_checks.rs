//! `add_perf_checks`: k6 measures an address and fails the run past the thresholds. `thresholds` of the task: `p95_ms`,
//! `p99_ms`, `error_rate` (0 to 1), at least one. Options: `url`, `job` (a new job `performance`), `script` (a k6 script of
//! the project, which then sets its own thresholds), `users` (10), `duration_seconds` (30), `needs`.

use std::fmt::Write as _;

use orchestrator_core::BoxError;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::Workflow;
use super::job::Step;
use super::node::Node;
use super::options::Options;
use super::shape::{self, Target};
use super::{parts, pins};

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let options = Options::read(with, &["url", "job", "script", "users", "duration_seconds", "needs"])?;
    let mut file = Workflow::read(text)?;
    for job in file.jobs() {
        if let Some(step) = job.steps().iter().find(|step| measures(step)) {
            let said = format!("job `{}` measures in step `{}`", job.id, step.label());
            return file.finish(vec![said]);
        }
    }
    let url = options.url("url")?.ok_or("option `url` is missing: the address that is measured")?;
    let measure = measure(&options, with, url)?;
    let setup = Node::map([("name", "Install k6".into()), ("uses", Node::Uses(pins::SETUP_K6))]);
    let id = options.job("job")?.unwrap_or("performance");
    if let Ok(job) = file.job(id) {
        if let Some(called) = job.calls() {
            return Err(format!("job `{id}` calls `{called}`; edit that workflow instead").into());
        }
        let count = job.steps().len();
        file.insert_step(id, count, &setup)?;
        file.insert_step(id, count + 1, &measure)?;
        return file.finish(vec![format!("job `{id}` measures {url} at its end")]);
    }
    let needs = needs(&file, &options)?;
    let own = options.text("script")?.is_some();
    let steps = own.then(parts::checkout).into_iter().chain([setup, measure]).collect();
    let mut job = parts::job("Measure performance", 15, &needs, steps);
    if let (Node::Map(pairs), false) = (&mut job, own) {
        // It reads nothing of the repository.
        let permissions = pairs.iter_mut().filter(|(key, _)| key == "permissions");
        permissions.for_each(|(_, node)| *node = Node::bare("{}"));
    }
    let mut said = vec![format!("job `{id}` is new: it measures {url}")];
    said.extend(parts::append(&mut file, id, &job)?);
    file.finish(said)
}

/// A step that measures.
fn measures(step: &Step<'_>) -> bool {
    let action = step
        .action()
        .is_some_and(|action| action == "grafana/run-k6-action" || action == "grafana/k6-action");
    let run = step.run().is_some_and(|run| {
        let mut lines =
            run.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.starts_with("echo"));
        lines.any(|line| {
            ["k6 run", "autocannon", "artillery run", "lhci autorun", "wrk "]
                .iter()
                .any(|tool| line.contains(tool))
        })
    });
    action || run
}

/// Deployments to staging, else those that there are, else what is last.
fn needs(file: &Workflow, options: &Options<'_>) -> Result<Vec<String>, BoxError> {
    if let Some(needs) = options.list("needs")? {
        for id in &needs {
            file.job(id)?;
        }
        return Ok(needs);
    }
    let jobs = file.jobs();
    let staging: Vec<String> =
        jobs.iter().filter(|job| shape::goes_to(job, Target::Staging)).map(|job| job.id.to_owned()).collect();
    Ok(if staging.is_empty() { parts::leaves(file) } else { staging })
}

fn measure(options: &Options<'_>, with: &ActionInput<'_>, url: &str) -> Result<Node, BoxError> {
    let users = options.whole("users", 1, 1000)?.unwrap_or(10);
    let seconds = options.whole("duration_seconds", 1, 600)?.unwrap_or(30);
    let run = match options.text("script")? {
        Some(script) => {
            let fits = script.chars().all(|c| c.is_ascii_alphanumeric() || "-_./@".contains(c))
                && !script.starts_with('-');
            if !fits || script.is_empty() || !with.thresholds.is_empty() {
                return Err(format!(
                    "option `script`: `{script}` must be a plain path, and thresholds stand in the script itself then"
                )
                .into());
            }
            format!("k6 run {script}\n")
        }
        None => {
            let thresholds = thresholds(with)?;
            format!(
                "cat > \"$RUNNER_TEMP/performance.js\" <<'SCRIPT'\nimport http from 'k6/http';\n\nexport const options = {{\n  \
                 vus: {users},\n  duration: '{seconds}s',\n  thresholds: {{\n{thresholds}  }},\n}};\n\nexport default function () \
                 {{\n  http.get(__ENV.TARGET_URL);\n}}\nSCRIPT\nk6 run \"$RUNNER_TEMP/performance.js\"\n"
            )
        }
    };
    Ok(Node::map([
        ("name", "Measure performance".into()),
        ("timeout-minutes", Node::bare(seconds.div_ceil(60) + 4)),
        ("env", Node::map([("TARGET_URL", url.into())])),
        ("run", Node::text(run)),
    ]))
}

/// The thresholds as k6 writes them.
fn thresholds(with: &ActionInput<'_>) -> Result<String, BoxError> {
    const KNOWN: [&str; 3] = ["p95_ms", "p99_ms", "error_rate"];
    if let Some(odd) = with.thresholds.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!("unknown threshold `{odd}`; known: {}", KNOWN.join(", ")).into());
    }
    let number = |key: &str, most: f64| -> Result<Option<f64>, BoxError> {
        let Some(value) = with.thresholds.get(key) else { return Ok(None) };
        let fits = value.as_f64().filter(|number| *number > 0.0 && *number <= most);
        fits.map(Some)
            .ok_or_else(|| format!("threshold `{key}` is no number above 0 and up to {most}: {value}").into())
    };
    let mut durations = Vec::new();
    for (key, percent) in [("p95_ms", 95), ("p99_ms", 99)] {
        durations.extend(number(key, 600_000.0)?.map(|limit| format!("'p({percent})<{limit}'")));
    }
    let mut lines = String::new();
    if !durations.is_empty() {
        let _ = writeln!(lines, "    http_req_duration: [{}],", durations.join(", "));
    }
    if let Some(rate) = number("error_rate", 1.0)? {
        let _ = writeln!(lines, "    http_req_failed: ['rate<{rate}'],");
    }
    if lines.is_empty() {
        return Err(
            format!("nothing would fail: give at least one of `thresholds`: {}", KNOWN.join(", ")).into()
        );
    }
    Ok(lines)
}
