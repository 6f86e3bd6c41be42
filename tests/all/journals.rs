//! Journals that earlier versions wrote still load, fold and can be resumed from.

use std::sync::Arc;

use orchestrator_core::event::{Record, RunOutcome};
use orchestrator_core::plan::Plan;
use orchestrator_core::state::{RunState, RunStatus};

const PLAN: &str = include_str!("../fixtures/journal-v1/plan.json");
const JOURNAL: &str = include_str!("../fixtures/journal-v1/journal.jsonl");

#[test]
fn a_journal_of_the_first_format_folds_to_what_it_was() {
    // The journal names the digest of its plan: a plan that is read and written differently would not be its own.
    let plan: Plan = serde_json::from_str(PLAN).unwrap();
    let records = JOURNAL.lines().map(|line| Record::parse(line.as_bytes()).unwrap());
    let state = RunState::fold(Arc::new(plan), records).unwrap();
    let outcomes: Vec<String> = state
        .tasks()
        .iter()
        .zip(state.plan().tasks())
        .map(|(task, planned)| {
            format!("{} {}", planned.id, task.outcome().map_or("open", |outcome| outcome.as_str()))
        })
        .collect();
    let expected = [
        "made passed",
        "seen passed",
        "tried failed",
        "after passed",
        "first.checkpoint.1 passed",
        "out withheld",
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(state.status(), RunStatus::Finished(RunOutcome::Passed));
    assert_eq!(state.tasks()[2].past.len(), 1, "the first attempt is kept");
}
