//! The smallest change of a text for a change of its value.

use std::ops::Range;

use orchestrator_core::BoxError;
use serde_json::{Map, Value};

use super::super::value::{Op, as_opaque, called, deepest, find, same};
use super::super::way::{Part, Way, written};
use super::emit::Style;
use super::tree::{Entry, Kind, Node};

/// Reads a text of the format.
type Read<'r> = &'r dyn Fn(&str) -> Result<Node, BoxError>;

/// Makes a change that is known to change the value.
pub(crate) fn write(text: &str, style: &Style, op: Op<'_>, read: Read<'_>) -> Result<String, BoxError> {
    let root = read(text)?;
    let value = root.value();
    let writer = Writer { text, style };
    match op {
        Op::Set(way, new) => writer.set(&root, &value, way, new),
        Op::Append(way, new) => match writer.node(&root, way.parts())? {
            Some(Node { span, kind: Kind::List(items) }) if !items.is_empty() => {
                let places: Vec<_> = items.iter().map(|item| item.span.clone()).collect();
                Ok(writer.add(span, &places, |writer, pad| match pad {
                    Some(pad) => writer.style.write(new, pad),
                    None => writer.style.line(new),
                }))
            }
            _ => writer.set(&root, &value, way, &Value::Array(vec![new.clone()])),
        },
        Op::Remove(way) => writer.remove(&root, way.parts()),
        Op::Drop(way, old) => {
            let items = find(&value, way.parts())?.and_then(Value::as_array).into_iter().flatten();
            let matching = items.enumerate().filter(|(_, item)| same(item, old)).map(|(index, _)| index);
            let mut text = text.to_owned();
            for index in matching.collect::<Vec<_>>().into_iter().rev() {
                let root = read(&text)?;
                let writer = Writer { text: &text, style };
                text = writer.remove(&root, way.with(Part::Index(index)).parts())?;
            }
            Ok(text)
        }
    }
}

struct Writer<'t> {
    text: &'t str,
    style: &'t Style,
}

/// The entry of a key. What is spread or computed may hold the key too, or replace it: then nobody can tell.
fn entry<'n>(entries: &'n [Entry], key: &str, way: &[Part]) -> Result<Option<&'n Entry>, BoxError> {
    let at = entries.iter().position(|entry| entry.key.as_deref() == Some(key));
    let after = at.map_or(0, |at| at + 1);
    if let Some(unclear) = entries[after..].iter().find(|entry| entry.key.is_none()) {
        let source = short(&unclear.source());
        let place =
            if way.is_empty() { "the configuration".to_owned() } else { format!("`{}`", written(way)) };
        return Err(format!(
            "{place} takes keys from `{source}`, which may set `{key}` too; edit it by hand"
        )
        .into());
    }
    Ok(at.map(|at| &entries[at]))
}

fn short(source: &str) -> String {
    source.lines().next().unwrap_or_default().chars().take(60).collect()
}

impl Writer<'_> {
    fn node<'n>(&self, root: &'n Node, way: &[Part]) -> Result<Option<&'n Node>, BoxError> {
        let mut here = root;
        for (depth, part) in way.iter().enumerate() {
            let next = match (&here.kind, part) {
                (Kind::Map(entries), Part::Key(key)) => {
                    entry(entries, key, &way[..depth])?.map(|entry| &entry.node)
                }
                (Kind::List(items), Part::Index(index)) => {
                    let spread = |item: &Node| self.text[item.span.clone()].starts_with("...");
                    if items.iter().take(index + 1).any(spread) {
                        return Err(format!(
                            "`{}` has a spread in front of `{part}`; edit it by hand",
                            written(&way[..depth])
                        )
                        .into());
                    }
                    items.get(*index)
                }
                _ => None,
            };
            let Some(next) = next else { return Ok(None) };
            here = next;
        }
        Ok(Some(here))
    }

    fn set(&self, root: &Node, value: &Value, way: &Way, new: &Value) -> Result<String, BoxError> {
        let (depth, nested) = deepest(value, way, new);
        let parts = way.parts();
        if let Some(node) = self.node(root, &parts[..=depth])? {
            if let Kind::Plain(value) = &node.kind
                && as_opaque(value).is_some()
            {
                return Err(
                    format!("`{}` is {}; edit it by hand", written(&parts[..=depth]), called(value)).into()
                );
            }
            let pad = self.pad(node.span.start);
            return Ok(self.put(node.span.clone(), &self.style.write(&nested, pad)));
        }
        let parent = self.node(root, &parts[..depth])?;
        let parent = parent.ok_or_else(|| format!("`{}` is not written here", written(&parts[..depth])))?;
        match (&parent.kind, &parts[depth]) {
            (Kind::Map(entries), Part::Key(key)) => {
                let places: Vec<_> = entries.iter().map(|entry| entry.span.clone()).collect();
                Ok(self.add(&parent.span, &places, |writer, pad| {
                    let value = pad
                        .map_or_else(|| writer.style.line(&nested), |pad| writer.style.write(&nested, pad));
                    format!("{}: {value}", writer.style.key(key))
                }))
            }
            (_, Part::Key(key)) => {
                let nested = Value::Object(Map::from_iter([(key.clone(), nested)]));
                Ok(self.put(parent.span.clone(), &self.style.write(&nested, self.pad(parent.span.start))))
            }
            (_, part) => Err(format!("there is no `{part}` in `{}`", written(&parts[..depth])).into()),
        }
    }

    /// Adds one behind the last in braces or brackets; `write` is given the indentation where it has lines of its own.
    fn add(
        &self,
        all: &Range<usize>,
        places: &[Range<usize>],
        write: impl Fn(&Self, Option<&str>) -> String,
    ) -> String {
        let Some(last) = places.last() else { return self.add_first(all, write) };
        let own_line = self.text[all.start..last.start].contains('\n');
        if !own_line {
            return self.put(last.end..last.end, &format!(", {}", write(self, None)));
        }
        let pad = self.pad(last.start).to_owned();
        let new = write(self, Some(&pad));
        let comma = self.comma(last.end, all.end);
        let (from, before, after) = match comma {
            Some(comma) => (comma + 1, "", ","),
            None => (last.end, ",", ""),
        };
        // A comment on the line of the last belongs to that one.
        let line_end = self.text[from..].find('\n').map_or(self.text.len(), |end| from + end);
        let at = if self.is_trivia(from, line_end) { line_end } else { from };
        let mut text = self.text.to_owned();
        text.insert_str(at, &format!("\n{pad}{new}{after}"));
        text.insert_str(last.end, before);
        text
    }

    fn add_first(&self, all: &Range<usize>, write: impl Fn(&Self, Option<&str>) -> String) -> String {
        let inside = &self.text[all.start + 1..all.end - 1];
        let outer = self.pad(all.start);
        let pad = format!("{outer}{}", self.style.unit);
        let new = write(self, Some(&pad));
        let comma = if self.style.comma { "," } else { "" };
        let end = all.start + 1 + inside.trim_end().len();
        self.put(end..all.end - 1, &format!("\n{pad}{new}{comma}\n{outer}"))
    }

    /// The comma behind an item, if there is one before the end.
    fn comma(&self, from: usize, end: usize) -> Option<usize> {
        let at = self.skip(from, end);
        self.text[at..end].starts_with(',').then_some(at)
    }

    /// Whether there is nothing but white space and comments.
    fn is_trivia(&self, from: usize, end: usize) -> bool {
        self.skip(from, end) >= end
    }

    /// Past white space and comments.
    fn skip(&self, from: usize, end: usize) -> usize {
        let mut at = from;
        while at < end {
            let rest = &self.text[at..end];
            let blank = rest.len() - rest.trim_start().len();
            let rest = &rest[blank..];
            let comment = match rest {
                _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                _ if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
                _ => return at + blank,
            };
            at += blank + comment;
        }
        at
    }

    fn remove(&self, root: &Node, way: &[Part]) -> Result<String, BoxError> {
        let (last, parents) = way.split_last().expect("a way has a part");
        let missing = || format!("`{}` is not written here", written(way));
        let parent = self.node(root, parents)?.ok_or_else(missing)?;
        let (places, at): (Vec<_>, _) = match (&parent.kind, last) {
            (Kind::Map(entries), Part::Key(key)) => {
                entry(entries, key, parents)?.ok_or_else(missing)?;
                let at = entries.iter().position(|entry| entry.key.as_ref() == Some(key));
                (entries.iter().map(|entry| entry.span.clone()).collect(), at)
            }
            (Kind::List(items), Part::Index(index)) => {
                self.node(root, way)?.ok_or_else(missing)?;
                (items.iter().map(|item| item.span.clone()).collect(), Some(*index))
            }
            _ => return Err(missing().into()),
        };
        Ok(self.cut(&parent.span, &places, at.ok_or_else(missing)?))
    }

    fn cut(&self, all: &Range<usize>, places: &[Range<usize>], at: usize) -> String {
        let here = &places[at];
        let own_comma = self.comma(here.end, all.end);
        let end = own_comma.map_or(here.end, |comma| comma + 1);
        let line = self.text[..here.start].rfind('\n').map_or(0, |line| line + 1);
        let line_end = self.text[end..].find('\n').map(|feed| end + feed);
        let alone = self.text[line..here.start].trim().is_empty();
        let before = at.checked_sub(1).map(|before| &places[before]);
        // The last has no comma, so the one before it gets none either.
        let comma =
            before.filter(|_| own_comma.is_none()).and_then(|before| self.comma(before.end, here.start));
        if let Some(line_end) =
            line_end.filter(|line_end| alone && self.is_trivia(end, *line_end) && *line_end < all.end)
        {
            let mut text = self.put(line..line_end + 1, "");
            if let Some(comma) = comma {
                text.replace_range(comma..=comma, "");
            }
            return text;
        }
        match (places.get(at + 1), before) {
            (Some(next), _) => self.put(here.start..next.start, ""),
            (None, Some(before)) => self.put(before.end..here.end, ""),
            (None, None) => self.put(here.start..end, ""),
        }
    }

    /// The indentation of the line that a place is on.
    fn pad(&self, at: usize) -> &str {
        let line = &self.text[self.text[..at].rfind('\n').map_or(0, |line| line + 1)..at];
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    fn put(&self, place: Range<usize>, new: &str) -> String {
        let mut text = self.text.to_owned();
        text.replace_range(place, new);
        text
    }
}
