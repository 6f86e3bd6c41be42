//! JSON into a located tree. The parser hands out the raw text of each part, so where it starts is where it stands.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Error, Number};

use crate::file::tree::{Data, Entry, Keys, Lines, MAX_DEPTH, Node, Plain, too_deep};
use crate::pipeline::Place;
use crate::problem::Problem;

/// Parses JSON. Duplicate keys are reported and the first counts; anything else ends it.
pub(super) fn parse<'t>(text: &'t str, wrong: &mut Vec<Problem>) -> Result<Node<'t>, Problem> {
    let mut reader = Reader { lines: Lines::new(text), wrong };
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| reader.syntax(text, &error))?;
    reader.node(raw, 1)
}

struct Reader<'t, 'p> {
    lines: Lines<'t>,
    wrong: &'p mut Vec<Problem>,
}

impl<'t> Reader<'t, '_> {
    /// The place of a part of the text.
    fn place(&self, part: &str) -> Place {
        self.lines.place(part.as_ptr().addr().saturating_sub(self.lines.text.as_ptr().addr()))
    }

    /// What is wrong with `part`; the error counts from its start.
    fn syntax(&self, part: &str, error: &Error) -> Problem {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        let start = self.place(part);
        let (line, column) = (error.line().max(1) as u32, error.column().max(1) as u32);
        let column = if line == 1 { start.column + column - 1 } else { column };
        Problem::new("", message).at(Some(Place { line: start.line + line - 1, column }))
    }

    fn read<T: Deserialize<'t>>(&self, raw: &'t RawValue) -> Result<T, Problem> {
        serde_json::from_str(raw.get()).map_err(|error| self.syntax(raw.get(), &error))
    }

    fn node(&mut self, raw: &'t RawValue, depth: usize) -> Result<Node<'t>, Problem> {
        let text = raw.get();
        let place = self.place(text);
        if depth > MAX_DEPTH {
            return Err(too_deep(place));
        }
        let plain = |plain| Data::Plain(plain, Cow::Borrowed(text));
        let data = match text.as_bytes().first() {
            Some(b'{') => self.map(self.read(raw)?, depth)?,
            Some(b'[') => {
                let items: Vec<&RawValue> = self.read(raw)?;
                Data::List(
                    items.into_iter().map(|item| self.node(item, depth + 1)).collect::<Result<_, _>>()?,
                )
            }
            Some(b'"') => Data::Text(self.text(raw)?),
            Some(b'n') => plain(Plain::Null),
            Some(b't') => plain(Plain::Bool(true)),
            Some(b'f') => plain(Plain::Bool(false)),
            _ => plain(Plain::Number(Number::from_str(text).map_err(|error| self.syntax(text, &error))?)),
        };
        Ok(Node { data, place })
    }

    fn map(&mut self, Pairs(pairs): Pairs<'t>, depth: usize) -> Result<Data<'t>, Problem> {
        let mut keys = Keys::default();
        keys.entries.reserve(pairs.len());
        for (key, value) in pairs {
            let entry = Entry {
                place: self.place(key.get()),
                key: self.text(key)?,
                node: self.node(value, depth + 1)?,
            };
            self.wrong.extend(keys.add(entry));
        }
        Ok(Data::Map(keys.entries))
    }

    /// A string without its quotes; only one with escapes is copied.
    fn text(&self, raw: &'t RawValue) -> Result<Cow<'t, str>, Problem> {
        match raw.get().strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
            _ => self.read(raw).map(Cow::Owned),
        }
    }
}

/// The keys and values of a map, unread.
struct Pairs<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}
