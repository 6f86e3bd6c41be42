//! Reading a located tree into types: each read gives the value, or notes a problem and gives nothing.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::value::Error as PlainError;
use serde::de::{Deserialize, IntoDeserializer};

use crate::file::keys::{Shape, Table};
use crate::file::tree::{Data, Node, Plain};
use crate::id::NameError;
use crate::pipeline::Place;
use crate::problem::{self, Problem};
use crate::units;

/// The way to a node, as messages show it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way<'w> {
    Root,
    Key(&'w Way<'w>, &'w str),
    Index(&'w Way<'w>, usize),
}

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => write!(f, "{key}"),
            Self::Key(above, key) => write!(f, "{above}.{key}"),
            Self::Index(above, index) => write!(f, "{above}[{index}]"),
        }
    }
}

/// A node, the way to it, and where problems go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) node: &'a Node<'a>,
    pub(super) way: Way<'a>,
    wrong: &'a RefCell<Vec<Problem>>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(node: &'a Node<'a>, wrong: &'a RefCell<Vec<Problem>>) -> Self {
        Self { node, way: Way::Root, wrong }
    }

    pub(super) fn place(&self) -> Place {
        self.node.place
    }

    /// A part of this node.
    pub(super) fn below(&'a self, key: &'a str, node: &'a Node<'a>) -> Self {
        Self { node, way: Way::Key(&self.way, key), wrong: self.wrong }
    }

    /// Notes a problem with this node.
    pub(super) fn wrong(&self, message: impl Into<String>) {
        self.wrong_at(self.place(), &self.way, message);
    }

    /// Notes a problem with a key of this map.
    pub(super) fn wrong_key(&self, key: &str, message: impl Into<String>) {
        let place = match &self.node.data {
            Data::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| entry.place),
            _ => None,
        };
        self.wrong_at(place.unwrap_or(self.place()), &Way::Key(&self.way, key), message);
    }

    /// Notes a problem with this node's key, which stands at `place`.
    pub(super) fn wrong_there(&self, place: Place, message: impl Into<String>) {
        self.wrong_at(place, &self.way, message);
    }

    fn wrong_at(&self, place: Place, way: &Way<'_>, message: impl Into<String>) {
        self.wrong.borrow_mut().push(Problem::new(way.to_string(), message).at(Some(place)));
    }

    fn expected(&self, what: &str) {
        self.wrong(format!("expected {what}, found {}", self.node.kind()));
    }

    fn noted<T>(&self, result: Result<T, impl fmt::Display>) -> Option<T> {
        result.map_err(|error| self.wrong(error.to_string())).ok()
    }

    /// Visits the known keys of a map; unknown and missing ones are noted. False where it is no map.
    pub(super) fn each_key(&'a self, table: &Table, mut visit: impl FnMut(&'a str, Cursor<'a>)) -> bool {
        let Data::Map(entries) = &self.node.data else {
            self.expected(&format!("a map with the keys of a {}", table.what));
            return false;
        };
        for entry in entries {
            let key = entry.key.as_ref();
            if table.takes(key) {
                let way = Way::Key(&self.way, key);
                visit(key, Cursor { node: &entry.node, way, wrong: self.wrong });
            } else {
                let message = problem::unknown(&format!("key of a {}", table.what), key, table.names());
                self.wrong_at(entry.place, &Way::Key(&self.way, key), message);
            }
        }
        for missing in table.required {
            if !entries.iter().any(|entry| entry.key == *missing) {
                self.wrong(format!("{} needs `{missing}`", table.what));
            }
        }
        true
    }

    /// Visits all keys of a map, whatever they are called.
    pub(super) fn each_entry(&'a self, mut visit: impl FnMut(&'a str, Place, Cursor<'a>)) {
        let Data::Map(entries) = &self.node.data else {
            return self.expected("a map");
        };
        for entry in entries {
            let way = Way::Key(&self.way, &entry.key);
            visit(&entry.key, entry.place, Cursor { node: &entry.node, way, wrong: self.wrong });
        }
    }

    /// Reads each item of a list; those that give nothing are left out.
    pub(super) fn list<T>(&'a self, mut read: impl FnMut(usize, Cursor<'a>) -> Option<T>) -> Vec<T> {
        let Data::List(items) = &self.node.data else {
            self.expected("a list");
            return Vec::new();
        };
        let cursor = |at, node| Cursor { node, way: Way::Index(&self.way, at), wrong: self.wrong };
        items.iter().enumerate().filter_map(|(at, node)| read(at, cursor(at, node))).collect()
    }

    /// The same; what is no list is a list of one.
    pub(super) fn one_or_list<T>(&'a self, mut read: impl FnMut(Cursor<'a>) -> Option<T>) -> Vec<T> {
        match &self.node.data {
            Data::List(_) => self.list(|_, item| read(item)),
            _ => read(*self).into_iter().collect(),
        }
    }

    /// Text; numbers and truth values as they were written.
    pub(super) fn text(&self) -> Option<&'a str> {
        let text = self.node.written();
        if text.is_none() {
            self.expected("text");
        }
        text
    }

    /// Text, or a list of it.
    pub(super) fn texts(&'a self) -> Vec<String> {
        self.one_or_list(|item| item.text().map(str::to_owned))
    }

    /// A name of some kind.
    pub(super) fn name<T: FromStr<Err = NameError>>(&self) -> Option<T> {
        self.noted(self.text()?.parse())
    }

    /// A name, or a list of them.
    pub(super) fn names<T: FromStr<Err = NameError>>(&'a self) -> Vec<T> {
        self.one_or_list(|item| item.name())
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        if let Data::Plain(Plain::Bool(flag), _) = &self.node.data {
            return Some(*flag);
        }
        self.expected("`true` or `false`");
        None
    }

    /// A whole number within the limits of its shape.
    pub(super) fn count(&self, shape: &Shape) -> Option<u32> {
        let Shape::Count(least, most) = *shape else { return None };
        let number = match &self.node.data {
            Data::Plain(Plain::Number(number), _) => number.as_u64(),
            _ => None,
        };
        let count = number.and_then(|number| u32::try_from(number).ok());
        let count = count.filter(|count| (least..=most).contains(count));
        if count.is_none() {
            let found =
                self.node.written().map_or_else(|| self.node.kind().to_owned(), |text| format!("`{text}`"));
            self.wrong(format!("expected a whole number from {least} to {most}, found {found}"));
        }
        count
    }

    /// A number that is not negative, and at most `most`.
    pub(super) fn amount(&self, most: f64) -> Option<f64> {
        let number = match &self.node.data {
            Data::Plain(Plain::Number(number), _) => number.as_f64(),
            _ => None,
        };
        let number = number.filter(|number| (0.0..=most).contains(number));
        if number.is_none() {
            self.wrong(format!("expected a number from 0 to {most}"));
        }
        number
    }

    /// `10m`, or a number of seconds.
    pub(super) fn duration(&self) -> Option<Duration> {
        match self.node.written() {
            Some(text) if !matches!(self.node.data, Data::Plain(Plain::Bool(_), _)) => {
                self.noted(units::duration(text))
            }
            _ => {
                self.expected("a duration like `10m`");
                None
            }
        }
    }

    /// A duration of more than nothing.
    pub(super) fn some_duration(&self) -> Option<Duration> {
        let duration = self.duration()?;
        if duration.is_zero() {
            self.wrong("must be more than nothing");
            return None;
        }
        Some(duration)
    }

    /// `1GiB`, or a number of bytes.
    pub(super) fn size(&self) -> Option<u64> {
        match self.node.written() {
            Some(text) if !matches!(self.node.data, Data::Plain(Plain::Bool(_), _)) => {
                self.noted(units::size(text))
            }
            _ => {
                self.expected("a size like `1GiB`");
                None
            }
        }
    }

    /// One of the words of a shape.
    pub(super) fn word<T: for<'de> Deserialize<'de>>(&self, shape: &Shape) -> Option<T> {
        let Shape::Word(words) = *shape else { return None };
        let text = self.text()?;
        if !words.contains(&text) {
            self.wrong(problem::unknown("word", text, words.iter().copied()));
            return None;
        }
        let read: Result<T, PlainError> = T::deserialize(text.into_deserializer());
        self.noted(read)
    }
}
