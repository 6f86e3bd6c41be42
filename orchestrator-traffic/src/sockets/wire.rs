//! Lines over a unix socket, with descriptors beside them.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;

/// The most descriptors beside one line; the system takes 253.
const MOST: usize = 64;
/// The most bytes of a line.
const LONGEST: usize = 64 << 10;
/// How long the other side may take to make room for a line.
const PATIENCE: Duration = Duration::from_secs(10);

/// A stream, and what came over it and was not asked for yet.
#[derive(Debug)]
pub(super) struct Wire {
    stream: UnixStream,
    bytes: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

impl Wire {
    pub(super) fn of(stream: UnixStream) -> Self {
        Self { stream, bytes: Vec::new(), descriptors: VecDeque::new() }
    }

    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Sends a line and these descriptors beside it.
    pub(super) fn send(&mut self, line: &impl Serialize, descriptors: &[BorrowedFd]) -> io::Result<()> {
        if descriptors.len() > MOST {
            let why = format!("{} sockets are too many to hand over: at most {MOST}", descriptors.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.stream.set_write_timeout(Some(PATIENCE))?;
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::other("the sockets do not fit into one message"));
        }
        let sent = loop {
            match sendmsg(&self.stream, &[IoSlice::new(&text)], &mut beside, SendFlags::NOSIGNAL) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other?,
            }
        };
        self.stream.write_all(&text[sent..])
    }

    /// The next line; none at the end. Without a moment given it waits without end.
    pub(super) fn line(&mut self, until: Option<Instant>) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                let text = String::from_utf8(line).map_err(|_| io::Error::other("a line is no text"))?;
                return Ok(Some(text));
            }
            if self.bytes.len() > LONGEST {
                return Err(io::Error::other(format!("a line has more than {LONGEST} bytes")));
            }
            if self.more(until)? == 0 {
                return if self.bytes.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// The descriptors that came beside the line that was read.
    pub(super) fn descriptors(&mut self, count: usize) -> io::Result<Vec<OwnedFd>> {
        if self.descriptors.len() < count {
            let why = format!("{count} sockets were named, {} came", self.descriptors.len());
            return Err(io::Error::other(why));
        }
        Ok(self.descriptors.drain(..count).collect())
    }

    fn more(&mut self, until: Option<Instant>) -> io::Result<usize> {
        let mut chunk = [0; 4096];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
        let received = loop {
            self.stream.set_read_timeout(until.map(left).transpose()?)?;
            let mut beside = RecvAncillaryBuffer::new(&mut space);
            let mut into = [IoSliceMut::new(&mut chunk)];
            match recvmsg(&self.stream, &mut into, &mut beside, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                // It ended without having read what it was sent.
                Err(rustix::io::Errno::CONNRESET) => return Ok(0),
                Err(rustix::io::Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
                Err(error) => return Err(error.into()),
                Ok(received) => {
                    for message in beside.drain() {
                        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                            self.descriptors.extend(descriptors);
                        }
                    }
                    break received;
                }
            }
        };
        if received.flags.contains(ReturnFlags::CTRUNC) || self.descriptors.len() > MOST {
            return Err(io::Error::other(
                "more sockets came than can be taken: is the limit of open files too low?",
            ));
        }
        self.bytes.extend_from_slice(&chunk[..received.bytes]);
        Ok(received.bytes)
    }
}

/// What is left until then.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}
