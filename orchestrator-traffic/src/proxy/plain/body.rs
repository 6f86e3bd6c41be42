//! The body of an answer: where it ends, and how it goes on.

use std::io::Write as _;

/// The most digits of a chunk's size.
const DIGITS: u8 = 15;
/// The most bytes of a chunk's extensions, and of the trailers.
const EXTRA: u32 = 16 << 10;

/// How a body comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coming {
    /// So many more bytes.
    Bytes(u64),
    /// In chunks.
    Chunks(Chunks),
    /// Up to the end of the connection.
    Rest,
}

/// A body that cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Senseless;

impl Coming {
    /// Whether all of it came.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Bytes(0) | Self::Chunks(Chunks::Over))
    }

    /// Whether it goes on in chunks, as its length is not known.
    pub(super) fn in_chunks(&self) -> bool {
        !matches!(self, Self::Bytes(_))
    }

    /// Passes on what came: how many bytes of it were the body's own, and how many of all were used.
    pub(super) fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(u64, usize), Senseless> {
        match self {
            Self::Bytes(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= count as u64;
                out.extend_from_slice(&bytes[..count]);
                Ok((count as u64, count))
            }
            Self::Rest => {
                chunk(bytes, out);
                Ok((bytes.len() as u64, bytes.len()))
            }
            Self::Chunks(chunks) => chunks.pass(bytes, out),
        }
    }

    /// The connection has ended: whether that is the body's end too.
    pub(super) fn ends(&mut self, out: &mut Vec<u8>) -> bool {
        let fine = *self == Self::Rest;
        if fine {
            out.extend_from_slice(LAST);
            *self = Self::Bytes(0);
        }
        fine
    }
}

/// The last chunk.
const LAST: &[u8] = b"0\r\n\r\n";

fn chunk(bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        // Nothing fails that is written to memory.
        let _ = write!(out, "{:x}\r\n", bytes.len());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
}

/// How far a body in chunks is (RFC 9112, section 7.1). Extensions and trailers are left out: nobody asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    Size {
        value: u64,
        digits: u8,
    },
    /// After the size: so many bytes of it came.
    Extension {
        value: u64,
        extra: u32,
    },
    /// After the CR of the first line.
    SizeEnd(u64),
    Data(u64),
    /// After the data: how many bytes of CR LF came.
    DataEnd(u8),
    /// At the start of a line of trailers, with bytes of trailers so far.
    Trailer(u32),
    /// In one.
    TrailerLine(u32),
    /// After the CR of the last line.
    End,
    Over,
}

impl Chunks {
    pub(super) const START: Self = Self::Size { value: 0, digits: 0 };

    fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(u64, usize), Senseless> {
        let (mut own, mut at) = (0, 0);
        while at < bytes.len() && *self != Self::Over {
            if let Self::Data(left) = *self {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                chunk(&bytes[at..at + count], out);
                at += count;
                own += count as u64;
                let left = left - count as u64;
                *self = if left == 0 { Self::DataEnd(0) } else { Self::Data(left) };
            } else {
                *self = self.step(bytes[at])?;
                at += 1;
            }
        }
        if *self == Self::Over {
            out.extend_from_slice(LAST);
        }
        Ok((own, at))
    }

    fn step(self, byte: u8) -> Result<Self, Senseless> {
        Ok(match (self, byte) {
            (Self::Size { value, digits: 1.. } | Self::Extension { value, .. }, b'\r') => {
                Self::SizeEnd(value)
            }
            (Self::Size { value, digits: 1.. }, b';' | b' ' | b'\t') => Self::Extension { value, extra: 1 },
            (Self::Size { value, digits: digits @ ..DIGITS }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(Senseless)?;
                Self::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Self::Extension { value, extra: extra @ ..EXTRA }, b'\t' | b' '..=b'~' | 0x80..) => {
                Self::Extension { value, extra: extra + 1 }
            }
            (Self::SizeEnd(0), b'\n') => Self::Trailer(0),
            (Self::SizeEnd(value), b'\n') => Self::Data(value),
            (Self::DataEnd(0), b'\r') => Self::DataEnd(1),
            (Self::DataEnd(1), b'\n') => Self::START,
            (Self::Trailer(_), b'\r') => Self::End,
            (Self::Trailer(extra) | Self::TrailerLine(extra), _) if extra >= EXTRA => return Err(Senseless),
            (Self::TrailerLine(extra), b'\n') => Self::Trailer(extra + 1),
            (Self::Trailer(extra) | Self::TrailerLine(extra), _) => Self::TrailerLine(extra + 1),
            (Self::End, b'\n') => Self::Over,
            _ => return Err(Senseless),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes on of a body in chunks that is cut in two there, and how many bytes were used.
    fn passed_in_two(bytes: &[u8], cut: usize) -> Result<(Vec<u8>, usize), Senseless> {
        let (mut coming, mut out, mut used) = (Coming::Chunks(Chunks::START), Vec::new(), 0);
        for part in [&bytes[..cut], &bytes[cut..]] {
            if !coming.is_over() {
                used += coming.pass(part, &mut out)?.1;
            }
        }
        assert!(coming.is_over() || used == bytes.len());
        Ok((out, used))
    }

    /// The data in it, and how many bytes were used, however it is cut.
    fn passed(bytes: &[u8]) -> Result<(Vec<u8>, usize), Senseless> {
        let of = |cut| {
            let (out, used) = passed_in_two(bytes, cut)?;
            let text: Vec<u8> =
                out.split(|byte| *byte == b'\n').skip(1).step_by(2).flatten().copied().collect();
            Ok((text.into_iter().filter(|byte| *byte != b'\r').collect(), used))
        };
        let whole = of(bytes.len());
        for cut in 0..bytes.len() {
            assert_eq!(of(cut), whole, "cut at {cut}");
        }
        whole
    }

    #[test]
    fn chunks_are_followed_to_their_end() {
        assert_eq!(passed(b"3;a=b\r\nabc\r\n0\r\nx-a: b\r\n\r\nmore"), Ok((b"abc".to_vec(), 25)));
        assert_eq!(passed(b"0\r\n\r\n"), Ok((Vec::new(), 5)));
        assert_eq!(passed(b"2\r\nab"), Ok((b"ab".to_vec(), 5)));
        let mut out = Vec::new();
        Coming::Chunks(Chunks::START).pass(b"3;a=b\r\nabc\r\n0\r\nx-a: b\r\n\r\nmore", &mut out).unwrap();
        assert_eq!(out, b"3\r\nabc\r\n0\r\n\r\n");
    }

    #[test]
    fn what_is_no_chunk_is_senseless() {
        for bytes in [
            b"\r\n".as_slice(),
            b"x\r\n",
            b"3\nabc\r\n0\r\n\r\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n",
            b"-1\r\n",
            b"fffffffffffffffff\r\n",
            b"1\r\na\r\n\r\n",
            b"1;\x01\r\na\r\n",
            b"0\r\n\rx",
        ] {
            assert_eq!(passed(bytes), Err(Senseless), "{}", bytes.escape_ascii());
        }
        let long = [b"1;".as_slice(), &vec![b'a'; EXTRA as usize], b"\r\n"].concat();
        assert_eq!(Coming::Chunks(Chunks::START).pass(&long, &mut Vec::new()), Err(Senseless));
    }

    #[test]
    fn a_body_without_a_length_goes_on_in_chunks() {
        let (mut coming, mut out) = (Coming::Rest, Vec::new());
        assert_eq!(coming.pass(b"abc", &mut out), Ok((3, 3)));
        assert!(coming.ends(&mut out) && coming.is_over());
        assert_eq!(out, b"3\r\nabc\r\n0\r\n\r\n");
        assert!(!Coming::Bytes(3).ends(&mut out));
    }
}
