//! Tasks whose recorded result holds, told before they are started.

use std::sync::Arc;

use super::{Live, RunError, task_of};
use crate::event::{Event, Reused, TaskFinished};
use crate::id::TaskId;
use crate::job::reused::Lookup;
use crate::json::Json;
use crate::outcome::Outcome;
use crate::plan::{PlannedTask, Selection, TaskIx};
use crate::reuse::{Hit, ReuseMode};
use crate::state::Stage;

impl Live {
    /// Looks at everything that results of this plan's tasks depend on, once and all together, while nothing runs.
    pub(super) async fn look_at_all(&mut self) {
        let Some(reuse) = self.own.reuse.clone().filter(|reuse| reuse.mode == ReuseMode::On) else { return };
        let (plan, agents) = (self.own.state.plan().clone(), self.own.agents.clone());
        let looking = move || {
            let tasks = (0..).map(TaskIx).zip(plan.tasks());
            let tasks: Vec<_> = tasks.filter(|(_, task)| task.selection == Selection::Selected).collect();
            reuse.look_at(tasks.iter().map(|(_, task)| task.id.as_str()));
            let spec = |(ix, planned): &(TaskIx, &PlannedTask)| {
                // What others give is not known yet.
                let agent = agents.get(&planned.agent).filter(|_| planned.takes.is_empty())?;
                let task = task_of(&plan, *ix, planned.config.clone());
                reuse.spec(&plan, planned, &**agent, &task)
            };
            reuse
                .held(&tasks, |(_, planned)| planned.id.as_str(), spec)
                .into_iter()
                .map(|((ix, _), hit)| (*ix, hit))
                .collect()
        };
        // What was not looked at is looked at when its turn comes.
        self.held = tokio::task::spawn_blocking(looking).await.unwrap_or_default();
    }

    /// The end of a task that is about to start, if a recorded result holds and what it made is there.
    pub(super) async fn quick(
        &mut self,
        ix: TaskIx,
        events: &mut Vec<Event>,
    ) -> Result<Option<Event>, RunError> {
        let Some(reuse) = self.own.reuse.clone().filter(|reuse| reuse.mode == ReuseMode::On) else {
            return Ok(None);
        };
        // Edits that a dry run withheld are not in the tree: whether a result holds with them, nobody knows.
        if self.own.state.task(ix).stage != Stage::Pending || self.scheduler.follows_withheld(ix) {
            return Ok(None);
        }
        if !reuse.is_disturbed()
            && let Some(hit) = self.held.remove(&ix)
        {
            reuse.cache.show(&hit.result.captured, &self.own.run);
            let task = self.own.state.plan().task(ix).id.clone();
            return Ok(Some(cached(task, hit)));
        }
        if !self.own.state.plan().task(ix).takes.is_empty() {
            // What it takes may have ended just now.
            self.record(std::mem::take(events)).await?;
        }
        let Ok(config) = self.config(ix) else { return Ok(None) };
        let Some(lookup) = self.lookup(ix, &config) else { return Ok(None) };
        let task = self.own.state.plan().task(ix).id.clone();
        let Some(hit) = reuse.quick(task.as_str(), &lookup.spec) else { return Ok(None) };
        reuse.cache.show(&hit.result.captured, &self.own.run);
        Ok(Some(cached(task, hit)))
    }

    /// What a job needs to look its task up; none where its result is never reused.
    pub(super) fn lookup(&self, ix: TaskIx, config: &Json) -> Option<Lookup> {
        let reuse = self.own.reuse.as_ref()?;
        if self.scheduler.follows_withheld(ix) {
            return None;
        }
        let plan = self.own.state.plan();
        let planned = plan.task(ix);
        let agent = self.own.agents.get(&planned.agent)?;
        let spec = reuse.spec(plan, planned, &**agent, &task_of(plan, ix, config.clone()))?;
        Some(Lookup { reuse: reuse.clone(), spec: Arc::new(spec), fresh: None, expected: None })
    }
}

/// The fact that a recorded result was reused.
pub(super) fn cached(task: TaskId, hit: Hit) -> Event {
    let Hit { key, result, missing: _ } = hit;
    let reused =
        Reused { fingerprint: key, at: result.at, took_ms: result.took_ms, captured: result.captured };
    Event::TaskFinished(Box::new(TaskFinished {
        task,
        outcome: Outcome::Cached,
        reason: None,
        conclusion: Some(result.conclusion),
        failure: None,
        from_run: Some(result.run),
        reused: Some(Box::new(reused)),
        follows: Vec::new(),
    }))
}
