//! Istanbul's JSON: `coverage-summary.json` with counts, and `coverage-final.json` with every statement.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Counts, Report, Source, Totals};

/// A file, or all of them under `total`, in `coverage-summary.json`.
#[derive(Deserialize)]
struct Summed {
    lines: Sum,
    statements: Sum,
    functions: Sum,
    branches: Sum,
}

#[derive(Deserialize)]
struct Sum {
    total: u64,
    covered: u64,
}

impl Sum {
    fn counts(&self) -> Result<Counts, String> {
        Counts::new(self.covered, self.total)
    }
}

/// Only tells the two apart.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "total")]
    _total: serde::de::IgnoredAny,
}

/// Reads `coverage-summary.json`; none where it is something else.
pub(super) fn summary(text: &str) -> Result<Option<Report>, String> {
    let Ok(Head { .. }) = serde_json::from_str(text) else { return Ok(None) };
    let mut files: BTreeMap<String, Summed> =
        serde_json::from_str(text).map_err(|error| malformed(&error))?;
    let total = files.remove("total").ok_or("it has no `total`")?;
    let mut sources = Vec::with_capacity(files.len());
    for (path, Summed { lines, statements, functions, branches }) in files {
        let of = |sum: &Sum| sum.counts().map(Some).map_err(|error| format!("`{path}`: {error}"));
        let totals = Totals {
            lines: of(&lines)?,
            statements: of(&statements)?,
            functions: of(&functions)?,
            branches: of(&branches)?,
        };
        sources.push(Source { path, totals });
    }
    let report = Report { sources, folders: Vec::new() };
    let (sum, said) = (report.totals()?.lines.unwrap_or_default(), total.lines.counts()?);
    if sum != said {
        return Err(format!(
            "its total says {} of {} lines and its files {} of {}",
            said.covered, said.total, sum.covered, sum.total
        ));
    }
    Ok(Some(report))
}

/// A file in `coverage-final.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    statement_map: BTreeMap<String, Place>,
    s: BTreeMap<String, u64>,
    f: BTreeMap<String, u64>,
    b: BTreeMap<String, Vec<u64>>,
}

#[derive(Deserialize)]
struct Place {
    start: Start,
}

#[derive(Deserialize)]
struct Start {
    line: u64,
}

/// Reads `coverage-final.json`. A line counts as covered if one of the statements that begin on it was, as Istanbul's own
/// summary has it.
pub(super) fn full(text: &str) -> Result<Report, String> {
    let files: BTreeMap<String, File> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    if files.is_empty() {
        return Err("it has no file".into());
    }
    let mut sources = Vec::with_capacity(files.len());
    for (path, file) in files {
        let mut lines: BTreeMap<u64, bool> = BTreeMap::new();
        for (id, hits) in &file.s {
            let place = file.statement_map.get(id);
            let place =
                place.ok_or_else(|| format!("`{path}` counts a statement that it does not place: `{id}`"))?;
            *lines.entry(place.start.line).or_default() |= *hits > 0;
        }
        if file.s.len() != file.statement_map.len() {
            return Err(format!("`{path}` places statements that it does not count"));
        }
        let totals = Totals {
            lines: Some(Counts::of(lines.into_values())),
            statements: Some(Counts::of(file.s.values().map(|hits| *hits > 0))),
            functions: Some(Counts::of(file.f.values().map(|hits| *hits > 0))),
            branches: Some(Counts::of(file.b.values().flatten().map(|hits| *hits > 0))),
        };
        sources.push(Source { path, totals });
    }
    Ok(Report { sources, folders: Vec::new() })
}

fn malformed(error: &serde_json::Error) -> String {
    let error: String = error.to_string().chars().take(200).collect();
    format!("it is no coverage report in JSON that is known: {error}")
}
