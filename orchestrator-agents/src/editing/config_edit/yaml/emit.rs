//! Values as YAML text: blocks of lines, and braces and brackets.

use serde_json::Value;
use serde_saphyr::granit_parser::ScalarStyle;

use super::super::value::as_opaque;
use super::scalar::scalar;

/// How a file is indented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Spaces for each level of maps.
    pub step: usize,
    /// Spaces from a key to the dashes of its list.
    pub dash: usize,
}

/// A value as it stands behind `key:` or `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// What stands on the same line; may be empty.
    pub head: String,
    /// The lines below, each with its indentation, without the last line end.
    pub body: Option<String>,
}

/// A value behind a key that stands `column` spaces from the left.
pub(super) fn below(value: &Value, column: usize, style: Style) -> Written {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            Written { head: String::new(), body: Some(block(value, column + style.step, style)) }
        }
        Value::Array(items) if !items.is_empty() => {
            Written { head: String::new(), body: Some(block(value, column + style.dash, style)) }
        }
        Value::String(text) => lines(text, column + style.step).unwrap_or_else(|| inline(value)),
        _ => inline(value),
    }
}

fn inline(value: &Value) -> Written {
    Written { head: flow(value), body: None }
}

/// A map or list as lines that begin at a column.
pub(super) fn block(value: &Value, column: usize, style: Style) -> String {
    let pad = " ".repeat(column);
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            let entries =
                entries.iter().map(|(key, value)| format!("{pad}{}", entry(key, value, column, style)));
            entries.collect::<Vec<_>>().join("\n")
        }
        Value::Array(items) if !items.is_empty() => {
            let items = items.iter().map(|value| format!("{pad}{}", item(value, column, style)));
            items.collect::<Vec<_>>().join("\n")
        }
        _ => format!("{pad}{}", flow(value)),
    }
}

/// `key: value`, the first line without indentation.
pub(super) fn entry(key: &str, value: &Value, column: usize, style: Style) -> String {
    let Written { head, body } = below(value, column, style);
    let space = if head.is_empty() { "" } else { " " };
    let body = body.map(|body| format!("\n{body}")).unwrap_or_default();
    format!("{}:{space}{head}{body}", plain_or_quoted(key))
}

/// `- value`, the first line without indentation; `column` is that of the dash.
pub(super) fn item(value: &Value, column: usize, style: Style) -> String {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            format!("- {}", block(value, column + 2, style).trim_start())
        }
        Value::Array(items) if !items.is_empty() => {
            format!("- {}", block(value, column + 2, style).trim_start())
        }
        Value::String(text) => match lines(text, column + 2) {
            Some(Written { head, body }) => format!("- {head}\n{}", body.unwrap_or_default()),
            None => format!("- {}", flow(value)),
        },
        _ => format!("- {}", flow(value)),
    }
}

/// A value on one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => as_opaque(value).map_or_else(|| plain_or_quoted(text), str::to_owned),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) if entries.is_empty() => "{}".into(),
        Value::Object(entries) => {
            let entries =
                entries.iter().map(|(key, value)| format!("{}: {}", plain_or_quoted(key), flow(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        _ => value.to_string(),
    }
}

/// A text of several lines as a block; none where it cannot be one.
fn lines(text: &str, column: usize) -> Option<Written> {
    let odd =
        |c: char| c != '\n' && c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    let content = text.trim_end_matches('\n');
    let blank = content.lines().any(|line| !line.is_empty() && line.trim().is_empty());
    if !content.contains('\n') || content.starts_with([' ', '\n']) || blank || text.contains(odd) {
        return None;
    }
    let head = match text.len() - content.len() {
        0 => "|-",
        1 => "|",
        _ => return None,
    };
    let pad = " ".repeat(column);
    let lines =
        content.split('\n').map(|line| if line.is_empty() { String::new() } else { format!("{pad}{line}") });
    Some(Written { head: head.into(), body: Some(lines.collect::<Vec<_>>().join("\n")) })
}

/// A text on one line, quoted where it would be read as something else by any version of YAML.
pub(super) fn plain_or_quoted(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { double(text) }
}

/// A text between the quotes that the one before it had.
pub(super) fn quoted_as(text: &str, style: ScalarStyle) -> String {
    match style {
        ScalarStyle::SingleQuoted
            if !text
                .contains(|c: char| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}')) =>
        {
            format!("'{}'", text.replace('\'', "''"))
        }
        ScalarStyle::DoubleQuoted => double(text),
        _ => plain_or_quoted(text),
    }
}

fn double(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                quoted.push_str(&escaped(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 8] = ["yes", "no", "on", "off", "y", "n", "true", "false"];
    let starts = text.chars().next().is_some_and(|c| {
        c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '$' | '+' | '(' | '<' | '^' | '~')
    });
    let odd = |c: char| {
        c.is_control()
            || matches!(
                c,
                '#' | '[' | ']' | '{' | '}' | ',' | '"' | '\\' | '\u{feff}' | '\u{2028}' | '\u{2029}'
            )
    };
    let expression = text.contains("${{");
    // Digits with colons are numbers to old readers.
    let clock = text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(':');
    starts
        && !expression
        && !clock
        && !text.contains(odd)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && text != "<<"
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && !text.starts_with(|c: char| c.is_ascii_digit()) | version(text)
        && scalar(text, ScalarStyle::Plain) == Value::String(text.into())
}

/// Whether a text that begins with a digit is no number to any reader.
fn version(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E' | 'x' | 'o' | 'b'))
        && !text.contains('_')
}

/// A character by its number.
fn escaped(c: char) -> String {
    format!("\\u{:04x}", c as u32)
}
