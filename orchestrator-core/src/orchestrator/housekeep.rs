//! Keeps house: room on the disk before anything is written.

use super::{Orchestrator, OrchestratorError};
use crate::effect::Effect;
use crate::executor::FreeSpace;
use crate::settings::Settings;

impl Orchestrator {
    /// Whether there is room for a run that may write. The default counts where no settings were given.
    pub(super) fn has_room(&self, ceiling: Effect) -> Result<(), OrchestratorError> {
        if ceiling == Effect::Reads {
            return Ok(());
        }
        let wanted =
            self.settings.as_ref().map_or(Settings::MIN_FREE_DISK, |settings| settings.min_free_disk);
        let short = self.executor.free_space().into_iter().find(|space| space.bytes < wanted);
        short.map_or(Ok(()), |FreeSpace { folder, bytes: free }| {
            Err(OrchestratorError::NoRoom { folder, free, wanted })
        })
    }
}
