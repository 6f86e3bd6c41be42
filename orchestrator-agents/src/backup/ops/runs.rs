//! What runs may need of snapshots, by their journals.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::event::RunOutcome;
use orchestrator_core::id::RunId;
use orchestrator_core::plan::Plan;
use orchestrator_core::state::{RunState, RunStatus};
use orchestrator_core::store::{Journal, JsonlStore, Store, StoreError};

use super::known::Known;
use crate::backup::keep::{RunSeen, Stands, is_housekeeping};

/// How the name of the pipeline begins that reverses a run.
const ROLLBACK: &str = "rollback of ";

/// Looks at every run of a state folder.
pub(super) async fn look(state: &Path, snapshots: &[Known]) -> Result<Vec<RunSeen>, BoxError> {
    let store = JsonlStore::open(state)?;
    let mut seen = Vec::new();
    for run in store.list().await? {
        let live = store.is_live(&run);
        let loaded = store.load(&run).await;
        seen.extend(one(&store, run, live, loaded, snapshots));
    }
    Ok(seen)
}

fn one(
    store: &JsonlStore,
    run: RunId,
    live: bool,
    loaded: Result<Journal, StoreError>,
    snapshots: &[Known],
) -> Option<RunSeen> {
    let mut seen = RunSeen {
        run: run.clone(),
        stands: if live { Stands::Live } else { Stands::Open },
        delivers: false,
        parent: None,
        rolled_back: None,
        names: BTreeSet::new(),
    };
    let journal = match loaded {
        Ok(journal) => journal,
        // It was removed meanwhile.
        Err(StoreError::Unknown(_)) => return None,
        Err(StoreError::Empty(_)) => {
            seen.names = named(&fs::read(store.layout().plan(&run)).unwrap_or_default(), snapshots);
            return Some(seen);
        }
        Err(_) => return Some(RunSeen { stands: Stands::Unreadable, ..seen }),
    };
    let Ok(plan) = serde_json::from_slice::<Plan>(&journal.plan) else {
        return Some(RunSeen { stands: Stands::Unreadable, ..seen });
    };
    let Ok(state) = RunState::fold(Arc::new(plan), journal.records) else {
        return Some(RunSeen { stands: Stands::Unreadable, ..seen });
    };
    let pipeline = state.plan().pipeline().to_owned();
    seen.parent = state.begun().and_then(|begun| begun.parent.clone());
    let is_real = state.ceiling() > Effect::Reads;
    let reverses = pipeline.strip_prefix(ROLLBACK).and_then(|run| RunId::new(run).ok());
    seen.delivers = is_real && reverses.is_none() && !is_housekeeping(&pipeline);
    match state.status() {
        RunStatus::Finished(outcome) if !live => {
            seen.stands = Stands::Over;
            seen.rolled_back = reverses.filter(|_| is_real && outcome == RunOutcome::Passed);
        }
        _ => {
            // What it made is told by the snapshots themselves; what it restores, reads or has of earlier runs by its plan.
            // Its journal names whatever was listed.
            seen.names = named(&journal.plan, snapshots);
        }
    }
    Some(seen)
}

/// The snapshots whose names a text has anywhere: too many rather than too few.
fn named(text: &[u8], snapshots: &[Known]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(text);
    let names = snapshots.iter().map(|known| &known.name);
    names.filter(|name| text.contains(name.as_str())).cloned().collect()
}
