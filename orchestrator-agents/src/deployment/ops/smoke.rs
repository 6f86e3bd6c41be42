//! `smoke-test`: sends declared requests and records each answer, the wrong ones and the right ones.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, SecretSource, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::DeployError;
use super::halt::{Halt, looking};
use super::launch::resolve;
use crate::deployment::{Method, SmokeTest, UrlPath};
use crate::ops::http::{Ask, ask};

/// What to send where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmokeInput {
    /// Where the service answers, without a path.
    pub url: String,
    /// The requests, sent one after the other.
    pub tests: Vec<SmokeTest>,
}

impl SmokeInput {
    /// The action that sends them. It reaches as far as the farthest of its tests.
    pub fn action(&self) -> Result<Action, BoxError> {
        let mut action = SmokeTests::action(self)?;
        if let Action::Call(call) = &mut action {
            call.effect = self.tests.iter().map(SmokeTest::effect).max().unwrap_or_default().max(call.effect);
        }
        Ok(action)
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SmokeOutput {
    /// How many answers were as expected.
    pub passed: u32,
    /// How many were not.
    pub failed: u32,
    /// One for each request, in order.
    pub results: Vec<SmokeResult>,
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SmokeResult {
    /// Name of the test.
    pub name: String,
    /// What was sent.
    pub method: Method,
    /// Where to.
    pub path: UrlPath,
    /// The status; none where there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Milliseconds until the whole answer was there; none where there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// What was wrong; empty when it was as expected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Sends declared requests. Answers that are not as expected are part of its output; it fails where it could not send.
#[derive(Debug, Clone, Copy, Default)]
pub struct SmokeTests;

#[async_trait]
impl Operation for SmokeTests {
    const NAME: &'static str = "smoke-test";
    const EFFECT: Effect = Effect::Reads;
    type Input = SmokeInput;
    type Output = SmokeOutput;

    async fn call(
        &self,
        input: SmokeInput,
        _order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<SmokeOutput, BoxError> {
        let headers =
            input.tests.iter().map(|test| headers(test, site.secrets)).collect::<Result<Vec<_>, _>>()?;
        let progress = site.progress.clone();
        looking(site, move |halt| {
            let all = input.tests.len() as u64;
            let mut results = Vec::with_capacity(input.tests.len());
            for (test, headers) in input.tests.iter().zip(&headers) {
                progress.step(format!("smoke test {}", test.name), Some((results.len() as u64, all)));
                results.push(send(&input.url, test, headers, halt)?);
            }
            let failed = results.iter().filter(|result| !result.problems.is_empty()).count() as u32;
            Ok(SmokeOutput { passed: results.len() as u32 - failed, failed, results })
        })
        .await
    }

    /// Tests are sent again after a crash, those that change something too: declare what bears that.
    async fn already(&self, _: &SmokeInput, _: &OrderKey, _: &Site<'_>) -> Already<SmokeOutput> {
        Already::NotDone
    }
}

pub(super) fn headers(
    test: &SmokeTest,
    secrets: &dyn SecretSource,
) -> Result<Vec<(String, String)>, DeployError> {
    let mut headers = Vec::new();
    for (name, value) in &test.headers {
        headers.push((name.clone(), resolve(value, secrets)?.0));
    }
    let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if !typed && test.body.as_ref().is_some_and(|body| !body.is_string()) {
        headers.push(("content-type".into(), "application/json".into()));
    }
    Ok(headers)
}

pub(super) fn send(
    url: &str,
    test: &SmokeTest,
    headers: &[(String, String)],
    halt: &Halt,
) -> Result<SmokeResult, DeployError> {
    halt.check()?;
    let SmokeTest { name, method, path, headers: _, body, expect, effect: _, timeout } = test;
    let url = format!("{url}{path}");
    let body = body.as_ref().map(|body| match body {
        Value::String(plain) => plain.clone().into_bytes(),
        json => json.to_string().into_bytes(),
    });
    let request = Ask {
        method: *method,
        url: &url,
        headers,
        body: body.as_deref(),
        timeout: timeout.duration(),
        redirects: 0,
    };
    let (status, latency_ms, problems) = match ask(&request) {
        Ok(answer) => (Some(answer.status), Some(answer.latency_ms), expect.problems(&answer)),
        Err(error) => (None, None, vec![error]),
    };
    Ok(SmokeResult { name: name.clone(), method: *method, path: path.clone(), status, latency_ms, problems })
}
