//! Frames of websockets (RFC 6455, section 5), as far as an echo needs them.

use std::io;

use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A key and what a server makes of it: those of the RFC's own example (section 1.3). A load wants no secret of it.
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(super) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The longest frame that is read.
const LONGEST: u64 = 1 << 20;

/// What a frame is; fragments are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    fn of(byte: u8) -> io::Result<Self> {
        let known = [Self::Text, Self::Binary, Self::Close, Self::Ping, Self::Pong];
        let found = known.into_iter().find(|opcode| 0x80 | *opcode as u8 == byte);
        found.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("no whole frame of a known kind: {byte:#x}"))
        })
    }
}

/// Writes one whole frame; clients mask theirs, of at most 65,535 bytes.
pub(super) async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    opcode: Opcode,
    payload: &[u8],
    mask: Option<[u8; 4]>,
) -> io::Result<()> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![0x80 | opcode as u8];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..126), _) => frame.push(masked | short),
        (_, Ok(long)) => {
            frame.push(masked | 0x7e);
            frame.extend(long.to_be_bytes());
        }
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "the frame is too long")),
    }
    if let Some(mask) = mask {
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    } else {
        frame.extend(payload);
    }
    to.write_all(&frame).await?;
    to.flush().await
}

/// Reads one whole frame.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<(Opcode, Bytes)> {
    let mut head = [0; 2];
    from.read_exact(&mut head).await?;
    let opcode = Opcode::of(head[0])?;
    let length = match head[1] & 0x7f {
        126 => u64::from(from.read_u16().await?),
        127 => from.read_u64().await?,
        short => u64::from(short),
    };
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    let mut mask = [0; 4];
    if head[1] & 0x80 != 0 {
        from.read_exact(&mut mask).await?;
    }
    let mut payload = vec![0; usize::try_from(length).unwrap_or_default()];
    from.read_exact(&mut payload).await?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok((opcode, payload.into()))
}
