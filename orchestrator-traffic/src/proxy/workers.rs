//! One thread a core that serves, each with a runtime and connections of its own, so that no request waits for another thread.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio_rustls::TlsAcceptor;

use super::{Proxy, Stop, serve::serve};

/// A socket to serve, and whether by TLS.
pub struct Listener {
    /// The socket, already listening.
    pub socket: TcpListener,
    /// Who speaks TLS on it; plain without.
    pub tls: Option<TlsAcceptor>,
}

/// Threads that serve.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Workers {
    /// Starts that many threads, each of which serves all the sockets.
    pub fn start(
        listeners: &[Listener],
        proxy: &Arc<Proxy>,
        stop: &Stop,
        threads: usize,
    ) -> io::Result<Self> {
        let threads =
            (0..threads.max(1)).map(|at| worker(at, listeners, proxy, stop)).collect::<io::Result<_>>()?;
        Ok(Self { threads })
    }

    /// Waits until all have ended, which they do when they were told to stop and nobody is left.
    pub fn join(self) -> io::Result<()> {
        self.threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the proxy panicked")))
        })
    }
}

fn worker(
    at: usize,
    listeners: &[Listener],
    proxy: &Arc<Proxy>,
    stop: &Stop,
) -> io::Result<JoinHandle<io::Result<()>>> {
    let mut own = Vec::new();
    for listener in listeners {
        own.push((listener.socket.try_clone()?, listener.tls.clone()));
    }
    let (proxy, stop) = (Arc::clone(proxy), stop.clone());
    thread::Builder::new().name(format!("proxy-{at}")).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            // The first thread also ends drains.
            let drains = (at == 0).then(|| {
                let proxy = Arc::clone(&proxy);
                tokio::spawn(async move { proxy.live.drain().await })
            });
            let served: Vec<_> = own
                .into_iter()
                .map(|(socket, tls)| tokio::spawn(serve(socket, tls, Arc::clone(&proxy), stop.clone())))
                .collect();
            let mut ended = Ok(());
            for one in served {
                ended = ended.and(one.await.unwrap_or_else(|error| Err(io::Error::other(error))));
            }
            if let Some(drains) = drains {
                drains.abort();
            }
            ended
        })
    })
}
