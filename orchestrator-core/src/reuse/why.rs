//! Why a task would run again, or would not.

use std::fmt;

use super::{Found, Reuse, Spec};

/// Why a task would run again, or would not.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A result holds.
    Holds {
        /// The run that gave it.
        run: crate::id::RunId,
        /// When.
        at: jiff::Timestamp,
        /// Files that it made and that are to be restored.
        restores: Vec<String>,
    },
    /// It declares no inputs, or says that it is never reused.
    Never,
    /// It cannot be told.
    Unknown(String),
    /// Nothing was recorded.
    New {
        /// Why its last result was not stored, where that is known.
        note: Option<String>,
    },
    /// These differ from the last recorded result.
    Changed(Vec<String>),
    /// Nothing differs, but the result is too old.
    Old,
}

impl Reuse {
    /// Why a task would run again. Looks, and changes nothing but what is remembered. Blocks.
    pub(crate) fn why(&self, name: &str, spec: &Spec) -> Why {
        let (last, note) = self.inventory().last(name);
        let fresh = match self.look_up(name, spec) {
            Found::Hit(hit) => {
                let restores = hit.missing.iter().map(|made| made.path.to_string()).collect();
                return Why::Holds { run: hit.result.run, at: hit.result.at, restores };
            }
            Found::Unknown(why) => return Why::Unknown(why),
            Found::Miss(fresh) => fresh,
        };
        match last.and_then(|key| self.cache.find(key)) {
            None => Why::New { note },
            Some(entry) => {
                let changes = fresh.fingerprint.changes(&entry.fingerprint);
                if changes.is_empty() {
                    return Why::Old;
                }
                Why::Changed(changes.iter().map(ToString::to_string).collect())
            }
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { run, at, restores } => {
                write!(f, "its result of run {run} ({at}) holds and would be reused")?;
                if !restores.is_empty() {
                    write!(f, "; these files would be restored: {}", restores.join(", "))?;
                }
                Ok(())
            }
            Self::Never => f.write_str(
                "it declares no `inputs` and its agent names none, or it says `cache: false`: it runs each time",
            ),
            Self::Unknown(why) => write!(f, "it runs each time: {why}"),
            Self::New { note: None } => f.write_str("nothing is recorded of it yet"),
            Self::New { note: Some(note) } => write!(f, "its last result was not stored: {note}"),
            Self::Changed(changes) => {
                f.write_str("it would run again:")?;
                for change in changes {
                    write!(f, "\n  {change}")?;
                }
                Ok(())
            }
            Self::Old => f.write_str("nothing that it depends on changed, but its result is too old"),
        }
    }
}
