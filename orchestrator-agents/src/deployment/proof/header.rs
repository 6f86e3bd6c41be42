//! What a header of an answer must be.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Pattern;
use crate::deployment::answer::shortened;

/// What a header must be: its value, `{matches: PATTERN}`, or `{present: false}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum HeaderCheck {
    /// This value.
    Is(String),
    /// A value that holds the pattern.
    Matches {
        /// The pattern.
        matches: Pattern,
    },
    /// Any value, or none.
    Present {
        /// Whether it must be there.
        present: bool,
    },
}

/// All that is wrong with headers; names in small letters.
pub(super) fn problems(wanted: &BTreeMap<String, HeaderCheck>, found: &[(String, String)]) -> Vec<String> {
    wanted.iter().filter_map(|(name, check)| problem(name, check, found)).collect()
}

fn problem(name: &str, check: &HeaderCheck, found: &[(String, String)]) -> Option<String> {
    let values: Vec<&str> = found
        .iter()
        .filter(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect();
    let said = || match values.as_slice() {
        [] => format!("header `{name}` is missing"),
        values => format!("header `{name}` is `{}`", shortened(&values.join(", "))),
    };
    match check {
        HeaderCheck::Is(wanted) if values != [wanted.as_str()] => {
            Some(format!("{} instead of `{wanted}`", said()))
        }
        HeaderCheck::Matches { matches } if !values.iter().any(|value| matches.is_in(value)) => {
            Some(format!("{}, and must match `{}`", said(), matches.as_str()))
        }
        HeaderCheck::Present { present } if *present == values.is_empty() => {
            Some(if *present { said() } else { format!("{}, and must not be there", said()) })
        }
        _ => None,
    }
}
