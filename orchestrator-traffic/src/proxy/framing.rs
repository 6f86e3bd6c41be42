//! Where messages of HTTP/1 begin and end on a connection of a client. Pure.

use super::Limits;
use super::head::{self, Body, Refused, end_of_section};

/// Follows what a client sends, so that only whole and sound heads go on, and bodies as far as they are sound.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    /// After the body: what follows may be another protocol.
    upgrade: bool,
    /// Bytes of the section that is awaited that hold no end.
    searched: usize,
    /// Bytes of the body so far, where it comes in chunks.
    body: u64,
    /// Empty lines before the head.
    blank: usize,
    bounds: Bounds,
}

#[derive(Debug)]
struct Bounds {
    section: usize,
    lines: usize,
    target: usize,
    body: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Bytes(u64),
    ChunkSize(Size),
    ChunkData(u64),
    /// That many bytes of the CR LF after a chunk came.
    ChunkEnd(u8),
    Trailers,
    /// It depends on the answer how the bytes are to be read.
    Upgrade,
}

/// A chunk's first line, as far as it came.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Size {
    value: u64,
    digits: u8,
    extension: u16,
    ends: bool,
}

/// A part of a message that may go on.
struct Part {
    bytes: usize,
    is_head: bool,
}

impl Part {
    fn of(bytes: usize) -> Self {
        Self { bytes, is_head: false }
    }
}

/// The most empty lines before a request.
const BLANK: usize = 4;
/// The most bytes of the extensions of one chunk.
const EXTENSION: u16 = 256;

/// What comes after the bytes that may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// More of the same, when there is more.
    More,
    /// A head that is refused.
    Refused(Refused),
    /// A body that cannot go on.
    Broken(Refused),
}

impl Framing {
    pub(super) fn new(limits: &Limits) -> Self {
        let bounds = Bounds {
            section: limits.head_bytes,
            lines: limits.headers,
            target: limits.target_bytes,
            body: limits.body_bytes.unwrap_or(u64::MAX),
        };
        Self { state: State::Head, upgrade: false, searched: 0, body: 0, blank: 0, bounds }
    }

    /// Whether the next bytes belong to a body.
    pub(super) fn in_body(&self) -> bool {
        !matches!(self.state, State::Head | State::Upgrade)
    }

    /// Whether nothing can be read before a request to change the protocol was answered.
    pub(super) fn awaits_answer(&self) -> bool {
        self.state == State::Upgrade
    }

    /// The protocol was not changed.
    pub(super) fn go_on(&mut self) {
        self.state = State::Head;
    }

    /// How many of the bytes may go on, how many heads are among them, and what comes then. What may not is to be given again, with more after it.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (usize, u64, After) {
        let (mut at, mut heads) = (0, 0);
        while at < bytes.len() {
            match self.step(&bytes[at..]) {
                Ok(Part { bytes: 0, .. }) => break,
                Ok(part) => {
                    self.searched = 0;
                    heads += u64::from(part.is_head);
                    at += part.bytes;
                }
                Err(after) => return (at, heads, after),
            }
        }
        (at, heads, After::More)
    }

    /// Takes the next part of a message, if all of it that is needed is there.
    fn step(&mut self, bytes: &[u8]) -> Result<Part, After> {
        match self.state {
            State::Head => self.head(bytes),
            State::Bytes(left) => {
                let passed = take(left, bytes);
                self.state = if left == passed as u64 {
                    self.after_body()
                } else {
                    State::Bytes(left - passed as u64)
                };
                Ok(Part::of(passed))
            }
            State::ChunkSize(size) => self.chunk_size(size, bytes[0]).map(|()| Part::of(1)),
            State::ChunkData(left) => {
                let passed = take(left, bytes);
                let left = left - passed as u64;
                self.state = if left == 0 { State::ChunkEnd(0) } else { State::ChunkData(left) };
                Ok(Part::of(passed))
            }
            State::ChunkEnd(came) => {
                if bytes[0] != [b'\r', b'\n'][usize::from(came)] {
                    return Err(After::Broken(400));
                }
                self.state = if came == 0 { State::ChunkEnd(1) } else { State::ChunkSize(Size::default()) };
                Ok(Part::of(1))
            }
            State::Trailers => self.trailers(bytes),
            State::Upgrade => Ok(Part::of(0)),
        }
    }

    fn after_body(&self) -> State {
        if self.upgrade { State::Upgrade } else { State::Head }
    }

    fn head(&mut self, bytes: &[u8]) -> Result<Part, After> {
        // Empty lines before a request are passed over (section 2.2), few of them.
        let blank = bytes.chunks(2).take_while(|pair| *pair == b"\r\n").count();
        if blank > 0 {
            self.blank = self.blank.saturating_add(blank);
            return if self.blank > BLANK { Err(After::Refused(400)) } else { Ok(Part::of(blank * 2)) };
        }
        let Some(end) = end_of_section(bytes, self.searched) else {
            if bytes.len() > self.bounds.section {
                return Err(After::Refused(too_large(bytes, self.bounds.target)));
            }
            // The last three bytes may be the start of the end.
            self.searched = bytes.len().saturating_sub(3);
            return Ok(Part::of(0));
        };
        if end > self.bounds.section {
            return Err(After::Refused(too_large(bytes, self.bounds.target)));
        }
        let follows =
            head::check(&bytes[..end], self.bounds.lines, self.bounds.target).map_err(After::Refused)?;
        self.upgrade = follows.upgrade;
        (self.body, self.blank) = (0, 0);
        self.state = match follows.body {
            Body::Bytes(length) if length > self.bounds.body => return Err(After::Refused(413)),
            Body::Bytes(0) => self.after_body(),
            Body::Bytes(length) => State::Bytes(length),
            Body::Chunks => State::ChunkSize(Size::default()),
        };
        Ok(Part { bytes: end, is_head: true })
    }

    fn chunk_size(&mut self, mut size: Size, byte: u8) -> Result<(), After> {
        let broken = Err(After::Broken(400));
        if size.ends {
            return if byte == b'\n' { self.chunk(size.value) } else { broken };
        }
        match byte {
            b'\r' if size.digits > 0 => size.ends = true,
            b';' if size.digits > 0 && size.extension == 0 => size.extension = 1,
            b'\t' | b' '..=b'~' if size.extension > 0 => {
                size.extension += 1;
                if size.extension > EXTENSION {
                    return broken;
                }
            }
            _ => {
                let digit = char::from(byte).to_digit(16);
                let (Some(digit), true) = (digit, size.digits < 15 && size.extension == 0) else {
                    return broken;
                };
                size.value = size.value << 4 | u64::from(digit);
                size.digits += 1;
            }
        }
        self.state = State::ChunkSize(size);
        Ok(())
    }

    fn chunk(&mut self, length: u64) -> Result<(), After> {
        self.body = self.body.saturating_add(length);
        if self.body > self.bounds.body {
            return Err(After::Broken(413));
        }
        self.state = if length == 0 { State::Trailers } else { State::ChunkData(length) };
        Ok(())
    }

    fn trailers(&mut self, bytes: &[u8]) -> Result<Part, After> {
        let end = if bytes.starts_with(b"\r\n") { Some(2) } else { end_of_section(bytes, self.searched) };
        let Some(end) = end else {
            if bytes.len() > self.bounds.section {
                return Err(After::Broken(431));
            }
            self.searched = bytes.len().saturating_sub(3);
            return Ok(Part::of(0));
        };
        if end > self.bounds.section {
            return Err(After::Broken(431));
        }
        head::check_trailers(&bytes[..end], self.bounds.lines).map_err(After::Broken)?;
        self.state = self.after_body();
        Ok(Part::of(end))
    }
}

fn take(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len())
}

/// Of a head that is too large, it is the target where its first line is.
fn too_large(bytes: &[u8], target: usize) -> Refused {
    let first = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    if first > target + 32 { 414 } else { 431 }
}

#[cfg(test)]
mod tests;
