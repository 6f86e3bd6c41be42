//! Releases that a run names which is not over: it may go on, and bring them back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::{fs, io};

use orchestrator_core::BoxError;
use orchestrator_core::id::{OrderKey, RunId};
use orchestrator_core::layout::Layout;
use orchestrator_core::operation::Site;
use orchestrator_core::plan::Plan;
use orchestrator_core::state::{RunState, RunStatus};
use orchestrator_core::store::{JsonlStore, Store};

use crate::deployment::keep::{Because, Known};
use crate::deployment::ops::halt::looking;
use crate::deployment::ops::place::Place;

/// Of those that would go, the ones that another run names and may need. Journals lie where runs are: on a host there are none, and the
/// claim alone tells.
pub(super) async fn by_runs(
    place: &Place,
    goes: &[Known],
    order: &OrderKey,
    site: &Site<'_>,
) -> Result<BTreeMap<String, Because>, BoxError> {
    let layout = Layout::new(site.state);
    if goes.is_empty() || !place.folder().is_dir() || !layout.runs().is_dir() {
        return Ok(BTreeMap::new());
    }
    let store = JsonlStore::open(site.state)?;
    let mut runs = store.list().await?;
    // Who prunes has done its deployment, and goes back to what is the version before.
    runs.retain(|run| *run != order.run);
    let goes = goes.to_vec();
    let named = looking(site, move |halt| {
        let mut named: Vec<(RunId, Vec<String>)> = Vec::new();
        for run in runs {
            halt.check()?;
            let names = mentioned(&layout, &run, &goes);
            if !names.is_empty() {
                named.push((run, names));
            }
        }
        Ok(named)
    })
    .await?;
    let mut needed = BTreeMap::new();
    for (run, names) in named {
        if !is_over(&store, &run).await {
            needed.extend(names.into_iter().map(|name| (name, Because::Needed(run.clone()))));
        }
    }
    Ok(needed)
}

/// Which of them the plan or the journal of a run names; all of them where that cannot be read.
fn mentioned(layout: &Layout, run: &RunId, goes: &[Known]) -> Vec<String> {
    let mut found = Vec::new();
    for path in [layout.plan(run), layout.journal(run)] {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // It may name any of them.
            Err(_) => return goes.iter().map(|known| known.name.clone()).collect(),
        };
        let text = String::from_utf8_lossy(&bytes);
        found.extend(goes.iter().filter(|known| text.contains(&known.name)).map(|known| known.name.clone()));
    }
    found
}

/// Whether a run is over. One that cannot be read may go on.
async fn is_over(store: &JsonlStore, run: &RunId) -> bool {
    let Ok(journal) = store.load(run).await else { return false };
    let Ok(plan) = serde_json::from_slice::<Plan>(&journal.plan) else { return false };
    let Ok(state) = RunState::fold(Arc::new(plan), journal.records) else { return false };
    matches!(state.status(), RunStatus::Finished(_))
}
