//! The smallest change of a YAML text for a change of its value.

use orchestrator_core::BoxError;
use serde_json::{Map, Value};
use serde_saphyr::granit_parser::ScalarStyle;

use super::super::value::{Op, deepest};
use super::super::way::{Part, Way, written};
use super::emit::{self, Style, Written};
use super::tree::{Entry, Kind, Node, read};

/// Makes a change that is known to change the value.
pub(crate) fn write(text: &str, op: Op<'_>) -> Result<String, BoxError> {
    let (root, value) = read(text)?;
    let Some(root) = root else { return fresh(text, op) };
    let writer = Writer { text, style: style(&root, text) };
    match op {
        Op::Set(way, new) => writer.set(&root, &value, way, new),
        Op::Append(way, new) => match node(&root, way.parts())? {
            Some(Found { node: Node { kind: Kind::List { items, flow }, marked: _, span }, .. })
                if !items.is_empty() =>
            {
                Ok(writer.append(span.start, items, *flow, new))
            }
            _ => writer.set(&root, &value, way, &Value::Array(vec![new.clone()])),
        },
        Op::Remove(way) => writer.remove(&root, way.parts()),
        Op::Drop(way, old) => writer.drop(&root, &value, way, old),
    }
}

/// A text that says nothing yet: comments and blanks stay in front.
fn fresh(text: &str, op: Op<'_>) -> Result<String, BoxError> {
    let nothing = Value::Null;
    let intended = super::super::value::intended(&nothing, op)?.unwrap_or(nothing);
    let style = Style { step: 2, dash: 2 };
    let line = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{text}{line}{}\n", emit::block(&intended, 0, style)))
}

struct Writer<'t> {
    text: &'t str,
    style: Style,
}

/// A node and what it lies in.
struct Found<'n> {
    node: &'n Node,
    entry: Option<&'n Entry>,
    parent: Option<&'n Node>,
}

/// The node at a way; none where nothing is written there. What is said by an alias or a merge key cannot be edited.
fn node<'n>(root: &'n Node, way: &[Part]) -> Result<Option<Found<'n>>, BoxError> {
    let mut here = Found { node: root, entry: None, parent: None };
    for (depth, part) in way.iter().enumerate() {
        let next = match (&here.node.kind, part) {
            (Kind::Alias, _) => return Err(shared(&way[..depth], "is an alias")),
            (Kind::Map { entries, .. }, Part::Key(key)) => {
                let found = entries.iter().find(|entry| !entry.merges && entry.key == *key);
                if found.is_none() && entries.iter().any(|entry| entry.merges) {
                    return Err(shared(&way[..depth], "takes keys from elsewhere with `<<`"));
                }
                found.map(|entry| (&entry.node, Some(entry)))
            }
            (Kind::List { items, .. }, Part::Index(index)) => items.get(*index).map(|item| (item, None)),
            _ => None,
        };
        let Some((node, entry)) = next else { return Ok(None) };
        here = Found { node, entry, parent: Some(here.node) };
    }
    if here.node.marked { Err(shared(way, "has an anchor or a tag")) } else { Ok(Some(here)) }
}

impl Writer<'_> {
    fn set(&self, root: &Node, value: &Value, way: &Way, new: &Value) -> Result<String, BoxError> {
        let (depth, nested) = deepest(value, way, new);
        let parts = way.parts();
        // A parent that is written and empty is replaced.
        if let Some(found) = node(root, &parts[..=depth])? {
            return Ok(self.replace(&found, &nested));
        }
        let Some(parent) = node(root, &parts[..depth])? else {
            return Err(shared(&parts[..depth], "is not written here"));
        };
        match (&parent.node.kind, &parts[depth]) {
            (Kind::Map { entries, flow }, Part::Key(key)) if !entries.is_empty() => {
                Ok(self.add(entries, *flow, key, &nested))
            }
            (_, Part::Key(key)) => {
                Ok(self.replace(&parent, &Value::Object(Map::from_iter([(key.clone(), nested)]))))
            }
            (_, part) => Err(format!("there is no `{part}` in `{}`", written(&parts[..depth])).into()),
        }
    }

    fn add(&self, entries: &[Entry], flow: bool, key: &str, value: &Value) -> String {
        let (first, last) = (&entries[0], &entries[entries.len() - 1]);
        let end = last.end(self.text);
        if flow {
            let new = format!("{}: {}", emit::plain_or_quoted(key), emit::flow(value));
            return self.put(end..end, &format!("{}{new}", self.comma(first.at.start)));
        }
        let column = self.column(first.at.start);
        let new = emit::entry(key, value, column, self.style);
        let at = self.line_end(end);
        self.put(at..at, &format!("\n{}{new}", " ".repeat(column)))
    }

    fn append(&self, start: usize, items: &[Node], flow: bool, value: &Value) -> String {
        let end = items.last().expect("the list has items").span.end;
        if flow {
            let new = emit::flow(value);
            return self.put(end..end, &format!("{}{new}", self.comma(items[0].span.start)));
        }
        let column = self.column(start);
        let at = self.line_end(end);
        self.put(at..at, &format!("\n{}{}", " ".repeat(column), emit::item(value, column, self.style)))
    }

    /// A comma, and the line end and indentation where each item of a flow collection has its own line.
    fn comma(&self, first: usize) -> String {
        let line = self.line_start(first);
        let pad = &self.text[line..first];
        if line > 0 && pad.chars().all(|c| c == ' ' || c == '\t') { format!(",\n{pad}") } else { ", ".into() }
    }

    fn replace(&self, found: &Found<'_>, new: &Value) -> String {
        let Found { node, entry, parent } = found;
        let flow = parent.is_some_and(|parent| {
            matches!(parent.kind, Kind::Map { flow: true, .. } | Kind::List { flow: true, .. })
        });
        let keeps_flow = matches!(
            (&node.kind, new),
            (Kind::Map { flow: true, entries: _ }, Value::Object(_))
                | (Kind::List { flow: true, items: _ }, Value::Array(_))
        );
        let had_items = !matches!(&node.kind, Kind::Map { entries, .. } if entries.is_empty())
            && !matches!(&node.kind, Kind::List { items, .. } if items.is_empty());
        let written = match (&node.kind, new) {
            (Kind::Scalar(style), Value::String(text)) if !text.contains('\n') => {
                Written { head: emit::quoted_as(text, *style), body: None }
            }
            _ if flow || keeps_flow && had_items => Written { head: emit::flow(new), body: None },
            _ => match (entry, parent) {
                (Some(entry), _) => emit::below(new, self.column(entry.at.start), self.style),
                (None, Some(_)) => return self.replace_item(node, new),
                (None, None) => Written { head: emit::block(new, 0, self.style), body: None },
            },
        };
        match entry {
            Some(entry) => self.behind(entry, node, &written),
            None => self.put(node.span.clone(), &written.head),
        }
    }

    /// Puts a value behind its key. A comment on the line of the key stays.
    fn behind(&self, entry: &Entry, node: &Node, new: &Written) -> String {
        let colon = entry.colon(self.text);
        let missing_colon = if colon == entry.at.end { ":" } else { "" };
        let start = if node.span.is_empty() { colon } else { node.span.start };
        let end = if node.span.is_empty() { colon } else { node.span.end };
        let key_line_end = self.line_end(colon);
        let space = if new.head.is_empty() { "" } else { " " };
        let body = new.body.as_ref().map(|body| format!("\n{body}")).unwrap_or_default();
        let mut text = self.text.to_owned();
        if start > key_line_end {
            // It stands on the lines below: those go, whole.
            text.replace_range(key_line_end..end, &body);
            text.insert_str(colon, &format!("{missing_colon}{space}{}", new.head));
            return text;
        }
        let block = matches!(node.kind, Kind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded));
        if block {
            // What stands behind the `|` of a block may be a comment.
            let header =
                self.text[start..key_line_end].find([' ', '\t']).map_or(key_line_end, |at| start + at);
            text.replace_range(key_line_end..end, &body);
            text.replace_range(colon..header, &format!("{space}{}", new.head));
            return text;
        }
        let line_end = self.line_end(end);
        text.insert_str(line_end, &body);
        text.replace_range(colon..end, &format!("{missing_colon}{space}{}", new.head));
        text
    }

    fn replace_item(&self, node: &Node, new: &Value) -> String {
        let column = self.column(self.dash(node.span.start));
        let item = emit::item(new, column, self.style);
        let item = item.strip_prefix("- ").unwrap_or(&item);
        let space = if node.span.is_empty() { " " } else { "" };
        self.put(node.span.clone(), &format!("{space}{item}"))
    }

    fn remove(&self, root: &Node, way: &[Part]) -> Result<String, BoxError> {
        let (last, parents) = way.split_last().expect("a way has a part");
        let parent = node(root, parents)?.ok_or_else(|| shared(parents, "is not written here"))?;
        match (&parent.node.kind, last) {
            (Kind::Map { entries, flow }, Part::Key(key)) => {
                let at = entries
                    .iter()
                    .position(|entry| !entry.merges && entry.key == *key)
                    .ok_or_else(|| shared(way, "is not written here"))?;
                if entries[at].node.marked {
                    return Err(shared(way, "has an anchor or a tag"));
                }
                if entries.len() == 1 {
                    return Ok(self.replace(&parent, &Value::Object(Map::new())));
                }
                let places =
                    entries.iter().map(|entry| entry.at.start..entry.end(self.text)).collect::<Vec<_>>();
                Ok(self.cut(&places, at, *flow, 0))
            }
            (Kind::List { items, .. }, Part::Index(index)) if items.len() > *index => {
                self.cut_item(&parent, items, *index)
            }
            _ => Err(shared(parents, "is not written here")),
        }
    }

    fn cut_item(&self, list: &Found<'_>, items: &[Node], index: usize) -> Result<String, BoxError> {
        if items[index].marked {
            return Err("the item has an anchor or a tag; edit it by hand".into());
        }
        if items.len() == 1 {
            return Ok(self.replace(list, &Value::Array(Vec::new())));
        }
        let flow = matches!(list.node.kind, Kind::List { flow: true, .. });
        let places: Vec<_> = items.iter().map(|item| item.span.clone()).collect();
        Ok(self.cut(&places, index, flow, 1))
    }

    /// Cuts one of several out: its lines, or in a flow collection and behind a dash up to the next.
    fn cut(&self, places: &[std::ops::Range<usize>], at: usize, flow: bool, dashes: usize) -> String {
        let here = &places[at];
        if flow {
            return match places.get(at + 1) {
                Some(next) => self.put(here.start..next.start, ""),
                None => self.put(places[at - 1].end..here.end, ""),
            };
        }
        let line = self.line_start(here.start);
        let before = self.text[line..here.start].trim();
        let own = if dashes == 0 { before.is_empty() } else { before == "-" };
        if !own && at + 1 < places.len() {
            // It stands behind the dash of an item: the next takes its place.
            let next = if dashes == 0 { places[at + 1].start } else { self.dash(places[at + 1].start) };
            let start = if dashes == 0 { here.start } else { self.dash(here.start) };
            return self.put(start..next, "");
        }
        let end = self.line_end(here.end);
        if end < self.text.len() {
            self.put(line..end + 1, "")
        } else {
            self.put(line.saturating_sub(1)..end, "")
        }
    }

    /// The dash in front of an item.
    fn dash(&self, item: usize) -> usize {
        self.text[..item].rfind('-').unwrap_or(item)
    }

    fn drop(&self, root: &Node, value: &Value, way: &Way, old: &Value) -> Result<String, BoxError> {
        let there = super::super::value::find(value, way.parts())?.and_then(Value::as_array);
        let mut text = self.text.to_owned();
        let matching =
            there.into_iter().flatten().enumerate().filter(|(_, item)| super::super::value::same(item, old));
        let mut indices: Vec<_> = matching.map(|(index, _)| index).collect();
        let mut root = root.clone();
        while let Some(index) = indices.pop() {
            let writer = Writer { text: &text, style: self.style };
            let way = way.with(Part::Index(index));
            text = writer.remove(&root, way.parts())?;
            match read(&text)? {
                (Some(again), _) => root = again,
                (None, _) => break,
            }
        }
        Ok(text)
    }

    fn put(&self, place: std::ops::Range<usize>, new: &str) -> String {
        let mut text = self.text.to_owned();
        text.replace_range(place, new);
        text
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |end| at + end)
    }

    /// Characters from the start of the line.
    fn column(&self, at: usize) -> usize {
        self.text[self.line_start(at)..at].chars().count()
    }
}

fn shared(way: &[Part], why: &str) -> BoxError {
    let place = if way.is_empty() { "the file".to_owned() } else { format!("`{}`", written(way)) };
    format!("{place} {why}; edit it by hand where it is written").into()
}

/// How the file indents, from the first places that show it.
fn style(root: &Node, text: &str) -> Style {
    let column = |at: usize| text[text[..at].rfind('\n').map_or(0, |line| line + 1)..at].chars().count();
    let (mut step, mut dash) = (None, None);
    let mut left = vec![root];
    while let Some(node) = left.pop() {
        match &node.kind {
            Kind::Map { entries, flow: false } => {
                for entry in entries.iter().rev() {
                    let (key, below) = (column(entry.at.start), &entry.node);
                    let deeper = column(below.span.start).checked_sub(key);
                    match &below.kind {
                        Kind::Map { flow: false, .. } => step = deeper.filter(|step| *step > 0).or(step),
                        Kind::List { flow: false, .. } => dash = deeper.or(dash),
                        _ => {}
                    }
                    left.push(below);
                }
            }
            Kind::List { items, flow: false } => left.extend(items.iter().rev()),
            _ => {}
        }
    }
    let step = step.unwrap_or(2).clamp(1, 8);
    Style { step, dash: dash.unwrap_or(step.min(2)).min(8) }
}
