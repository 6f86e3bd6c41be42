//! The channel between a proxy and whoever keeps it alive, or its successor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Sockets;
use super::wire::Wire;

/// What is said over a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Said {
    /// This process serves now.
    Ready {
        /// Its id.
        pid: u32,
    },
    /// It will not serve.
    Failed {
        /// Why, and what would help.
        why: String,
    },
}

/// What a descriptor is for, in the order in which they travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    Serve,
    Metrics,
    Control,
    Lock,
    Keeper,
}

/// The line that sockets travel beside.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Line {
    Sockets { of: Vec<Purpose> },
}

/// One end of the channel.
#[derive(Debug)]
pub struct Channel(Wire);

impl Channel {
    /// A channel: the own end, and the one to start the other process with as its standard input.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (own, other) = UnixStream::pair()?;
        Ok((Self::of(own), other.into()))
    }

    /// The channel that this stream is.
    pub fn of(stream: UnixStream) -> Self {
        Self(Wire::of(stream))
    }

    /// The channel that a process was given as its standard input; that is closed, so that it stays open only here.
    pub fn stdin() -> io::Result<Self> {
        let own = io::stdin().as_fd().try_clone_to_owned()?;
        let family = rustix::net::sockopt::socket_domain(&own).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, "standard input is no socket to inherit from")
        })?;
        if family != rustix::net::AddressFamily::UNIX {
            let why = "standard input is no unix socket to inherit from";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
        Ok(Self::of(own.into()))
    }

    /// The stream itself, for a keeper's channel that goes to a successor.
    pub fn stream(&self) -> &UnixStream {
        self.0.stream()
    }

    /// Hands over handles of sockets; they stay open here as well.
    pub fn hand(&mut self, sockets: &Sockets) -> io::Result<()> {
        let Sockets { serve, metrics, control, lock, keeper } = sockets;
        let mut of = vec![Purpose::Serve; serve.len()];
        let mut fds: Vec<BorrowedFd> = serve.iter().map(AsFd::as_fd).collect();
        let single = [
            (Purpose::Metrics, metrics.as_ref().map(AsFd::as_fd)),
            (Purpose::Control, control.as_ref().map(AsFd::as_fd)),
            (Purpose::Lock, lock.as_ref().map(AsFd::as_fd)),
            (Purpose::Keeper, keeper.as_ref().map(AsFd::as_fd)),
        ];
        for (purpose, fd) in single {
            of.extend(fd.map(|_| purpose));
            fds.extend(fd);
        }
        self.0.send(&Line::Sockets { of }, &fds)
    }

    /// Waits for sockets.
    pub fn take(&mut self, patience: Duration) -> io::Result<Sockets> {
        let until = Instant::now() + patience;
        let Some(text) = self.0.line(Some(until))? else {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it ended before sockets were handed over",
            ));
        };
        let Line::Sockets { of } = serde_json::from_str(&text).map_err(|_| refused(&text))?;
        let mut sockets = Sockets::default();
        for (purpose, fd) in of.iter().zip(self.0.descriptors(of.len())?) {
            match purpose {
                Purpose::Serve => sockets.serve.push(fd.into()),
                Purpose::Metrics => sockets.metrics = Some(fd.into()),
                Purpose::Control => sockets.control = Some(fd.into()),
                Purpose::Lock => sockets.lock = Some(fd.into()),
                Purpose::Keeper => sockets.keeper = Some(fd.into()),
            }
        }
        Ok(sockets)
    }

    /// Says something.
    pub fn say(&mut self, said: &Said) -> io::Result<()> {
        self.line(said)
    }

    /// Says that no sockets come, and why.
    pub fn refuse(&mut self, why: &str) -> io::Result<()> {
        self.line(&crate::protocol::Response::Refused { why: why.into() })
    }

    /// Waits for what is said, without end where no patience is given. None once the other end is closed by everyone who had it;
    /// what it does not know is passed over. Over the time is `TimedOut`.
    pub fn hear(&mut self, patience: Option<Duration>) -> io::Result<Option<Said>> {
        let until = patience.map(|patience| Instant::now() + patience);
        while let Some(text) = self.0.line(until)? {
            if let Ok(said) = serde_json::from_str(&text) {
                return Ok(Some(said));
            }
        }
        Ok(None)
    }

    /// Sends a line without descriptors.
    pub(super) fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        self.0.send(line, &[])
    }
}

/// To wait for several at once.
impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.stream().as_fd()
    }
}

/// A line that is no sockets: the other side may have said why.
fn refused(text: &str) -> io::Error {
    let said: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let why = said.as_ref().and_then(|said| said["why"].as_str());
    io::Error::other(why.unwrap_or("what came is no sockets").to_owned())
}
