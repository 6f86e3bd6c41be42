//! The part of an attempt that is about reuse: a recorded result instead of work, and recording new ones.

use std::sync::Arc;

use super::{Fate, Halt, Job, halted};
use crate::agent::Conclusion;
use crate::event::Event;
use crate::json::Json;
use crate::operation::Operation as _;
use crate::reuse::{Found, Fresh, Hit, Outputs, Passed, Restore, Reuse, ReuseMode, Spec, restores};
use crate::state::Round;

/// What a job needs to look its task up, and what it found.
pub(crate) struct Lookup {
    pub(crate) reuse: Arc<Reuse>,
    pub(crate) spec: Arc<Spec>,
    /// What a new result is recorded under.
    pub(crate) fresh: Option<Box<Fresh>>,
    /// What a new result is compared with.
    pub(crate) expected: Option<Box<Hit>>,
}

/// Whether a round restores what a reused task made, and is none of its agent's.
pub(super) fn is_restoring(round: &Round) -> bool {
    matches!(round.actions.as_slice(), [action] if restores(action).is_some())
}

impl Job {
    /// The end of the attempt where a recorded result holds; none where the work is to be done.
    pub(super) async fn reused(
        &mut self,
        deadline: Option<tokio::time::Instant>,
        events: &mut Vec<Event>,
    ) -> Option<Fate> {
        // A run that was cut off goes on restoring, or with the agent's own work.
        if self.rounds.last().is_some_and(|round| !is_restoring(round)) {
            return None;
        }
        let began = self.rounds.last().is_some();
        if let Some(end) = self.restored(deadline, events).await {
            return Some(end);
        }
        let hit = self.look_up().await?;
        if hit.missing.is_empty() {
            return Some(self.take(hit));
        }
        if !began {
            let outputs = Outputs { key: hit.key, files: hit.missing.clone() };
            self.open_round(vec![Restore::action(&outputs).ok()?], Json::null(), events);
            if let Some(end) = self.restored(deadline, events).await {
                return Some(end);
            }
            if self.rounds.last().is_some_and(|round| !round.failed()) {
                return Some(self.take(hit));
            }
        }
        // What could not be restored is made by the agent's own work.
        if let Some(lookup) = &self.reuse {
            lookup.reuse.forget(self.task.id.as_str(), hit.key, "what it made could not be restored");
        }
        let again = self.look_up().await?;
        again.missing.is_empty().then(|| self.take(again))
    }

    /// Performs what is left of restoring; the end of the attempt where it was stopped, or withheld.
    async fn restored(
        &mut self,
        deadline: Option<tokio::time::Instant>,
        events: &mut Vec<Event>,
    ) -> Option<Fate> {
        if self.rounds.is_empty() {
            return None;
        }
        match self.perform_round(deadline, events).await {
            Ok(()) | Err(Halt::Failed(_)) => None,
            Err(halt) => Some(halted(halt)),
        }
    }

    /// A recorded result that holds and is to be used. What is needed to record or compare a new one is kept.
    async fn look_up(&mut self) -> Option<Box<Hit>> {
        let lookup = self.reuse.as_mut()?;
        let (reuse, spec, name) = (lookup.reuse.clone(), lookup.spec.clone(), self.task.id.clone());
        let mode = reuse.mode;
        let looking = move || {
            if mode == ReuseMode::Renew {
                return reuse.look_anew(name.as_str(), &spec);
            }
            reuse.look_up(name.as_str(), &spec)
        };
        match tokio::task::spawn_blocking(looking).await.ok()? {
            Found::Hit(hit) if mode == ReuseMode::Verify => {
                lookup.expected = Some(hit);
                None
            }
            Found::Hit(hit) => Some(hit),
            Found::Miss(fresh) => {
                lookup.fresh = Some(fresh);
                None
            }
            Found::Unknown(why) => {
                tracing::warn!(task = %self.task.id, why, "its result is not reused");
                None
            }
        }
    }

    fn take(&self, hit: Box<Hit>) -> Fate {
        if let Some(lookup) = &self.reuse {
            lookup.reuse.cache.show(&hit.result.captured, &self.run);
        }
        Fate::Cached(hit)
    }

    /// Records a new result; or compares it with the recorded one, and says what differs.
    pub(super) async fn checked_and_recorded(
        &mut self,
        conclusion: Conclusion<Json>,
    ) -> Result<Conclusion<Json>, Conclusion<Json>> {
        let Some(lookup) = &mut self.reuse else { return Ok(conclusion) };
        let (reuse, spec) = (lookup.reuse.clone(), lookup.spec.clone());
        let (fresh, expected) = (lookup.fresh.take(), lookup.expected.take());
        if fresh.is_none() && expected.is_none() {
            return Ok(conclusion);
        }
        let (run, task, rounds) = (self.run.clone(), self.task.id.clone(), self.rounds.clone());
        let kept = conclusion.clone();
        let work = move || {
            if let Some(fresh) = fresh {
                let passed = Passed { run: &run, task: &task, rounds: &rounds, conclusion: &kept };
                reuse.store(&spec, &fresh, &passed);
            }
            let differences =
                expected.as_ref().map(|hit| reuse.differences(&spec, hit, &kept)).unwrap_or_default();
            if let Some(hit) = expected.filter(|_| !differences.is_empty()) {
                reuse.forget(task.as_str(), hit.key, "it gave something else when it was run again");
            }
            differences
        };
        let differences = tokio::task::spawn_blocking(work).await.unwrap_or_default();
        if differences.is_empty() {
            return Ok(conclusion);
        }
        let Conclusion { output: _, summary: _, metrics, findings } = conclusion;
        let summary = format!(
            "it gave something else than what is recorded under the same fingerprint: {}; something that it depends \
             on is not declared",
            differences[0].message
        );
        let findings = findings.into_iter().chain(differences).collect();
        Err(Conclusion { output: None, summary, metrics, findings })
    }
}
