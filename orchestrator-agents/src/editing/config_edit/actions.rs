//! The named actions, by the name that pipelines use.

mod audit;
mod coverage;
mod runner;
mod thresholds;

use orchestrator_core::BoxError;
use serde_json::{Map, Value};

use super::edited::Apply;
use crate::editing::workflow;

/// A named action.
pub(crate) struct Named {
    /// As pipelines name it: `expand_coverage_collection`.
    pub name: &'static str,
    /// One sentence for people.
    pub about: &'static str,
    /// What it does: text in, text out.
    pub apply: Apply,
}

/// Those that are not about workflows.
const ACTIONS: &[Named] = &[
    Named {
        name: "add_directory_thresholds",
        about: "coverage thresholds for all files, or for each folder or glob of `thresholds`; none is lowered",
        apply: thresholds::apply,
    },
    Named {
        name: "expand_coverage_collection",
        about: "coverage is collected from the globs of `options.include`, or from the source folders of the project",
        apply: coverage::apply,
    },
    Named {
        name: "upgrade_audit_level",
        about: "audits of dependencies fail from `options.level` on, by default `high`; none is made laxer",
        apply: audit::apply,
    },
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Named> {
    ACTIONS.iter().chain(workflow::ACTIONS)
}

/// The action of a name.
pub(super) fn action(name: &str) -> Option<&'static Named> {
    all().find(|action| action.name == name)
}

/// Their names, for messages.
pub(super) fn names() -> String {
    let mut names: Vec<_> = all().map(|action| action.name).collect();
    names.sort_unstable();
    names.join(", ")
}

/// Refuses options that an action does not have.
fn only(options: &Map<String, Value>, known: &[&str]) -> Result<(), BoxError> {
    match options.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(other) if known.is_empty() => Err(format!("unknown option `{other}`; there are none").into()),
        Some(other) => Err(format!("unknown option `{other}`; known: {}", known.join(", ")).into()),
    }
}
