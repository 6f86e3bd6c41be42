//! All that one task does to a text, and the checks of it.

use orchestrator_core::BoxError;

use super::actions;
use super::config::{EditConfig, MOST_EDITS};
use super::edited::{ActionInput, Edited, Facts};

/// What became of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    /// The new text; none where nothing is to be changed.
    pub text: Option<String>,
    /// What changed or is so already, a line each.
    pub said: Vec<String>,
}

/// Does what a config asks for.
pub(super) fn work(config: &EditConfig, text: &str, facts: &Facts) -> Result<Done, BoxError> {
    match (&config.action, config.edits.as_slice()) {
        (Some(action), []) => named(action.as_str(), config, text, facts),
        (None, []) => Err("nothing is asked for; give `action` or `edits`".into()),
        (Some(_), _) => Err("both `action` and `edits` are given; make two tasks of it".into()),
        (None, edits) if edits.len() > MOST_EDITS => {
            Err(format!("{} edits are given; up to {MOST_EDITS} are made", edits.len()).into())
        }
        (None, _) => Err("edits".into()),
    }
}

fn named(name: &str, config: &EditConfig, text: &str, facts: &Facts) -> Result<Done, BoxError> {
    let EditConfig { target: path, action: _, thresholds, options, edits: _ } = config;
    let action = actions::action(name).ok_or_else(|| format!("unknown action `{name}`; known: {}", actions::names()))?;
    let with = ActionInput { path, thresholds, options, facts };
    match (action.apply)(text, &with)? {
        Edited::AlreadySo { said } => Ok(Done { text: None, said: vec![said] }),
        Edited::Changed { text: new, said } => {
            let again = (action.apply)(&new, &with).map_err(|error| format!("`{name}` made a text that it cannot edit again: {error}"))?;
            match again {
                Edited::AlreadySo { .. } if new != text => Ok(Done { text: Some(new), said }),
                Edited::AlreadySo { .. } => Err(format!("`{name}` said that it changed the text and did not").into()),
                Edited::Changed { .. } => Err(format!("`{name}` would change its own result once more; nothing is written").into()),
            }
        }
    }
}
