//! The control socket: one JSON line a question, one a answer.
//!
//! Each client is served on its own, so a slow one keeps nobody waiting; all that they may take is bounded. While a successor is
//! starting no new client is taken: they wait in the backlog, for it or for this process.

use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::desk::{Desk, Reply};
use crate::control::LONGEST;
use crate::protocol::Response;

/// The most clients at once.
pub(super) const CLIENTS: usize = 32;
/// How long a client may take for a question, and to take its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves clients for as long as it is polled, and takes new ones while `open` says so.
pub(super) async fn serve(
    listener: StdListener,
    desk: Arc<Desk>,
    mut open: watch::Receiver<bool>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    loop {
        if open.wait_for(|open| *open).await.is_err() {
            return Ok(());
        }
        let Ok(place) = desk.clients.clone().acquire_owned().await else { return Ok(()) };
        let accepted = tokio::select! {
            biased;
            closed = open.wait_for(|open| !*open) => {
                if closed.is_err() {
                    return Ok(());
                }
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let desk = desk.clone();
                tokio::spawn(async move {
                    // A client that goes away or lies has nobody to tell.
                    let _ = attend(stream, desk).await;
                    drop(place);
                });
            }
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn attend(stream: UnixStream, desk: Arc<Desk>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut stream).take(LONGEST);
        if timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await?? == 0 {
            return Ok(());
        }
        let reply = if line.ends_with(b"\n") {
            let desk = desk.clone();
            // Questions touch the disk and wait for locks.
            spawn_blocking(move || desk.answer(&line)).await.map_err(io::Error::other)?
        } else {
            let why = format!("a question is one line of JSON with at most {LONGEST} bytes");
            Reply::Last(Response::Refused { why })
        };
        match reply {
            Reply::Answer(response) => say(&mut stream, &response).await?,
            Reply::Last(response) => return say(&mut stream, &response).await,
            Reply::Lend => {
                let stream = stream.into_inner().into_std()?;
                stream.set_nonblocking(false)?;
                return spawn_blocking(move || desk.lend(stream)).await.map_err(io::Error::other)?;
            }
        }
    }
}

async fn say(stream: &mut BufReader<UnixStream>, response: &Response) -> io::Result<()> {
    let mut line = serde_json::to_vec(response)?;
    line.push(b'\n');
    timeout(PATIENCE, stream.get_mut().write_all(&line)).await?
}
