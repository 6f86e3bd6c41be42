//! A workflow file that is edited: its text, what it says, and where in the text things stand. Values are read with a full
//! parser; places come from a syntax tree that keeps comments.

use orchestrator_core::BoxError;
use serde_json::Value;
use yamlpath::{Component, Document, Route};

use super::super::config_edit::edited::{EditResult, Edited};
use super::job::Job;
use super::node::Style;

/// A larger file is not edited.
const MOST_BYTES: usize = 1 << 20;

/// A way into the file: keys and indices.
pub(super) type Way = Vec<Component<'static>>;

/// The way to a job.
pub(super) fn to_job(id: &str) -> Way {
    vec!["jobs".to_owned().into(), id.to_owned().into()]
}

/// The way to a step of a job.
pub(super) fn to_step(id: &str, index: usize) -> Way {
    below(&below(&to_job(id), "steps"), index)
}

/// One more key or index.
pub(super) fn below(way: &Way, part: impl Into<Part>) -> Way {
    let mut way = way.clone();
    way.push(part.into().0);
    way
}

/// A key or an index.
pub(super) struct Part(Component<'static>);

impl From<&str> for Part {
    fn from(key: &str) -> Self {
        Self(key.to_owned().into())
    }
}

impl From<usize> for Part {
    fn from(index: usize) -> Self {
        Self(index.into())
    }
}

/// A workflow that is edited.
pub(super) struct Workflow {
    /// With `\n` line ends, and one at the end.
    pub(super) text: String,
    pub(super) value: Value,
    pub(super) document: Document,
    before: Before,
    /// Jobs, or other top-level keys, that edits were meant to change.
    pub(super) touched: Vec<String>,
}

/// What the file was like.
struct Before {
    text: String,
    value: Value,
    mark: bool,
    windows: bool,
    ended: bool,
}

/// Where something stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its first byte; of a pair, of its key.
    pub start: usize,
    /// After its last byte, by the syntax tree.
    pub end: usize,
    /// Whether it stands in a flow collection.
    pub flow: bool,
}

impl Workflow {
    /// Reads a workflow; everything that could not be edited safely is refused here, with why.
    pub(super) fn read(text: &str) -> Result<Self, BoxError> {
        if text.len() > MOST_BYTES {
            return Err(format!(
                "the file has {} bytes; workflows of more than {MOST_BYTES} are not edited",
                text.len()
            )
            .into());
        }
        let mark = text.starts_with('\u{feff}');
        let body = text.trim_start_matches('\u{feff}');
        let windows = body.contains("\r\n");
        let ends = body.matches("\r\n").count();
        if body.matches('\r').count() != ends || (windows && body.matches('\n').count() != ends) {
            return Err("the file mixes kinds of line ends; make them one kind first".into());
        }
        let mut unix = if windows { body.replace("\r\n", "\n") } else { body.to_owned() };
        let ended = unix.ends_with('\n');
        if !ended {
            unix.push('\n');
        }
        let (value, document) = parse(&unix)?;
        if !value.get("jobs").is_some_and(Value::is_object) {
            return Err(not_a_workflow(&value).into());
        }
        let before = Before { text: text.to_owned(), value: value.clone(), mark, windows, ended };
        Ok(Self { text: unix, value, document, before, touched: Vec::new() })
    }

    /// The jobs in the order of the file.
    pub(super) fn jobs(&self) -> Vec<Job<'_>> {
        let jobs = self.value["jobs"].as_object().into_iter().flatten();
        let mut jobs: Vec<(usize, Job<'_>)> = jobs
            .map(|(id, value)| {
                let start = self.place(&to_job(id)).map_or(usize::MAX, |place| place.start);
                (start, Job { id, value })
            })
            .collect();
        jobs.sort_by(|a, b| (a.0, a.1.id).cmp(&(b.0, b.1.id)));
        jobs.into_iter().map(|(_, job)| job).collect()
    }

    /// A job by its id; the error names those that there are.
    pub(super) fn job(&self, id: &str) -> Result<Job<'_>, BoxError> {
        let jobs = self.jobs();
        let known: Vec<&str> = jobs.iter().map(|job| job.id).collect();
        let missing = || format!("there is no job `{id}`; jobs: {}", known.join(", "));
        let found = jobs.iter().find(|job| job.id == id).map(|job| job.id).ok_or_else(missing)?;
        let (id, value) =
            self.value["jobs"].as_object().and_then(|jobs| jobs.get_key_value(found)).ok_or_else(missing)?;
        Ok(Job { id, value })
    }

    /// What stands at a way.
    pub(super) fn at(&self, way: &Way) -> Option<&Value> {
        way.iter().try_fold(&self.value, |value, part| match part {
            Component::Key(key) => value.get(key.as_ref()),
            Component::Index(index) => value.get(index),
        })
    }

    /// Where the pair or item at a way stands. What is reached through an alias stands elsewhere and is refused.
    pub(super) fn place(&self, way: &Way) -> Result<Place, BoxError> {
        let mut around = 0..self.text.len();
        let mut found = Place { start: 0, end: self.text.len(), flow: false };
        for depth in 1..=way.len() {
            let flow = found.flow || matches!(self.collection(&way[..depth - 1]), Some('{' | '['));
            let (start, end) = self.bounds(&way[..depth], flow)?;
            if start < around.start || end > around.end || self.text[start..].starts_with('*') {
                return Err(aliased(&way[..depth]));
            }
            found = Place { start, end, flow };
            around = start..end;
        }
        Ok(found)
    }

    /// The first byte of a pair or item, and the byte after it.
    fn bounds(&self, way: &[Component<'static>], flow: bool) -> Result<(usize, usize), BoxError> {
        let route = Route::from(way.to_vec());
        let lost = |error| lost(way, &error);
        if !flow || matches!(way.last(), Some(Component::Index(_))) {
            return Ok(self.document.query_pretty(&route).map_err(lost)?.location.byte_span);
        }
        // Of a pair in a flow mapping, the tree gives the whole mapping; the key and the value are given as they are.
        let key = self.document.query_key_only(&route).map_err(lost)?.location.byte_span;
        let value =
            self.document.query_exact(&route).map_err(lost)?.map(|feature| feature.location.byte_span);
        match value {
            Some((start, end)) if start >= key.1 => Ok((key.0, end)),
            Some(_) => Err(aliased(way)),
            None => Ok(key),
        }
    }

    /// The first character of the collection at a way.
    fn collection(&self, way: &[Component<'static>]) -> Option<char> {
        let feature = match way {
            [] => self.document.top_feature().ok(),
            way => self.document.query_exact(&Route::from(way.to_vec())).ok().flatten(),
        };
        self.text[feature?.location.byte_span.0..].chars().next()
    }

    /// The span of the value alone; none where the value is empty.
    pub(super) fn span(&self, way: &Way) -> Result<Option<(usize, usize)>, BoxError> {
        let found =
            self.document.query_exact(&Route::from(way.clone())).map_err(|error| lost(way, &error))?;
        Ok(found.map(|feature| feature.location.byte_span))
    }

    /// Puts another text in place of this one; it must be YAML again.
    pub(super) fn replace(&mut self, way: &Way, text: String) -> Result<(), BoxError> {
        let (value, document) = parse(&text)
            .map_err(|error| format!("the edit at `{}` would not be YAML: {error}", shown(way)))?;
        let touched = match way.as_slice() {
            [Component::Key(jobs), Component::Key(id), ..] if jobs == "jobs" => id.to_string(),
            [Component::Key(key), ..] => key.to_string(),
            _ => String::new(),
        };
        self.touched.push(touched);
        (self.text, self.value, self.document) = (text, value, document);
        Ok(())
    }

    /// How this file indents, as far as it shows.
    pub(super) fn style(&self) -> Style {
        let key = |way: &Way| {
            self.place(way).ok().filter(|place| !place.flow).map(|place| self.column(place.start))
        };
        let mut style = Style { width: 2, list: 2, gap: 2 };
        let jobs: Vec<Way> = self.jobs().iter().map(|job| to_job(job.id)).collect();
        if let Some(job) = jobs.iter().find_map(&key) {
            style.width = job.saturating_sub(key(&vec!["jobs".to_owned().into()]).unwrap_or(0)).max(1);
            style.list = style.width;
        }
        for job in &jobs {
            let steps = below(job, "steps");
            let (Some(column), Ok(dash)) = (key(&steps), self.dash(&below(&steps, 0usize))) else { continue };
            let first =
                self.place(&below(&steps, 0usize)).map_or(dash.1 + 2, |place| self.column(place.start));
            style.list = dash.1.saturating_sub(column);
            style.gap = first.saturating_sub(dash.1).clamp(2, 8);
            break;
        }
        style
    }

    /// The result: changed where the text is another one. An edit that changed more than it was meant to is an error.
    pub(super) fn finish(self, said: Vec<String>) -> EditResult {
        self.check()?;
        let mut text = self.text;
        if !self.before.ended && text.ends_with('\n') {
            text.pop();
        }
        if self.before.windows {
            text = text.replace('\n', "\r\n");
        }
        if self.before.mark {
            text.insert(0, '\u{feff}');
        }
        if text == self.before.text {
            Ok(Edited::AlreadySo { said: said.join("; ") })
        } else {
            Ok(Edited::Changed { text, said })
        }
    }

    /// Nothing but what was meant may have changed, and no comment may be lost.
    fn check(&self) -> Result<(), BoxError> {
        let known = |key: &str| self.touched.iter().any(|touched| touched == key);
        let other = |name: &str| -> BoxError {
            format!("the edit would change `{name}` too, most likely through an anchor; write the anchor out first").into()
        };
        let (before, after) = (&self.before.value, &self.value);
        for (key, was) in before.as_object().into_iter().flatten().filter(|(key, _)| *key != "jobs") {
            if after.get(key) != Some(was) && !known(key) {
                return Err(other(key));
            }
        }
        for (id, was) in before["jobs"].as_object().into_iter().flatten() {
            if after["jobs"].get(id) != Some(was) && !known(id) {
                return Err(other(id));
            }
        }
        let mut left: Vec<&str> = comments(&self.text);
        for comment in comments(&self.before.text) {
            match left.iter().position(|left| *left == comment) {
                Some(index) => drop(left.swap_remove(index)),
                None => {
                    return Err(
                        format!("the edit would lose the comment `{comment}`; make it by hand").into()
                    );
                }
            }
        }
        Ok(())
    }
}

/// Lines that are comments.
fn comments(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| line.starts_with('#')).collect()
}

fn parse(text: &str) -> Result<(Value, Document), BoxError> {
    let options = serde_saphyr::options! { strict_booleans: true };
    let value: Value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let said = error.to_string();
        let line = said.lines().next().unwrap_or_default().to_owned();
        format!("the file cannot be read as one YAML document: {line}")
    })?;
    let document =
        Document::new(text).map_err(|error| format!("the file cannot be read as YAML: {error}"))?;
    Ok((value, document))
}

fn not_a_workflow(value: &Value) -> String {
    let keys: Vec<&str> =
        value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).take(8).collect();
    let has =
        if keys.is_empty() { "it is no mapping".to_owned() } else { format!("it has: {}", keys.join(", ")) };
    format!("the file is no workflow: it has no `jobs`; {has}")
}

fn aliased(way: &[Component<'static>]) -> BoxError {
    format!(
        "`{}` is reached through an alias (`*name`); an edit there would change what the anchor names too: write it out first",
        shown(way)
    )
    .into()
}

fn lost(way: &[Component<'static>], error: &yamlpath::QueryError) -> BoxError {
    format!("`{}` cannot be found in the text of the file: {error}", shown(way)).into()
}

/// `jobs.build.steps.1`.
pub(super) fn shown(way: &[Component<'static>]) -> String {
    let parts: Vec<String> = way
        .iter()
        .map(|part| match part {
            Component::Key(key) => key.to_string(),
            Component::Index(index) => index.to_string(),
        })
        .collect();
    parts.join(".")
}
