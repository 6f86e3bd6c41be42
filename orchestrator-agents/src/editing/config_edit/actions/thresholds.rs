//! `add_directory_thresholds`: the least coverage of all files, and of folders and globs of their own.

use orchestrator_core::BoxError;
use serde_json::{Number, Value};

use super::super::edited::{ActionInput, EditResult};
use super::super::several::Several;
use super::super::value::Op;
use super::super::way::{Part, Way};
use super::only;
use super::runner::Runner;

const METRICS: [&str; 4] = ["lines", "functions", "branches", "statements"];
/// The most folders.
const MOST: usize = 100;

/// A threshold: of a folder or glob, or of all files; a metric; and the least that it may be, in percent.
type Threshold = (Option<String>, &'static str, Number);

/// Adds thresholds. One that is higher already stays.
pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    only(with.options, &[])?;
    let mut edit = Several::of(with.path, text)?;
    let runner = Runner::of(with.path, &edit.value()?)?;
    let wanted = wanted(with.thresholds)?;
    for (folder, metric, least) in wanted {
        let way = place(runner, folder.as_deref(), metric)?;
        let there = edit.at(&way)?;
        match there.as_ref().and_then(Value::as_f64) {
            Some(there) if least.as_f64().is_some_and(|least| there >= least) => {
                edit.is_so(format!("`{way}` is `{there}`"));
            }
            _ => edit.change(Op::Set(&way, &Value::Number(least)))?,
        }
    }
    Ok(edit.done())
}

fn wanted(thresholds: &serde_json::Map<String, Value>) -> Result<Vec<Threshold>, BoxError> {
    if thresholds.is_empty() {
        let example = "`thresholds: {global: {lines: 80}, src/services: {lines: 90}}`";
        return Err(format!("no thresholds are given; give some, such as {example}").into());
    }
    if thresholds.len() > MOST {
        return Err(format!("{} thresholds are given; up to {MOST} are added", thresholds.len()).into());
    }
    let mut wanted = Vec::new();
    for (key, value) in thresholds {
        let own = METRICS.iter().find(|metric| *metric == key);
        let folder = (key != "global").then(|| key.clone());
        match (own, value) {
            (Some(metric), value) => wanted.push((None, *metric, percent(key, value)?)),
            (None, Value::Object(metrics)) if !metrics.is_empty() => {
                for (name, value) in metrics {
                    let metric = METRICS.iter().find(|metric| *metric == name);
                    let known = METRICS.join(", ");
                    let metric = metric
                        .ok_or_else(|| format!("unknown metric `{name}` of `{key}`; known: {known}"))?;
                    wanted.push((folder.clone(), *metric, percent(key, value)?));
                }
            }
            (None, value) => {
                let least = percent(key, value)?;
                wanted.extend(METRICS.map(|metric| (folder.clone(), metric, least.clone())));
            }
        }
    }
    Ok(wanted)
}

fn percent(key: &str, value: &Value) -> Result<Number, BoxError> {
    match value {
        Value::Number(number) if number.as_f64().is_some_and(|number| (0.0..=100.0).contains(&number)) => {
            Ok(number.clone())
        }
        _ => Err(format!("the threshold `{key}` is `{value}`, not a number from 0 to 100").into()),
    }
}

fn place(runner: Runner, folder: Option<&str>, metric: &str) -> Result<Way, BoxError> {
    let all = runner.thresholds();
    let key = |key: String| Part::Key(key);
    Ok(match (runner, folder) {
        (Runner::Python, None) if matches!(metric, "lines" | "statements") => all,
        (Runner::Python, None) => {
            return Err(format!("coverage.py knows no threshold of `{metric}`; give `lines`").into());
        }
        (Runner::Python, Some(folder)) => {
            let why =
                "coverage.py has one threshold for all files; give `global`, or check folders with a command";
            return Err(format!("`{folder}`: {why}").into());
        }
        (Runner::Vitest, None) => all.with(key(metric.into())),
        (Runner::Vitest, Some(folder)) => all.with(key(glob(folder))).with(key(metric.into())),
        (Runner::Jest | Runner::JestInPackage, None) => {
            all.with(key("global".into())).with(key(metric.into()))
        }
        (Runner::Jest | Runner::JestInPackage, Some(folder)) => {
            all.with(key(path(folder))).with(key(metric.into()))
        }
    })
}

fn is_glob(folder: &str) -> bool {
    folder.contains(['*', '{', '?', '['])
}

/// A folder as Vitest takes it.
fn glob(folder: &str) -> String {
    let bare = folder.strip_prefix("./").unwrap_or(folder).trim_end_matches('/');
    let file = bare.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if is_glob(bare) || file { bare.to_owned() } else { format!("{bare}/**") }
}

/// A folder as Jest takes it: a path that begins with `./`.
fn path(folder: &str) -> String {
    let bare = folder.strip_prefix("./").unwrap_or(folder).trim_end_matches('/');
    let file = bare.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if is_glob(bare) || file { format!("./{bare}") } else { format!("./{bare}/") }
}
