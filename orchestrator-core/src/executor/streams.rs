//! The three standard streams of one command, seen from our end.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};

use super::capture::{Capture, Captured};
use super::lines::Lines;
use super::pool::Scratch;
use super::{Spawn, SpawnError, Stream};

/// What is read at a time: all that a pipe holds unless told otherwise (Linux).
const CHUNK: usize = 64 * 1024;

/// Feeds a command its input and captures its outputs, whichever is ready first.
pub(super) struct Streams {
    input: Option<Input>,
    stdout: Output<ChildStdout>,
    stderr: Output<ChildStderr>,
}

struct Input {
    pipe: ChildStdin,
    bytes: Vec<u8>,
    written: usize,
}

struct Output<P> {
    /// `None` once the last holder of the other end has closed it.
    pipe: Option<P>,
    capture: Capture,
}

impl Streams {
    /// Takes over the child's pipes.
    pub(super) fn new(child: &mut Child, spawn: Spawn) -> io::Result<Self> {
        let Spawn { stdin, stdout, stderr, mask, lines, .. } = spawn;
        let input = child.stdin.take().zip(stdin).map(|(pipe, bytes)| Input::new(pipe, bytes)).transpose()?;
        let tell = |stream| lines.clone().map(|lines| Lines::new(stream, lines));
        Ok(Self {
            input,
            stdout: Output::new(
                child.stdout.take(),
                Capture::new(stdout, mask.clone(), tell(Stream::Stdout)),
            ),
            stderr: Output::new(child.stderr.take(), Capture::new(stderr, mask, tell(Stream::Stderr))),
        })
    }

    /// Whether there is anything left to wait for.
    pub(super) fn open(&self) -> bool {
        self.input.is_some() || self.speaking()
    }

    /// Whether more output may come.
    fn speaking(&self) -> bool {
        self.stdout.pipe.is_some() || self.stderr.pipe.is_some()
    }

    pub(super) fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits until something can be done, `watch` is ready or the time is up; does what can be done, once; returns whether
    /// `watch` was ready.
    pub(super) fn pump(
        &mut self,
        watch: Option<BorrowedFd<'_>>,
        timeout: Option<Duration>,
        scratch: &mut Scratch,
    ) -> Result<bool, Fault> {
        let ready = self.wait(watch, timeout)?;
        if !ready[0].is_empty() {
            self.feed()?;
        }
        self.stdout.take(ready[1], scratch)?;
        self.stderr.take(ready[2], scratch)?;
        Ok(!ready[3].is_empty())
    }

    /// Reads on until every holder has closed its end, or for as long as `patience`.
    pub(super) fn drain(&mut self, patience: Duration, scratch: &mut Scratch) -> Result<(), Fault> {
        let start = Instant::now();
        while self.speaking() {
            let left = patience.saturating_sub(start.elapsed());
            self.pump(None, Some(left), scratch)?;
            if left.is_zero() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(Captured, Captured), SpawnError> {
        Ok((self.stdout.capture.finish()?, self.stderr.capture.finish()?))
    }

    fn wait(&self, watch: Option<BorrowedFd<'_>>, timeout: Option<Duration>) -> io::Result<[PollFlags; 4]> {
        let ends = [
            (self.input.as_ref().map(|input| input.pipe.as_fd()), PollFlags::OUT),
            (self.stdout.pipe.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (self.stderr.pipe.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (watch, PollFlags::IN),
        ];
        let mut polled = Vec::with_capacity(ends.len());
        polled.extend(
            ends.iter().filter_map(|(end, flags)| end.map(|end| PollFd::from_borrowed_fd(end, *flags))),
        );
        let timeout =
            timeout.map(|time| Timespec::try_from(time).expect("a time to wait is far below 2^63 seconds"));
        let mut ready = [PollFlags::empty(); 4];
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(ready),
            Err(error) => return Err(error.into()),
        }
        let mut answers = polled.iter().map(PollFd::revents);
        for (ready, (end, _)) in ready.iter_mut().zip(ends) {
            if end.is_some() {
                *ready = answers.next().expect("each open end was polled");
            }
        }
        Ok(ready)
    }

    /// Writes what the pipe takes, and closes it after the last byte or when nobody reads any more.
    fn feed(&mut self) -> io::Result<()> {
        let Some(input) = &mut self.input else { return Ok(()) };
        match input.pipe.write(&input.bytes[input.written..]) {
            Ok(written) => input.written += written,
            Err(error) if is_passing(&error) => {}
            // A command need not read all that it is given.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => input.written = input.bytes.len(),
            Err(error) => return Err(error),
        }
        if input.written == input.bytes.len() {
            self.close_input();
        }
        Ok(())
    }
}

impl Input {
    fn new(pipe: ChildStdin, bytes: Vec<u8>) -> io::Result<Self> {
        // A pipe is ready for writing when it takes a little; writing more would block.
        ioctl_fionbio(&pipe, true)?;
        Ok(Self { pipe, bytes, written: 0 })
    }
}

impl<P: Read> Output<P> {
    fn new(pipe: Option<P>, capture: Capture) -> Self {
        Self { pipe, capture }
    }

    /// Reads once. The pipe is left blocking, which saves a system call for each: nobody else reads from it, so what `poll`
    /// has promised is still there.
    fn take(&mut self, ready: PollFlags, scratch: &mut Scratch) -> Result<(), Fault> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        if ready.is_empty() {
            return Ok(());
        }
        // Hung up and nothing to read: the end, without asking for it.
        let read = if ready.contains(PollFlags::IN) {
            scratch.resize(CHUNK, 0);
            match pipe.read(scratch) {
                Err(error) if is_passing(&error) => return Ok(()),
                read => read?,
            }
        } else {
            0
        };
        if read == 0 {
            self.pipe = None;
            return Ok(());
        }
        Ok(self.capture.push(&scratch[..read])?)
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What can go wrong while a command runs; the caller knows its name.
#[derive(Debug)]
pub(super) enum Fault {
    Spawn(SpawnError),
    Io(io::Error),
}

impl From<SpawnError> for Fault {
    fn from(error: SpawnError) -> Self {
        Self::Spawn(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
