//! `measure-coverage`: finds coverage reports, reads them, and says how old they are beside the sources that they are about.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::patterns::{Pattern, Patterns};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checkpoint::coverage::{Format, Measure, Report, Totals};
use crate::checkpoint::{Counts, coverage::Source};
use crate::ops::here::{Here, blocking};
use crate::ops::process;

/// The most bytes of one report.
const LIMIT: u64 = 64 << 20;
/// The most reports.
const REPORTS: usize = 200;
/// The most files and folders that are looked at to match a glob.
const ENTRIES: usize = 200_000;
/// How many of the least covered sources are told.
const LEAST: usize = 10;
/// The longest that coverage.py may take to turn its data into a report.
const CONVERT: Duration = Duration::from_mins(2);

/// Where to look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureInput {
    /// A path or glob of reports; without it the usual places are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Folders whose usual places are looked at. The root's report is the whole; without one, those of all others are added up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<RelPath>,
    /// The usual places in a folder; the first that is there is its report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// By folder with `.coverage`: the program that makes a report of it, where it has no report.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub convert: BTreeMap<RelPath, RelPath>,
    /// By what sources count as little covered.
    #[serde(default)]
    pub metric: Measure,
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// The reports, in order of their paths.
    pub reports: Vec<Reported>,
    /// The sum over all of them.
    pub totals: Totals,
    /// A source that is newer than the report about it: the report does not tell of it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Stale>,
    /// How many sources the reports name that are not in the checkout.
    #[serde(default)]
    pub missing: u64,
    /// The sources with the most that is not covered.
    #[serde(default)]
    pub least: Vec<Least>,
}

/// A report that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reported {
    /// Where it is.
    pub path: RelPath,
    /// Its format.
    pub format: String,
    /// Digest of its bytes.
    pub digest: Digest,
    /// When it was written.
    pub written: String,
    /// How many sources it is about.
    pub sources: u64,
    /// Its counts.
    pub totals: Totals,
}

/// A report older than a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stale {
    /// The report.
    pub report: RelPath,
    /// The source.
    pub source: RelPath,
}

/// A source and its counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Least {
    /// Which.
    pub source: String,
    /// Its counts.
    pub counts: Counts,
}

/// Reads coverage reports.
#[derive(Debug, Clone, Copy, Default)]
pub struct MeasureCoverage;

#[async_trait]
impl Operation for MeasureCoverage {
    const NAME: &'static str = "measure-coverage";
    const EFFECT: Effect = Effect::Reads;
    type Input = MeasureInput;
    type Output = Measured;

    async fn call(&self, input: MeasureInput, _: &OrderKey, site: &Site<'_>) -> Result<Measured, BoxError> {
        blocking(site, move |here| measure(here, &input)).await
    }

    async fn already(&self, _: &MeasureInput, _: &OrderKey, _: &Site<'_>) -> Already<Measured> {
        Already::NotDone
    }
}

/// A report before it is read.
struct Found {
    path: RelPath,
    bytes: Vec<u8>,
    written: SystemTime,
}

fn measure(here: &Here, input: &MeasureInput) -> Result<Measured, BoxError> {
    let found = match &input.file {
        Some(file) => named(here, file)?,
        None => usual(here, input)?,
    };
    let mut all = Measured::default();
    let mut of: BTreeMap<String, RelPath> = BTreeMap::new();
    let mut sources: Vec<(String, Source)> = Vec::new();
    for Found { path, bytes, written } in found {
        here.go_on()?;
        let digest = Digest::of(&bytes);
        let text = String::from_utf8(bytes).map_err(|_| format!("`{path}` is not UTF-8"))?;
        let (format, report) =
            Format::read(&text).map_err(|why| format!("`{path}` cannot be counted: {why}"))?;
        let totals = report.totals()?;
        let reported = Reported {
            digest,
            format: format.as_str().to_owned(),
            written: when(written),
            sources: report.sources.len() as u64,
            totals,
            path: path.clone(),
        };
        all.totals = if all.reports.is_empty() { totals } else { all.totals.plus(totals)? };
        all.reports.push(reported);
        let place = Placing { root: &here.root, report: &path, folders: &report.folders };
        let Report { sources: files, folders: _ } = &report;
        let mut missing = 0;
        for source in files {
            let own = place.of(&source.path);
            match &own {
                Some((own, modified)) if *modified > written && all.stale.is_none() => {
                    all.stale = Some(Stale { report: path.clone(), source: own.clone() });
                }
                Some(_) => {}
                None => missing += 1,
            }
            let name = own.map_or_else(|| source.path.clone(), |(own, _)| own.to_string());
            if let Some(other) = of.insert(name.clone(), path.clone()) {
                return Err(format!(
                    "`{name}` is in `{other}` and in `{path}`: it would count twice; name one of them with `file`"
                )
                .into());
            }
            sources.push((name, source.clone()));
        }
        if missing == files.len() as u64 {
            return Err(format!("`{path}` is about no file of this checkout").into());
        }
        all.missing += missing;
    }
    all.least = least(&sources, input.metric);
    Ok(all)
}

fn least(sources: &[(String, Source)], metric: Measure) -> Vec<Least> {
    let counts = sources.iter().filter_map(|(name, source)| Some((name, source.totals.of(metric)?)));
    let mut least: Vec<Least> = counts
        .filter(|(_, counts)| counts.covered < counts.total)
        .map(|(name, counts)| Least { source: name.clone(), counts })
        .collect();
    least.sort_by_key(|least| std::cmp::Reverse(least.counts.total - least.counts.covered));
    least.truncate(LEAST);
    least
}

/// The reports that a path or glob names.
fn named(here: &Here, file: &str) -> Result<Vec<Found>, BoxError> {
    let patterns = Patterns::parse([&file.to_owned()])?;
    let mut paths = Vec::new();
    for pattern in patterns.wanted() {
        match pattern {
            Pattern::Path(path) => paths.push(path.clone()),
            Pattern::Glob { start, .. } => matching(here, start, &patterns, &mut paths)?,
        }
    }
    if paths.len() > REPORTS {
        return Err(format!(
            "`{file}` matches {} files; at most {REPORTS} reports are added up",
            paths.len()
        )
        .into());
    }
    let mut found = Vec::new();
    for path in paths {
        found.extend(open(here, &path)?);
    }
    if found.is_empty() { Err(format!("there is no report at `{file}`").into()) } else { Ok(found) }
}

/// The files below a folder that patterns match, ignored ones too, in order.
fn matching(
    here: &Here,
    start: &RelPath,
    patterns: &Patterns,
    into: &mut Vec<RelPath>,
) -> Result<(), BoxError> {
    let mut open = vec![start.clone()];
    let mut seen = 0;
    while let Some(folder) = open.pop() {
        here.go_on()?;
        let Ok(entries) = std::fs::read_dir(folder.under(&here.root)) else { continue };
        for entry in entries {
            let entry = entry?;
            seen += 1;
            if seen > ENTRIES {
                return Err(format!(
                    "there are more than {ENTRIES} files below `{start}`; name a folder further down"
                )
                .into());
            }
            let name = entry.file_name();
            let Some(path) = name.to_str().and_then(|name| folder.join(name).ok()) else { continue };
            let kind = entry.file_type()?;
            if kind.is_dir()
                && !matches!(name.to_str(), Some("node_modules" | ".git" | ".orchestrate" | ".venv"))
            {
                open.push(path);
            } else if !kind.is_dir() && patterns.matches(path.as_str()) {
                into.push(path);
            }
        }
    }
    into.sort();
    Ok(())
}

/// The reports at the usual places.
fn usual(here: &Here, input: &MeasureInput) -> Result<Vec<Found>, BoxError> {
    let mut all = Vec::new();
    for folder in &input.folders {
        let mut found = None;
        for place in &input.places {
            found = open(here, &folder.join(place)?)?;
            if found.is_some() {
                break;
            }
        }
        if found.is_none()
            && let Some(program) = input.convert.get(folder)
        {
            found = convert(here, folder, program)?;
        }
        let is_whole = folder.is_root() && found.is_some();
        all.extend(found);
        if is_whole || all.len() == REPORTS {
            break;
        }
    }
    if all.is_empty() {
        let places = input.places.join(", ");
        return Err(format!("there is no coverage report; looked for {places}").into());
    }
    Ok(all)
}

/// The bytes of a regular file; none where there is nothing.
fn open(here: &Here, path: &RelPath) -> Result<Option<Found>, BoxError> {
    let full = path.under(&here.root);
    let said = |error: io::Error| format!("`{path}` could not be read: {error}");
    let meta = match full.metadata() {
        Ok(meta) => meta,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(said(error).into()),
    };
    if !meta.is_file() {
        return Err(format!("`{path}` is no file").into());
    }
    let mut bytes = Vec::new();
    std::fs::File::open(&full).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes)).map_err(said)?;
    if bytes.len() as u64 > LIMIT {
        return Err(format!("`{path}` is larger than {} MiB", LIMIT >> 20).into());
    }
    Ok(Some(Found { path: path.clone(), bytes, written: meta.modified()? }))
}

/// The report that coverage.py makes of its own data, as old as the data; none where there is no data.
fn convert(here: &Here, folder: &RelPath, program: &RelPath) -> Result<Option<Found>, BoxError> {
    let path = folder.join(".coverage")?;
    let Ok(meta) = path.under(&here.root).metadata() else { return Ok(None) };
    let written = meta.modified()?;
    let mut command = process::command(here, program.under(&here.root));
    command.current_dir(folder.under(&here.root)).args(["json", "-q", "-o", "-"]);
    let output = process::run(here, command, None, Some(CONVERT))?;
    if !output.status.success() {
        let said = if output.stderr.is_empty() {
            String::from_utf8_lossy(&output.stdout).into_owned()
        } else {
            output.stderr
        };
        let said: String = said.trim().lines().last().unwrap_or_default().chars().take(200).collect();
        return Err(format!("`{program} json` made no report of `{path}`: {said}").into());
    }
    Ok(Some(Found { path, bytes: output.stdout, written }))
}

/// A moment to the second, in UTC.
fn when(at: SystemTime) -> String {
    let at = jiff::Timestamp::try_from(at).and_then(|at| jiff::Timestamp::from_second(at.as_second()));
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// Finds the sources that a report names in the checkout.
struct Placing<'a> {
    root: &'a Path,
    report: &'a RelPath,
    folders: &'a [String],
}

impl Placing<'_> {
    /// Where a source is, and when it was changed last.
    fn of(&self, path: &str) -> Option<(RelPath, SystemTime)> {
        self.candidates(path).into_iter().find_map(|path| {
            let meta = path.under(self.root).metadata().ok()?;
            Some((path, meta.modified().ok()?)).filter(|_| meta.is_file())
        })
    }

    /// As the report's own folders say, then beside it, above its folder (`coverage/`), and from the root.
    fn candidates(&self, path: &str) -> Vec<RelPath> {
        if path.starts_with('/') {
            return self.below_root(path).into_iter().collect();
        }
        let mut found: Vec<RelPath> = Vec::new();
        for folder in self.folders {
            if folder.starts_with('/') {
                found.extend(self.below_root(&format!("{}/{path}", folder.trim_end_matches('/'))));
            } else if !folder.is_empty() {
                found.extend(RelPath::new(format!("{folder}/{path}")));
            }
        }
        let beside = Path::new(self.report.as_str()).parent().map(Path::to_path_buf).unwrap_or_default();
        let above = beside.parent().map(Path::to_path_buf);
        for folder in above.into_iter().chain([beside, PathBuf::new()]) {
            found.extend(folder.join(path).to_str().and_then(|path| RelPath::new(path).ok()));
        }
        found
    }

    fn below_root(&self, path: &str) -> Option<RelPath> {
        let real = self.root.canonicalize().ok();
        let roots = [Some(self.root.to_path_buf()), real];
        let below = roots.iter().flatten().find_map(|root| Path::new(path).strip_prefix(root).ok())?;
        RelPath::new(below.to_str()?).ok()
    }
}
