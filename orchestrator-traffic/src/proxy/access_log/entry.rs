//! One request, as the access log tells it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

/// The most bytes of a text that a client chose.
const LONGEST: usize = 1024;

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// The combined log format of web servers; route, version and milliseconds follow it.
    Combined,
}

/// One request. Of the path only what stands before `?` belongs here, since queries hold secrets. Texts of clients are cut to 1 KiB
/// and made harmless when they are written.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// When it came.
    pub at: SystemTime,
    /// From where.
    pub client: &'a str,
    /// Its method.
    pub method: &'a str,
    /// Its host; empty where it named none.
    pub host: &'a str,
    /// From where it was linked; only lines in the combined format tell it, without its query, and none of JSON.
    pub referer: &'a str,
    /// The program of the client; only lines in the combined format tell it.
    pub agent: &'a str,
    /// Its path, without the query.
    pub path: &'a str,
    /// The status of the answer; none where there was no answer.
    pub status: Option<u16>,
    /// Bytes of the body that was sent.
    pub sent: u64,
    /// Microseconds until the head of the answer.
    pub head_us: u64,
    /// Microseconds until all was sent.
    pub total_us: u64,
    /// The route; none where none fits.
    pub route: Option<&'a str>,
    /// The version that answered, or should have; none where there is none.
    pub version: Option<&'a str>,
    /// What kept it from being answered in full.
    pub broken: Option<&'a str>,
}

#[derive(Serialize)]
struct Line<'a> {
    at: Timestamp,
    client: &'a str,
    method: Cow<'a, str>,
    host: Cow<'a, str>,
    path: Cow<'a, str>,
    status: Option<u16>,
    sent: u64,
    head_us: u64,
    total_us: u64,
    route: Option<&'a str>,
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<&'a str>,
}

impl Entry<'_> {
    /// Adds it as a line.
    pub(super) fn write(&self, format: Format, into: &mut Vec<u8>) {
        match format {
            Format::Json => self.json(into),
            Format::Combined => self.combined(into),
        }
        into.push(b'\n');
    }

    fn json(&self, into: &mut Vec<u8>) {
        let Self {
            at,
            client,
            method,
            host,
            path,
            status,
            sent,
            head_us,
            total_us,
            route,
            version,
            broken,
            ..
        } = *self;
        let [method, host, path] = [method, host, path].map(harmless);
        let at = timestamp(at);
        let line =
            Line { at, client, method, host, path, status, sent, head_us, total_us, route, version, broken };
        serde_json::to_writer(into, &line).expect("texts and numbers are JSON, and a vector takes them");
    }

    fn combined(&self, into: &mut Vec<u8>) {
        let Self { client, sent, .. } = self;
        let at = timestamp(self.at).to_zoned(TimeZone::UTC).strftime("%d/%b/%Y:%H:%M:%S %z").to_string();
        let status = self.status.map_or(Cow::Borrowed("-"), |status| status.to_string().into());
        let [method, path] = [self.method, self.path].map(escaped);
        let [route, version] = [self.route, self.version].map(|text| escaped(text.unwrap_or("-")));
        let [referer, agent] = [without_query(self.referer), self.agent].map(|text| match text {
            "" => "-".to_owned(),
            text => escaped(text),
        });
        let ms = self.total_us as f64 / 1000.0;
        let line = format!(
            "{client} - - [{at}] \"{method} {path}\" {status} {sent} \"{referer}\" \"{agent}\" \"{route}\" \"{version}\" {ms:.3}"
        );
        into.extend_from_slice(line.as_bytes());
    }
}

fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or_default()
}

/// A URL up to its query or fragment, since both hold secrets.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// At most 1 KiB of a text.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

/// A text without what a terminal obeys; JSON escapes only some of it.
fn harmless(text: &str) -> Cow<'_, str> {
    let text = cut(text);
    let seen = |char: char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char };
    if text.contains(char::is_control) {
        text.chars().map(seen).collect::<String>().into()
    } else {
        text.into()
    }
}

/// A text without anything that ends a field, a line, or speaks to a terminal.
fn escaped(text: &str) -> String {
    let text = cut(text);
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' | '\\' => safe.extend(['\\', char]),
            ' '..='~' => safe.push(char),
            other => {
                let mut bytes = [0; 4];
                for byte in other.encode_utf8(&mut bytes).bytes() {
                    write!(safe, "\\x{byte:02x}").expect("a string takes everything");
                }
            }
        }
    }
    safe
}
