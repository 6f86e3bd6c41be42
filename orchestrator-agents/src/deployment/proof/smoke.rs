//! A request and what must come back.

use std::collections::BTreeMap;
use std::fmt;

use orchestrator_core::action::EnvValue;
use orchestrator_core::effect::Effect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Expect;
use crate::deployment::{Pointer, Seconds, UrlPath};

/// A request and what must come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmokeTest {
    /// What people call it.
    pub name: String,
    /// GET by default.
    #[serde(default)]
    pub method: Method,
    /// Path and query. `{NAME}` is what an earlier test saved under that name.
    pub path: UrlPath,
    /// Headers; values may be secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, EnvValue>,
    /// The body: a text as it is, anything else as JSON. Texts in it may hold `{NAME}` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What must come back.
    #[serde(default)]
    pub expect: Expect,
    /// Parts of the answer that later tests need, by pointer: `{student: /id}`. A text or a number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub save: BTreeMap<Saved, Pointer>,
    /// How far it reaches; by default `reads` for GET, HEAD and OPTIONS, `publishes` for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Seconds that the answer may take at all.
    #[serde(default = "ten_seconds")]
    pub timeout: Seconds,
    /// How often it is sent; every answer must be as expected.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    #[schemars(range(min = 1, max = 1000))]
    pub repeat: u32,
    /// How often a wrong answer is asked for again, a second later. That it took more than one is told.
    #[serde(default, skip_serializing_if = "is_none")]
    #[schemars(range(max = 10))]
    pub retries: u32,
    /// Whether a watch sends it too, alone and again and again. By default it does where the test only reads, needs nothing that
    /// another one saved, and comes before the first one that changes something: what comes after may expect what that one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<bool>,
}

fn ten_seconds() -> Seconds {
    Seconds::known(10)
}

fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_once(times: &u32) -> bool {
    *times == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(times: &u32) -> bool {
    *times == 0
}

impl SmokeTest {
    /// How far it reaches.
    pub fn effect(&self) -> Effect {
        self.effect.unwrap_or(match self.method {
            Method::Get | Method::Head | Method::Options => Effect::Reads,
            Method::Post | Method::Put | Method::Patch | Method::Delete => Effect::Publishes,
        })
    }
}

/// The tests that a watch sends, in order; an error where one is to be sent that cannot stand alone.
pub(in crate::deployment) fn probes(tests: &[SmokeTest]) -> Result<Vec<SmokeTest>, String> {
    let changes = tests.iter().position(|test| test.effect() > Effect::Reads).unwrap_or(tests.len());
    let mut probes = Vec::new();
    for (at, test) in tests.iter().enumerate() {
        let dependent = test.depends(tests);
        if let (Some(true), Some(why)) = (test.probe, &dependent) {
            return Err(format!(
                "smoke test `{}` can be no probe: {why}; leave out its `probe: true`",
                test.name
            ));
        }
        if dependent.is_none() && test.probe.unwrap_or(at < changes) {
            probes.push(test.clone());
        }
    }
    Ok(probes)
}

impl SmokeTest {
    /// Why it cannot be sent alone, among the tests that it comes with.
    pub(in crate::deployment) fn depends(&self, tests: &[Self]) -> Option<String> {
        if self.effect() > Effect::Reads {
            return Some(format!("it says `effect: {}`", self.effect()));
        }
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let mut saved = tests.iter().flat_map(|test| test.save.keys()).map(Saved::placeholder);
        let needs =
            saved.find(|name| self.path.as_str().contains(name.as_str()) || body.contains(name.as_str()))?;
        Some(format!("it needs {needs}, which another test saves"))
    }
}

/// The name of what a test saves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[a-z][a-z0-9_]*$"))]
pub struct Saved(String);

impl Saved {
    /// As paths and bodies name it: `{NAME}`.
    pub fn placeholder(&self) -> String {
        format!("{{{}}}", self.0)
    }
}

impl TryFrom<String> for Saved {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let good =
            name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain);
        let short: String = name.chars().take(100).collect();
        if good {
            Ok(Self(name))
        } else {
            Err(format!("`{short}` is no name: it must match [a-z][a-z0-9_]*"))
        }
    }
}

impl From<Saved> for String {
    fn from(name: Saved) -> Self {
        name.0
    }
}

impl fmt::Display for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Method of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "they mean what RFC 9110 says")]
pub enum Method {
    #[default]
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        })
    }
}
