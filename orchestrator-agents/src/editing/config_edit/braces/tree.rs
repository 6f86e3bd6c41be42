//! Values and their places.

use std::ops::Range;

use serde_json::Value;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Its bytes.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A text, number, boolean or `null`; what is computed is opaque.
    Plain(Value),
    /// A list that is written out.
    List(Vec<Node>),
    /// An object that is written out.
    Map(Vec<Entry>),
}

/// A property.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// Its key; none where it is computed or spread.
    pub key: Option<String>,
    /// All of it.
    pub span: Range<usize>,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// What it says.
    pub(crate) fn value(&self) -> Value {
        match &self.kind {
            Kind::Plain(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Kind::Map(entries) => {
                let keyless =
                    |entry: &Entry| entry.key.clone().unwrap_or_else(|| format!("\0{}", entry.source()));
                Value::Object(entries.iter().map(|entry| (keyless(entry), entry.node.value())).collect())
            }
        }
    }

    /// The first key that stands twice in a map of it.
    pub(crate) fn twice(&self) -> Option<&str> {
        match &self.kind {
            Kind::Plain(_) => None,
            Kind::List(items) => items.iter().find_map(Self::twice),
            Kind::Map(entries) => {
                let mut seen = std::collections::BTreeSet::new();
                let own =
                    entries.iter().filter_map(|entry| entry.key.as_deref()).find(|key| !seen.insert(*key));
                own.or_else(|| entries.iter().find_map(|entry| entry.node.twice()))
            }
        }
    }
}

impl Entry {
    /// The source of what is computed.
    pub(super) fn source(&self) -> String {
        let value = self.node.value();
        super::super::value::as_opaque(&value).unwrap_or_default().to_owned()
    }
}
