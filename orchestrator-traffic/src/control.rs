//! Asks a proxy over its control socket.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::protocol::{Request, Response};

/// The most bytes of a question or an answer.
pub const LONGEST: u64 = 4 << 20;

/// A path by which a socket in `folder` can be bound or connected to however long the folder's own path is: names of sockets have
/// at most 107 bytes. Good while the file is open.
pub fn short(folder: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

/// Asks the proxy whose control socket that is; the error says where nobody answers.
pub fn ask(socket: &Path, request: &Request, patience: Duration) -> io::Result<Response> {
    let mut stream = connect(socket, patience)?;
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

/// A connection to a socket, however long its path is.
pub(crate) fn connect(socket: &Path, patience: Duration) -> io::Result<UnixStream> {
    let (folder, name) = socket.parent().zip(socket.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = File::open(folder)?;
    let stream = UnixStream::connect(short(&folder, &name.to_string_lossy()))?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}
