//! Keeping secrets out of all that is stored or shown.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::ops::Range;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;

use super::MaskStream;
use crate::BoxError;

/// What stands in a secret's place.
pub(super) const HIDDEN: &[u8] = b"***";
/// Anything shorter would hide half of any output.
const SHORTEST: usize = 4;
/// The shortest line of a secret of several lines to be hidden on its own.
const SHORTEST_LINE: usize = 8;
/// What strict encoders of URLs leave alone besides letters and digits (RFC 3986, unreserved).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same of `encodeURIComponent` (ECMA-262, 19.2.6.4).
const COMPONENT: &AsciiSet = &RESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// The same of Python's `urllib.parse.quote`.
const PATH: &AsciiSet = &RESERVED.remove(b'/');
/// The same of Go's `url.UserPassword`.
const USER: &AsciiSet =
    &RESERVED.remove(b'$').remove(b'&').remove(b'+').remove(b',').remove(b';').remove(b'=');
/// The same of forms, where a space is `+` (the URL standard, application/x-www-form-urlencoded).
const FORM: &AsciiSet = &RESERVED.add(b'~').remove(b'*');

/// Why a mask could not be made. Names secrets, never shows them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MaskError {
    /// It would hide half of any output.
    #[error("secret `{name}` is too short to be masked: it needs {SHORTEST} bytes or more")]
    TooShort {
        /// Its name.
        name: String,
    },
    /// All of them together.
    #[error("the secrets are too many or too long to be masked")]
    TooLarge(#[source] BoxError),
}

/// Knows secrets, and hides each byte that belongs to one, in the forms in which they leak: plain, base64, percent-encoded,
/// escaped as in JSON, and line by line. Each run of hidden bytes becomes `***`.
pub struct Mask {
    finder: AhoCorasick,
    /// Sorted, so that those which begin alike lie together.
    patterns: Vec<Vec<u8>>,
    longest: usize,
    starts: [bool; 256],
}

impl Mask {
    /// The fewest bytes of a secret.
    pub const SHORTEST: usize = SHORTEST;

    /// A mask for secrets given as (name, value).
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, MaskError> {
        let mut patterns = BTreeSet::new();
        for (name, value) in secrets {
            if value.len() < SHORTEST {
                return Err(MaskError::TooShort { name: name.to_owned() });
            }
            let trimmed = Some(value.trim()).filter(|trimmed| trimmed.len() >= SHORTEST);
            let lines = value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
            for part in std::iter::once(value).chain(trimmed).chain(lines) {
                patterns.extend(forms(part).into_iter().map(String::into_bytes));
            }
        }
        let finder = AhoCorasick::new(&patterns).map_err(|error| MaskError::TooLarge(error.into()))?;
        let mut starts = [false; 256];
        for pattern in &patterns {
            starts[usize::from(pattern[0])] = true;
        }
        let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
        Ok(Self { finder, patterns: patterns.into_iter().collect(), longest, starts })
    }

    /// How a text stands within JSON, as common encoders write it: as it is where they need not change it; what HTML would read as
    /// `\u0026` (Go, and Gson with more of it), `/` as `\/` (PHP), and what is no ASCII as `\u00fc` (Python; PHP does both).
    pub fn in_json(text: &str) -> BTreeSet<String> {
        let json = serde_json::Value::from(text).to_string();
        let plain = &json[1..json.len() - 1];
        let is_html = |c: char| matches!(c, '&' | '<' | '>' | '\u{2028}' | '\u{2029}');
        let ascii = escaped(plain, |c| !c.is_ascii());
        BTreeSet::from([
            escaped(plain, is_html),
            escaped(plain, |c| is_html(c) || matches!(c, '=' | '\'')),
            plain.replace('/', r"\/"),
            ascii.replace('/', r"\/"),
            ascii,
            plain.to_owned(),
        ])
    }

    /// The most bytes that a secret has in any of its forms.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The text with its secrets hidden.
    pub fn text(&self, text: &str) -> String {
        let mut stream = MaskStream::new(self);
        let mut out = Vec::with_capacity(text.len());
        stream.push(text.as_bytes(), &mut out);
        stream.finish(&mut out);
        // Patterns are whole characters and so is the text, hence what is left over is too.
        String::from_utf8_lossy(&out).into_owned()
    }

    pub(super) fn occurs_in(&self, text: &[u8]) -> bool {
        self.finder.is_match(text)
    }

    /// Where secrets lie in the text, overlaps and all, by their start.
    pub(super) fn occurrences(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<_> = self.finder.find_overlapping_iter(text).map(|found| found.range()).collect();
        found.sort_unstable_by_key(|range| range.start);
        found
    }

    /// How much of the text's beginning can hold no secret that only later bytes would complete.
    pub(super) fn decided(&self, text: &[u8]) -> usize {
        let from = text.len().saturating_sub(self.longest.saturating_sub(1));
        (from..text.len()).find(|&at| self.may_grow(&text[at..])).unwrap_or(text.len())
    }

    /// Whether a secret begins with these bytes and goes on after them.
    fn may_grow(&self, end: &[u8]) -> bool {
        self.starts[usize::from(end[0])] && {
            let next = self.patterns.partition_point(|pattern| pattern.as_slice() <= end);
            self.patterns.get(next).is_some_and(|pattern| pattern.starts_with(end))
        }
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask").field("patterns", &self.patterns.len()).finish_non_exhaustive()
    }
}

/// Many of them are the same for most secrets.
fn forms(value: &str) -> BTreeSet<String> {
    let mut forms = Mask::in_json(value);
    forms.extend([
        value.to_owned(),
        BASE64_STANDARD.encode(value),
        BASE64_STANDARD_NO_PAD.encode(value),
        BASE64_URL_SAFE.encode(value),
        BASE64_URL_SAFE_NO_PAD.encode(value),
    ]);
    let encoded = |set| utf8_percent_encode(value, set).to_string();
    let plus = [RESERVED, FORM].map(|set| encoded(set).replace("%20", "+"));
    let percent = [NON_ALPHANUMERIC, RESERVED, COMPONENT, PATH, USER].map(encoded);
    for form in percent.into_iter().chain(plus) {
        forms.insert(lower_escapes(&form));
        forms.insert(form);
    }
    forms
}

/// JSON with such characters as `\u0026`: they stand for themselves in it, and for nothing else.
fn escaped(json: &str, is_out: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_out(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// `%2F` as `%2f`: both are about.
fn lower_escapes(encoded: &str) -> String {
    let mut pieces = encoded.split('%');
    let mut lower = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at(2);
        lower.extend(["%", &digits.to_ascii_lowercase(), rest]);
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(values: &[&str]) -> Mask {
        Mask::new(values.iter().map(|value| ("NAME", *value))).unwrap()
    }

    #[test]
    fn hides_every_form() {
        let mask = mask(&["p/ss w?rd\"~ü"]);
        for leak in [
            "p/ss w?rd\"~ü",
            "cC9zcyB3P3JkIn7DvA==",
            "cC9zcyB3P3JkIn7DvA",
            "p%2Fss%20w%3Frd%22%7E%C3%BC",
            "p%2Fss%20w%3Frd%22~%C3%BC",
            "p%2fss%20w%3frd%22~%c3%bc",
            "p%2Fss+w%3Frd%22~%C3%BC",
            r#"p/ss w?rd\"~ü"#,
            r#"p\/ss w?rd\"~ü"#,
            r#"p/ss w?rd\"~\u00fc"#,
            r#"p\/ss w?rd\"~\u00fc"#,
            "p/ss%20w%3Frd%22~%C3%BC",
            "p%2Fss+w%3Frd%22%7E%C3%BC",
            "p%2fss+w%3frd%22~%c3%bc",
        ] {
            assert_eq!(mask.text(&format!("a {leak} b")), "a *** b", "{leak}");
        }
        assert_eq!(super::lower_escapes("A%2FBC%C3%BCD"), "A%2fBC%c3%bcD");
    }

    #[test]
    fn hides_what_encoders_make_of_signs() {
        let mask = mask(&["p&ss='<x>'", "p@ss!w", "u$&+,;=@p", "k😀y/"]);
        for leak in [
            r"p\u0026ss='\u003cx\u003e'",
            r"p\u0026ss\u003d\u0027\u003cx\u003e\u0027",
            "p%40ss!w",
            "u$&+,;=%40p",
            r"k\ud83d\ude00y/",
            r"k\ud83d\ude00y\/",
        ] {
            assert_eq!(mask.text(&format!("a {leak} b")), "a *** b", "{leak}");
        }
        assert_eq!(Mask::in_json("plain").len(), 1);
        assert_eq!(super::forms("p1ain").len(), 3, "itself, and base64 with and without its end");
    }

    #[test]
    fn hides_url_safe_base64() {
        let mask = mask(&["~~~???~~~"]);
        assert_eq!(mask.text("fn5-Pz8_fn5- fn5+Pz8/fn5+"), "*** ***");
    }

    #[test]
    fn hides_lines_of_a_long_secret() {
        let mask = mask(&["-----BEGIN-----\r\nMIIEpAIBAAK\n  indented-line\nshort\n-----END-----\n"]);
        assert_eq!(mask.text("key: MIIEpAIBAAK;short"), "key: ***;short");
        assert_eq!(mask.text("indented-line"), "***");
    }

    #[test]
    fn hides_what_overlaps() {
        assert_eq!(mask(&["abcd", "cdef"]).text("xabcdefy"), "x***y");
        assert_eq!(mask(&["aaaa"]).text("aaaaaaay"), "***y");
        assert_eq!(mask(&["abcd", "abcdefgh"]).text("abcdef abcdefgh"), "***ef ***");
    }

    #[test]
    fn a_trailing_line_end_need_not_be_there() {
        assert_eq!(mask(&["token\n"]).text("token."), "***.");
    }

    #[test]
    fn short_secrets_are_refused_by_name() {
        let error = Mask::new([("LONG", "long enough"), ("PIN", "123")]).unwrap_err();
        assert_eq!(error.to_string(), "secret `PIN` is too short to be masked: it needs 4 bytes or more");
    }

    #[test]
    fn shows_no_secret_itself() {
        assert!(!format!("{:?}", mask(&["visible"])).contains("visible"));
        assert_eq!(mask(&[]).text("anything"), "anything");
    }
}
