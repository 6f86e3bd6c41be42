//! A school's students, courses and enrolments, served over HTTP.

pub mod clock;
pub mod config;
pub mod database;
pub mod endpoint_table;
pub mod events;
pub mod head;
pub mod http;
pub mod json;
pub mod metrics;
pub mod routes;
pub mod server;
pub mod shelf;
pub mod store;
pub mod trouble;

pub use config::Config;
pub use server::Server;

use shelf::Shelf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use store::{Refusal, Store};
use trouble::Trouble;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What all connections share.
pub struct App {
    pub config: Config,
    pub metrics: metrics::Metrics,
    pub trouble: Trouble,
    born: Instant,
    shelf: Mutex<Shelf>,
}

impl App {
    pub fn new(config: Config) -> Self {
        let shelf = Mutex::new(Shelf::new(config.database.clone()));
        let (metrics, trouble) = (metrics::Metrics::default(), Trouble::default());
        Self { config, metrics, trouble, born: Instant::now(), shelf }
    }

    /// Looks at the store, one caller at a time. No method leaves it half changed, so a panic
    /// elsewhere does not make it unusable.
    pub fn read<T>(&self, look: impl FnOnce(&Store) -> T) -> Result<T, Refusal> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner).read(look)
    }

    /// Changes the store, one caller at a time.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut Store) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner).change(change)
    }

    /// Whether it is time to be unhealthy, as the settings want it.
    pub fn turned_unhealthy(&self) -> bool {
        self.config.unhealthy_after.is_some_and(|after| self.born.elapsed() >= after)
    }
}
