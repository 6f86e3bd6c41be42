//! What a deployment that is under way does yet, told by its config and what it carries. Pure.

use orchestrator_core::json::Json;

use super::fleet;
use super::known::{Known, Step};

/// Whether a deployment that is under way watches its version, or will: only then it hears a person who wants it to go back. `carried` is
/// what its last round carried; none where it has not begun.
pub fn hears_of_rollback(config: &Json, carried: Option<&Json>) -> bool {
    let watches = config.value().get("watch").is_some_and(|watch| !watch.is_null());
    if let Some(hears) = carried.and_then(fleet::hears) {
        return watches && hears;
    }
    let known =
        carried.filter(|carried| !carried.is_null()).and_then(|carried| carried.parse::<Known>().ok());
    let watches_yet = match known.map(|known| known.step) {
        None | Some(Step::Open | Step::Ask | Step::Prove | Step::Load | Step::Shift | Step::Watch) => true,
        Some(
            Step::Promote
            | Step::RollBack(_)
            | Step::GiveUp(_)
            | Step::Unfinished(_)
            | Step::Stuck(_)
            | Step::Undecided(_),
        ) => false,
    };
    watches && watches_yet
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_who_watches_hears() {
        let hears = |watch: serde_json::Value, step: Option<Step>| {
            let carried = step.map(|step| Json::of(&Known { step, ..Known::unclaimed() }).unwrap());
            hears_of_rollback(&json!({ "watch": watch }).into(), carried.as_ref())
        };
        assert!(hears(json!({ "seconds": 60 }), None) && hears(json!({}), Some(Step::Watch)));
        assert!(!hears(json!(null), None) && !hears(json!(null), Some(Step::Prove)));
        assert!(!hears(json!({}), Some(Step::Promote)) && !hears(json!({}), Some(Step::Stuck("x".into()))));
        assert!(!hears_of_rollback(&json!({ "environment": "production" }).into(), Some(&Json::null())));
    }
}
