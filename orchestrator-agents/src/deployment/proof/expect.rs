//! What must come back to a request.

use std::collections::BTreeMap;

use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AnswerSchema, HeaderCheck, PathCheck, header};
use crate::deployment::Pointer;
use crate::deployment::answer::{Answer, shortened};

/// What must come back. Redirects are not followed: they are answers like any other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The status.
    pub status: u16,
    /// Headers: `{content-type: application/json}`, `{etag: {present: true}}`, `{x-version: {matches: '^0'}}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, HeaderCheck>,
    /// What its JSON must hold, by pointer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<Pointer, Value>,
    /// What queries must find in its JSON.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub json_path: Vec<PathCheck>,
    /// A JSON Schema that its JSON must keep to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<AnswerSchema>,
    /// The same, in a file of the checkout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_file: Option<RelPath>,
    /// A text that the body must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// The most milliseconds until the whole answer is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            status: 200,
            headers: BTreeMap::new(),
            json: BTreeMap::new(),
            json_path: Vec::new(),
            schema: None,
            schema_file: None,
            contains: None,
            max_ms: None,
        }
    }
}

impl Expect {
    /// All that is wrong with an answer; nothing when it is as expected. `file` is what `schema_file` holds.
    pub fn problems(&self, answer: &Answer, file: Option<&AnswerSchema>) -> Vec<String> {
        let mut problems: Vec<String> = answer.check_status(self.status).into_iter().collect();
        problems.extend(header::problems(&self.headers, &answer.headers));
        problems.extend(answer.check_json(&self.json));
        let schemas: Vec<&AnswerSchema> = self.schema.iter().chain(file).collect();
        if !self.json_path.is_empty() || !schemas.is_empty() {
            match answer.json() {
                Ok(found) => {
                    problems.extend(self.json_path.iter().flat_map(|check| check.problems(&found)));
                    problems.extend(schemas.iter().flat_map(|schema| schema.problems(&found)));
                }
                Err(problem) if problems.contains(&problem) => {}
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(text) = &self.contains
            && !String::from_utf8_lossy(&answer.body).contains(text)
        {
            let within = if answer.cut { " in its first bytes" } else { "" };
            problems.push(format!("the body does not hold `{}`{within}", shortened(text)));
        }
        if let Some(max) = self.max_ms
            && answer.latency_ms > max
        {
            problems.push(format!("it took {:.1} ms, more than {max} ms", answer.latency_ms));
        }
        problems
    }
}
