//! Takes connections of one listening socket, on the thread that it is called on.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::connection::{Client, attend};
use super::{Proxy, Stage, Stop, pool};

/// What a client gets that is one too many.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: 1\r\n\r\n";
/// How long nothing is accepted when that failed, for want of file descriptors for example.
const PAUSE: Duration = Duration::from_millis(20);

/// Serves connections until `stop` says otherwise: first no more are taken, then what is left is cut. Returns when none is left.
/// Wants a runtime of one thread; each thread that serves the same socket calls it with a clone of it.
pub async fn serve(
    listener: std::net::TcpListener,
    tls: Option<TlsAcceptor>,
    proxy: Arc<Proxy>,
    stop: Stop,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let tended = tokio::spawn(pool::tend(proxy.limits.clone()));
    // Each connection holds a sender; when all are gone, the receiver is told.
    let (hold, mut gone) = mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.reached(Stage::Draining) => break,
        };
        match accepted {
            Ok((stream, peer)) => take(stream, peer, tls.clone(), &proxy, &stop, &hold),
            Err(error) if is_about_one(&error) => {}
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    drop((listener, hold));
    gone.recv().await;
    tended.abort();
    Ok(())
}

/// Whether accepting failed because of the one connection that was to be accepted.
fn is_about_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

fn take(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    proxy: &Arc<Proxy>,
    stop: &Stop,
    hold: &mpsc::Sender<()>,
) {
    if proxy.connections.fetch_add(1, SeqCst) >= proxy.limits.connections {
        proxy.connections.fetch_sub(1, SeqCst);
        if tls.is_none() {
            let _ = stream.try_write(FULL);
        }
        return;
    }
    let held = Held { proxy: Arc::clone(proxy), _hold: hold.clone() };
    let stop = stop.clone();
    tokio::spawn(async move {
        let _ = stream.set_nodelay(true);
        let work = shake_hands(stream, peer.ip(), tls, held, stop.clone());
        tokio::select! {
            biased;
            () = work => {}
            () = super::quiet::Quiet::new(stop.reached(Stage::Cut)) => {}
        }
    });
}

/// Takes a connection off the count when it, and the tunnel that it has become, has ended.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) proxy: Arc<Proxy>,
    _hold: mpsc::Sender<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.proxy.connections.fetch_sub(1, SeqCst);
    }
}

async fn shake_hands(stream: TcpStream, peer: IpAddr, tls: Option<TlsAcceptor>, held: Held, stop: Stop) {
    let Some(tls) = tls else {
        return speak(stream, peer, false, held, stop).await;
    };
    if let Ok(Ok(stream)) = tokio::time::timeout(held.proxy.limits.head, tls.accept(stream)).await {
        Box::pin(speak(stream, peer, true, held, stop)).await;
    }
}

async fn speak<S>(stream: S, peer: IpAddr, secure: bool, held: Held, stop: Stop)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    attend(stream, Arc::new(Client::new(held, stop, peer, secure))).await;
}
