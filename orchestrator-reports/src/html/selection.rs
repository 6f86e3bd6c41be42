//! Which tasks are shown in full: all of them where that is possible, else those that people look for first.

use std::collections::HashSet;

use crate::summary::{Summary, TaskStatus, TaskSummary};

/// The most tasks that are shown in full.
const TASKS: usize = 400;
/// The most actions that are shown in all.
const ACTIONS: usize = 1500;

/// The ids of the tasks that are shown in full.
pub(super) fn full(summary: &Summary) -> HashSet<&str> {
    let mut all: Vec<&TaskSummary> = summary.tasks().collect();
    all.sort_by_key(|task| rank(task));
    let mut actions = 0;
    all.into_iter()
        .take(TASKS)
        .take_while(|task| {
            actions += task.every_action().count();
            actions <= ACTIONS
        })
        .map(|task| task.id.as_str())
        .collect()
}

/// The lower, the sooner people look for it.
pub(super) fn rank(task: &TaskSummary) -> u8 {
    match task.status {
        TaskStatus::Failed => 0,
        TaskStatus::Waiting | TaskStatus::Running | TaskStatus::Retrying => 1,
        TaskStatus::Cancelled | TaskStatus::Withheld | TaskStatus::Deferred => 2,
        TaskStatus::Passed if task.attempts > 1 => 3,
        TaskStatus::Passed => 4,
        TaskStatus::Cached | TaskStatus::Skipped | TaskStatus::Pending => 5,
    }
}
