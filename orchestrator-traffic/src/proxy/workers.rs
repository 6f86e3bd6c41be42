//! One thread a core that serves, each with a runtime and connections of its own, so that no request waits for another thread.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self as channel, SyncSender};
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio_rustls::TlsAcceptor;

use super::{Limits, Proxy, Stage, Stop, guard, pool, serve::serve};

/// How many connections more than another thread one may have before the next goes to that one: going there costs more than staying.
const SLACK: usize = 1;

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
    ended: Arc<Notify>,
}

/// A thread, as whoever accepts connections knows it.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub(super) runtime: Handle,
    /// The thread does not end before these are dropped.
    pub(super) hold: mpsc::Sender<()>,
    /// Its connections.
    pub(super) connections: Arc<AtomicUsize>,
}

/// All of them. One accepts for all, so that a connection wakes nobody in vain.
#[derive(Debug, Clone)]
pub(super) struct Crew {
    pub(super) all: Arc<[Worker]>,
    /// The one that accepts.
    pub(super) own: usize,
}

impl Crew {
    /// Who gets the next connection.
    pub(super) fn next(&self) -> usize {
        let load = |at: usize| self.all[at].connections.load(Relaxed);
        let least = (0..self.all.len()).min_by_key(|at| load(*at)).unwrap_or(self.own);
        if load(self.own) > load(least) + SLACK { least } else { self.own }
    }
}

impl Workers {
    /// Starts that many threads, which serve all the sockets: clients are accepted once this returns.
    pub fn start(
        listeners: &[Listener],
        proxy: &Arc<Proxy>,
        stop: &Stop,
        threads: usize,
    ) -> io::Result<Self> {
        let mut sockets = Vec::new();
        for listener in listeners {
            let socket = listener.socket.try_clone()?;
            socket.set_nonblocking(true)?;
            // Connections have it from the socket that took them.
            rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
            sockets.push((socket, listener.tls.clone()));
        }
        let ended = Arc::<Notify>::default();
        let (mut started, mut all) = (Vec::new(), Vec::new());
        for at in 0..threads.max(1) {
            let end = End { stop: stop.clone(), ended: Arc::clone(&ended) };
            let (says, said) = channel::sync_channel(1);
            started.push(worker(at, proxy.limits.clone(), end, says)?);
            // One that ends before it says anything tells why when it is joined.
            let Ok(worker) = said.recv() else {
                drop(all);
                let why = Self { threads: started, ended }.join().err();
                return Err(
                    why.unwrap_or_else(|| io::Error::other("a thread of the proxy ended before it served"))
                );
            };
            all.push(worker);
        }
        let all: Arc<[Worker]> = all.into();
        let mut registered = Vec::new();
        for (at, (socket, tls)) in sockets.into_iter().enumerate() {
            let own = at % all.len();
            let _entered = all[own].runtime.enter();
            registered.push((own, tokio::net::TcpListener::from_std(socket)?, tls));
        }
        for (own, listener, tls) in registered {
            let crew = Crew { all: Arc::clone(&all), own };
            all[own].runtime.spawn(serve(listener, tls, Arc::clone(proxy), stop.clone(), crew));
        }
        Ok(Self { threads: started, ended })
    }

    /// Is told when a thread ends that nobody told to.
    pub fn ended(&self) -> Arc<Notify> {
        Arc::clone(&self.ended)
    }

    /// Waits until all have ended, which they do when they were told to stop and nobody is left.
    pub fn join(self) -> io::Result<()> {
        self.threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the proxy panicked")))
        })
    }
}

/// Tells of the end of a thread, also where it panics.
struct End {
    stop: Stop,
    ended: Arc<Notify>,
}

impl Drop for End {
    fn drop(&mut self) {
        if self.stop.stage() == Stage::Serving {
            self.ended.notify_one();
        }
    }
}

/// A thread, which says how it is reached once it runs.
fn worker(
    at: usize,
    limits: Limits,
    end: End,
    says: SyncSender<Worker>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    thread::Builder::new().name(format!("proxy-{at}")).spawn(move || {
        let _end = end;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Each connection holds a sender; when all are gone, the receiver is told.
        let (hold, mut gone) = mpsc::channel::<()>(1);
        let worker = Worker { runtime: runtime.handle().clone(), hold, connections: Arc::default() };
        let _ = says.send(worker);
        runtime.block_on(async {
            let guarded = tokio::spawn(guard::tend(limits.stall));
            let tended = tokio::spawn(pool::tend(limits));
            gone.recv().await;
            tended.abort();
            guarded.abort();
        });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_to_who_has_clearly_fewer() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let crew = |counts: &[usize], own| {
            let worker = |count: &usize| Worker {
                runtime: runtime.handle().clone(),
                hold: mpsc::channel(1).0,
                connections: Arc::new((*count).into()),
            };
            Crew { all: counts.iter().map(worker).collect(), own }.next()
        };
        assert_eq!(crew(&[0], 0), 0);
        assert_eq!(crew(&[1, 0], 0), 0);
        assert_eq!(crew(&[2, 0], 0), 1);
        assert_eq!(crew(&[9, 9, 7, 8], 0), 2);
        assert_eq!(crew(&[9, 3, 1], 1), 2);
        assert_eq!(crew(&[9, 3, 2], 1), 1);
    }
}
