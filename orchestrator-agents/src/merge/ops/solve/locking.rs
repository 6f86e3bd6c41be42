//! Runs the tool of a lockfile: the series of it that the file is of, then what brings it up to date, then what checks it.

use std::collections::BTreeMap;
use std::path::Path;

use orchestrator_core::BoxError;
use serde::Deserialize;

use super::Case;
use super::tools::run;
use crate::merge::rules::{CHANGED, Lockfile};
use crate::ops::git::Git;
use crate::ops::process::{Output, command};

/// Brings the lockfile in a folder up to its manifest; `beside` is that folder in the repository.
pub(super) fn by_tool(
    case: &Case<'_>,
    folder: &Path,
    beside: &str,
    tool: &Lockfile,
) -> Result<Result<(), String>, BoxError> {
    let run_one = |line: &[String]| -> Result<Result<Output, String>, BoxError> {
        let mut program = command(case.here, &line[0]);
        program.args(&line[1..]).envs(tool.env.iter().copied()).current_dir(folder);
        run(case.here, program)
    };
    let owned = |line: &[&str]| line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    if let Some(program) =
        tool.update.first().and_then(|line| line.first()).filter(|_| !tool.series.is_empty())
    {
        let said = match run_one(&owned(&[program, "--version"]))? {
            Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            Err(why) => return Ok(Err(why)),
        };
        if !tool.series.contains(&said.split('.').next().unwrap_or_default()) {
            let said: String = said.chars().take(40).collect();
            return Ok(Err(format!("it is not of the series of `{program}` that is installed, {said}")));
        }
    }
    let mut came = Err("it has no command".to_owned());
    for line in tool.update {
        let mut line = owned(line);
        if let Some(at) = line.iter().position(|word| word == CHANGED) {
            line.splice(at..=at, changed(case, folder, beside, tool)?);
        }
        came = run_one(&line)?.map(drop);
        if came.is_ok() {
            break;
        }
    }
    if came.is_err() {
        return Ok(came);
    }
    for line in tool.check {
        if let Err(why) = run_one(&owned(line))? {
            return Ok(Err(format!("it does not fit its manifest: {why}")));
        }
    }
    Ok(Ok(()))
}

/// What a `composer.json` requires: names and versions.
#[derive(Debug, Default, Deserialize)]
struct Required {
    #[serde(default)]
    require: BTreeMap<String, String>,
    #[serde(default, rename = "require-dev")]
    dev: BTreeMap<String, String>,
}

/// The packages that the merged manifest requires otherwise than ours does; `--lock` where there are none.
fn changed(case: &Case<'_>, folder: &Path, beside: &str, tool: &Lockfile) -> Result<Vec<String>, BoxError> {
    let slash = if beside.is_empty() { "" } else { "/" };
    let ours = format!("{}:{beside}{slash}{}", case.ours, tool.manifest);
    let ours = Git::new(case.here).maybe(["cat-file", "blob", &ours])?.unwrap_or_default();
    let ours: Required = serde_json::from_str(&ours).unwrap_or_default();
    let now = std::fs::read(folder.join(tool.manifest))?;
    let now: Required = serde_json::from_slice(&now).unwrap_or_default();
    let differ = |now: &BTreeMap<String, String>, ours: &BTreeMap<String, String>| -> Vec<String> {
        // Names without a slash are of the platform, which is not locked.
        let all = now.iter().filter(|(name, version)| name.contains('/') && ours.get(*name) != Some(version));
        all.map(|(name, _)| name.clone()).collect()
    };
    let mut names = differ(&now.require, &ours.require);
    names.extend(differ(&now.dev, &ours.dev));
    names.retain(|name| !name.starts_with('-'));
    if names.is_empty() {
        names.push("--lock".to_owned());
    }
    Ok(names)
}
