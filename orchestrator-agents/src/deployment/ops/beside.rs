//! The start of a version beside the one that counts, whatever it runs in: as a candidate.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use orchestrator_core::id::OrderKey;
use orchestrator_traffic::ports;

use super::claim;
use super::error::{DeployError, Tried};
use super::halt::Halt;
use super::launch::{Launch, Surroundings};
use super::place::Place;
use super::start::{StartOutput, end_leftovers};
use crate::deployment::supervise::Supervisor;
use crate::deployment::{Release, What};

/// A start that was begun.
pub(super) struct Beside<'a> {
    pub(super) place: &'a Place,
    pub(super) order: &'a OrderKey,
    /// Whether the environment must be claimed by the task that orders it.
    pub(super) claimed: bool,
    /// Its port on loopback; 0 picks a free one.
    pub(super) port: u16,
    pub(super) surroundings: &'a Surroundings,
    pub(super) supervisor: Option<&'a Supervisor>,
}

impl Beside<'_> {
    /// Ends what is left over, lays the release out and starts it. One that does not come up is no candidate.
    pub(super) fn start(
        &self,
        halt: &Halt,
        lay_out: impl FnOnce() -> Result<Release, DeployError>,
    ) -> Result<StartOutput, DeployError> {
        let Self { place, order, claimed, port, surroundings, supervisor } = *self;
        let _locked = place.lock(halt)?;
        if claimed {
            claim::confirm(place, order)?;
        }
        end_leftovers(place)?;
        if port != 0 && !ports::is_free(port) {
            return Err(DeployError::Taken(port));
        }
        let release = lay_out()?;
        let begun = Instant::now();
        let launch = Launch { place, release: &release, surroundings, halt, supervisor };
        match launch.run(port, |service| place.set_candidate(Some(service))) {
            Ok(service) => {
                place.note(What::Started, &release.version, &release.name, Some(&release.order));
                Ok(StartOutput::of(&service, Some(begun.elapsed().as_secs_f64() * 1e3)))
            }
            Err(error) => {
                place.set_candidate(None)?;
                place.note(What::FailedToStart, &release.version, &release.name, Some(&release.order));
                Err(error)
            }
        }
    }
}

/// The folder of a release, empty.
pub(super) fn fresh_folder(place: &Place, release: &str) -> Result<PathBuf, DeployError> {
    let folder = place.release_folder(release);
    if folder.exists() {
        fs::remove_dir_all(&folder).tried("cleared", &folder)?;
    }
    fs::create_dir_all(&folder).tried("created", &folder)?;
    Ok(folder)
}
