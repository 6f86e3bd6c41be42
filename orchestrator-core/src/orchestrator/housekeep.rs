//! Keeps house: which runs go, and room on the disk before anything is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Orchestrator, OrchestratorError};
use crate::effect::Effect;
use crate::executor::FreeSpace;
use crate::id::RunId;
use crate::layout::Layout;
use crate::outcome::Failure;
use crate::plan::Plan;
use crate::prune::{self, Facts, Look, Pruned, Pruning, Read, Want};
use crate::report::RunRecord;
use crate::settings::Settings;
use crate::state::RunState;
use crate::store::StoreError;

impl Orchestrator {
    /// Which runs go, which stay although they are over a limit, and why; see [`crate::prune`]. Nothing is removed. `latest` is
    /// a run that is known already and so need not be read. Nothing goes where journals lie in no folder.
    pub async fn prunable(
        &self,
        want: Want<'_>,
        latest: Option<&RunRecord>,
    ) -> Result<Pruning, OrchestratorError> {
        let Some(layout) = self.store.layout().cloned() else { return Ok(Pruning::default()) };
        let runs = self.store.list().await?;
        let mut look = Look::new(&layout, &runs, want.keep);
        if let Some(latest) = latest {
            look.remember(&latest.run, Facts::of(&latest.state));
        }
        let mut read = BTreeMap::new();
        for run in look.unknown() {
            let found = match self.load(&run).await {
                Ok((state, _)) => Read::Facts(Facts::of(&state)),
                Err(OrchestratorError::Store(StoreError::Empty(_))) => Read::Empty(planned(&layout, &run)),
                Err(error) => Read::Unreadable(Failure::from_error(&error).to_string()),
            };
            read.insert(run, found);
        }
        Ok(look.judge(want, read))
    }

    /// Removes what was found to go. A run that a process took up since stays. What fails is in the answer: nothing of it is
    /// worth failing a run for.
    pub async fn prune(&self, pruning: Pruning) -> Pruned {
        let Some(layout) = self.store.layout().cloned() else { return Pruned::default() };
        let carried_out = tokio::task::spawn_blocking(move || prune::carry_out(&layout, &pruning)).await;
        carried_out.unwrap_or_else(|error| Pruned { failed: vec![error.to_string()], ..Pruned::default() })
    }

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

/// The facts of a run in which nothing happened yet.
fn planned(layout: &Layout, run: &RunId) -> Option<Facts> {
    let plan: Plan = serde_json::from_slice(&std::fs::read(layout.plan(run)).ok()?).ok()?;
    Some(Facts::of(&RunState::new(Arc::new(plan))))
}
