//! lcov's tracefile: `SF:`, `DA:`, `BRDA:`, `FN:`, `FNDA:` and sums, up to `end_of_record` (`geninfo(1)`).
//!
//! Counted is what the records list; the sums `LF LH BRF BRH FNF FNH` count only where nothing is listed. A file that
//! several records are about, one for each test, is counted once.

use std::collections::BTreeMap;

use super::{Counts, Report, Source, Totals};

#[derive(Default)]
struct Record {
    lines: BTreeMap<u64, bool>,
    branches: BTreeMap<(u64, String), bool>,
    functions: BTreeMap<String, bool>,
    /// Sums by their key: `LF`.
    sums: BTreeMap<&'static str, u64>,
}

const SUMS: [&str; 6] = ["LF", "LH", "BRF", "BRH", "FNF", "FNH"];

/// Reads a tracefile.
pub(super) fn read(text: &str) -> Result<Report, String> {
    let mut files: BTreeMap<String, Record> = BTreeMap::new();
    let mut open: Option<String> = None;
    let mut ended = 0_u64;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_end();
        let bad = |what: &str| {
            format!("line {} is {what}: `{}`", at + 1, line.chars().take(80).collect::<String>())
        };
        if line == "end_of_record" {
            open.take().ok_or_else(|| bad("the end of a record that did not begin"))?;
            ended += 1;
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            return Err(bad("none of lcov"));
        };
        if key == "SF" {
            if open.is_some() {
                return Err(bad("the start of a file inside the record of another"));
            }
            files.entry(value.to_owned()).or_default();
            open = Some(value.to_owned());
        } else if let Some(record) = open.as_ref().and_then(|file| files.get_mut(file)) {
            record.take(key, value).ok_or_else(|| bad("malformed"))?;
        } else if !matches!(key, "TN" | "VER") {
            return Err(bad("outside of any record"));
        }
    }
    if open.is_some() {
        return Err("it ends inside a record: it was cut off".into());
    }
    if ended == 0 {
        return Err("it has no record".into());
    }
    let source = |(path, record): (String, Record)| Ok(Source { path, totals: record.totals()? });
    let sources = files.into_iter().map(source).collect::<Result<_, String>>()?;
    Ok(Report { sources, folders: Vec::new() })
}

impl Record {
    /// Takes one line; none where it is malformed. Lines that count nothing here are passed over.
    fn take(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "DA" => {
                let mut parts = value.split(',');
                let (line, hits) = (parts.next()?.parse().ok()?, hit(parts.next()?)?);
                *self.lines.entry(line).or_default() |= hits;
            }
            "BRDA" => {
                let (line, rest) = value.split_once(',')?;
                // The name of a branch may be an expression with commas in it.
                let (branch, taken) = rest.rsplit_once(',')?;
                let taken = if taken == "-" { false } else { hit(taken)? };
                *self.branches.entry((line.parse().ok()?, branch.to_owned())).or_default() |= taken;
            }
            "FN" => {
                let (_, name) = value.split_once(',')?;
                // `FN:first,last,name` since lcov 2.0.
                let name = match name.split_once(',') {
                    Some((last, name)) if last.parse::<u64>().is_ok() => name,
                    _ => name,
                };
                self.functions.entry(name.to_owned()).or_default();
            }
            "FNDA" => {
                let (hits, name) = value.split_once(',')?;
                *self.functions.entry(name.to_owned()).or_default() |= hit(hits)?;
            }
            key => {
                if let Some(sum) = SUMS.into_iter().find(|sum| *sum == key) {
                    let value: u64 = value.parse().ok()?;
                    let entry = self.sums.entry(sum).or_default();
                    *entry = value.max(*entry);
                }
            }
        }
        Some(())
    }

    fn totals(&self) -> Result<Totals, String> {
        let sum = |covered, total| match self.sums.get(total) {
            Some(total) => Counts::new(self.sums.get(covered).copied().unwrap_or(0), *total),
            None => Ok(Counts::default()),
        };
        let counts =
            |listed: Counts, covered, total| if listed.total > 0 { Ok(listed) } else { sum(covered, total) };
        Ok(Totals {
            lines: Some(counts(Counts::of(self.lines.values().copied()), "LH", "LF")?),
            branches: Some(counts(Counts::of(self.branches.values().copied()), "BRH", "BRF")?),
            functions: Some(counts(Counts::of(self.functions.values().copied()), "FNH", "FNF")?),
            statements: None,
        })
    }
}

/// Whether a count of hits is above nought; none where it is no count.
fn hit(hits: &str) -> Option<bool> {
    hits.parse::<u64>().ok().map(|hits| hits > 0)
}
