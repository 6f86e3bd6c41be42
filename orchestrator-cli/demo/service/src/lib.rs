//! A school's students, courses and enrolments, kept in memory and served over HTTP.

pub mod clock;
pub mod config;
pub mod endpoint_table;
pub mod head;
pub mod http;
pub mod json;
pub mod metrics;
pub mod routes;
pub mod server;
pub mod store;

pub use config::Config;
pub use server::Server;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What all connections share.
pub struct App {
    pub config: Config,
    pub metrics: metrics::Metrics,
    store: Mutex<store::Store>,
}

impl App {
    pub fn new(config: Config) -> Self {
        Self { config, metrics: metrics::Metrics::default(), store: Mutex::default() }
    }

    /// The store, for one caller at a time. No method leaves it half changed, so a panic elsewhere
    /// does not make it unusable.
    pub fn store(&self) -> MutexGuard<'_, store::Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
