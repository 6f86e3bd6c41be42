//! TOML into a located tree.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Number;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::file::tree::{Data, Entry, Lines, MAX_DEPTH, Node, Plain, too_deep};
use crate::pipeline::Place;
use crate::problem::Problem;

/// Parses TOML; all syntax errors at once.
pub(super) fn parse<'t>(text: &'t str, wrong: &mut Vec<Problem>) -> Result<Node<'t>, Problem> {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut errors = errors
        .into_iter()
        .map(|error| Problem::new("", error.message()).at(error.span().map(|span| lines.place(span.start))));
    if let Some(first) = errors.next() {
        wrong.extend(errors);
        return Err(first);
    }
    let data = lines.table(table.into_inner(), 1)?;
    Ok(Node { data, place: Place { line: 1, column: 1 } })
}

impl<'t> Lines<'t> {
    fn table(&self, table: DeTable<'t>, depth: usize) -> Result<Data<'t>, Problem> {
        let mut entries: Vec<(usize, Entry<'t>)> = Vec::with_capacity(table.len());
        for (key, value) in table {
            let at = key.span().start;
            let node = self.node(value, depth + 1)?;
            entries.push((at, Entry { key: key.into_inner(), place: self.place(at), node }));
        }
        entries.sort_by_key(|(at, _)| *at);
        Ok(Data::Map(entries.into_iter().map(|(_, entry)| entry).collect()))
    }

    fn node(&self, value: Spanned<DeValue<'t>>, depth: usize) -> Result<Node<'t>, Problem> {
        let span = value.span();
        let place = self.place(span.start);
        if depth > MAX_DEPTH {
            return Err(too_deep(place));
        }
        let data = match value.into_inner() {
            DeValue::String(text) => Data::Text(text),
            DeValue::Boolean(flag) => Data::Plain(Plain::Bool(flag), self.raw(span)),
            DeValue::Integer(number) => {
                let integer = i64::from_str_radix(number.as_str(), number.radix())
                    .map_err(|_| Problem::new("", "the number is out of range").at(Some(place)))?;
                Data::Plain(Plain::Number(integer.into()), self.raw(span))
            }
            DeValue::Float(number) => match number.as_str().parse().ok().and_then(Number::from_f64) {
                Some(float) => Data::Plain(Plain::Number(float), self.raw(span)),
                None => Data::Text(self.raw(span)),
            },
            DeValue::Datetime(time) => Data::Text(Cow::Owned(time.to_string())),
            DeValue::Array(items) => Data::List(
                items.into_iter().map(|item| self.node(item, depth + 1)).collect::<Result<_, _>>()?,
            ),
            DeValue::Table(table) => self.table(table, depth)?,
        };
        Ok(Node { data, place })
    }

    fn raw(&self, span: Range<usize>) -> Cow<'t, str> {
        Cow::Borrowed(self.text.get(span).unwrap_or_default())
    }
}
