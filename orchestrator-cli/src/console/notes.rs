//! What a plan says besides its tasks: of a phase, or of the whole.

use orchestrator_core::id::PhaseName;
use orchestrator_core::plan::Plan;

use super::text::clean;

/// Notes of a phase.
pub(crate) fn of_phase(plan: &Plan, phase: &PhaseName) -> Vec<String> {
    let notes = plan.parts().notes.iter();
    notes.filter_map(|note| of(note, phase)).map(clean).collect()
}

/// Notes of no phase: what the selection left out.
pub(crate) fn of_plan(plan: &Plan) -> Vec<String> {
    let is_general = |note: &&String| plan.phases().iter().all(|phase| of(note, &phase.name).is_none());
    plan.parts().notes.iter().filter(is_general).map(|note| clean(note)).collect()
}

fn of<'n>(note: &'n str, phase: &PhaseName) -> Option<&'n str> {
    note.strip_prefix(phase.as_str())?.strip_prefix(": ")
}
