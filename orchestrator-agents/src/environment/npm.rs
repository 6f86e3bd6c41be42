//! What `npm ls --json` says.

use serde::Deserialize;

use crate::validation::ran::Ran;
use crate::validation::text;

/// Format: <https://docs.npmjs.com/cli/commands/npm-ls>; `problems` is left out where there is none. The exit code is 0 for
/// problems that are only `extraneous`.
#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    problems: Vec<String>,
    error: Option<NpmError>,
}

#[derive(Deserialize)]
struct NpmError {
    code: Option<String>,
    #[serde(default)]
    summary: String,
}

/// What is missing, wrong or too much in a tree of packages; or why that is not known.
pub(super) fn problems(ran: &Ran<'_>) -> Result<Vec<String>, String> {
    let listed: Listed = serde_json::from_str(&ran.stdout).map_err(|_| ran.why())?;
    match listed.error {
        Some(error) if error.code.as_deref() != Some("ELSPROBLEMS") => {
            Err(format!("{}: {} {}", ran.ended(), error.code.unwrap_or_default(), error.summary))
        }
        _ if listed.problems.is_empty() && !ran.ok() => Err(ran.why()),
        _ => Ok(listed.problems.iter().map(|problem| text::line(problem)).collect()),
    }
}
