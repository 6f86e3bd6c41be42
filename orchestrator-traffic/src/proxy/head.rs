//! The head of a request in HTTP/1, byte for byte: what two readers might take for two different things is refused (RFC 9112). Pure.

/// What is refused, with the status that says so.
pub(super) type Refused = u16;

const BAD: Refused = 400;
const TARGET_TOO_LONG: Refused = 414;
const TOO_LARGE: Refused = 431;
const NOT_IMPLEMENTED: Refused = 501;
const VERSION: Refused = 505;

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Follows {
    pub(super) body: Body,
    /// It asks for another protocol, so what follows the body may be no HTTP.
    pub(super) upgrade: bool,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Bytes(u64),
    Chunks,
}

/// Where a section of lines ends, its empty line included. Lines that end without CR are seen as well: they are refused later.
/// `searched` bytes are known to hold no end.
pub(super) fn end_of_section(bytes: &[u8], searched: usize) -> Option<usize> {
    let mut at = searched;
    while let Some(next) = memchr::memchr(b'\n', &bytes[at..]) {
        at += next + 1;
        match &bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Checks a whole head, from its first line to its empty one. At most `most` header lines.
pub(super) fn check(head: &[u8], most: usize, target_bytes: usize) -> Result<Follows, Refused> {
    let mut lines = Lines(head);
    let request = RequestLine::read(lines.next().ok_or(BAD)??, target_bytes)?;
    let mut seen = Seen::default();
    let mut count = 0;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        count += 1;
        if count > most {
            return Err(TOO_LARGE);
        }
        let (name, value) = field(line)?;
        seen.take(name, value)?;
    }
    seen.conclude(&request)
}

/// Checks trailers, from the first line to the empty one: none of them may say how long the message was, or to whom it went.
pub(super) fn check_trailers(section: &[u8], most: usize) -> Result<(), Refused> {
    for (count, line) in Lines(section).enumerate() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let (name, _) = field(line)?;
        let framing: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"host"];
        if framing.iter().any(|one| name.eq_ignore_ascii_case(one)) {
            return Err(BAD);
        }
        if count >= most {
            return Err(TOO_LARGE);
        }
    }
    Ok(())
}

/// Lines that end with CR LF and hold neither anywhere else (section 2.2).
pub(super) struct Lines<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], Refused>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = memchr::memchr(b'\n', self.0)?;
        let (line, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        let Some((b'\r', line)) = line.split_last() else { return Some(Err(BAD)) };
        if memchr::memchr2(b'\r', 0, line).is_some() {
            return Some(Err(BAD));
        }
        Some(Ok(line))
    }
}

struct RequestLine<'a> {
    connect: bool,
    /// The host of a target in absolute form.
    authority: Option<&'a [u8]>,
    one_dot_one: bool,
}

impl<'a> RequestLine<'a> {
    fn read(line: &'a [u8], target_bytes: usize) -> Result<Self, Refused> {
        let mut parts = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), version) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BAD);
        };
        if target.len() > target_bytes {
            return Err(TARGET_TOO_LONG);
        }
        let one_dot_one = match version {
            Some(b"HTTP/1.1") => true,
            Some(b"HTTP/1.0") => false,
            Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
                if major.is_ascii_digit() && minor.is_ascii_digit() && *major != b'1' =>
            {
                return Err(VERSION);
            }
            Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor]) if minor.is_ascii_digit() => true,
            _ => return Err(BAD),
        };
        if parts.next().is_some() || !is_token(method) || target.is_empty() {
            return Err(BAD);
        }
        if !target.iter().all(|byte| byte.is_ascii_graphic() || *byte >= 0x80) {
            return Err(BAD);
        }
        let connect = method == b"CONNECT";
        let authority = match target {
            [b'/', ..] => None,
            b"*" if method == b"OPTIONS" => None,
            _ if connect => None,
            _ => Some(authority(target)?),
        };
        Ok(Self { connect, authority, one_dot_one })
    }
}

/// The host and port of a target in absolute form (section 3.2.2).
fn authority(target: &[u8]) -> Result<&[u8], Refused> {
    let rest = [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let rest = rest.ok_or(BAD)?;
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let authority = &rest[..end];
    if authority.is_empty() || !is_host(authority) { Err(BAD) } else { Ok(authority) }
}

/// A header line: its name and its value without the space around it (section 5).
pub(super) fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Refused> {
    // A line that starts with space goes on with the one before (obs-fold), and space before the colon is read in two ways:
    // neither is part of a token.
    let colon = memchr::memchr(b':', line).ok_or(BAD)?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let printable = |byte: &u8| *byte >= 0x20 && *byte != 0x7F || *byte == b'\t';
    if is_token(name) && value.iter().all(printable) { Ok((name, value)) } else { Err(BAD) }
}

/// What the header lines say that decides where the message ends.
#[derive(Default)]
struct Seen<'a> {
    length: Option<u64>,
    chunked: bool,
    host: Option<&'a [u8]>,
    upgrade: bool,
}

impl<'a> Seen<'a> {
    fn take(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Refused> {
        // Names are told by their length first: almost none is of interest.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                once(self.host.replace(value).is_none() && is_host(value))?;
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                once(self.length.replace(length(value)?).is_none())?;
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                codings(value)?;
                once(!std::mem::replace(&mut self.chunked, true))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn conclude(self, request: &RequestLine) -> Result<Follows, Refused> {
        if self.chunked && (self.length.is_some() || !request.one_dot_one) {
            return Err(BAD);
        }
        if request.one_dot_one && self.host.is_none() {
            return Err(BAD);
        }
        if let (Some(authority), Some(host)) = (request.authority, self.host)
            && !authority.eq_ignore_ascii_case(host)
        {
            return Err(BAD);
        }
        if request.connect {
            return Err(NOT_IMPLEMENTED);
        }
        let body = if self.chunked { Body::Chunks } else { Body::Bytes(self.length.unwrap_or(0)) };
        Ok(Follows { body, upgrade: self.upgrade })
    }
}

/// What must be there only once, and be sound.
fn once(holds: bool) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(BAD) }
}

/// The only coding that is spoken is `chunked`, once and last (section 6.1).
fn codings(value: &[u8]) -> Result<(), Refused> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let is_chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
    let known: [&[u8]; 5] = [b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"];
    let mut codings: Vec<&[u8]> = value.split(|byte| *byte == b',').collect();
    let last = codings.pop().unwrap_or_default();
    let others =
        codings.iter().all(|coding| known.iter().any(|one| coding.trim_ascii().eq_ignore_ascii_case(one)));
    if is_chunked(last) && others { Err(NOT_IMPLEMENTED) } else { Err(BAD) }
}

fn length(value: &[u8]) -> Result<u64, Refused> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(BAD);
    }
    let text = std::str::from_utf8(value).map_err(|_| BAD)?;
    text.parse().map_err(|_| BAD)
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| TOKEN[usize::from(*byte)])
}

/// Whether all of it may stand in the name of a host.
pub(super) fn is_host(host: &[u8]) -> bool {
    host.iter().all(|byte| HOST[usize::from(*byte)])
}

/// What a name may hold (RFC 9110, section 5.6.2).
const TOKEN: [bool; 256] = letters_and(b"!#$%&'*+-.^_`|~");
/// What a host and its port may hold (RFC 3986, section 3.2.2).
const HOST: [bool; 256] = letters_and(b"-._~%!$&'()*+,;=:[]");

const fn letters_and(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}
