//! YAML as a tree of nodes with their places in the text, beside the value that it says.

use std::collections::HashMap;
use std::ops::Range;

use orchestrator_core::BoxError;
use serde_json::{Map, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, options};

use super::super::value::opaque;
use super::scalar::scalar;

/// The deepest nesting that is read.
pub(super) const DEEPEST: usize = 100;
/// The most values that a file may say once its aliases are replaced.
const MOST: usize = 1_000_000;

/// A node and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Its bytes: from the first to behind the last one that belongs to it, comments and line ends behind it left out. Empty
    /// where nothing is written.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
    /// Whether an anchor or a tag stands in front of it.
    pub marked: bool,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A text, number, boolean or nothing; written between quotes of this kind, or none, or as a block of lines.
    Scalar(ScalarStyle),
    /// What stands elsewhere.
    Alias,
    /// A list; `flow` where it is written in brackets.
    List { items: Vec<Node>, flow: bool },
    /// A map; `flow` where it is written in braces.
    Map { entries: Vec<Entry>, flow: bool },
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// The key as text.
    pub key: String,
    /// Where the key is written.
    pub at: Range<usize>,
    /// Whether it is a bare `<<`, which takes keys from elsewhere; in quotes it is a key like others.
    pub merges: bool,
    /// The value.
    pub node: Node,
}

/// Reads a text. An error names the line.
pub(super) fn read(text: &str) -> Result<(Option<Node>, Value), BoxError> {
    Reader::new(text).document()
}

struct Reader<'t> {
    text: &'t str,
    events: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, (Value, usize)>,
    said: usize,
}

fn wrong(span: &Span, why: impl std::fmt::Display) -> BoxError {
    format!("line {}: {why}", span.start.line().max(1)).into()
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        let options = options! {
            emit_comments: false,
            flow_nesting_limit: DEEPEST + 1,
            block_nesting_limit: DEEPEST + 1,
        };
        let events = Parser::new_from_str_with_options(text, options);
        Self { text, events, anchors: HashMap::new(), said: 0 }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), BoxError> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let line = error.marker().line().max(1);
                Err(format!("line {line}: it is not valid YAML: {}", error.info()).into())
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(mut self) -> Result<(Option<Node>, Value), BoxError> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(wrong(
                        &span,
                        "a second document starts here; files with one document are edited",
                    ));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd | Event::Comment(..) => {}
                event => root = Some(self.node(event, span, 1)?),
            }
        }
        match root {
            Some((node, value)) => Ok((Some(node), value)),
            None => Ok((None, Value::Null)),
        }
    }

    fn pay(&mut self, many: usize, span: &Span) -> Result<(), BoxError> {
        self.said += many;
        if self.said > MOST { Err(wrong(span, format!("it says more than {MOST} values"))) } else { Ok(()) }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<(Node, Value), BoxError> {
        if depth > DEEPEST {
            return Err(wrong(&span, format!("it is nested deeper than {DEEPEST} levels")));
        }
        self.pay(1, &span)?;
        let before = self.said;
        let start = byte(&span.start)?;
        let (node, value, anchor) = match event {
            Event::Alias(anchor) => {
                let (value, many) = self
                    .anchors
                    .get(&anchor)
                    .cloned()
                    .ok_or_else(|| wrong(&span, "the alias stands inside what it names"))?;
                self.pay(many, &span)?;
                let node = Node { span: start..byte(&span.end)?, kind: Kind::Alias, marked: false };
                return Ok((node, value));
            }
            Event::Scalar(said, style, anchor, tag) => {
                let end = self.trimmed(start, byte(&span.end)?, style);
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let (start, end) = if block { self.with_header(start, end) } else { (start, end) };
                let marked = anchor > 0 || tag.is_some();
                let value = match tag {
                    Some(tag) => opaque(&format!("{}{} {said}", tag.original_handle(), tag.suffix())),
                    None => scalar(&said, style),
                };
                (Node { span: start..end, kind: Kind::Scalar(style), marked }, value, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let (node, value) = self.list(start, depth, anchor > 0 || tag.is_some())?;
                (node, value, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                let (node, value) = self.map(start, depth, anchor > 0 || tag.is_some())?;
                (node, value, anchor)
            }
            other => return Err(wrong(&span, format!("unexpected {other:?}"))),
        };
        if anchor > 0 {
            let many = self.said - before;
            self.pay(many, &span)?;
            self.anchors.insert(anchor, (value.clone(), many + 1));
        }
        Ok((node, value))
    }

    /// The end of a scalar without the line ends and white space that follow it.
    fn trimmed(&self, start: usize, end: usize, style: ScalarStyle) -> usize {
        let end = end.clamp(start, self.text.len());
        match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => end,
            _ => start + self.text[start..end].trim_end_matches(['\n', '\r', ' ', '\t']).len(),
        }
    }

    /// The place of a block of lines with the `|` or `>` above it.
    fn with_header(&self, start: usize, end: usize) -> (usize, usize) {
        let above = self.text[..start].trim_end_matches(['\n', '\r', ' ', '\t']);
        let line = above.rfind('\n').map_or(0, |at| at + 1);
        let header = above[line..].char_indices().filter(|(_, c)| matches!(c, '|' | '>')).find(|(at, _)| {
            let rest = above[line + at + 1..]
                .trim_start_matches(|c: char| matches!(c, '+' | '-') || c.is_ascii_digit());
            rest.is_empty() || rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#')
        });
        header.map_or((start, end), |(at, _)| (line + at, if end > start { end } else { line + at + 1 }))
    }

    /// A list that stands no deeper than its key is told to start at its first item.
    fn first_dash(&self, start: usize) -> usize {
        if self.text[start..].starts_with('-') {
            return start;
        }
        let (mut end, mut found) = (start, start);
        while found == start && end > 0 {
            let line = self.text[..end].rfind('\n').map_or(0, |at| at + 1);
            let text = &self.text[line..start];
            if text.trim_start().starts_with('-') {
                found = line + (text.len() - text.trim_start().len());
            }
            end = line.saturating_sub(1);
        }
        found
    }

    fn list(&mut self, start: usize, depth: usize, marked: bool) -> Result<(Node, Value), BoxError> {
        let flow = self.text[start..].starts_with('[');
        let start = if flow { start } else { self.first_dash(start) };
        let (mut items, mut values) = (Vec::new(), Vec::new());
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::SequenceEnd => {
                    let end = if flow {
                        byte(&span.end)?
                    } else {
                        items.last().map_or(start + 1, |item: &Node| item.span.end)
                    };
                    let node = Node { span: start..end, kind: Kind::List { items, flow }, marked };
                    return Ok((node, Value::Array(values)));
                }
                Event::Comment(..) => {}
                event => {
                    let (mut node, value) = self.node(event, span, depth + 1)?;
                    if node.span.is_empty() && !flow {
                        // Nothing behind a dash stands right behind it.
                        let dash =
                            self.text[..node.span.start].rfind('-').map_or(node.span.start, |dash| dash + 1);
                        node.span = dash..dash;
                    }
                    items.push(node);
                    values.push(value);
                }
            }
        }
    }

    fn map(&mut self, start: usize, depth: usize, marked: bool) -> Result<(Node, Value), BoxError> {
        let flow = self.text[start..].starts_with('{');
        let (mut entries, mut values, mut merged) = (Vec::<Entry>::new(), Map::new(), Vec::new());
        loop {
            let (event, span) = self.next()?;
            let (key, plain) = match event {
                Event::MappingEnd => {
                    let end = if flow {
                        byte(&span.end)?
                    } else {
                        entries.last().map_or(start, |entry| entry.end(self.text))
                    };
                    for value in merged {
                        merge(value, &mut values, &span)?;
                    }
                    let node = Node { span: start..end, kind: Kind::Map { entries, flow }, marked };
                    return Ok((node, Value::Object(values)));
                }
                Event::Comment(..) => continue,
                Event::Scalar(key, style, 0, None) => (key.into_owned(), style == ScalarStyle::Plain),
                _ => return Err(wrong(&span, "a key is not plain text; edit this file by hand")),
            };
            let at = byte(&span.start)?;
            let at = at..self.trimmed(at, byte(&span.end)?, ScalarStyle::Plain);
            let (event, below) = self.next()?;
            let (node, value) = self.node(event, below, depth + 1)?;
            let merges = plain && key == "<<";
            if merges {
                merged.push(value);
            } else if values.insert(key.clone(), value).is_some() {
                return Err(wrong(&span, format!("the key `{}` stands twice", key.escape_debug())));
            }
            entries.push(Entry { key, at, merges, node });
        }
    }
}

impl Entry {
    /// Behind the last byte of it, colon included.
    pub(super) fn end(&self, text: &str) -> usize {
        if self.node.span.is_empty() { self.colon(text).max(self.at.end) } else { self.node.span.end }
    }

    /// Behind the colon of the key; the end of the key where there is none.
    pub(super) fn colon(&self, text: &str) -> usize {
        let rest = &text[self.at.end..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if rest[blank..].starts_with(':') { self.at.end + blank + 1 } else { self.at.end }
    }
}

fn byte(marker: &serde_saphyr::granit_parser::Marker) -> Result<usize, BoxError> {
    marker.byte_offset().ok_or_else(|| "the parser gave no place".into())
}

/// Adds what `<<` names; keys that are there already stay.
fn merge(value: Value, values: &mut Map<String, Value>, span: &Span) -> Result<(), BoxError> {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                values.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(items) => items.into_iter().try_for_each(|item| merge(item, values, span)),
        _ => Err(wrong(span, "`<<` takes a map or a list of maps")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(text: &str) -> Vec<String> {
        fn walk(node: &Node, text: &str, found: &mut Vec<String>) {
            found.push(text[node.span.clone()].to_owned());
            match &node.kind {
                Kind::List { items, .. } => items.iter().for_each(|item| walk(item, text, found)),
                Kind::Map { entries, .. } => entries.iter().for_each(|entry| {
                    found.push(text[entry.at.clone()].to_owned());
                    walk(&entry.node, text, found);
                }),
                Kind::Scalar(_) | Kind::Alias => {}
            }
        }
        let (node, _) = read(text).unwrap();
        let mut found = Vec::new();
        walk(&node.unwrap(), text, &mut found);
        found
    }

    #[test]
    fn places_are_exact() {
        let text = "# c\né: 1 # c\nb:\n  - x  # y\n  -\n  - {k: [1], \"q\": 'r'} # c\nrun: |\n  one\n  # no comment\n\n# c\nlast:\n";
        let map = text[4..].trim_end();
        let list = "- x  # y\n  -\n  - {k: [1], \"q\": 'r'}";
        let run = "|\n  one\n  # no comment";
        let flow = ["{k: [1], \"q\": 'r'}", "k", "[1]", "1", "\"q\"", "'r'"];
        let expected =
            [map, "é", "1", "b", list, "x", ""].into_iter().chain(flow).chain(["run", run, "last", ""]);
        assert_eq!(spans(text), expected.collect::<Vec<_>>());
        let text = "a:\n- k: &x |-\n    t\n- >\n  folded\nz: *x\nplain: two\n  lines\ne: |\nf: \"a\n  b\"\n";
        let expected = [
            text.trim_end(),
            "a",
            "- k: &x |-\n    t\n- >\n  folded",
            "k: &x |-\n    t",
            "k",
            "|-\n    t",
            ">\n  folded",
            "z",
            "*x",
            "plain",
            "two\n  lines",
            "e",
            "|",
            "f",
            "\"a\n  b\"",
        ];
        assert_eq!(spans(text), expected);
    }
}
