//! What a service must answer, and what is wrong with an answer. Pure: the asking is in `ops`.

use std::collections::BTreeMap;
use std::fmt;

use orchestrator_core::action::EnvValue;
use orchestrator_core::effect::Effect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{Answer, differs, shortened};
use super::{Pointer, Seconds, UrlPath, Version};

/// When a service counts as healthy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// What is asked.
    pub path: UrlPath,
    /// The status that it must answer.
    pub expect_status: u16,
    /// What its JSON must hold, by pointer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<Pointer, Value>,
    /// Where its JSON names the version; it must be the deployed one. Not looked at by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Pointer>,
    /// Seconds until it must be healthy.
    pub timeout: Seconds,
    /// Seconds that one answer may take.
    pub request_timeout: Seconds,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: UrlPath::new("/health").expect("a path"),
            expect_status: 200,
            json: BTreeMap::new(),
            version: None,
            timeout: Seconds::known(30),
            request_timeout: Seconds::known(5),
        }
    }
}

/// A request and what must come back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmokeTest {
    /// What people call it.
    pub name: String,
    /// GET by default.
    #[serde(default)]
    pub method: Method,
    /// Path and query.
    pub path: UrlPath,
    /// Headers; values may be secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, EnvValue>,
    /// The body: a text as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What must come back.
    #[serde(default)]
    pub expect: Expect,
    /// How far it reaches; by default `reads` for GET, HEAD and OPTIONS, `publishes` for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Seconds that the answer may take at all.
    #[serde(default = "ten_seconds")]
    pub timeout: Seconds,
}

fn ten_seconds() -> Seconds {
    Seconds::known(10)
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

/// What must come back. Redirects are not followed: they are answers like any other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The status.
    pub status: u16,
    /// What its JSON must hold, by pointer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<Pointer, Value>,
    /// A text that the body must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// The most milliseconds until the whole answer is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
}

impl Default for Expect {
    fn default() -> Self {
        Self { status: 200, json: BTreeMap::new(), contains: None, max_ms: None }
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

impl Health {
    /// What is wrong with an answer; nothing when the service is healthy.
    pub fn problems(&self, answer: &Answer, version: Option<&Version>) -> Vec<String> {
        let mut problems: Vec<String> = answer.check_status(self.expect_status).into_iter().collect();
        problems.extend(answer.check_json(&self.json));
        if let (Some(pointer), Some(version)) = (&self.version, version) {
            match answer.json() {
                Ok(found) => problems.extend(differs(&found, pointer, &version.as_str().into())),
                Err(problem) => problems.push(problem),
            }
        }
        problems.dedup();
        problems
    }
}

impl Expect {
    /// What is wrong with an answer; nothing when it is as expected.
    pub fn problems(&self, answer: &Answer) -> Vec<String> {
        let mut problems: Vec<String> = answer.check_status(self.status).into_iter().collect();
        problems.extend(answer.check_json(&self.json));
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.into(), cut: false, latency_ms: 12.0 }
    }

    #[test]
    fn health_says_all_that_is_wrong() {
        let health: Health = serde_json::from_value(
            json!({ "json": { "/status": "healthy", "/n": 1 }, "version": "/version" }),
        )
        .unwrap();
        let version = Version::new("0.2.0").unwrap();
        let good = answer(200, r#"{"status":"healthy","n":1.0,"version":"0.2.0"}"#);
        assert!(health.problems(&good, Some(&version)).is_empty());
        let bad = answer(503, r#"{"status":"starting","version":"0.1.0"}"#);
        assert_eq!(
            health.problems(&bad, Some(&version)),
            [
                "status 503 instead of 200",
                "/n is missing; it should be 1",
                "/status is \"starting\" instead of \"healthy\"",
                "/version is \"0.1.0\" instead of \"0.2.0\"",
            ]
        );
        assert!(health.problems(&answer(200, "<html>"), None)[0].starts_with("the body is no JSON"));
    }

    #[test]
    fn smoke_tests_say_all_that_is_wrong() {
        let expect = Expect { contains: Some("needle".into()), max_ms: Some(10.0), ..Expect::default() };
        let wrong = expect.problems(&answer(404, "hay"));
        assert_eq!(
            wrong,
            [
                "status 404 instead of 200",
                "the body does not hold `needle`",
                "it took 12.0 ms, more than 10 ms"
            ]
        );
    }

    #[test]
    fn methods_that_change_something_publish() {
        let test = |method: &str| -> SmokeTest {
            serde_json::from_value(json!({ "name": "x", "method": method, "path": "/" })).unwrap()
        };
        assert_eq!(test("GET").effect(), Effect::Reads);
        assert_eq!(test("POST").effect(), Effect::Publishes);
        assert!(
            serde_json::from_value::<SmokeTest>(json!({ "name": "x", "path": "/", "expct": {} })).is_err()
        );
    }
}
