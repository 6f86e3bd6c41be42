//! The way to a value in a file: `jobs.test.steps[0].name`, keys with dots quoted: `["a.b"].c`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest way that is read, in bytes.
const LONGEST: usize = 1000;
/// The most parts of a way.
const DEEPEST: usize = 64;

/// A way to a value; at least one part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way(Vec<Part>);

/// A step of a way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Into a map.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

/// A way that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the way `{way}` {why}; ways look like `jobs.test.steps[0].name`, keys with dots are quoted: `[\"a.b\"]`"
)]
pub struct WayError {
    way: String,
    why: String,
}

impl Way {
    /// Reads a way.
    pub fn parse(text: &str) -> Result<Self, WayError> {
        let wrong = |why: String| {
            let short: String = text.chars().take(100).collect();
            WayError { way: short.escape_debug().to_string(), why }
        };
        if text.is_empty() {
            return Err(wrong("is empty".into()));
        }
        if text.len() > LONGEST {
            return Err(wrong(format!("is longer than {LONGEST} bytes")));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, after) = next(rest, parts.is_empty()).map_err(&wrong)?;
            parts.push(part);
            rest = after;
        }
        if parts.len() > DEEPEST {
            return Err(wrong(format!("has more than {DEEPEST} parts")));
        }
        Ok(Self(parts))
    }

    /// A way of keys alone, as they are.
    pub(crate) fn keys<'k>(keys: impl IntoIterator<Item = &'k str>) -> Self {
        Self(keys.into_iter().map(|key| Part::Key(key.to_owned())).collect())
    }

    /// The way of a value below this one.
    pub(crate) fn with(&self, part: Part) -> Self {
        Self(self.0.iter().cloned().chain([part]).collect())
    }

    /// Its parts, the outermost first.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }
}

/// The first part and what follows it.
fn next(text: &str, first: bool) -> Result<(Part, &str), String> {
    if let Some(inner) = text.strip_prefix('[') {
        return bracket(inner);
    }
    let text = match text.strip_prefix('.') {
        Some(_) if first => return Err("begins with a dot".into()),
        Some(text) => text,
        None if first => text,
        None => return Err(format!("goes on with `{}` where `.` or `[` belongs", head(text))),
    };
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    if key.is_empty() {
        return Err("has an empty key between dots".into());
    }
    match key.chars().find(|c| c.is_whitespace() || c.is_control() || matches!(c, ']' | '"' | '\'')) {
        Some(other) => {
            Err(format!("has `{}` in the key `{}`, which must be quoted", other.escape_debug(), head(key)))
        }
        None => Ok((Part::Key(key.to_owned()), rest)),
    }
}

fn bracket(inner: &str) -> Result<(Part, &str), String> {
    let Some(quote @ ('"' | '\'')) = inner.chars().next() else {
        let (digits, rest) = inner.split_once(']').ok_or("has a `[` that is not closed")?;
        let index = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let index = index
            .ok_or_else(|| format!("has `[{}]`, which is neither an index nor a quoted key", head(digits)))?;
        return Ok((Part::Index(index), rest));
    };
    let mut key = String::new();
    let mut escaped = false;
    for (at, c) in inner.char_indices().skip(1) {
        match c {
            _ if escaped => {
                key.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if c == quote => {
                let rest =
                    inner[at + 1..].strip_prefix(']').ok_or("has a quoted key without `]` behind it")?;
                return Ok((Part::Key(key), rest));
            }
            c => key.push(c),
        }
    }
    Err("has a quote that is not closed".into())
}

fn head(text: &str) -> String {
    text.chars().take(20).collect()
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(key) if plain(key) => f.write_str(key),
            Self::Key(key) => write!(f, "[\"{}\"]", key.replace('\\', "\\\\").replace('"', "\\\"")),
        }
    }
}

fn plain(key: &str) -> bool {
    !key.is_empty()
        && !key.contains(|c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '.' | '[' | ']' | '"' | '\'')
        })
}

/// Writes parts as a way.
pub(super) fn written(parts: &[Part]) -> String {
    let mut way = String::new();
    for part in parts {
        let dot = !way.is_empty() && matches!(part, Part::Key(key) if plain(key));
        way.push_str(if dot { "." } else { "" });
        way.push_str(&part.to_string());
    }
    way
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(&self.0))
    }
}

impl Serialize for Way {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Way {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let way = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&way).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Way {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Way".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "minLength": 1, "maxLength": LONGEST,
            "description": "the way to a value: `jobs.test.steps[0].name`, keys with dots quoted: `[\"a.b\"]`",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_read_and_written_again() {
        for way in [
            "a",
            "jobs.test.steps[0].name",
            r#"["a.b"].c"#,
            r#"a["x y"][12]"#,
            "on-push.@scope/x",
            r#"["q\"\\"]"#,
        ] {
            assert_eq!(Way::parse(way).unwrap().to_string(), way);
        }
        assert_eq!(Way::parse("['a.b']").unwrap(), Way::keys(["a.b"]));
        assert_eq!(Way::parse("[\"a\"].b").unwrap(), Way::keys(["a", "b"]));
    }

    #[test]
    fn what_is_wrong_with_a_way_is_said() {
        for (way, why) in [
            ("", "is empty"),
            (".a", "begins with a dot"),
            ("a..b", "has an empty key between dots"),
            ("a.", "has an empty key between dots"),
            ("a[0", "has a `[` that is not closed"),
            ("a[x]", "has `[x]`, which is neither an index nor a quoted key"),
            ("a[-1]", "has `[-1]`, which is neither an index nor a quoted key"),
            ("a[+1]", "has `[+1]`, which is neither an index nor a quoted key"),
            ("a[\"x]", "has a quote that is not closed"),
            ("a[\"x\"b", "has a quoted key without `]` behind it"),
            ("a[0]b", "goes on with `b` where `.` or `[` belongs"),
            ("a b", "has ` ` in the key `a b`, which must be quoted"),
        ] {
            assert_eq!(Way::parse(way).unwrap_err().why, why, "{way}");
        }
        assert!(Way::parse(&"a.".repeat(600)).unwrap_err().why.contains("longer"));
        assert!(
            Way::parse(&format!("a{}", "[0]".repeat(80))).unwrap_err().why.contains("more than 64 parts")
        );
    }
}
