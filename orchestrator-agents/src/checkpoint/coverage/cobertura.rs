//! Cobertura's XML. Counted is what the lines of its classes say, not the sums at its head, which may be rounded rates.
//!
//! No entity is expanded but XML's own five, and nothing is fetched: a document type that declares anything is refused. One
//! that only names Cobertura's DTD is passed over, since Istanbul writes it.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Counts, Report, Source, Totals};

/// The deepest nesting that is read.
const DEPTH: usize = 64;

#[derive(Default)]
struct File {
    lines: BTreeMap<u64, bool>,
    /// By line: how many ways were taken, and how many there are.
    branches: BTreeMap<u64, Counts>,
    functions: Vec<bool>,
}

#[derive(Default)]
struct Reading {
    files: BTreeMap<String, File>,
    folders: Vec<String>,
    has_methods: bool,
    has_branches: bool,
    /// The elements that are open.
    way: Vec<String>,
    class: Option<String>,
}

/// Reads a report.
pub(super) fn read(text: &str) -> Result<Report, String> {
    let mut reader = Reader::from_str(text);
    let mut reading = Reading::default();
    let mut has_root = false;
    loop {
        let at = reader.buffer_position();
        let bad = |error: &dyn std::fmt::Display| format!("it is no XML at byte {at}: {error}");
        match reader.read_event().map_err(|error| bad(&error))? {
            Event::Eof => break,
            Event::DocType(doctype) if doctype.contains('[') => {
                return Err("it has a document type that declares something, which is refused".into());
            }
            Event::Start(element) => {
                if reading.way.is_empty() {
                    root(&element, &mut has_root)?;
                }
                reading.begin(&element)?;
                reading.way.push(element.local_name().as_ref().to_owned());
                if reading.way.len() > DEPTH {
                    return Err(format!("it is nested deeper than {DEPTH} elements"));
                }
            }
            Event::Empty(element) => {
                if reading.way.is_empty() {
                    root(&element, &mut has_root)?;
                }
                reading.begin(&element)?;
                reading.end(element.local_name().as_ref());
            }
            Event::End(element) => {
                reading.way.pop();
                reading.end(element.local_name().as_ref());
            }
            Event::Text(text) if reading.is_in("source") => {
                reading.folders.push(text.trim().to_owned());
            }
            Event::GeneralRef(entity)
                if !matches!(&*entity, "amp" | "lt" | "gt" | "quot" | "apos") && !entity.starts_with('#') =>
            {
                return Err(format!(
                    "it uses the entity `{}`, which is refused",
                    entity.chars().take(40).collect::<String>()
                ));
            }
            _ => {}
        }
    }
    if !has_root || !reading.way.is_empty() {
        return Err("it ends before its last element does: it was cut off".into());
    }
    reading.report()
}

fn root(element: &BytesStart<'_>, has_root: &mut bool) -> Result<(), String> {
    *has_root = true;
    match element.local_name().as_ref() {
        "coverage" => Ok(()),
        other => Err(format!(
            "its root is `{}`, not Cobertura's `coverage`",
            other.chars().take(40).collect::<String>()
        )),
    }
}

impl Reading {
    fn is_in(&self, element: &str) -> bool {
        self.way.last().is_some_and(|last| last == element)
    }

    fn begin(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        match element.local_name().as_ref() {
            "class" => {
                let file = attribute(element, "filename")?.ok_or("a `class` names no file")?;
                self.files.entry(file.clone()).or_default();
                self.class = Some(file);
            }
            "method" => {
                self.has_methods = true;
                if let Some(file) = self.file() {
                    file.functions.push(false);
                }
            }
            "line" if self.class.is_some() => self.line(element)?,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, element: &str) {
        if element == "class" {
            self.class = None;
        }
    }

    fn file(&mut self) -> Option<&mut File> {
        self.files.get_mut(self.class.as_ref()?)
    }

    fn line(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let number = |name: &str| -> Result<u64, String> {
            let text = attribute(element, name)?.ok_or_else(|| format!("a `line` has no `{name}`"))?;
            text.parse()
                .map_err(|_| format!("`{name}` of a line is `{}`", text.chars().take(40).collect::<String>()))
        };
        let (line, hit) = (number("number")?, number("hits")? > 0);
        let branches = match attribute(element, "condition-coverage")? {
            Some(text) => Some(
                condition(&text)
                    .ok_or_else(|| format!("line {line} has a malformed `condition-coverage`"))?,
            ),
            None => None,
        };
        let in_method = self.way.iter().any(|element| element == "method");
        self.has_branches |= branches.is_some();
        let Some(file) = self.file() else { return Ok(()) };
        if in_method {
            if let Some(function) = file.functions.last_mut() {
                *function |= hit;
            }
            return Ok(());
        }
        *file.lines.entry(line).or_default() |= hit;
        if let Some(counts) = branches {
            // A line that several classes have, as nested ones do: the better one counts.
            let known = file.branches.entry(line).or_insert(counts);
            if counts.covered > known.covered {
                *known = counts;
            }
        }
        Ok(())
    }

    fn report(self) -> Result<Report, String> {
        let Self { files, folders, has_methods, has_branches, .. } = self;
        if files.is_empty() {
            return Err("it has no `class`".into());
        }
        let mut sources = Vec::with_capacity(files.len());
        for (path, file) in files {
            let mut branches = Counts::default();
            for counts in file.branches.values() {
                branches = branches.plus(*counts)?;
            }
            let totals = Totals {
                lines: Some(Counts::of(file.lines.values().copied())),
                branches: has_branches.then_some(branches),
                functions: has_methods.then(|| Counts::of(file.functions.iter().copied())),
                statements: None,
            };
            sources.push(Source { path, totals });
        }
        Ok(Report { sources, folders })
    }
}

/// `50% (1/2)`.
fn condition(text: &str) -> Option<Counts> {
    let (_, counts) = text.split_once('(')?;
    let (covered, total) = counts.trim_end().strip_suffix(')')?.split_once('/')?;
    Counts::new(covered.trim().parse().ok()?, total.trim().parse().ok()?).ok()
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let found =
        element.try_get_attribute(name).map_err(|error| format!("an attribute is malformed: {error}"))?;
    let Some(found) = found else { return Ok(None) };
    let value = found.normalized_value(quick_xml::XmlVersion::Implicit1_0);
    value.map(|value| Some(value.into_owned())).map_err(|error| format!("`{name}` is malformed: {error}"))
}
