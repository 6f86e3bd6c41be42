//! Queries of `JSONPath` (RFC 9535): what a query finds in an answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Pattern;
use crate::deployment::answer::{same, shortened};

/// The most bytes of a query.
const LONGEST: usize = 1000;

/// A query, such as `$.courses[*].title`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^\\$"))]
pub struct JsonPath(String);

impl TryFrom<String> for JsonPath {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a JSONPath has at most {LONGEST} bytes"));
        }
        match serde_json_path::JsonPath::parse(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(format!("`{}` is no JSONPath (RFC 9535): {error}", shortened(&text))),
        }
    }
}

impl From<JsonPath> for String {
    fn from(path: JsonPath) -> Self {
        path.0
    }
}

/// What a query must find; at least one value where nothing else is said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathCheck {
    /// The query.
    pub path: JsonPath,
    /// Exactly this one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// Exactly these values, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Vec<Value>>,
    /// So many values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// Every value is a text that holds this pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Pattern>,
    /// Every value is a number, and not less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Every value is a number, and not more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

impl PathCheck {
    /// All that is wrong with a document.
    pub(super) fn problems(&self, document: &Value) -> Vec<String> {
        let Self { path: JsonPath(path), equals, all, count, matches, at_least, at_most } = self;
        let query = match serde_json_path::JsonPath::parse(path) {
            Ok(query) => query,
            Err(error) => return vec![format!("`{path}` is no JSONPath: {error}")],
        };
        let found: Vec<&Value> = query.query(document).all();
        let mut problems = Vec::new();
        let shown = || shortened(&found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        if let Some(count) = count
            && found.len() != *count
        {
            problems.push(format!("{path} finds {} values instead of {count}", found.len()));
        }
        let wanted: Option<Vec<&Value>> =
            all.as_ref().map(|all| all.iter().collect()).or(equals.as_ref().map(|one| vec![one]));
        if let Some(wanted) = wanted {
            let equal = found.len() == wanted.len()
                && found.iter().zip(&wanted).all(|(found, wanted)| same(found, wanted));
            if !equal {
                let wanted = wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                problems.push(format!("{path} is ({}) instead of ({})", shown(), shortened(&wanted)));
            }
        } else if found.is_empty() && count.is_none() {
            problems.push(format!("{path} finds nothing"));
        }
        for value in &found {
            if let Some(pattern) = matches
                && !value.as_str().is_some_and(|text| pattern.is_in(text))
            {
                problems.push(format!(
                    "{path} has {}, which does not match `{}`",
                    shortened(&value.to_string()),
                    pattern.as_str()
                ));
            }
            let low = at_least.filter(|low| value.as_f64().is_none_or(|number| number < *low));
            problems.extend(low.map(|low| {
                format!("{path} has {}, which is not {low} or more", shortened(&value.to_string()))
            }));
            let high = at_most.filter(|high| value.as_f64().is_none_or(|number| number > *high));
            problems.extend(high.map(|high| {
                format!("{path} has {}, which is not {high} or less", shortened(&value.to_string()))
            }));
            if problems.len() > 10 {
                break;
            }
        }
        problems
    }
}
