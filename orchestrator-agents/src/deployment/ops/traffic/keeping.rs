//! That a proxy runs which should: its supervisor is told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use orchestrator_core::operation::Site;

use super::proxy::Proxy;
use crate::deployment::ops::error::DeployError;
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::launch::Surroundings;
use crate::deployment::ops::place::Place;
use crate::deployment::supervise::Supervisor;

/// Who keeps a proxy running, and what that takes.
pub(in crate::deployment::ops) struct Keeping {
    supervisor: Option<Supervisor>,
    surroundings: Surroundings,
    root: PathBuf,
}

impl Keeping {
    pub(in crate::deployment::ops) fn new(
        supervisor: Option<&Supervisor>,
        site: &Site<'_>,
    ) -> Result<Self, DeployError> {
        let surroundings = Surroundings::new(&BTreeMap::new(), site)?;
        Ok(Self { supervisor: supervisor.cloned(), surroundings, root: site.root.to_owned() })
    }

    pub(super) fn order(&self, front: &Proxy<'_>) -> Result<(), DeployError> {
        self.supervisor
            .as_ref()
            .map_or(Ok(()), |supervisor| front.kept_by(supervisor, &self.surroundings, &self.root))
    }

    /// Has the recorded proxy run again where nobody answers; what to do about one that nobody keeps, the next question to it says.
    pub(in crate::deployment::ops) fn revive(&self, place: &Place, halt: &Halt) -> Result<(), DeployError> {
        let Some(config) = place.fronted()? else { return Ok(()) };
        let front = Proxy { place, config: &config, halt };
        if front.answers() { Ok(()) } else { self.order(&front) }
    }
}
