//! `smoke-test`: sends declared requests and records each answer, the wrong ones and the right ones.

mod memory;
mod sending;

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, SecretSource, Site};
use orchestrator_core::path::RelPath;
use orchestrator_core::progress::ProgressSink;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::DeployError;
use super::halt::{Halt, blocking, looking};
use super::hidden::Hidden;
use super::launch::resolve;
use crate::deployment::{AnswerSchema, Method, SmokeTest, UrlPath};
use memory::{Memory, Recalled};
pub(super) use sending::Ready;
use sending::{Headers, Sending, Turn};

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
    /// Whether any of them changes something.
    fn changes(&self) -> bool {
        self.tests.iter().any(|test| test.effect() > Effect::Reads)
    }

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
    /// All that was wrong; empty when it was as expected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// How often it was sent.
    #[serde(default = "once")]
    pub sent: u32,
    /// What was wrong with answers that were asked for again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
}

fn once() -> u32 {
    1
}

impl SmokeResult {
    /// What is to be told of it: what was wrong, and that it took more than one try.
    pub fn findings(&self) -> Vec<Finding> {
        let Self { name, method, path, problems, earlier, .. } = self;
        let rule = format!("smoke/{name}");
        let finding = |severity, what: &[String]| {
            Finding::new(&rule, severity, format!("{method} {path}: {}", what.join("; ")))
        };
        let wrong = (!problems.is_empty()).then(|| finding(Severity::Error, problems));
        let flaky = (!earlier.is_empty()).then(|| {
            let again = format!("it was asked {} times; before, {}", self.sent, earlier.join("; "));
            finding(Severity::Warning, &[again])
        });
        wrong.into_iter().chain(flaky).collect()
    }
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
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<SmokeOutput, BoxError> {
        let ready = input.tests.iter().map(|test| ready(test, site)).collect::<Result<Vec<_>, _>>()?;
        if !input.changes() {
            let progress = site.progress.clone();
            return looking(site, move |halt| send(&input, &ready, &progress, None, halt)).await;
        }
        let (progress, state, order) = (site.progress.clone(), site.state.to_owned(), order.clone());
        // A stop waits for the answer to what was sent: nobody would know it afterwards.
        blocking(site, move |halt| {
            let (memory, recalled) = Memory::of(&state, &order)?;
            send(&input, &ready, &progress, Some((memory, recalled)), halt)
        })
        .await
    }

    /// What changes something is not sent again: it is known what was sent, and what came of it.
    async fn already(&self, input: &SmokeInput, order: &OrderKey, site: &Site<'_>) -> Already<SmokeOutput> {
        if !input.changes() {
            return Already::NotDone;
        }
        match memory::over(site.state, order) {
            Ok(Some(output)) => Already::Done(output),
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

/// Sends one after the other what was not sent before.
fn send(
    input: &SmokeInput,
    ready: &[Ready],
    progress: &ProgressSink,
    memory: Option<(Memory, Recalled)>,
    halt: &Halt,
) -> Result<SmokeOutput, DeployError> {
    let (mut memory, recalled) = memory.unzip();
    let Recalled { turns, saved, unanswered, over } = recalled.unwrap_or_default();
    if let Some(over) = over {
        return Ok(over);
    }
    let mut turns = turns.into_iter();
    let mut results = Vec::with_capacity(input.tests.len());
    let mut sending = Sending { url: &input.url, saved, halt };
    for (at, (test, ready)) in input.tests.iter().zip(ready).enumerate() {
        progress.step(format!("smoke test {}", test.name), Some((at as u64, input.tests.len() as u64)));
        let mut turn = turns.next().unwrap_or_else(|| Turn::new(test));
        if unanswered == Some(at) {
            turn.is_unanswered(test);
            if let Some(memory) = &mut memory {
                memory.stands(at, &turn, &sending.saved)?;
            }
        }
        results.push(sending.result(test, ready, turn, memory.as_mut().map(|memory| (memory, at)))?);
    }
    let failed = results.iter().filter(|result| !result.problems.is_empty()).count() as u32;
    let output = SmokeOutput { passed: results.len() as u32 - failed, failed, results };
    if let Some(memory) = memory {
        memory.over(&output)?;
    }
    Ok(output)
}

/// What a test needs, looked up before it is sent.
pub(super) fn ready(test: &SmokeTest, site: &Site<'_>) -> Result<Ready, BoxError> {
    let schema = test.expect.schema_file.as_ref().map(|path| schema(path, site.root)).transpose();
    let schema = schema.map_err(|error| format!("smoke test `{}`: {error}", test.name))?;
    let (headers, secrets) = headers(test, site.secrets)?;
    Ok(Ready { headers, hidden: Hidden::new(&secrets), schema })
}

/// A schema from a file of the checkout.
fn schema(path: &RelPath, root: &Path) -> Result<AnswerSchema, BoxError> {
    let text = super::owned::text(path, root, crate::deployment::LARGEST_SCHEMA)?;
    let read: Value = serde_json::from_str(&text).map_err(|error| format!("`{path}` is no JSON: {error}"))?;
    Ok(AnswerSchema::try_from(read).map_err(|error| format!("`{path}`: {error}"))?)
}

/// Sends one test, alone.
pub(super) fn alone(
    url: &str,
    test: &SmokeTest,
    ready: &Ready,
    halt: &Halt,
) -> Result<SmokeResult, DeployError> {
    Sending { url, saved: BTreeMap::new(), halt }.result(test, ready, Turn::new(test), None)
}

/// The headers, and those of their values that are secrets.
fn headers(test: &SmokeTest, secrets: &dyn SecretSource) -> Result<(Headers, Vec<String>), DeployError> {
    let (mut headers, mut hidden) = (Vec::new(), Vec::new());
    for (name, value) in &test.headers {
        let (value, is_secret) = resolve(value, secrets)?;
        hidden.extend(is_secret.then(|| value.clone()));
        headers.push((name.clone(), value));
    }
    let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if !typed && test.body.as_ref().is_some_and(|body| !body.is_string()) {
        headers.push(("content-type".into(), "application/json".into()));
    }
    Ok((headers, hidden))
}
