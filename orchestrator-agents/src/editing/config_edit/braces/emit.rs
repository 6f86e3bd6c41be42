//! Values as JSON or JavaScript, in the style of the file.

use serde_json::Value;

use super::super::value::as_opaque;

/// How a file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Style {
    /// One level of indentation.
    pub(super) unit: String,
    /// The quote of its texts.
    quote: char,
    /// Whether lists over several lines end with a comma.
    pub(super) comma: bool,
    /// Whether keys may stand without quotes.
    bare: bool,
}

/// The longest list that is written on one line, in characters.
const LONGEST: usize = 80;

impl Style {
    /// As most of a text of JSON is.
    pub(crate) fn json(text: &str) -> Self {
        Self { quote: '"', bare: false, ..Self::script(text) }
    }

    /// As most of a script is.
    pub(crate) fn script(text: &str) -> Self {
        let quote = if text.matches('"').count() > text.matches('\'').count() { '"' } else { '\'' };
        let indents = text.lines().filter_map(|line| {
            let pad = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
            // The lines of a comment block begin with one space more.
            (!pad.is_empty() && !line.trim_start().starts_with('*')).then_some(pad)
        });
        let unit = indents.min_by_key(|pad| pad.len()).unwrap_or("  ");
        let unit = if unit.starts_with('\t') { "\t" } else { unit };
        let lines: Vec<_> =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).collect();
        let closes = lines
            .windows(2)
            .filter(|pair| pair[1].starts_with(['}', ']']) && !pair[0].ends_with(['{', '[', ';', '(']));
        let (with, all) =
            closes.fold((0, 0), |(with, all), pair| (with + usize::from(pair[0].ends_with(',')), all + 1));
        Self { unit: unit.to_owned(), quote, comma: with * 2 > all, bare: true }
    }

    /// A value; its lines after the first begin with `pad`.
    pub(crate) fn write(&self, value: &Value, pad: &str) -> String {
        match value {
            Value::Array(items) if !items.is_empty() => {
                let line = self.line(value);
                let plain = items.iter().all(|item| !item.is_object() && !item.is_array());
                if plain && line.len() + pad.len() <= LONGEST {
                    return line;
                }
                let inner = format!("{pad}{}", self.unit);
                let items = items.iter().map(|item| format!("{inner}{}", self.write(item, &inner)));
                self.lines('[', &items.collect::<Vec<_>>(), pad, ']')
            }
            Value::Object(entries) if !entries.is_empty() => {
                let inner = format!("{pad}{}", self.unit);
                let entries = entries
                    .iter()
                    .map(|(key, value)| format!("{inner}{}: {}", self.key(key), self.write(value, &inner)));
                self.lines('{', &entries.collect::<Vec<_>>(), pad, '}')
            }
            _ => self.line(value),
        }
    }

    fn lines(&self, open: char, lines: &[String], pad: &str, close: char) -> String {
        let comma = if self.comma { "," } else { "" };
        format!("{open}\n{}{comma}\n{pad}{close}", lines.join(",\n"))
    }

    /// A value on one line.
    pub(super) fn line(&self, value: &Value) -> String {
        match value {
            Value::String(text) => as_opaque(value).map_or_else(|| self.quoted(text), str::to_owned),
            Value::Array(items) => {
                format!("[{}]", items.iter().map(|item| self.line(item)).collect::<Vec<_>>().join(", "))
            }
            Value::Object(entries) if entries.is_empty() => "{}".into(),
            Value::Object(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| format!("{}: {}", self.key(key), self.line(value)));
                format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
            }
            _ => value.to_string(),
        }
    }

    /// A key: bare where it may be and is a name, quoted otherwise.
    pub(super) fn key(&self, key: &str) -> String {
        let first = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$');
        let name = first && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
        match key {
            // As a key of a script, this one sets the prototype.
            "__proto__" if self.bare => format!("[{}]", self.quoted(key)),
            _ if self.bare && name => key.to_owned(),
            _ => self.quoted(key),
        }
    }

    fn quoted(&self, text: &str) -> String {
        let other = if self.quote == '\'' { '"' } else { '\'' };
        let quote =
            if self.bare && text.contains(self.quote) && !text.contains(other) { other } else { self.quote };
        let mut quoted = String::from(quote);
        for c in text.chars() {
            match c {
                '\\' => quoted.push_str("\\\\"),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                c if c == quote => quoted.extend(['\\', c]),
                c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                    quoted.push_str(&escaped(c));
                }
                c => quoted.push(c),
            }
        }
        quoted.push(quote);
        quoted
    }
}

/// A character by its number.
fn escaped(c: char) -> String {
    format!("\\u{:04x}", c as u32)
}
