//! TOML into a located tree.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Number;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::file::tree::{Data, Entry, MAX_DEPTH, Node, Plain};
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

/// Where lines start, so that a byte finds its line.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(ends).collect() }
    }

    fn place(&self, at: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts[line - 1];
        // Characters, except far out in endless lines, where counting them each time would take forever.
        let before = match self.text.get(start..at) {
            Some(before) if before.len() < 4_096 => before.chars().count(),
            _ => at - start,
        };
        Place { line: line as u32, column: before as u32 + 1 }
    }

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
            let message = format!("nested too deep; {MAX_DEPTH} levels are taken");
            return Err(Problem::new("", message).at(Some(place)));
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
