//! A proxy as a process: everything together, from its start to its end.

mod end;
mod start;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::access_log::AccessLogConfig;
use super::folder::FolderError;
use super::limits::Limits;
use super::tls::{Pair, TlsError};
use super::upgrade::Successor;
use start::Started;

/// What people are told while it runs.
pub type Remark = Arc<dyn Fn(&str) + Send + Sync>;

/// How a proxy is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its folder: the table, the control socket, the lock, by default the access log.
    pub folder: PathBuf,
    /// Where it listens; nowhere where it inherits its sockets.
    pub listens: Vec<SocketAddr>,
    /// Whether it finds its sockets at its standard input ([`crate::sockets`]).
    pub inherit: bool,
    /// The certificate, for TLS on all addresses.
    pub tls: Option<Pair>,
    /// Where metrics are read.
    pub metrics: Option<SocketAddr>,
    /// The access log.
    pub access_log: Option<AccessLogConfig>,
    /// What clients and versions may take.
    pub limits: Limits,
    /// Threads that serve.
    pub threads: usize,
    /// How long requests under way get at the end.
    pub drain: Duration,
    /// How long connections get that are there when a successor takes over: websockets and event streams end with them.
    pub linger: Duration,
    /// How its successor is started.
    pub successor: Option<Successor>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// That process serves now.
    Replaced(u32),
}

/// Why it did not serve.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address.
    #[error("`{address}` cannot be listened at")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Nobody gave it sockets.
    #[error("no sockets were inherited")]
    Inherit(#[source] io::Error),
    /// It has nothing to listen at.
    #[error("there is no address to listen at; give one with `--listen`")]
    Nowhere,
    /// The access log.
    #[error("the access log `{path}` cannot be opened")]
    AccessLog {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the process before it serves.
    #[error("the table of the process before this one cannot be used: {0}")]
    Table(String),
    /// Anything else of the machine.
    #[error("the machine did not let it serve")]
    Io(#[from] io::Error),
}

impl RunError {
    /// It and its causes in one line.
    pub fn line(&self) -> String {
        let mut line = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            line = format!("{line}: {cause}");
            next = cause.source();
        }
        line
    }
}

/// Serves until it is told to end, by a signal or over its control socket, or until a successor serves. Wants to be the only one in
/// its process that handles SIGTERM, SIGINT, SIGHUP and SIGUSR1. `ready` is told where it listens once it serves.
pub fn run(options: Options, remark: Remark, ready: impl FnOnce(&[SocketAddr])) -> Result<Ended, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let drain = options.drain;
    let ended = runtime.block_on(async {
        let started = Started::new(options, remark)?;
        ready(&started.desk.status().listens);
        end::serve(started, drain).await
    });
    // A question that still waits for something must not keep the process from ending.
    runtime.shutdown_background();
    ended
}
