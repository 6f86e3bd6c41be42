//! `contracted.json`: what contract migrations took away, and which version counted then. A version that is older may need it.

use orchestrator_core::id::RunId;
use serde::{Deserialize, Serialize};

use super::error::DeployError;
use super::place::Place;
use crate::deployment::migrations::{Applied, Kind, MigrationFile, kind_of};

/// The most versions that are told apart; of more the oldest goes, whose release hardly is kept.
const MOST: usize = 100;

/// What was taken away under one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contracted {
    /// Its release; empty where it is known by the record of the database alone, which others may have written.
    release: String,
    /// The order that started it, or the run that applied the files: whatever was started before is older.
    order: String,
    /// The files that were applied, or what a tool of the user said was pending.
    files: Vec<String>,
}

/// Records files that are about to be applied under the version that counts. Before, since nobody could say so after a kill. Tells
/// whether one of them was not on record yet.
pub(super) fn note(place: &Place, files: &[String]) -> Result<bool, DeployError> {
    let Some(current) = place.current()?.filter(|_| !files.is_empty()) else { return Ok(false) };
    let mut all = place.contracted()?;
    let (release, order) = (current.service.release, current.service.order);
    let own = match all.iter().position(|known| known.release == release) {
        Some(at) => at,
        None => {
            all.push(Contracted { release, order, files: Vec::new() });
            all.len() - 1
        }
    };
    let fresh: Vec<String> = files.iter().filter(|file| !all[own].files.contains(file)).cloned().collect();
    let is_new = !fresh.is_empty();
    all[own].files.extend(fresh);
    place.set_contracted(&latest(all))?;
    Ok(is_new)
}

/// Takes back what was noted last under the version that counts: nothing of it was taken away.
pub(super) fn forget(place: &Place, file: &str) -> Result<(), DeployError> {
    let Some(current) = place.current()? else { return Ok(()) };
    let mut all = place.contracted()?;
    for known in all.iter_mut().filter(|known| known.release == current.service.release) {
        known.files.retain(|noted| noted != file);
    }
    all.retain(|known| !known.files.is_empty());
    place.set_contracted(&all)
}

/// Not too many: the oldest go.
fn latest(mut all: Vec<Contracted>) -> Vec<Contracted> {
    all.sort_by(|one, other| one.order.cmp(&other.order));
    all.split_off(all.len().saturating_sub(MOST))
}

/// What is noted, as the record of the database has it: a file of the checkout that is not applied took nothing away, and one that was
/// applied did so for every place that uses the database, whoever applied it. None where it is noted so already, or where no version counts
/// that there could be a way back from.
pub(super) fn corrected(
    place: &Place,
    files: &[MigrationFile],
    applied: &[Applied],
) -> Result<Option<Vec<Contracted>>, DeployError> {
    if place.current()?.is_none() {
        return Ok(None);
    }
    let noted = place.contracted()?;
    let mut all = noted.clone();
    let is_applied = |name: &str| applied.iter().any(|row| row.name == name);
    let is_pending = |name: &String| files.iter().any(|file| file.name == *name) && !is_applied(name);
    for known in &mut all {
        known.files.retain(|name| !is_pending(name));
    }
    all.retain(|known| !known.files.is_empty());
    for row in applied.iter().filter(|row| kind_of(&row.name) == Ok(Kind::Contract)) {
        // An order begins with its run.
        let run = row.order.split('/').next().filter(|run| RunId::new(*run).is_ok());
        let Some(run) = run.filter(|_| all.iter().all(|known| !known.files.contains(&row.name))) else {
            continue;
        };
        match all.iter_mut().find(|known| known.release.is_empty() && known.order == run) {
            Some(known) => known.files.push(row.name.clone()),
            None => all.push(Contracted {
                release: String::new(),
                order: run.to_owned(),
                files: vec![row.name.clone()],
            }),
        }
    }
    Ok(Some(latest(all)).filter(|all| *all != noted))
}

/// Notes what the record of the database has.
pub(super) fn correct(
    place: &Place,
    files: &[MigrationFile],
    applied: &[Applied],
) -> Result<(), DeployError> {
    corrected(place, files, applied)?.map_or(Ok(()), |all| place.set_contracted(&all))
}

/// The files that took something away after a release was started.
pub(super) fn since(all: &[Contracted], release: &str, order: &str) -> Vec<String> {
    // An order begins with its run, and that with its time.
    let later = all.iter().filter(|known| known.release != release && *known.order > *order);
    later.flat_map(|known| known.files.clone()).collect()
}
