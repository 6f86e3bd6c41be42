//! Asks a proxy over its control socket.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use crate::protocol::{Request, Response};

/// The most bytes of a question or an answer.
pub const LONGEST: u64 = 4 << 20;
/// How often a proxy that takes no more connections at the moment is tried again.
const PAUSE: Duration = Duration::from_millis(5);

/// A path by which a socket in `folder` can be bound or connected to however long the folder's own path is: names of sockets have
/// at most 107 bytes. Good while the file is open.
pub fn short(folder: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

/// Asks the proxy whose control socket that is; the error says where nobody answers. All of it takes no longer than `patience`: then the error is one of
/// `TimedOut`.
pub fn ask(socket: &Path, request: &Request, patience: Duration) -> io::Result<Response> {
    let until = Instant::now() + patience;
    let mut stream = Bounded { stream: connect(socket, patience)?, until };
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).take(LONGEST).read_line(&mut answer)?;
    if !answer.ends_with('\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the proxy did not finish its answer"));
    }
    Ok(serde_json::from_str(&answer)?)
}

/// A connection to a socket, however long its path is. A proxy that is stopped takes none, so this is bounded too; each word over it may then take as long
/// again.
pub(crate) fn connect(socket: &Path, patience: Duration) -> io::Result<UnixStream> {
    let (folder, name) = socket.parent().zip(socket.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = File::open(folder)?;
    let address = SocketAddrUnix::new(short(&folder, &name.to_string_lossy()))?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let stream = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let until = Instant::now() + patience;
    loop {
        match rustix::net::connect(&stream, &address) {
            Ok(()) => break,
            // Its backlog is full.
            Err(Errno::AGAIN) if Instant::now() < until => sleep(PAUSE),
            Err(Errno::AGAIN) => return Err(late()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    ioctl_fionbio(&stream, false)?;
    let stream = UnixStream::from(stream);
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the proxy did not answer in time")
}

/// Reads and writes for as long as there is time left: a limit of each word alone would let an answer take for ever.
struct Bounded {
    stream: UnixStream,
    until: Instant,
}

impl Bounded {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(late()) } else { Ok(Some(left)) }
    }
}

/// What the system says where a limit has passed.
fn told(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { late() } else { error }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer).map_err(told)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes).map_err(told)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::sync::mpsc::channel;

    use super::*;

    fn kind(asked: io::Result<Response>) -> io::ErrorKind {
        asked.expect_err("nobody answers in time").kind()
    }

    #[test]
    fn nobody_waits_for_a_proxy_that_takes_no_more_connections() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let (mut taken, short) = (Vec::new(), Duration::from_millis(50));
        while let Ok(stream) = connect(&path, short) {
            taken.push(stream);
            assert!(taken.len() < 10_000, "it takes everybody");
        }
        assert_eq!(kind(ask(&path, &Request::Status, short)), io::ErrorKind::TimedOut);
        // Not only closed: a process that another test starts in this moment has a copy until its program is loaded.
        rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
        assert_eq!(kind(ask(&path, &Request::Status, short)), io::ErrorKind::ConnectionRefused);
        assert_eq!(kind(ask(&folder.path().join("none"), &Request::Status, short)), io::ErrorKind::NotFound);
    }

    #[test]
    fn an_answer_that_drips_takes_no_longer_than_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (end, ended) = channel::<()>();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while ended.recv_timeout(Duration::from_millis(20))
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                if stream.write_all(b" ").is_err() {
                    break;
                }
            }
        });
        assert_eq!(kind(ask(&path, &Request::Status, Duration::from_millis(300))), io::ErrorKind::TimedOut);
        end.send(()).ok();
        server.join().unwrap();
    }
}
