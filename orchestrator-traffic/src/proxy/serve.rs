//! Takes connections of one listening socket, for all threads.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::connection::{Client, attend};
use super::files::Place;
use super::workers::Crew;
use super::{Proxy, Stage, Stop};

/// What a client gets that is one too many.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: 1\r\n\r\n";
/// How long nothing is accepted when that failed, for want of file descriptors for example.
const PAUSE: Duration = Duration::from_millis(20);

/// Takes connections until `stop` says otherwise, and gives each to a thread of the crew.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    proxy: Arc<Proxy>,
    stop: Stop,
    crew: Crew,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.reached(Stage::Draining) => break,
        };
        match accepted {
            Ok((stream, peer)) => take(stream, peer, tls.clone(), &proxy, &stop, &crew),
            Err(error) if is_about_one(&error) => {}
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
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
    crew: &Crew,
) {
    let full = proxy.connections.fetch_add(1, SeqCst) >= proxy.limits.connections;
    let place = if full { None } else { Place::take(proxy.limits.files) };
    let Some(place) = place else {
        proxy.connections.fetch_sub(1, SeqCst);
        if tls.is_none() {
            let _ = stream.try_write(FULL);
        }
        return;
    };
    let at = crew.next();
    let worker = &crew.all[at];
    worker.connections.fetch_add(1, Relaxed);
    let held = Held {
        proxy: Arc::clone(proxy),
        worker: Arc::clone(&worker.connections),
        _place: place,
        _hold: worker.hold.clone(),
    };
    let stop = stop.clone();
    if at == crew.own {
        tokio::spawn(attended(stream, peer, tls, held, stop));
    } else if let Ok(stream) = stream.into_std() {
        worker.runtime.spawn(async move {
            if let Ok(stream) = TcpStream::from_std(stream) {
                attended(stream, peer, tls, held, stop).await;
            }
        });
    }
}

async fn attended(stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, held: Held, stop: Stop) {
    let work = shake_hands(stream, peer.ip(), tls, held, stop.clone());
    tokio::select! {
        biased;
        () = work => {}
        () = super::quiet::Quiet::new(stop.reached(Stage::Cut)) => {}
    }
}

/// Takes a connection off the count when it, and the tunnel that it has become, has ended.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) proxy: Arc<Proxy>,
    worker: Arc<AtomicUsize>,
    _place: Place,
    _hold: mpsc::Sender<()>,
}

#[cfg(test)]
impl Held {
    /// Of a connection that no thread has accepted.
    pub(super) fn of_none(proxy: &Arc<Proxy>) -> Self {
        proxy.connections.fetch_add(1, SeqCst);
        let worker = Arc::new(AtomicUsize::new(1));
        let place = Place::take(u64::MAX).expect("there is no limit");
        Self { proxy: Arc::clone(proxy), worker, _place: place, _hold: mpsc::channel(1).0 }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.worker.fetch_sub(1, Relaxed);
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
