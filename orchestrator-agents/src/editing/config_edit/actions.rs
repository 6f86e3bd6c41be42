//! The named actions, by the name that pipelines use.

use super::edited::Apply;

/// A named action.
pub(crate) struct Named {
    /// As pipelines name it: `expand_coverage_collection`.
    pub name: &'static str,
    /// One sentence for people.
    pub about: &'static str,
    /// What it does: text in, text out.
    pub apply: Apply,
}

/// All of them, in order of name.
pub(crate) const ACTIONS: &[Named] = &[];

/// The action of a name.
pub(super) fn action(name: &str) -> Option<&'static Named> {
    ACTIONS.iter().find(|action| action.name == name)
}

/// Their names, for messages.
pub(super) fn names() -> String {
    let names: Vec<_> = ACTIONS.iter().map(|action| action.name).collect();
    names.join(", ")
}
