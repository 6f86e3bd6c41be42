//! What kind of error a line tells of: all that differs from one such line to the next is masked.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::LogWatch;

/// The most characters of a line that are looked at.
const LONGEST: usize = 4096;
/// The most characters of a signature.
const SHORTEST: usize = 200;
/// The most characters of an example.
const EXAMPLE: usize = 300;

/// Words of errors.
static ERROR: LazyLock<Regex> = LazyLock::new(|| {
    known(
        r"(?i)\b(?:errors?|fatal|panic|panicked|exception|critical|traceback|segmentation fault|segfault|out of memory|aborted|failed|failure)\b|Exception\b|Error\b",
    )
});
/// What sounds like one and says that there is none.
static NONE: LazyLock<Regex> = LazyLock::new(|| {
    known(
        r"(?i)\b(?:0|no) (?:errors?|failures?)\b|\b(?:errors?|failed|failures?)\s*[=:]\s*(?:0\b|null\b|none\b|false\b)",
    )
});
/// Sequences of terminals.
static COLOUR: LazyLock<Regex> = LazyLock::new(|| known("\x1b\\[[0-9;?]*[A-Za-z]"));
/// What differs from line to line, the longer forms first.
static MASKED: LazyLock<Regex> = LazyLock::new(|| {
    known(
        r#"(?x)
        (?P<time>\d{4}[-/]\d\d[-/]\d\d(?:[T\ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?:Z|\ ?[+-]\d\d:?\d\d)?|\d\d:\d\d:\d\d(?:[.,]\d+)?)
        |(?P<id>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})
        |(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`|\B'[^']*'\B)
        |(?P<number>\b[0-9]+(?:[.,:][0-9]+)*[A-Za-z%]{0,3}\b)
        |(?P<word>\b[A-Za-z0-9_]*[0-9][A-Za-z0-9_]*\b)"#,
    )
});

fn known(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern that the tests match with")
}

/// An error line.
pub(super) struct Told {
    pub(super) signature: String,
    pub(super) example: String,
}

/// Hides what must not be shown of a text.
pub(crate) type Hide<'a> = &'a dyn Fn(&str) -> String;

/// The signature of a line; none where it is no error.
pub(super) fn of(line: &str, watch: &LogWatch, hide: Hide<'_>) -> Option<Told> {
    let line: String = hide(&COLOUR.replace_all(line, ""))
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut line = Cow::Borrowed(line.trim());
    if line.is_empty() {
        return None;
    }
    let mut structured = serde_json::from_str::<Map<String, Value>>(&line).ok();
    if line.contains('\\')
        && let Some(fields) = &mut structured
        && hides_in(fields.values_mut(), hide)
    {
        line = Value::from(fields.clone()).to_string().into();
    }
    let line = &*line;
    if watch.ignore.iter().any(|pattern| pattern.is_in(line)) {
        return None;
    }
    let is_error = if watch.patterns.is_empty() {
        structured.as_ref().and_then(level).unwrap_or_else(|| ERROR.is_match(&NONE.replace_all(line, "")))
    } else {
        watch.patterns.iter().any(|pattern| pattern.is_in(line))
    };
    is_error.then(|| {
        let message = structured.as_ref().and_then(message).unwrap_or_else(|| line.to_owned());
        Told { signature: masked(&message), example: line.chars().take(EXAMPLE).collect() }
    })
}

/// Hides in what a structured line means, which may not be as it is written; says whether there was anything.
fn hides(value: &mut Value, hide: Hide<'_>) -> bool {
    match value {
        Value::String(text) => {
            let hidden = hide(text);
            let found = hidden != *text;
            *text = hidden;
            found
        }
        Value::Array(items) => hides_in(items.iter_mut(), hide),
        Value::Object(fields) => hides_in(fields.values_mut(), hide),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The same in each of these.
fn hides_in<'v>(values: impl Iterator<Item = &'v mut Value>, hide: Hide<'_>) -> bool {
    values.map(|value| usize::from(hides(value, hide))).sum::<usize>() > 0
}

/// Whether the level of a structured line is that of an error; none where it has no level.
fn level(fields: &Map<String, Value>) -> Option<bool> {
    let level = ["level", "severity", "lvl", "log.level"].iter().find_map(|name| fields.get(*name))?;
    match level {
        Value::String(name) => {
            let name = name.to_ascii_lowercase();
            Some(
                ["error", "err", "fatal", "critical", "crit", "panic", "alert", "emergency", "emerg"]
                    .contains(&name.as_str()),
            )
        }
        // As bunyan and pino count: 50 is an error, 60 is fatal.
        Value::Number(number) => number.as_f64().map(|number| number >= 50.0),
        _ => None,
    }
}

/// What a structured line says.
fn message(fields: &Map<String, Value>) -> Option<String> {
    let names = ["message", "msg", "event", "error", "err"];
    let parts: Vec<&str> = names.iter().filter_map(|name| fields.get(*name)?.as_str()).collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

fn masked(message: &str) -> String {
    let masked = MASKED.replace_all(message, |found: &Captures<'_>| {
        let name = ["time", "id", "text", "number"].into_iter().find(|name| found.name(name).is_some());
        name.map_or_else(|| word(&found[0]), |name| format!("<{name}>"))
    });
    let words: Vec<&str> = masked.split_whitespace().collect();
    words.join(" ").chars().take(SHORTEST).collect()
}

/// A word with digits in it: `utf8` or `worker12` are words of which only the digits vary, others are ids.
fn word(word: &str) -> String {
    let is_hex = word.starts_with("0x") || word.len() >= 6 && word.chars().all(|c| c.is_ascii_hexdigit());
    if is_hex || word.len() > 16 {
        return "<id>".to_owned();
    }
    let mut masked = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '0'..='9' if masked.ends_with('#') => {}
            '0'..='9' => masked.push('#'),
            other => masked.push(other),
        }
    }
    masked
}
