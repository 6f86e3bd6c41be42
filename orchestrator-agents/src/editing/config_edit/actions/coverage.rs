//! `expand_coverage_collection`: coverage counts the sources that no test loads as well.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use serde_json::Value;

use super::super::edited::{ActionInput, EditResult};
use super::super::several::Several;
use super::super::value::Op;
use super::only;
use super::runner::Runner;

/// The most globs that are added.
const MOST: usize = 100;

/// Adds globs, or the folders of the project's sources, to where coverage is collected from.
pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    only(with.options, &["include"])?;
    let mut edit = Several::of(with.path, text)?;
    let runner = Runner::of(with.path, &edit.value()?)?;
    let way = runner.sources();
    let there = edit.at(&way)?;
    let wanted = match with.options.get("include") {
        Some(include) => given(include)?,
        None => seen(runner, with, there.as_ref().unwrap_or(&Value::Null), &mut edit)?,
    };
    for glob in wanted {
        edit.change(Op::Append(&way, &Value::String(glob)))?;
    }
    Ok(edit.done())
}

fn given(include: &Value) -> Result<Vec<String>, BoxError> {
    let wrong = || -> BoxError {
        format!("`options.include` is `{include}`, not a list of 1 to {MOST} globs").into()
    };
    let items = include.as_array().filter(|items| (1..=MOST).contains(&items.len())).ok_or_else(wrong)?;
    let text = |item: &Value| {
        item.as_str().filter(|text| !text.is_empty() && !text.contains(char::is_control)).map(str::to_owned)
    };
    items.iter().map(|item| text(item).ok_or_else(wrong)).collect()
}

/// Globs of the source folders beside the file; those that something in the list begins with are in it already.
fn seen(
    runner: Runner,
    with: &ActionInput<'_>,
    there: &Value,
    edit: &mut Several,
) -> Result<Vec<String>, BoxError> {
    let all = if runner == Runner::Python { &with.facts.python_sources } else { &with.facts.script_sources };
    let home = with.path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
    let folders: Vec<_> = all.iter().filter_map(|folder| beside(folder, home)).collect();
    if folders.is_empty() {
        let place = if home.is_empty() { "the root" } else { home };
        return Err(format!("no folder with sources was found in `{place}`; give `options.include`").into());
    }
    let mut wanted = Vec::new();
    for folder in folders {
        let listed = there.as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut covering = listed.filter(|glob| covers(glob, folder));
        match covering.next() {
            Some(glob) => edit.is_so(format!("`{glob}` covers `{folder}`")),
            None if runner == Runner::Python => wanted.push(folder.to_owned()),
            None => wanted.push(format!("{folder}/**/*.{{ts,tsx,js,jsx}}")),
        }
    }
    Ok(wanted)
}

/// The name of a folder that lies right in another.
fn beside<'f>(folder: &'f RelPath, home: &str) -> Option<&'f str> {
    let name = if home.is_empty() {
        folder.as_str()
    } else {
        folder.as_str().strip_prefix(home)?.strip_prefix('/')?
    };
    (!name.contains('/') && name != ".").then_some(name)
}

/// Whether a glob is about all that lies in a folder.
fn covers(glob: &str, folder: &str) -> bool {
    let glob = glob.trim_start_matches("<rootDir>/").trim_start_matches("./");
    glob == folder
        || glob == "."
        || glob.starts_with("**/")
        || glob.strip_prefix(folder).is_some_and(|rest| rest == "/" || rest.starts_with("/**"))
}
