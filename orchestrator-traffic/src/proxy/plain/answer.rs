//! The head of a version's answer, as the client gets it.

use std::cell::RefCell;
use std::io::Write as _;
use std::mem::MaybeUninit;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httparse::{Header, ParserConfig, Response, Status};
use jiff::Timestamp;

use super::super::headers::kept_by;
use super::body::{Chunks, Coming, Senseless};

/// The most header lines.
const LINES: usize = 100;

/// What came of a version.
#[derive(Debug)]
pub(super) enum Read {
    /// No whole head yet.
    More,
    /// One that only tells how it goes (RFC 9110, section 15.2), of so many bytes: the answer comes after it.
    Told(usize),
    Answer(Answer),
}

/// What an answer's head says to a proxy.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Coming,
    /// The version keeps the connection.
    pub(super) kept: bool,
    /// For how long, as far as it says so.
    pub(super) keep: Option<Duration>,
    /// Bytes that the head took.
    pub(super) length: usize,
    /// It tells the date itself.
    dated: bool,
}

impl Answer {
    /// Reads one head, and writes what of it goes on. `head`: there is no body, whatever it says.
    pub(super) fn read(bytes: &[u8], head: bool, out: &mut Vec<u8>) -> Result<Read, Senseless> {
        let mut lines = [const { MaybeUninit::uninit() }; LINES];
        let mut response = Response::new(&mut []);
        let parsed =
            ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut lines);
        let Status::Complete(length) = parsed.map_err(|_| Senseless)? else { return Ok(Read::More) };
        match response.code {
            Some(status @ (100 | 102..200)) => {
                told(status, &response, out);
                Ok(Read::Told(length))
            }
            Some(200..1000) => Self::written(&response, length, head, out).map(Read::Answer),
            _ => Err(Senseless),
        }
    }

    fn written(
        response: &Response<'_, '_>,
        length: usize,
        head: bool,
        out: &mut Vec<u8>,
    ) -> Result<Self, Senseless> {
        let status = response.code.ok_or(Senseless)?;
        let newer = response.version == Some(1);
        let mut seen = Seen::default();
        response.headers.iter().try_for_each(|line| seen.take(line))?;
        // Which of the two holds is not for the proxy to guess (RFC 9112, section 6.3).
        if seen.chunked && (seen.length.is_some() || !newer) {
            return Err(Senseless);
        }
        let without = head || matches!(status, 204 | 304);
        let body = match seen.length {
            _ if without => Coming::Bytes(0),
            Some(length) => Coming::Bytes(length),
            None if seen.chunked => Coming::Chunks(Chunks::START),
            None => Coming::Rest,
        };
        pass(status, response, &seen, out);
        if body.in_chunks() {
            line(out, &[b"transfer-encoding: chunked"]);
        } else if let Some(length) = seen.length.filter(|_| status != 204) {
            let _ = write!(out, "content-length: {length}\r\n");
        }
        let kept = !seen.close && (newer || seen.keeps) && body != Coming::Rest;
        Ok(Self { status, body, kept, keep: seen.keep, length, dated: seen.dated })
    }

    /// Ends the head.
    pub(super) fn finish(&self, close: bool, out: &mut Vec<u8>) {
        end(self.dated, close, out);
    }
}

/// Writes a head that only tells how it goes: the client is to know at once, so it has no other lines than its own.
fn told(status: u16, response: &Response<'_, '_>, out: &mut Vec<u8>) {
    let mut seen = Seen::default();
    for Header { value, .. } in
        response.headers.iter().filter(|line| line.name.eq_ignore_ascii_case("connection"))
    {
        seen.connection(value);
    }
    pass(status, response, &seen, out);
    line(out, &[]);
}

/// Writes the first line of a head, and those that are not about the connection.
fn pass(status: u16, response: &Response<'_, '_>, seen: &Seen<'_>, out: &mut Vec<u8>) {
    let _ = write!(out, "HTTP/1.1 {status} ");
    line(out, &[response.reason.unwrap_or_default().as_bytes()]);
    for Header { name, value } in response.headers.iter() {
        if !is_of_connection(name) && !seen.named.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            line(out, &[name.as_bytes(), b": ", value]);
        }
    }
}

/// What header lines say that decides how the answer goes on.
#[derive(Default)]
struct Seen<'a> {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keeps: bool,
    keep: Option<Duration>,
    dated: bool,
    /// Those that concern this connection only, because it says so.
    named: Vec<&'a str>,
}

impl<'a> Seen<'a> {
    fn take(&mut self, line: &Header<'a>) -> Result<(), Senseless> {
        let Header { name, value } = *line;
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        // Names are told by their length first: almost none is of interest.
        match name.len() {
            4 if is("date") => self.dated = true,
            10 if is("connection") => self.connection(value),
            10 if is("keep-alive") => self.keep = kept_by(value),
            14 if is("content-length") => {
                let length = length(value).ok_or(Senseless)?;
                if self.length.replace(length).is_some_and(|before| before != length) {
                    return Err(Senseless);
                }
            }
            17 if is("transfer-encoding") => {
                let again = std::mem::replace(&mut self.chunked, true);
                // Another coding would be taken off the client's sight with this line.
                return if again || !value.eq_ignore_ascii_case(b"chunked") {
                    Err(Senseless)
                } else {
                    Ok(())
                };
            }
            _ => {}
        }
        Ok(())
    }

    fn connection(&mut self, value: &'a [u8]) {
        for token in std::str::from_utf8(value).unwrap_or_default().split(',').map(str::trim) {
            match token {
                _ if token.eq_ignore_ascii_case("close") => self.close = true,
                _ if token.eq_ignore_ascii_case("keep-alive") => self.keeps = true,
                _ if token.eq_ignore_ascii_case("te") || token.eq_ignore_ascii_case("host") => {}
                _ => self.named.push(token),
            }
        }
    }
}

fn is_of_connection(name: &str) -> bool {
    let names: &[&str] = match name.len() {
        7 => &["upgrade"],
        10 => &["connection", "keep-alive"],
        14 => &["content-length"],
        16 => &["proxy-connection"],
        17 => &["transfer-encoding"],
        _ => return false,
    };
    names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

fn length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\n");
}

/// Ends a head: the date, where it is not told, and that the connection is closed.
pub(super) fn end(dated: bool, close: bool, out: &mut Vec<u8>) {
    if !dated {
        DATE.with_borrow_mut(|date| line(out, &[b"date: ", date.now().as_bytes()]));
    }
    if close {
        line(out, &[b"connection: close"]);
    }
    line(out, &[]);
}

/// The date as a header line tells it (RFC 9110, section 5.6.7), made once a second.
#[derive(Default)]
struct Date {
    second: u64,
    text: String,
}

thread_local! {
    static DATE: RefCell<Date> = RefCell::default();
}

impl Date {
    fn now(&mut self) -> &str {
        let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if self.second != second {
            self.second = second;
            self.text = i64::try_from(second)
                .ok()
                .and_then(|second| Timestamp::from_second(second).ok())
                .unwrap_or_default()
                .strftime("%a, %d %b %Y %H:%M:%S GMT")
                .to_string();
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str, head: bool) -> Result<Option<(Answer, String)>, Senseless> {
        let mut out = Vec::new();
        Ok(match Answer::read(bytes.as_bytes(), head, &mut out)? {
            Read::Answer(answer) => Some((answer, String::from_utf8(out).unwrap())),
            Read::More => None,
            told @ Read::Told(_) => panic!("{told:?}"),
        })
    }

    #[test]
    fn what_concerns_the_connection_stays_there() {
        let text = "HTTP/1.1 200 Fine\r\nA: b\r\nConnection: close, X-Own, te\r\nX-Own: 1\r\nKeep-Alive: timeout=7\r\n\
                    TE: x\r\nUpgrade: y\r\nContent-Length: 3\r\n\r\nabc";
        let (answer, out) = read(text, false).unwrap().unwrap();
        assert_eq!(out, "HTTP/1.1 200 Fine\r\nA: b\r\nTE: x\r\ncontent-length: 3\r\n");
        assert_eq!((answer.status, answer.body, answer.kept), (200, Coming::Bytes(3), false));
        assert_eq!((answer.keep, answer.length), (Some(Duration::from_secs(6)), text.len() - 3));
    }

    #[test]
    fn bodies_end_where_the_head_says() {
        let body = |text: &str, head| read(text, head).unwrap().unwrap().0.body;
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n";
        assert_eq!(body(chunks, false), Coming::Chunks(Chunks::START));
        assert_eq!(body(chunks, true), Coming::Bytes(0));
        assert_eq!(body("HTTP/1.0 200 OK\r\n\r\n", false), Coming::Rest);
        assert_eq!(body("HTTP/1.1 204 No\r\n\r\n", false), Coming::Bytes(0));
        assert_eq!(body("HTTP/1.1 304 No\r\ncontent-length: 5\r\n\r\n", false), Coming::Bytes(0));
        assert_eq!(
            body("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n", false),
            Coming::Bytes(5)
        );
    }

    #[test]
    fn heads_that_only_tell_how_it_goes_are_told() {
        let text =
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\nConnection: own\r\nOwn: 1\r\nContent-Length: 5\r\n\r\n";
        let rest = "HTTP/1.1 200 OK\r\n\r\n";
        let mut out = Vec::new();
        let told = Answer::read([text, rest].concat().as_bytes(), false, &mut out).unwrap();
        assert!(matches!(told, Read::Told(length) if length == text.len()), "{told:?}");
        assert_eq!(String::from_utf8(out).unwrap(), "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
        assert!(read(&text[..30], false).unwrap().is_none());
    }

    #[test]
    fn two_meanings_are_senseless() {
        for lines in [
            "content-length: 5\r\ntransfer-encoding: chunked",
            "content-length: 5\r\ncontent-length: 6",
            "content-length: 5, 5",
            "content-length: +5",
            "content-length: 99999999999999999999",
            "transfer-encoding: gzip, chunked",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            "a b: c",
            "a : c",
            "a: b\r\n c",
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n");
            assert_eq!(read(&text, false).err(), Some(Senseless), "{lines}");
        }
        for first in [
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked",
            "HTTP/1.1 101 Switch",
            "HTTP/1.1 099 X",
            "HTTP/2 200",
        ] {
            assert!(read(&format!("{first}\r\n\r\n"), false).is_err(), "{first}");
        }
    }

    #[test]
    fn heads_end_with_the_date() {
        let mut out = Vec::new();
        end(false, true, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("date: ") && text.ends_with(" GMT\r\nconnection: close\r\n\r\n"), "{text}");
        assert_eq!(text.lines().next().unwrap().len(), "date: Sun, 06 Nov 1994 08:49:37 GMT".len());
        let mut out = Vec::new();
        end(true, false, &mut out);
        assert_eq!(out, b"\r\n");
    }
}
