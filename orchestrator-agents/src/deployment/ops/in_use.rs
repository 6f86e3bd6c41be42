//! Which runs what is deployed still needs.

use std::collections::BTreeSet;
use std::path::Path;

use orchestrator_core::id::RunId;

use super::error::DeployError;
use super::place::Place;
use super::process;

/// The runs whose deployments from a state folder are in use: recorded as the current service, the one before it or the
/// candidate of an environment, or claiming it; or with a process that runs, recorded or not. Records that cannot be read are an error,
/// since then nobody knows.
pub fn runs_in_use(state: &Path) -> Result<BTreeSet<RunId>, DeployError> {
    let mut orders = Vec::new();
    let mut releases = Vec::new();
    for place in Place::all(state)? {
        if let Some(current) = place.current()? {
            orders.extend(current.previous.map(|service| service.order));
            orders.push(current.service.order);
        }
        orders.extend(place.claim()?.map(|claim| claim.run.to_string()));
        orders.extend(place.candidate()?.map(|service| service.order));
        releases.extend(place.releases()?.into_iter().map(|release| (release.tag(), release.order)));
    }
    let alive = process::tagged(releases.iter().map(|(tag, _)| tag.as_str()));
    orders.extend(releases.into_iter().filter(|(tag, _)| alive.contains_key(tag)).map(|(_, order)| order));
    // An order is written `RUN/TASK#1.0.0`.
    Ok(orders.iter().filter_map(|order| RunId::new(order.split('/').next()?).ok()).collect())
}
