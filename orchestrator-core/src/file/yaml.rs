//! YAML into a located tree, from the parser's events.
//! Anchors, aliases and merge keys are replaced by what they stand for, within a budget.

use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;

use serde_json::Number;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag, options};

use crate::file::tree::{Budget, Data, Entry, Keys, MAX_DEPTH, Node, Plain, too_deep};
use crate::pipeline::Place;
use crate::problem::Problem;

/// Parses YAML. Duplicate keys are reported and the first counts; anything else ends it.
pub(super) fn parse<'t>(text: &'t str, wrong: &mut Vec<Problem>) -> Result<Node<'t>, Problem> {
    Builder::new(text, wrong).document()
}

struct Builder<'t, 'p> {
    events: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node<'t>>,
    budget: Budget,
    wrong: &'p mut Vec<Problem>,
}

fn place(span: &Span) -> Place {
    Place { line: span.start.line() as u32, column: span.start.col() as u32 + 1 }
}

fn problem(place: Place, message: impl Into<String>) -> Problem {
    Problem::new("", message).at(Some(place))
}

impl<'t, 'p> Builder<'t, 'p> {
    fn new(text: &'t str, wrong: &'p mut Vec<Problem>) -> Self {
        let options = options! {
            emit_comments: false,
            flow_nesting_limit: MAX_DEPTH + 1,
            block_nesting_limit: MAX_DEPTH + 1,
        };
        Self {
            events: Parser::new_from_str_with_options(text, options),
            anchors: HashMap::new(),
            budget: Budget::new(),
            wrong,
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let at = error.marker();
                let at = Place { line: at.line().max(1) as u32, column: at.col() as u32 + 1 };
                Err(problem(at, error.info()))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(mut self) -> Result<Node<'t>, Problem> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(problem(
                        place(&span),
                        "a second document starts here; a pipeline file holds one",
                    ));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd | Event::Comment(..) => {}
                event => root = Some(self.node(event, span, 1)?),
            }
        }
        let nothing = Data::Plain(Plain::Null, Cow::Borrowed(""));
        Ok(root.unwrap_or(Node { data: nothing, place: Place { line: 1, column: 1 } }))
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node<'t>, Problem> {
        let place = place(&span);
        if depth > MAX_DEPTH {
            return Err(too_deep(place));
        }
        let (data, anchor) = match event {
            Event::Alias(anchor) => return self.alias(anchor, place, depth),
            Event::Scalar(text, style, anchor, tag) => (scalar(text, style, tag, place)?, anchor),
            Event::SequenceStart(_, anchor, tag) => {
                collection(tag.as_deref(), "seq", place)?;
                (self.list(depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                collection(tag.as_deref(), "map", place)?;
                (self.map(depth)?, anchor)
            }
            other => return Err(problem(place, format!("unexpected {other:?}"))),
        };
        let node = Node { data, place };
        if anchor > 0 {
            self.pay(node.weight().0, place)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn pay(&mut self, weight: usize, place: Place) -> Result<(), Problem> {
        if self.budget.take(weight) {
            return Ok(());
        }
        Err(problem(place, "aliases expand to too much; 64 MiB are taken"))
    }

    fn alias(&mut self, anchor: usize, place: Place, depth: usize) -> Result<Node<'t>, Problem> {
        let Some((weight, deep)) = self.anchors.get(&anchor).map(Node::weight) else {
            return Err(problem(place, "the alias stands inside what it names"));
        };
        if depth + deep - 1 > MAX_DEPTH {
            return Err(too_deep(place));
        }
        self.pay(weight, place)?;
        Ok(Node { data: self.anchors[&anchor].data.clone(), place })
    }

    fn list(&mut self, depth: usize) -> Result<Data<'t>, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::SequenceEnd => return Ok(Data::List(items)),
                Event::Comment(..) => {}
                event => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Data<'t>, Problem> {
        let mut keys = Keys::default();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let at = place(&span);
            let (key, plain) = match event {
                Event::MappingEnd => break,
                Event::Comment(..) => continue,
                Event::Scalar(key, style, 0, None) => (key, style == ScalarStyle::Plain),
                _ => return Err(problem(at, "a key must be plain text, without anchor or tag")),
            };
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            if plain && key == "<<" {
                merged.push(node);
            } else {
                self.wrong.extend(keys.add(Entry { key, place: at, node }));
            }
        }
        for node in merged {
            merge(node, &mut keys)?;
        }
        Ok(Data::Map(keys.entries))
    }
}

/// Adds what `<<` names; keys that are there already stay.
fn merge<'t>(node: Node<'t>, keys: &mut Keys<'t>) -> Result<(), Problem> {
    match node.data {
        Data::Map(entries) => entries.into_iter().for_each(|entry| {
            keys.add(entry);
        }),
        Data::List(items) if items.iter().all(|item| matches!(item.data, Data::Map(_))) => {
            items.into_iter().try_for_each(|item| merge(item, keys))?;
        }
        _ => {
            return Err(problem(
                node.place,
                format!("`<<` takes a map or a list of maps, not {}", node.kind()),
            ));
        }
    }
    Ok(())
}

fn collection(tag: Option<&Tag>, kind: &str, place: Place) -> Result<(), Problem> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema_tag(kind) => Err(unknown_tag(tag, place)),
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, place: Place) -> Problem {
    let name = format!("{}{}", tag.original_handle(), tag.suffix());
    problem(place, format!("the tag `{name}` has no meaning here"))
}

fn scalar<'t>(
    text: Cow<'t, str>,
    style: ScalarStyle,
    tag: Option<Cow<'t, Tag>>,
    place: Place,
) -> Result<Data<'t>, Problem> {
    let Some(tag) = tag else {
        return Ok(match style {
            ScalarStyle::Plain => plain(text),
            _ => Data::Text(text),
        });
    };
    if tag.is_yaml_core_schema_tag("str") || (tag.handle().is_empty() && tag.suffix() == "!") {
        return Ok(Data::Text(text));
    }
    if !tag.is_yaml_core_schema() {
        return Err(unknown_tag(&tag, place));
    }
    let data = plain(text);
    let fits = match &data {
        Data::Plain(Plain::Null, _) => tag.suffix() == "null",
        Data::Plain(Plain::Bool(_), _) => tag.suffix() == "bool",
        Data::Plain(Plain::Number(number), _) => {
            tag.suffix() == "float" || (tag.suffix() == "int" && !number.is_f64())
        }
        _ => false,
    };
    if fits { Ok(data) } else { Err(problem(place, format!("this is no `{}`", tag.suffix()))) }
}

/// The core schema of YAML 1.2: `yes` and `on` are text.
fn plain(text: Cow<'_, str>) -> Data<'_> {
    let value = match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Some(Plain::Null),
        "true" | "True" | "TRUE" => Some(Plain::Bool(true)),
        "false" | "False" | "FALSE" => Some(Plain::Bool(false)),
        number if number.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) => {
            read_number(number).map(Plain::Number)
        }
        _ => None,
    };
    match value {
        Some(value) => Data::Plain(value, text),
        None => Data::Text(text),
    }
}

fn read_number(text: &str) -> Option<Number> {
    if let Ok(number) = Number::from_str(text) {
        return Some(number);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    // `+1`, `007`, `.5`, `1.`: numbers of YAML, not of JSON. Words such as `infinity` are not.
    let numeric = |c: u8| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(numeric) || !text.bytes().any(|c| c.is_ascii_digit()) {
        return None;
    }
    text.parse::<i64>().map(Number::from).ok().or_else(|| Number::from_f64(text.parse().ok()?))
}
