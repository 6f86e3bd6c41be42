//! The same without the feature `docker`: containers that another build started are known from their records, and cannot be asked about.

use std::collections::BTreeSet;
use std::time::Duration;

use orchestrator_core::id::OrderKey;

use super::error::DeployError;
use super::place::Place;
use crate::deployment::analysis::Life;
use crate::deployment::{Container, Forgotten, Process, Service};

fn of(place: &Place, release: &str) -> Option<Container> {
    place.release(release).ok().flatten()?.container
}

pub(super) fn running(_: &Place, _: &Service) -> Result<Option<Process>, DeployError> {
    Err(DeployError::NoContainers)
}

pub(super) fn stands(_: &Place, _: &Service) -> Result<Option<Process>, DeployError> {
    Err(DeployError::NoContainers)
}

pub(super) fn never_failed(place: &Place, release: &str) -> Option<Result<Option<String>, DeployError>> {
    of(place, release).map(|_| Err(DeployError::NoContainers))
}

pub(super) fn holds(place: &Place, release: &str) -> Option<String> {
    of(place, release).map(|_| DeployError::NoContainers.to_string())
}

pub(super) fn life(_: &Place, _: &str, _: Duration) -> Option<Life> {
    None
}

pub(super) fn bring_log(_: &Place, _: &str) {}

pub(super) fn brought(place: &Place, release: &str) -> Result<(), DeployError> {
    of(place, release).map_or(Ok(()), |_| Err(DeployError::NoContainers))
}

pub(super) fn end(place: &Place, release: &str, _: Duration) -> Option<Result<bool, DeployError>> {
    of(place, release).map(|_| Err(DeployError::NoContainers))
}

#[expect(clippy::unnecessary_wraps, reason = "with the feature it may fail")]
pub(super) fn there(_: &Place) -> Result<BTreeSet<String>, DeployError> {
    Ok(BTreeSet::new())
}

/// An engine that this build cannot ask may answer another.
#[expect(clippy::unnecessary_wraps, reason = "with the feature it may fail")]
pub(super) fn silent(_: &Place) -> Result<Vec<Forgotten>, DeployError> {
    Ok(Vec::new())
}

#[expect(clippy::unnecessary_wraps, reason = "with the feature it may fail")]
pub(super) fn forget(
    _: &Place,
    _: &[Forgotten],
    _: Option<&OrderKey>,
) -> Result<Vec<Forgotten>, DeployError> {
    Ok(Vec::new())
}

pub(super) fn told(place: &Place) -> Result<(), DeployError> {
    let contained = place.releases()?.iter().any(|release| release.container.is_some());
    if contained { Err(DeployError::NoContainers) } else { Ok(()) }
}
