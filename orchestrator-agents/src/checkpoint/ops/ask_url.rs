//! `ask-url`: one GET with a bounded answer, and whether it says that all is well.

use std::time::Duration;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site, Transient};
use orchestrator_core::path::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::answer::shortened;
use crate::deployment::{Answer, Method};
use crate::ops::here::{Here, blocking};
use crate::ops::http::{Ask, ask};

/// How many redirects are followed.
const REDIRECTS: u32 = 5;
/// What services call being well.
const WELL: [&str; 6] = ["healthy", "ok", "up", "pass", "passing", "available"];

/// What to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskUrlInput {
    /// The whole address.
    pub url: String,
    /// The status that it must answer with; any of 200 to 299 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_status: Option<u16>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
}

/// What it answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// What it says of itself, where its body is JSON with `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// Milliseconds until the whole answer was there.
    pub latency_ms: f64,
    /// Bytes of the body that were read.
    pub bytes: u64,
    /// Their digest.
    pub digest: Digest,
    /// What is wrong with it; empty when it is as wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Asks an address once.
#[derive(Debug, Clone, Copy, Default)]
pub struct AskUrl;

#[async_trait]
impl Operation for AskUrl {
    const NAME: &'static str = "ask-url";
    const EFFECT: Effect = Effect::Reads;
    type Input = AskUrlInput;
    type Output = Answered;

    async fn call(&self, input: AskUrlInput, _: &OrderKey, site: &Site<'_>) -> Result<Answered, BoxError> {
        blocking(site, move |here| look(here, &input)).await
    }

    async fn already(&self, _: &AskUrlInput, _: &OrderKey, _: &Site<'_>) -> Already<Answered> {
        Already::NotDone
    }
}

fn look(here: &Here, input: &AskUrlInput) -> Result<Answered, BoxError> {
    let AskUrlInput { url, expect_status, timeout_ms } = input;
    here.progress.step(format!("asking {url}"), None);
    let timeout = Duration::from_millis(*timeout_ms);
    let request = Ask { method: Method::Get, url, headers: &[], body: None, timeout, redirects: REDIRECTS };
    let answer = ask(&request).map_err(|why| Transient(format!("`{url}` does not answer: {why}").into()))?;
    let says = says(&answer);
    let mut problems = Vec::new();
    match expect_status {
        Some(wanted) => problems.extend(answer.check_status(*wanted)),
        None if (200..300).contains(&answer.status) => {}
        None => problems.push(format!("status {} is none of 200 to 299", answer.status)),
    }
    if let Some(says) = &says
        && !WELL.contains(&says.to_lowercase().as_str())
    {
        problems.push(format!("it says of itself that it is `{}`", shortened(says)));
    }
    Ok(Answered {
        status: answer.status,
        says: says.map(|says| shortened(&says)),
        latency_ms: answer.latency_ms,
        bytes: answer.body.len() as u64,
        digest: Digest::of(&answer.body),
        problems,
    })
}

/// `{"status": "healthy"}`: what a service says of itself.
fn says(answer: &Answer) -> Option<String> {
    let body = answer.json().ok()?;
    Some(body.get("status")?.as_str()?.to_owned())
}
