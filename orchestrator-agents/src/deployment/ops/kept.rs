//! Releases that are kept: which of them were ever good, and which one a rollback goes back to. Plain functions for a command line.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::contracted;
use super::error::DeployError;
use super::place::Place;
use super::traffic;
use crate::deployment::{Claim, Current, Ending, Environment, Happening, Service, Version, What};

/// A release that is kept, and may be started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its version.
    pub version: Version,
    /// Its name.
    pub release: String,
    /// Whether it is the current one.
    pub current: bool,
    /// Whether it is the one before, to which there is a way back.
    pub previous: bool,
    /// Whether a rollback goes back to it.
    #[serde(default)]
    pub back: bool,
    /// Whether it ever counted: it is current, was promoted, or was brought back. What failed its proofs or its watch did not.
    pub proven: bool,
    /// Migrations that took away since what it may need: a rollback goes to it only where it is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contracted: Vec<String>,
    /// How its deployment ended the last time, where the history tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Ending>,
}

/// The releases of an environment that are kept, the newest first.
pub fn kept(state: &Path, environment: &Environment) -> Result<Vec<Kept>, DeployError> {
    let place = Place::new(state, environment);
    let (current, history, taken) = (place.current()?, place.history()?, place.contracted()?);
    let (mut releases, back) = (place.releases()?, way_back(state, environment)?);
    // An order begins with its run, and that with its time.
    releases.sort_by(|one, other| other.order.cmp(&one.order));
    let is = |service: Option<&Service>, name: &str| service.is_some_and(|service| service.release == name);
    let kept = releases.into_iter().map(|release| {
        let current_one = is(current.as_ref().map(|current| &current.service), &release.name);
        let (proven, verdict) = told(&history, &release.name);
        Kept {
            current: current_one,
            previous: is(current.as_ref().and_then(Current::back), &release.name),
            back: back.as_ref().is_some_and(|(_, name)| *name == release.name),
            proven: proven || current_one,
            contracted: contracted::since(&taken, &release.name, &release.order),
            verdict,
            version: release.version,
            release: release.name,
        }
    });
    Ok(kept.collect())
}

/// Whether a release ever counted, and how its deployment ended the last time. Histories of old know no ends.
pub(super) fn told(history: &[Happening], release: &str) -> (bool, Option<Ending>) {
    let own = || history.iter().filter(|happening| happening.release == release);
    let ends: Vec<Ending> = own().filter_map(|happening| happening.verdict).collect();
    let counted = |ending: &Ending| matches!(ending, Ending::Promoted | Ending::Reinstated);
    let promoted = || own().any(|happening| happening.what == What::Promoted);
    let proven = if ends.is_empty() { promoted() } else { ends.iter().any(counted) };
    (proven, ends.last().copied())
}

/// What a rollback goes back to; none where there is nothing.
///
/// Where something else than the current version was tried, and that is not over in order, it is the current one: the version before
/// was not left for this one. That is so where a candidate or another share of the traffic is on record, or somebody's claim who did not
/// come as far as the current version. A version on watch goes back to the one before it. What a switch or a rollback brings back that
/// was cut off, or that failed when the traffic had moved, is not tried: the same one again goes on.
pub fn way_back(state: &Path, environment: &Environment) -> Result<Option<(Version, String)>, DeployError> {
    let place = Place::new(state, environment);
    let Some(current) = place.current()? else { return Ok(None) };
    let claim = place.claim()?;
    let brings = claim.as_ref().and_then(|claim| claim.brings.as_deref());
    let going = place.going()?.map(|going| going.release);
    let comes_back = |release: &str| Some(release) == brings || Some(release) == going.as_deref();
    let own = |release: &str| release == current.service.release || comes_back(release);
    let tried = || -> Result<bool, DeployError> {
        let candidate = place.candidate()?.is_some_and(|candidate| !own(&candidate.release));
        let claim = claim.as_ref().is_some_and(|claim| brings.is_none() && !made_it(claim, &current.service));
        let other = |(release, share): (&String, &u32)| *share > 0 && !own(release);
        Ok(candidate
            || claim
            || traffic::traffic(&place).is_some_and(|traffic| traffic.shares.iter().any(other)))
    };
    let taken = place.contracted()?;
    // What it may need is gone: only a person may want it all the same.
    let works = |service: &&Service| contracted::since(&taken, &service.release, &service.order).is_empty();
    let back =
        if !current.on_watch && tried()? { Some(&current.service) } else { current.back().filter(works) };
    Ok(back.map(|service| (service.version.clone(), service.release.clone())))
}

/// Whether the task of a claim started that service.
fn made_it(claim: &Claim, service: &Service) -> bool {
    service.order.starts_with(&format!("{}/{}#", claim.run, claim.task))
}
