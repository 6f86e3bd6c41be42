//! The connections that are kept between requests.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use super::failure::{FailureKind, Trouble};
use super::plan::{LoadError, Plan};
use super::target::Target;

/// Requests on one HTTP/2 connection at once at most.
pub(super) const STREAMS: usize = 32;

/// Keeps connections, the longest unused taken first: all are used in turn.
#[derive(Debug)]
pub(super) struct Pool {
    target: Target,
    http2: bool,
    most: usize,
    /// How long a connection that is opened beforehand may take.
    patience: Duration,
    idle: Mutex<VecDeque<Connection>>,
    /// Of HTTP/2: each shared by several requests.
    shared: Vec<tokio::sync::Mutex<Option<Connection>>>,
    next: AtomicU64,
    opened: AtomicU64,
}

impl Pool {
    pub(super) fn new(plan: &Plan, target: Target) -> Self {
        let most = plan.connections as usize;
        let shared = if plan.http2 { most } else { 0 };
        Self {
            target,
            http2: plan.http2,
            most,
            patience: Duration::from_millis(plan.timeout_ms),
            idle: Mutex::default(),
            shared: (0..shared).map(|_| tokio::sync::Mutex::default()).collect(),
            next: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Connections that were opened so far.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Opens all connections.
    pub(super) async fn fill(&self) -> Result<(), LoadError> {
        for done in 0..self.most {
            let wrong = |trouble: Trouble| LoadError::Preconnect {
                done: u32::try_from(done + 1).unwrap_or(u32::MAX),
                connections: u32::try_from(self.most).unwrap_or(u32::MAX),
                what: match trouble {
                    Trouble::Failed { what, .. } => what,
                    Trouble::Own(limit) => format!("a limit of this machine: {limit:?}"),
                },
            };
            let opened = tokio::time::timeout(self.patience, self.open(self.http2)).await;
            let late = |_| {
                Trouble::new(FailureKind::Timeout, format!("not within {} ms", self.patience.as_millis()))
            };
            let connection = opened.map_err(late).flatten().map_err(wrong)?;
            match self.shared.get(done) {
                Some(place) => *place.lock().await = Some(connection),
                None => self.idle().push_back(connection),
            }
        }
        Ok(())
    }

    /// A connection of its own; one that is kept makes room where there would be too many.
    pub(super) async fn fresh(&self, http2: bool, busy: usize) -> Result<Connection, Trouble> {
        let room = self.most.saturating_sub(busy);
        {
            let mut idle = self.idle();
            let over = idle.len().saturating_sub(room);
            idle.drain(..over);
        }
        self.open(http2).await
    }

    /// One that is kept, and whether it was used before; a new one where there is none.
    pub(super) async fn take(&self, busy: usize) -> Result<(Connection, bool), Trouble> {
        if self.http2 {
            return self.share().await;
        }
        loop {
            let kept = self.idle().pop_front();
            match kept {
                Some(connection) if connection.is_closed() => {}
                Some(mut connection) => {
                    if connection.is_fit().await {
                        return Ok((connection, true));
                    }
                }
                None => return Ok((self.fresh(false, busy).await?, false)),
            }
        }
    }

    /// Gives one back.
    pub(super) fn keep(&self, connection: Connection) {
        if matches!(connection, Connection::One(_)) && !connection.is_closed() {
            let mut idle = self.idle();
            if idle.len() < self.most {
                idle.push_back(connection);
            }
        }
    }

    async fn share(&self) -> Result<(Connection, bool), Trouble> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) as usize % self.shared.len();
        let mut place = self.shared[turn].lock().await;
        if let Some(connection) = &mut *place
            && connection.is_fit().await
            && let Some(shared) = connection.share()
        {
            return Ok((shared, true));
        }
        let mut connection = self.open(true).await?;
        // Its first words are out.
        let _ = connection.is_fit().await;
        let shared = connection.share();
        *place = shared;
        Ok((connection, false))
    }

    async fn open(&self, http2: bool) -> Result<Connection, Trouble> {
        let connection = Connection::open(&self.target, http2).await?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(connection)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, VecDeque<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
