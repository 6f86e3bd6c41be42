//! All that one task does to a text, and the checks of it.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use serde_json::Value;

use super::actions;
use super::config::{Edit, EditConfig, MOST_EDITS};
use super::edited::{ActionInput, EditResult, Edited, Facts};
use super::format::{Format, change};
use super::structural::replace;
use super::value::{Op, as_opaque};

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
        (None, edits) => generic(edits, &config.target, text),
    }
}

/// Makes edits in order, each on what the one before it made. All of them or none.
fn generic(edits: &[Edit], path: &RelPath, text: &str) -> Result<Done, BoxError> {
    let mut now = text.to_owned();
    let mut said = Vec::new();
    for (at, edit) in edits.iter().enumerate() {
        let edited = one(edit, path, &now);
        match edited.map_err(|error| {
            if edits.len() == 1 { error } else { format!("edit {}: {error}", at + 1).into() }
        })? {
            Edited::Changed { text, said: changes } => {
                now = text;
                said.extend(changes);
            }
            Edited::AlreadySo { said: so } => said.push(format!("already so: {so}")),
        }
    }
    Ok(Done { text: (now != text).then_some(now), said })
}

fn one(edit: &Edit, path: &RelPath, text: &str) -> EditResult {
    let op = match edit {
        Edit::Replace(with) => return replace(text, path, with),
        Edit::Set(set) => Op::Set(&set.at, given(&set.value)?),
        Edit::Append(set) => Op::Append(&set.at, given(&set.value)?),
        Edit::Remove(remove) => match &remove.value {
            Some(value) => Op::Drop(&remove.at, given(value)?),
            None => Op::Remove(&remove.at),
        },
    };
    change(Format::of(path)?, text, op)
}

/// A value that can be written: no text of it begins with a NUL, which stands for what cannot be said.
fn given(value: &Value) -> Result<&Value, BoxError> {
    let fine = match value {
        Value::Array(items) => items.iter().try_for_each(|item| given(item).map(drop)),
        Value::Object(entries) => entries.values().try_for_each(|value| given(value).map(drop)),
        _ if as_opaque(value).is_some() => Err("a text in `value` begins with a NUL character".into()),
        _ => Ok(()),
    };
    fine.map(|()| value)
}

fn named(name: &str, config: &EditConfig, text: &str, facts: &Facts) -> Result<Done, BoxError> {
    let EditConfig { target: path, action: _, thresholds, options, edits: _ } = config;
    let action = actions::action(name)
        .ok_or_else(|| format!("unknown action `{name}`; known: {}", actions::names()))?;
    let with = ActionInput { path, thresholds, options, facts };
    match (action.apply)(text, &with)? {
        Edited::AlreadySo { said } => Ok(Done { text: None, said: vec![said] }),
        Edited::Changed { text: new, said } => {
            let again = (action.apply)(&new, &with)
                .map_err(|error| format!("`{name}` made a text that it cannot edit again: {error}"))?;
            match again {
                Edited::AlreadySo { .. } if new != text => Ok(Done { text: Some(new), said }),
                Edited::AlreadySo { .. } => {
                    Err(format!("`{name}` said that it changed the text and did not").into())
                }
                Edited::Changed { .. } => {
                    Err(format!("`{name}` would change its own result once more; nothing is written").into())
                }
            }
        }
    }
}
