//! The head of a plain request, as its version gets it.

use http::Method;
use http::uri::PathAndQuery;

use super::super::connection::Client;
use super::super::head::{Lines, end_of_section, field};
use super::super::table::Fields;

/// A head that was checked before.
pub(super) struct Asked<'a> {
    pub(super) target: PathAndQuery,
    /// What it calls the host, with the port.
    pub(super) host: &'a [u8],
    pub(super) fields: Raw<'a>,
    /// What its version gets.
    pub(super) request: Vec<u8>,
    /// Bytes that it takes, empty lines before it included.
    pub(super) length: usize,
    /// It asks for the head only.
    pub(super) head: bool,
    /// It asks for the connection to be closed afterwards.
    pub(super) close: bool,
}

/// The header lines.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a>(&'a [u8]);

impl<'a> Raw<'a> {
    fn fields(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        Lines(self.0).map_while(|line| field(line.ok()?).ok())
    }
}

impl Fields for Raw<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields().filter(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }
}

/// What a header line is to a proxy.
enum Kind {
    /// Passed on.
    Plain,
    Host,
    Connection,
    /// Who asked, said by a proxy before this one.
    For,
    /// Said by this proxy itself.
    Ours,
    /// Where it came by.
    Via,
    /// More than is dealt with here.
    Other,
}

fn kind(name: &[u8]) -> Kind {
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    // By the length first: almost none is of interest.
    match name.len() {
        2 if is(b"te") => Kind::Other,
        3 if is(b"via") => Kind::Via,
        4 if is(b"host") => Kind::Host,
        6 if is(b"expect") => Kind::Other,
        7 if is(b"upgrade") => Kind::Other,
        10 if is(b"connection") => Kind::Connection,
        10 if is(b"keep-alive") => Kind::Other,
        14 if is(b"content-length") || is(b"http2-settings") => Kind::Other,
        15 if is(b"x-forwarded-for") => Kind::For,
        16 if is(b"x-forwarded-host") => Kind::Ours,
        16 if is(b"proxy-connection") => Kind::Other,
        17 if is(b"x-forwarded-proto") => Kind::Ours,
        17 if is(b"transfer-encoding") => Kind::Other,
        _ => Kind::Plain,
    }
}

impl<'a> Asked<'a> {
    /// The first head there; none where it is not plain.
    pub(super) fn read(bytes: &'a [u8], client: &Client) -> Option<Self> {
        let blank = bytes.chunks(2).take_while(|pair| *pair == b"\r\n").count() * 2;
        let length = end_of_section(&bytes[blank..], 0)? + blank;
        let mut lines = Lines(&bytes[blank..length - 2]);
        let first = lines.next()?.ok()?;
        let head = first.starts_with(b"HEAD ");
        let target = if head { &first[5..] } else { first.strip_prefix(b"GET ")? };
        let target = target.strip_suffix(b" HTTP/1.1").filter(|target| target.starts_with(b"/"))?;
        let target = PathAndQuery::try_from(target).ok()?;
        // A fragment is no part of a target, so what is passed on would not be what was routed.
        if target.as_str().len() + 9 + if head { 5 } else { 4 } != first.len() {
            return None;
        }
        let fields = Raw(lines.0);
        let mut asked = Self {
            target,
            host: b"",
            fields,
            request: Vec::with_capacity(length + 200),
            length,
            head,
            close: false,
        };
        asked.line(&[first]);
        asked.pass(client)?;
        Some(asked)
    }

    fn line(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.request.extend_from_slice(part);
        }
        self.request.extend_from_slice(b"\r\n");
    }

    fn pass(&mut self, client: &Client) -> Option<()> {
        let mut before: Vec<&[u8]> = Vec::new();
        for (name, value) in self.fields.fields() {
            match kind(name) {
                Kind::Plain => self.line(&[name, b": ", value]),
                Kind::Host => {
                    self.host = value;
                    self.line(&[name, b": ", value]);
                }
                Kind::Connection if value.eq_ignore_ascii_case(b"keep-alive") => {}
                Kind::Connection if value.eq_ignore_ascii_case(b"close") => self.close = true,
                Kind::For => before.push(value),
                Kind::Ours => {}
                // Loops are counted there.
                Kind::Via if memchr::memmem::find(value, b"orchestrate").is_none() => {
                    self.line(&[name, b": ", value]);
                }
                Kind::Connection | Kind::Via | Kind::Other => return None,
            }
        }
        self.line(&[b"via: 1.1 orchestrate"]);
        self.request.extend_from_slice(b"x-forwarded-for: ");
        for one in before {
            self.request.extend_from_slice(one);
            self.request.extend_from_slice(b", ");
        }
        self.line(&[client.address.as_bytes()]);
        self.line(&[b"x-forwarded-proto: ", if client.secure { b"https" } else { b"http" }]);
        self.line(&[b"x-forwarded-host: ", self.host]);
        self.line(&[]);
        Some(())
    }

    pub(super) fn method(&self) -> Method {
        if self.head { Method::HEAD } else { Method::GET }
    }

    /// The host without the port, as routes know it.
    pub(super) fn named(&self) -> &'a str {
        let host = std::str::from_utf8(self.host).unwrap_or_default();
        let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
        &host[..end.unwrap_or(host.len())]
    }
}
