//! `post-message`: sends a text to an incoming webhook, whose URL only the secret knows.

use std::time::Duration;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Operation, Site, Transient};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::http::{HeaderMap, Uri};

use crate::deployment::answer::shortened;
use crate::deployment::{Answer, Method};
use crate::ops::here::{Here, blocking};
use crate::ops::http::{Ask, ask_whole};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that is waited when told to, in all.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the stop is looked at in a wait.
const SLICE: Duration = Duration::from_millis(20);

/// What to post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostInput {
    /// Name of the secret that holds the URL.
    pub webhook: String,
    /// The text, escaped as Slack wants it.
    pub text: String,
    /// Who says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Posted {
    /// Characters of the message.
    pub characters: u64,
    /// Milliseconds until it was taken.
    pub latency_ms: f64,
}

/// Posts a message. Nobody can tell afterwards whether it was posted, and nothing takes it back.
#[derive(Debug, Clone, Copy, Default)]
pub struct PostMessage;

#[async_trait]
impl Operation for PostMessage {
    const NAME: &'static str = "post-message";
    const EFFECT: Effect = Effect::Publishes;
    type Input = PostInput;
    type Output = Posted;

    fn advice(&self, _: &PostInput) -> Option<String> {
        Some("people may have read it: send a correction to the same channel".to_owned())
    }

    async fn call(&self, input: PostInput, _: &OrderKey, site: &Site<'_>) -> Result<Posted, BoxError> {
        let name = &input.webhook;
        let url = site.secrets.secret(name).map(|url| url.trim().to_owned()).filter(|url| !url.is_empty());
        let url = url.ok_or_else(|| {
            format!("the secret `{name}` is not there: give it to the run, such as by the environment variable `{name}`")
        })?;
        check(&url).map_err(|why| format!("the secret `{name}` holds no URL of a webhook: {why}"))?;
        blocking(site, move |here| post(here, &input, &url)).await
    }
}

/// Whether the secret may be sent to: `https`, or this machine. The error never repeats it.
fn check(url: &str) -> Result<(), &'static str> {
    let uri: Uri = url.parse().map_err(|_| "it is no URL")?;
    let host = uri.host().ok_or("it names no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_here => Ok(()),
        Some("http") => Err("it is not `https`, so others could read it on the way"),
        _ => Err("it does not begin with `https://`"),
    }
}

fn post(here: &Here, input: &PostInput, url: &str) -> Result<Posted, BoxError> {
    let PostInput { webhook: name, text, username } = input;
    let mut payload = json!({ "text": text });
    if let Some(username) = username {
        payload["username"] = username.as_str().into();
    }
    let body = payload.to_string().into_bytes();
    let headers = [("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
    let request = Ask {
        method: Method::Post,
        url,
        headers: &headers,
        body: Some(&body),
        timeout: TIMEOUT,
        redirects: 0,
    };
    let mut waited = Duration::ZERO;
    loop {
        here.go_on()?;
        here.progress.step(format!("posting to the webhook of `{name}`"), None);
        let (answer, headers) = ask_whole(&request).map_err(|error| {
            Transient(format!("the webhook of `{name}` could not be asked: {}", masked(&error, url)).into())
        })?;
        if answer.status == 429
            && let Some(pause) = retry_after(&headers)
            && waited + pause <= PATIENCE
        {
            waited += pause.max(SLICE);
            rest(here, pause)?;
            continue;
        }
        return judge(name, url, &answer)
            .map(|()| Posted { characters: text.chars().count() as u64, latency_ms: answer.latency_ms });
    }
}

/// What an answer means. Slack says `ok` and nothing else when it took a message.
fn judge(name: &str, url: &str, answer: &Answer) -> Result<(), BoxError> {
    let said = masked(&shortened(String::from_utf8_lossy(&answer.body).trim()), url);
    let said = said.replace(char::is_control, " ");
    let status = answer.status;
    match status {
        200 if said == "ok" => Ok(()),
        200 => Err(format!(
            "the webhook of `{name}` did not answer `ok` but `{said}`: whether it posted is not known"
        )
        .into()),
        429 | 500..=599 => {
            Err(Transient(format!("the webhook of `{name}` answered {status}: {said}").into()).into())
        }
        300..=399 => Err(format!(
            "the webhook of `{name}` answered {status}: redirects are not followed with a secret"
        )
        .into()),
        _ => Err(format!("the webhook of `{name}` refused the message with {status}: {said}").into()),
    }
}

/// `Retry-After` in seconds; as a date it is not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn rest(here: &Here, mut pause: Duration) -> Result<(), BoxError> {
    while !pause.is_zero() {
        here.go_on()?;
        std::thread::sleep(pause.min(SLICE));
        pause = pause.saturating_sub(SLICE);
    }
    Ok(())
}

/// The text without the URL and without the parts of its path, each of which is as good as the whole.
fn masked(text: &str, url: &str) -> String {
    let mut masked = text.replace(url, "***");
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (_, path) = path.split_once('/').unwrap_or_default();
    if path.len() > 3 {
        masked = masked.replace(path, "***");
    }
    for part in path.split(['/', '?', '&', '=']).filter(|part| part.len() > 7 && *part != "services") {
        masked = masked.replace(part, "***");
    }
    masked
}
