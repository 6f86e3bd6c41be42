//! Edits as a change of values, whatever the format: what a file is to say after an edit. The text that a format writes is
//! read again and must say exactly this.
//!
//! What JSON cannot say (a date of TOML, an expression of JavaScript) is held as its text behind a NUL, so that it is
//! compared like anything else and never taken for a text that somebody wrote.

use orchestrator_core::BoxError;
use serde_json::{Map, Value};

use super::way::{Part, Way, written};

/// A change at a way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Op<'a> {
    /// The value there is this one; parents that are missing are made.
    Set(&'a Way, &'a Value),
    /// The list there holds this value.
    Append(&'a Way, &'a Value),
    /// There is nothing there.
    Remove(&'a Way),
    /// The list there does not hold this value.
    Drop(&'a Way, &'a Value),
}

/// Text that stands for what JSON cannot say.
pub(super) fn opaque(text: &str) -> Value {
    Value::String(format!("\0{text}"))
}

/// What a value that JSON cannot say stands as in the file.
pub(super) fn as_opaque(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix('\0')
}

/// Whether two values are the same; `80` and `80.0` are.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has =
                |(key, value): (&String, &Value)| other.get(key).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(has)
        }
        _ => one == other,
    }
}

/// What a value is, for people: `a list of 3`, `the text "x"`.
pub(super) fn called(value: &Value) -> String {
    match value {
        Value::Null => "empty".into(),
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        Value::String(text) => match as_opaque(value) {
            Some(text) => format!("`{}`, which is computed", short(text)),
            None => format!("the text `{}`", short(text)),
        },
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(entries) => format!("a map of {}", entries.len()),
    }
}

/// A value as people write it, cut where it is long.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => short(text.strip_prefix('\0').unwrap_or(text)),
        _ => short(&value.to_string()),
    }
}

fn short(text: &str) -> String {
    let line: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() < text.len() { format!("{line}..") } else { line }
}

/// What is at a way; none where it, or a parent, is missing. An error where the way leads through a scalar.
pub(super) fn find<'v>(root: &'v Value, way: &[Part]) -> Result<Option<&'v Value>, BoxError> {
    let mut here = root;
    for (depth, part) in way.iter().enumerate() {
        let next = match (here, part) {
            (Value::Null, _) => None,
            (Value::Object(entries), Part::Key(key)) => entries.get(key),
            (Value::Array(items), Part::Index(index)) => items.get(*index),
            (here, part) => return Err(no_way(&way[..depth], here, part)),
        };
        let Some(next) = next else { return Ok(None) };
        here = next;
    }
    Ok(Some(here))
}

fn no_way(way: &[Part], here: &Value, part: &Part) -> BoxError {
    let place = if way.is_empty() { "the file".to_owned() } else { format!("`{}`", written(way)) };
    let why = match (here, part) {
        (Value::Array(_), Part::Key(key)) => format!("give an index instead of `{key}`"),
        (Value::Object(_), Part::Index(index)) => format!("give a key instead of `[{index}]`"),
        (_, part) => format!("there is no `{part}` below it"),
    };
    format!("{place} is {}; {why}", called(here)).into()
}

/// What a file is to say after an edit; none where it says so already.
pub(super) fn intended(root: &Value, op: Op<'_>) -> Result<Option<Value>, BoxError> {
    match op {
        Op::Set(way, value) => set(root, way, value),
        Op::Append(way, value) => match find(root, way.parts())? {
            None | Some(Value::Null) => set(root, way, &Value::Array(vec![value.clone()])),
            Some(Value::Array(items)) if items.iter().any(|item| same(item, value)) => Ok(None),
            Some(Value::Array(items)) => {
                let items = items.iter().chain([value]).cloned().collect();
                set(root, way, &Value::Array(items))
            }
            Some(other) => Err(format!("`{way}` is {}, not a list", called(other)).into()),
        },
        Op::Remove(way) => match find(root, way.parts())? {
            None => Ok(None),
            Some(_) => Ok(Some(without(root, way.parts()))),
        },
        Op::Drop(way, value) => match find(root, way.parts())? {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => {
                let left: Vec<_> = items.iter().filter(|item| !same(item, value)).cloned().collect();
                if left.len() == items.len() { Ok(None) } else { set(root, way, &Value::Array(left)) }
            }
            Some(other) => Err(format!("`{way}` is {}, not a list", called(other)).into()),
        },
    }
}

fn set(root: &Value, way: &Way, value: &Value) -> Result<Option<Value>, BoxError> {
    if find(root, way.parts())?.is_some_and(|there| same(there, value)) {
        return Ok(None);
    }
    let mut root = root.clone();
    let mut here = &mut root;
    for (depth, part) in way.parts().iter().enumerate() {
        here = match (here, part) {
            (here @ (Value::Null | Value::Object(_)), Part::Key(key)) => {
                if here.is_null() {
                    *here = Value::Object(Map::new());
                }
                here.as_object_mut().expect("it is a map").entry(key.clone()).or_insert(Value::Null)
            }
            (Value::Array(items), Part::Index(index)) => {
                let many = items.len();
                items.get_mut(*index).ok_or_else(|| {
                    let list = written(&way.parts()[..depth]);
                    format!("`{list}` has {many} items, so there is no `[{index}]`; `append` adds one")
                })?
            }
            (Value::Null, Part::Index(index)) => {
                let list = written(&way.parts()[..depth]);
                return Err(format!(
                    "there is no list `{list}`, so there is no `[{index}]`; `append` makes one"
                )
                .into());
            }
            (here, part) => return Err(no_way(&way.parts()[..depth], here, part)),
        };
    }
    *here = value.clone();
    Ok(Some(root))
}

fn without(root: &Value, way: &[Part]) -> Value {
    let mut root = root.clone();
    let (last, parents) = way.split_last().expect("a way has a part");
    let mut here = &mut root;
    for part in parents {
        here = match (here, part) {
            (Value::Object(entries), Part::Key(key)) => entries.get_mut(key).expect("it was found"),
            (Value::Array(items), Part::Index(index)) => &mut items[*index],
            _ => unreachable!("it was found"),
        };
    }
    match (here, last) {
        (Value::Object(entries), Part::Key(key)) => drop(entries.remove(key)),
        (Value::Array(items), Part::Index(index)) => drop(items.remove(*index)),
        _ => unreachable!("it was found"),
    }
    root
}

/// The way to the deepest value that is there, and what is to be put at the next part of it: the value inside the parents
/// that are missing. `Null` counts as missing where something is to be put below it.
pub(super) fn deepest(root: &Value, way: &Way, value: &Value) -> (usize, Value) {
    let parts = way.parts();
    let mut depth = 0;
    let mut here = root;
    while depth < parts.len() {
        let next = match (here, &parts[depth]) {
            (Value::Object(entries), Part::Key(key)) => entries.get(key),
            (Value::Array(items), Part::Index(index)) => items.get(*index),
            _ => None,
        };
        match next {
            Some(next) if depth + 1 == parts.len() || !next.is_null() => here = next,
            _ => break,
        }
        depth += 1;
    }
    let depth = depth.min(parts.len() - 1);
    let nested = parts[depth + 1..].iter().rev().fold(value.clone(), |value, part| match part {
        Part::Key(key) => Value::Object(Map::from_iter([(key.clone(), value)])),
        Part::Index(_) => Value::Array(vec![value]),
    });
    (depth, nested)
}
