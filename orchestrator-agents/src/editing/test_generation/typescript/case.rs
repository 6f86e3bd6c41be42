//! A way through a function as a test case: lines of code that give what comes from outside, do it, and say what is true.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::eval::Called;
use super::explore::Way;
use super::render::{Mocks, definition, expression, text};
use super::value::{Kind, Value};

/// A test case, as templates see it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Case {
    /// Its name as a literal.
    pub(super) name: String,
    /// What people read.
    #[serde(skip)]
    pub(super) title: String,
    /// Lines that give what comes from outside.
    pub(super) given: Vec<String>,
    /// Lines that do it.
    pub(super) act: Vec<String>,
    /// Lines that say what is true.
    pub(super) then: Vec<String>,
    /// Whether it awaits something.
    pub(super) waits: bool,
}

impl Case {
    /// How many bytes its lines have.
    pub(super) fn bytes(&self) -> usize {
        let lines = [&self.given, &self.act, &self.then].into_iter().flatten();
        self.name.len() + lines.map(String::len).sum::<usize>()
    }
}

/// Cases about one thing.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Block {
    /// Its name as a literal.
    pub(super) name: String,
    /// What people read.
    #[serde(skip)]
    pub(super) title: String,
    pub(super) cases: Vec<Case>,
}

/// How code of the test is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// `vi` or `jest`.
    pub(super) mock: &'static str,
    /// Whether there are types: what stands in is cast.
    pub(super) typed: bool,
}

impl Dialect {
    /// An argument that stands in for something.
    pub(super) fn cast(self, expression: &str) -> String {
        if self.typed { format!("{expression} as never") } else { expression.to_owned() }
    }
}

/// The mocks of the functions that a way calls; none where what they give cannot be written.
pub(super) fn mocks(calls: &[Called<'_>], dialect: Dialect) -> Option<Mocks> {
    let mut by_key: BTreeMap<&str, Vec<&Called<'_>>> = BTreeMap::new();
    for call in calls {
        by_key.entry(&call.key).or_default().push(call);
    }
    let mut mocks = Mocks::new();
    for (key, calls) in by_key {
        let mut mock = format!("{}.fn()", dialect.mock);
        let once = if calls.len() > 1 { "Once" } else { "" };
        for call in &calls {
            match &call.gives {
                Ok(Value::Undefined) if once.is_empty() && !call.awaited => {}
                Ok(value) => {
                    let how = if call.awaited { "mockResolvedValue" } else { "mockReturnValue" };
                    mock += &[".", how, once, "(", &expression(value)?, ")"].concat();
                }
                Err(error) => {
                    let error = expression(error)?;
                    let more = if call.awaited {
                        format!(".mockRejectedValue{once}({error})")
                    } else {
                        format!(".mockImplementation{once}(() => {{ throw {error}; }})")
                    };
                    mock.push_str(&more);
                }
            }
        }
        mocks.insert(key.to_owned(), mock);
    }
    Some(mocks)
}

/// Lines that define what comes from outside, what calls give first.
pub(super) fn given<T>(way: &Way<'_, T>, mocks: &Mocks) -> Option<Vec<String>> {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for calls in [true, false] {
        for seen in way.seen.iter().filter(|seen| seen.call == calls) {
            let root = !seen.key.contains(['.', '[']);
            if !root || !done.insert(&seen.key) {
                continue;
            }
            if let Ok(value) = &seen.value
                && is_outside(value)
            {
                lines.push((&seen.key, definition(value, mocks)?));
            }
        }
    }
    Some(ordered(lines))
}

/// Each definition after those that it names.
fn ordered(lines: Vec<(&str, String)>) -> Vec<String> {
    let mut left: Vec<Option<(&str, String)>> = lines.into_iter().map(Some).collect();
    let mut told = Vec::new();
    for at in 0..left.len() {
        tell(at, &mut left, &mut told);
    }
    told
}

fn tell(at: usize, left: &mut [Option<(&str, String)>], told: &mut Vec<String>) {
    let Some((key, definition)) = left[at].take() else { return };
    for other in at + 1..left.len() {
        if left[other].as_ref().is_some_and(|(other, _)| has_word(&definition, other)) {
            tell(other, left, told);
        }
    }
    told.push(format!("const {key} = {definition};"));
}

/// Whether a name stands in a text as a word of its own.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

/// Whether a value comes from outside and has a name in the test.
pub(super) fn is_outside(value: &Value<'_>) -> bool {
    match value {
        Value::Object(object) => matches!(object.kind, Kind::StandIn { .. }),
        Value::Array(array) => array.key.is_some(),
        _ => false,
    }
}

/// Lines that say what was called with what; none where an argument cannot be written.
pub(super) fn called(calls: &[Called<'_>]) -> Option<Vec<String>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines = Vec::new();
    for call in calls {
        let n = counts.entry(&call.key).or_default();
        *n += 1;
        let arguments: Option<Vec<String>> = call.arguments.iter().map(expression).collect();
        let arguments = arguments?.join(", ");
        let many = calls.iter().filter(|other| other.key == call.key).count() > 1;
        lines.push(if many {
            let comma = if arguments.is_empty() { "" } else { ", " };
            format!("expect({}).toHaveBeenNthCalledWith({n}{comma}{arguments});", call.key)
        } else {
            format!("expect({}).toHaveBeenCalledWith({arguments});", call.key)
        });
    }
    Some(lines)
}

/// `expect(X).toBe(..)` for what a value is; none where it cannot be written.
pub(super) fn equals(subject: &str, value: &Value<'_>) -> Option<String> {
    // That a number is none is what comes of an input of a wrong type.
    if matches!(value, Value::Number(n) if n.is_nan()) {
        return None;
    }
    let expected = expression(value)?;
    Some(match value {
        Value::Undefined => format!("expect({subject}).toBeUndefined();"),
        Value::Object(_) | Value::Array(_) if !is_outside(value) => {
            format!("expect({subject}).toEqual({expected});")
        }
        Value::Function(_) => return None,
        _ => format!("expect({subject}).toBe({expected});"),
    })
}

/// The condition of a way, for its name: the inputs that are not the first ones.
pub(super) fn when<T>(way: &Way<'_, T>) -> String {
    let parts = way.seen.iter().filter(|seen| seen.at > 0).filter_map(|seen| {
        Some(match (&seen.value, seen.call) {
            (Err(_), _) => format!("{} fails", seen.label),
            (Ok(value), true) => format!("{} gives {}", seen.label, short(value)?),
            (Ok(value), false) => {
                format!("{} is {}", seen.label.trim_start_matches("process.env."), short(value)?)
            }
        })
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { String::new() } else { format!(" when {}", parts.join(" and ")) }
}

/// A value in the name of a case.
pub(super) fn short(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Array(array) if array.items.borrow().is_empty() => Some("an empty list".into()),
        Value::Array(_) => Some("a list".into()),
        Value::Object(_) => Some("an object".into()),
        Value::Text(it) if it.is_empty() => Some("empty".into()),
        Value::Text(it) => (it.chars().count() < 70).then(|| format!("\"{it}\"")),
        other => {
            let shown = expression(other)?;
            (shown.chars().count() < 50).then_some(shown)
        }
    }
}

/// What a case says comes of it.
pub(super) fn outcome<'a>(value: &Value<'a>, calls: &[Called<'a>]) -> String {
    let of_call = calls.iter().find(|call| match (&call.gives, value) {
        (Ok(gives), Value::Object(_) | Value::Array(_)) => gives.same(value),
        _ => false,
    });
    match (of_call, value) {
        (Some(call), _) => format!("gives what {} gives", call.key),
        (None, Value::Undefined) => match calls.last() {
            Some(call) => format!("calls {}", call.key),
            None => "gives undefined".into(),
        },
        (None, value) if is_outside(value) => {
            format!("gives {}", expression(value).unwrap_or_else(|| "its input".into()))
        }
        (None, value) => format!("gives {}", short(value).unwrap_or_else(|| "a value".into())),
    }
}

/// Gives a case a name of one line that no other case of the block has.
pub(super) fn named(title: String, taken: &mut BTreeSet<String>) -> (String, String) {
    let mut short: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    short = short.split_whitespace().collect::<Vec<_>>().join(" ");
    if short.chars().count() > 120 {
        short = short.chars().take(118).collect::<String>() + "..";
    }
    let mut own = short.clone();
    let mut n = 1;
    while !taken.insert(own.clone()) {
        n += 1;
        own = format!("{short} ({n})");
    }
    (text(&own), own)
}

/// A pattern that matches exactly this text.
pub(super) fn exactly(message: &str) -> String {
    let mut pattern = String::from("/^");
    for c in message.chars() {
        match c {
            '\n' => pattern.push_str("\\n"),
            '\r' => pattern.push_str("\\r"),
            c => {
                if ".*+?^${}()|[]\\/".contains(c) {
                    pattern.push('\\');
                }
                pattern.push(c);
            }
        }
    }
    pattern + "$/"
}
