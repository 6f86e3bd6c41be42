//! A located tree: what YAML, TOML and JSON have in common, each part with its place in the text.
//! It knows nothing of pipelines.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use crate::pipeline::Place;
use crate::problem::Problem;

/// The deepest nesting that is taken.
pub(super) const MAX_DEPTH: usize = 64;
/// The most that aliases, merges and variables may add to a file: bytes, with [`PER_NODE`] for each node.
pub(super) const MAX_COPIED: usize = 64 << 20;
/// What a node weighs besides its text.
const PER_NODE: usize = 64;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node<'t> {
    /// The value.
    pub data: Data<'t>,
    /// Where it starts.
    pub place: Place,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data<'t> {
    /// Nothing, a truth value or a number, and how it was written.
    Plain(Plain, Cow<'t, str>),
    /// Text.
    Text(Cow<'t, str>),
    /// A list.
    List(Vec<Node<'t>>),
    /// A map, in the order of the text; each key once.
    Map(Vec<Entry<'t>>),
}

/// A scalar that is not text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(Number),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry<'t> {
    /// The key.
    pub key: Cow<'t, str>,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub node: Node<'t>,
}

impl<'t> Node<'t> {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match &self.data {
            Data::Plain(Plain::Null, _) => "nothing",
            Data::Plain(Plain::Bool(_), _) => "a truth value",
            Data::Plain(Plain::Number(_), _) => "a number",
            Data::Text(_) => "text",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }

    /// A scalar as it was written: `1.10` stays `1.10`.
    pub(super) fn written(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) | Data::Plain(Plain::Bool(_) | Plain::Number(_), text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'t>> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
            _ => None,
        }
    }

    /// As JSON.
    pub(super) fn value(&self) -> Value {
        match &self.data {
            Data::Plain(Plain::Null, _) => Value::Null,
            Data::Plain(Plain::Bool(flag), _) => Value::Bool(*flag),
            Data::Plain(Plain::Number(number), _) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone().into_owned()),
            Data::List(items) => items.iter().map(Node::value).collect(),
            Data::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone().into_owned(), entry.node.value()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// How much a copy of it adds, and how deep it is.
    pub(super) fn weight(&self) -> (usize, usize) {
        let sum = |parts: &mut dyn Iterator<Item = (usize, usize)>| {
            parts.fold((PER_NODE, 1), |(weight, depth), (more, deep)| (weight + more, depth.max(deep + 1)))
        };
        match &self.data {
            Data::Plain(_, text) | Data::Text(text) => (PER_NODE + text.len(), 1),
            Data::List(items) => sum(&mut items.iter().map(Node::weight)),
            Data::Map(entries) => sum(&mut entries.iter().map(|entry| {
                let (weight, depth) = entry.node.weight();
                (weight + entry.key.len(), depth)
            })),
        }
    }
}

/// What may still be copied.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    /// All of [`MAX_COPIED`].
    pub(super) fn new() -> Self {
        Self(MAX_COPIED)
    }

    /// Takes `weight` of it; false where that is too much.
    pub(super) fn take(&mut self, weight: usize) -> bool {
        let enough = weight <= self.0;
        self.0 = self.0.saturating_sub(weight);
        enough
    }
}

/// Entries, each key once; an index of keys only where there are many.
#[derive(Default)]
pub(super) struct Keys<'t> {
    pub(super) entries: Vec<Entry<'t>>,
    lines: HashMap<Cow<'t, str>, u32>,
}

impl<'t> Keys<'t> {
    const FEW: usize = 24;

    /// Adds an entry; a key that is there already is a problem, and the first counts.
    pub(super) fn add(&mut self, entry: Entry<'t>) -> Option<Problem> {
        if let Some(line) = self.line(&entry.key) {
            let Entry { key, place, .. } = entry;
            let message = format!("duplicate key `{key}`; it stands in line {line} already");
            return Some(Problem::new("", message).at(Some(place)));
        }
        self.entries.push(entry);
        let unlisted = match self.entries.len() {
            few if few < Self::FEW => &[],
            Self::FEW => &self.entries[..],
            many => &self.entries[many - 1..],
        };
        self.lines.extend(unlisted.iter().map(|entry| (entry.key.clone(), entry.place.line)));
        None
    }

    /// The line of a key that is there.
    fn line(&self, key: &str) -> Option<u32> {
        if self.entries.len() < Self::FEW {
            return self.entries.iter().find(|other| other.key == key).map(|other| other.place.line);
        }
        self.lines.get(key).copied()
    }
}

/// Where lines start, so that a byte finds its line.
pub(super) struct Lines<'t> {
    pub(super) text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(ends).collect() }
    }

    pub(super) fn place(&self, at: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts[line - 1];
        // Characters, except far out in endless lines, where counting them each time would take forever.
        let before = match self.text.get(start..at) {
            Some(before) if before.len() < 4_096 => before.chars().count(),
            _ => at - start,
        };
        Place { line: line as u32, column: before as u32 + 1 }
    }
}

/// What is nested deeper than [`MAX_DEPTH`].
pub(super) fn too_deep(place: Place) -> Problem {
    Problem::new("", format!("nested too deep; {MAX_DEPTH} levels are taken")).at(Some(place))
}
