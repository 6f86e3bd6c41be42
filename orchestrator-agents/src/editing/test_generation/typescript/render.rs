//! Values as text of a test.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::value::{Kind, Value, number};
use super::world::is_identifier;

/// The most bytes of a written value, about.
const LONGEST: usize = 4 << 10;

/// A text as a literal.
pub(super) fn text(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                write!(out, "\\u{{{:x}}}", c as u32).expect("a string takes everything");
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// The mocks of functions, by the key of the function: `vi.fn().mockReturnValue(..)`.
pub(super) type Mocks = BTreeMap<String, String>;

/// A value as an expression; what comes from outside by its name. None where it cannot be written.
pub(super) fn expression(value: &Value<'_>) -> Option<String> {
    write(value, 0, &mut LONGEST.clone())
}

/// What is long or deep is no value that a person would read; what holds itself is neither.
fn write(value: &Value<'_>, depth: usize, left: &mut usize) -> Option<String> {
    let size = if let Value::Text(it) = value { it.len() } else { 0 };
    *left = left.checked_sub(4 + size)?;
    if depth > 8 {
        return None;
    }
    match value {
        Value::Undefined => Some("undefined".into()),
        Value::Null => Some("null".into()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Number(n) => number(*n),
        Value::Text(it) => Some(text(it)),
        Value::Array(array) => {
            let items = array.items.borrow();
            if let Some(key) = &array.key {
                return Some(key.clone());
            }
            let items: Option<Vec<String>> = items.iter().map(|item| write(item, depth + 1, left)).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Value::Object(object) => match &object.kind {
            Kind::StandIn { key, .. } => Some(key.clone()),
            Kind::Plain => properties(&object.props.borrow(), |value| write(value, depth + 1, left)),
            Kind::Error { .. } => {
                let message = object
                    .props
                    .borrow()
                    .iter()
                    .find(|(name, _)| name == "message")
                    .map(|(_, it)| it.clone());
                Some(format!("new Error({})", write(&message?, depth + 1, left)?))
            }
            _ => None,
        },
        Value::Function(_) => Some("expect.any(Function)".into()),
        Value::Class(_) | Value::Global(_) | Value::Imported(_) => None,
    }
}

fn properties(
    props: &[(String, Value<'_>)],
    mut value: impl FnMut(&Value<'_>) -> Option<String>,
) -> Option<String> {
    let mut parts = Vec::new();
    for (name, it) in props {
        let it = value(it)?;
        let key = if is_identifier(name) { name.clone() } else { text(name) };
        parts.push(if key == it { key } else { format!("{key}: {it}") });
    }
    Some(if parts.is_empty() { "{}".into() } else { format!("{{ {} }}", parts.join(", ")) })
}

/// What a test gives for something from outside, written out, with the mocks of the functions that were called of it.
pub(super) fn definition(value: &Value<'_>, mocks: &Mocks) -> Option<String> {
    match value {
        Value::Object(object) => match &object.kind {
            Kind::StandIn { key, .. } => {
                if let Some(mock) = mocks.get(key) {
                    return Some(mock.clone());
                }
                let own = properties(&object.given.borrow(), |value| definition(value, mocks))?;
                let functions: Vec<String> = mocks
                    .iter()
                    .filter_map(|(function, mock)| {
                        let name = function.strip_prefix(key.as_str())?.strip_prefix('.')?;
                        (!name.contains(['.', '['])).then(|| format!("{name}: {mock}"))
                    })
                    .collect();
                if functions.is_empty() {
                    return Some(own);
                }
                let inner = own.trim_start_matches('{').trim_end_matches('}').trim().to_owned();
                let all: Vec<String> =
                    (!inner.is_empty()).then_some(inner).into_iter().chain(functions).collect();
                Some(format!("{{ {} }}", all.join(", ")))
            }
            _ => expression(value),
        },
        Value::Array(array) if array.key.is_some() => {
            let items: Option<Vec<String>> = array.given.iter().map(|item| definition(item, mocks)).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        _ => expression(value),
    }
}
