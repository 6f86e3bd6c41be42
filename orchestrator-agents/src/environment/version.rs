//! Versions as tools print them. Not semver: Python says `3.13.0rc1`, Debian's PHP `8.3.6-1ubuntu4`, Go `1.22`.
//!
//! A version of our own: the crates for versions without a format take a missing part for older than `0`, or any suffix for
//! an older or a newer version.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Words that mark what comes before a release, oldest first. Any other suffix says who built it.
const EARLY: [(&str, &[&str]); 4] = [
    ("dev", &["dev", "nightly", "canary", "snapshot", "next", "insiders", "experimental", "test"]),
    ("alpha", &["alpha", "a"]),
    ("beta", &["beta", "b"]),
    ("rc", &["rc", "c", "pre", "preview"]),
];

/// A version: its numbers, and whether it comes before the release of these numbers.
///
/// Compared part by part as numbers, so `3.9 < 3.10`; a missing part is 0; `1.0rc1 < 1.0`.
#[derive(Debug, Clone)]
pub struct Version {
    text: String,
    numbers: Vec<u64>,
    /// Which of [`EARLY`], and its number.
    early: Option<(usize, u64)>,
}

impl Version {
    /// The version that a text begins with, and what follows its numbers and mark. At most six numbers.
    pub fn at_start(text: &str) -> Option<Self> {
        let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (mut numbers, mut at) = (Vec::new(), 0);
        loop {
            let length = digits(&text[at..]);
            if length == 0 || numbers.len() == 6 {
                break;
            }
            numbers.push(text[at..at + length].parse().ok()?);
            at += length;
            let more = text[at..].strip_prefix('.').is_some_and(|rest| digits(rest) > 0);
            if !more || numbers.len() == 6 {
                break;
            }
            at += 1;
        }
        if numbers.is_empty() {
            return None;
        }
        let (early, length) = early(&text[at..]).map_or((None, 0), |(early, length)| (Some(early), length));
        Some(Self { text: text[..at + length].to_owned(), numbers, early })
    }

    /// A version that is the whole text; a `v` before it is fine.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        Self::at_start(text).filter(|version| version.text.len() == text.len())
    }

    /// A release of these numbers.
    pub(super) fn of(numbers: Vec<u64>) -> Self {
        let text = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
        Self { text, numbers, early: None }
    }

    /// Its numbers, as many as were written.
    pub(super) fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// A part of it; 0 where it was not written.
    pub(super) fn part(&self, at: usize) -> u64 {
        self.numbers.get(at).copied().unwrap_or(0)
    }
}

/// The mark at the start of a text, `-rc.1`, `RC1`, `a1+`, `-nightly`, with its length; none where it is another suffix.
fn early(text: &str) -> Option<((usize, u64), usize)> {
    let rest = text.strip_prefix(['-', '.', '_', '~']).unwrap_or(text);
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let word = rest[..end].to_ascii_lowercase();
    let rank = EARLY.iter().position(|(_, words)| words.contains(&word.as_str()))?;
    let after = &rest[end..];
    let number = after.strip_prefix(['.', '-']).unwrap_or(after);
    let length = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    let (n, after) = match number[..length].parse() {
        Ok(n) => (n, &number[length..]),
        Err(_) => (0, after),
    };
    Some(((rank, n), text.len() - after.len()))
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let parts = self.numbers.len().max(other.numbers.len());
        let numbers = (0..parts).map(|at| self.part(at).cmp(&other.part(at)));
        let early = match (self.early, other.early) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(two)) => one.cmp(&two),
        };
        numbers.fold(Ordering::Equal, Ordering::then).then(early)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `3.9` and `3.9.0` are the same version.
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a version; write it in quotes, like `\"3.11\"`"
            ))
        })
    }
}

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[vV]?[0-9]+(\\.[0-9]+)*.*$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn they_are_compared_as_versions() {
        let rising = [
            "0.9",
            "1.0.dev3",
            "1.0a1",
            "1.0.0-alpha.2",
            "1.0b1",
            "1.0rc1",
            "1.0.0-rc.2",
            "1.0",
            "1.0.1",
            "1.2",
            "1.10",
            "2.0.0-nightly",
            "2",
            "3.9",
            "3.10.0rc1",
            "3.10",
            "10.8.2",
            "20260101",
        ];
        for pair in rising.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
            assert!(version(pair[1]) > version(pair[0]), "{pair:?}");
        }
        for (one, two) in
            [("3.9", "3.9.0"), ("v22", "22.0.0"), ("1.0-RC1", "1.0rc1"), ("1.0c1", "1.0rc1"), ("01.2", "1.2")]
        {
            assert_eq!(version(one), version(two), "{one} {two}");
        }
    }

    #[test]
    fn suffixes_of_who_built_it_are_left_alone() {
        for (text, expected) in [
            ("8.3.6-1ubuntu0.24.04.1 (cli)", "8.3.6"),
            ("2.40.1.windows.1", "2.40.1"),
            ("3.13.0a1+", "3.13.0a1"),
            ("1.96.0-nightly (abc)", "1.96.0-nightly"),
            ("8.4.0RC1 (cli)", "8.4.0RC1"),
            ("1.22rc1 linux/amd64", "1.22rc1"),
            ("3.9.18 :: Anaconda", "3.9.18"),
        ] {
            assert_eq!(Version::at_start(text).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "latest", "v", ".1", "1.", "1.x", "99999999999999999999", "1.2.3.4.5.6.7"] {
            assert!(Version::parse(text).is_none(), "{text}");
        }
        let wrong = serde_json::from_str::<Version>("\"new\"").unwrap_err().to_string();
        assert!(wrong.contains("`new` is not a version"), "{wrong}");
        assert!(serde_json::from_str::<Version>("3.1").is_err(), "a number has lost its zeros");
    }
}
