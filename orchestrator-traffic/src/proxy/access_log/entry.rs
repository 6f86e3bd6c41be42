//! One request, as the access log tells it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;
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

/// One request. Texts that clients chose go through [`Entry::text`]; of the path only what stands before `?` belongs here, since
/// queries hold secrets.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it came.
    pub at: SystemTime,
    /// From where.
    pub client: IpAddr,
    /// Its method.
    pub method: String,
    /// Its host.
    pub host: String,
    /// Its path, without the query.
    pub path: String,
    /// As which HTTP it came: `HTTP/1.1`.
    pub protocol: &'static str,
    /// The status of the answer; none where there was no answer.
    pub status: Option<u16>,
    /// Bytes of the body that was received.
    pub received: u64,
    /// Bytes of the body that was sent.
    pub sent: u64,
    /// Microseconds until the head of the answer.
    pub head_us: u64,
    /// Microseconds until all was sent.
    pub total_us: u64,
    /// The route; empty where none fits.
    pub route: String,
    /// The version that answered; empty where none did.
    pub version: String,
    /// Who the client says it is.
    pub agent: String,
    /// Where it says that it comes from.
    pub referer: String,
    /// What kept it from being answered in full.
    pub error: Option<&'static str>,
}

#[derive(Serialize)]
struct Line<'a> {
    at: Timestamp,
    client: IpAddr,
    method: &'a str,
    host: &'a str,
    path: &'a str,
    protocol: &'a str,
    status: Option<u16>,
    received: u64,
    sent: u64,
    head_us: u64,
    total_us: u64,
    route: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    agent: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    referer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Entry {
    /// What a client sent, as text of at most 1 KiB: no bytes that are none, nothing that a terminal obeys.
    pub fn text(bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]);
        let seen = |char: char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char };
        if text.contains(char::is_control) { text.chars().map(seen).collect() } else { text.into_owned() }
    }

    /// Adds it as a line.
    pub(super) fn write(&self, format: Format, into: &mut Vec<u8>) {
        match format {
            Format::Json => self.json(into),
            Format::Combined => self.combined(into),
        }
        into.push(b'\n');
    }

    fn json(&self, into: &mut Vec<u8>) {
        let line = Line {
            at: timestamp(self.at),
            client: self.client,
            method: &self.method,
            host: &self.host,
            path: &self.path,
            protocol: self.protocol,
            status: self.status,
            received: self.received,
            sent: self.sent,
            head_us: self.head_us,
            total_us: self.total_us,
            route: &self.route,
            version: &self.version,
            agent: &self.agent,
            referer: &self.referer,
            error: self.error,
        };
        serde_json::to_writer(into, &line).expect("texts and numbers are JSON, and a vector takes them");
    }

    fn combined(&self, into: &mut Vec<u8>) {
        let Self { client, protocol, sent, .. } = self;
        let at = timestamp(self.at).to_zoned(TimeZone::UTC).strftime("%d/%b/%Y:%H:%M:%S %z").to_string();
        let status = self.status.map_or(Cow::Borrowed("-"), |status| status.to_string().into());
        let [method, path] = [&self.method, &self.path].map(|text| escaped(text));
        let [referer, agent, route, version] =
            [&self.referer, &self.agent, &self.route, &self.version].map(|text| quoted(text));
        let ms = self.total_us as f64 / 1000.0;
        let line = format!(
            "{client} - - [{at}] \"{method} {path} {protocol}\" {status} {sent} {referer} {agent} {route} {version} {ms:.3}"
        );
        into.extend_from_slice(line.as_bytes());
    }
}

fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or_default()
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "\"-\"".into() } else { format!("\"{}\"", escaped(text)) }
}

/// Without anything that ends a field, a line, or speaks to a terminal.
fn escaped(text: &str) -> String {
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
