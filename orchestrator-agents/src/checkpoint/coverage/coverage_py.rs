//! coverage.py's JSON (`coverage json`). Lines are what it calls statements: excluded ones are not among them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Counts, Report, Source, Totals};

#[derive(Deserialize)]
struct Document {
    files: BTreeMap<String, File>,
}

#[derive(Deserialize)]
struct File {
    summary: Summary,
}

#[derive(Deserialize)]
struct Summary {
    covered_lines: u64,
    num_statements: u64,
    covered_branches: Option<u64>,
    num_branches: Option<u64>,
}

/// Only tells it from others.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "meta")]
    _meta: IgnoredAny,
    #[serde(rename = "totals")]
    _totals: IgnoredAny,
}

/// Reads a report; none where it is something else.
pub(super) fn read(text: &str) -> Result<Option<Report>, String> {
    if serde_json::from_str::<Head>(text).is_err() {
        return Ok(None);
    }
    let document: Document = serde_json::from_str(text).map_err(|error| {
        let error: String = error.to_string().chars().take(200).collect();
        format!("it is no report of coverage.py: {error}")
    })?;
    let mut sources = Vec::with_capacity(document.files.len());
    for (path, File { summary }) in document.files {
        let Summary { covered_lines, num_statements, covered_branches, num_branches } = summary;
        let branches = covered_branches.zip(num_branches).map(|(covered, total)| Counts::new(covered, total));
        let lines = Counts::new(covered_lines, num_statements);
        let named = |error: String| format!("`{path}`: {error}");
        let totals = Totals {
            lines: Some(lines.map_err(named)?),
            branches: branches.transpose().map_err(named)?,
            ..Totals::default()
        };
        sources.push(Source { path, totals });
    }
    if sources.is_empty() {
        return Err("it has no file".into());
    }
    Ok(Some(Report { sources, folders: Vec::new() }))
}
