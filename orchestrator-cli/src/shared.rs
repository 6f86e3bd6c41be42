//! A place that a team shares: results of tasks, and runs that another machine can go on with.
//!
//! A folder needs nothing else; a bucket or Redis needs the feature `shared`. Everything that is taken from there is
//! checked by its digest before it is used, and every call is limited in time.

mod address;
mod error;
mod folder;
#[cfg(feature = "shared")]
mod http;
mod lease;
mod manifest;
mod place;
#[cfg(feature = "shared")]
mod remote;
mod results;
mod runs;
#[cfg(test)]
mod tests;
mod timed;

use std::sync::Arc;
use std::time::Duration;

use orchestrator_core::cache::Shared;
use orchestrator_core::settings::SharedPlace;

use address::{Address, Where};
use place::Place;
use timed::Timed;

pub(crate) use error::SharedError;
pub(crate) use lease::{Lease, RENEW, Renewed};
pub(crate) use manifest::{About, Manifest};

/// The place that a team shares.
#[derive(Clone)]
pub(crate) struct Team {
    place: Timed,
    write: bool,
}

impl Team {
    /// The place of the settings; none where they name none. Asks nothing of it yet.
    pub(crate) fn open(settings: &SharedPlace) -> Result<Option<Self>, SharedError> {
        if settings.url.trim().is_empty() {
            return Ok(None);
        }
        let address = Address::parse(settings.url.trim())?;
        let place = place(&address)?;
        let timeout = Duration::from_secs(settings.timeout.max(1));
        Ok(Some(Self { place: Timed::new(place, address.shown, timeout), write: settings.write }))
    }

    /// The same place for results of tasks.
    pub(crate) fn results(&self) -> Arc<dyn Shared> {
        Arc::new(results::Results::new(self.place.clone(), self.write))
    }

    /// What people call it.
    pub(crate) fn address(&self) -> &str {
        self.place.address()
    }
}

fn place(address: &Address) -> Result<Arc<dyn Place>, SharedError> {
    match &address.at {
        Where::Folder(root) => Ok(Arc::new(folder::Folder::new(root.clone()))),
        #[cfg(feature = "shared")]
        at @ (Where::Bucket { .. } | Where::Redis { .. }) => Ok(Arc::new(remote::Remote::open(at)?)),
        #[cfg(not(feature = "shared"))]
        Where::Bucket { .. } | Where::Redis { .. } => {
            Err(SharedError::Feature { address: address.shown.clone() })
        }
    }
}
