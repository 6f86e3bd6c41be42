//! Whether the owner of a claim lives, and what whoever wants it can do.

use std::sync::Arc;

use orchestrator_core::event::Stopped;
use orchestrator_core::id::RunId;
use orchestrator_core::layout::Layout;
use orchestrator_core::lock::Lock;
use orchestrator_core::operation::Site;
use orchestrator_core::plan::Plan;
use orchestrator_core::state::{RunState, RunStatus};
use orchestrator_core::store::{JsonlStore, Store};

use crate::deployment::Claim;
use crate::deployment::ops::process;

use super::confirm::LINGERS;

/// Why a claim is held, and what to do about it.
pub(super) enum Held {
    /// Its owner lives: it ends some time.
    Lives(String),
    /// Its run stopped in order, and waits for a person.
    Waits(String),
}

/// Whether a claim is held; none where its owner is gone.
pub(super) async fn held(site: &Site<'_>, claim: &Claim) -> Option<Held> {
    let layout = Layout::new(site.state);
    let run = &claim.run;
    if Lock::is_held(&layout.run_lock(run)) {
        let next = format!("wait for it with `wait: 10m`, or end it with `orchestrate cancel {run}`");
        return Some(Held::Lives(next));
    }
    if !layout.run_dir(run).exists() {
        // A run without a journal here is told by its process alone.
        let next = "wait for it with `wait: 10m`, or end that process".to_owned();
        let lives = process::is_alive(&claim.process) || claim.is_heard_within(LINGERS);
        return lives.then_some(Held::Lives(next));
    }
    // Whoever waited for it here would keep the checkout from it.
    let next = format!(
        "it waits for a person; see `orchestrate status {run}`, or give it up with `orchestrate cancel {run}`"
    );
    waits(site, run).await.then_some(Held::Waits(next))
}

/// Whether a run stopped in order, to go on when a person has answered. One that cannot be read does not.
async fn waits(site: &Site<'_>, run: &RunId) -> bool {
    let Ok(store) = JsonlStore::open(site.state) else { return false };
    let Ok(journal) = store.load(run).await else { return false };
    let Ok(plan) = serde_json::from_slice::<Plan>(&journal.plan) else { return false };
    let Ok(state) = RunState::fold(Arc::new(plan), journal.records) else { return false };
    matches!(state.status(), RunStatus::Stopped(Stopped::Waiting))
}
