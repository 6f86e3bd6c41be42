//! `ask-ci`: the runs of a commit, by GitHub's REST API
//! (<https://docs.github.com/en/rest/actions/workflow-runs>, version 2022-11-28).

use std::time::Duration;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site, Transient};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ureq::http::Uri;

use crate::deployment::Method;
use crate::deployment::answer::shortened;
use crate::ops::here::blocking;
use crate::ops::http::{Ask, ask};

/// How long the request may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What to ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskCiInput {
    /// Where the API is: `https://api.github.com`.
    pub api: String,
    /// `owner/name`.
    pub repository: String,
    /// The commit.
    pub commit: String,
    /// File name of the workflow; all of them by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Name of the secret that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// The runs of a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CiRuns {
    /// The runs, as they were given.
    pub runs: Vec<CiRun>,
}

/// A run of a workflow; also read from what `gh run list --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CiRun {
    /// Its id; a later run has a larger one.
    #[serde(alias = "databaseId")]
    pub id: u64,
    /// Name of its workflow.
    #[serde(alias = "workflowName", default)]
    pub name: Option<String>,
    /// The commit.
    #[serde(alias = "headSha")]
    pub head_sha: String,
    /// `completed`, or what it is at.
    #[serde(default)]
    pub status: Option<String>,
    /// How it ended; none or empty as long as it has not.
    #[serde(default)]
    pub conclusion: Option<String>,
    /// Where people see it.
    #[serde(default)]
    pub url: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    total_count: u64,
    workflow_runs: Vec<Listed>,
}

/// A run as the API gives it: its `url` is the API's own, `html_url` is where people see it.
#[derive(Deserialize)]
struct Listed {
    id: u64,
    name: Option<String>,
    head_sha: String,
    status: Option<String>,
    conclusion: Option<String>,
    html_url: Option<String>,
}

impl From<Listed> for CiRun {
    fn from(listed: Listed) -> Self {
        let Listed { id, name, head_sha, status, conclusion, html_url } = listed;
        Self { id, name, head_sha, status, conclusion, url: html_url }
    }
}

/// Asks GitHub's API for the runs of a commit.
#[derive(Debug, Clone, Copy, Default)]
pub struct AskCi;

#[async_trait]
impl Operation for AskCi {
    const NAME: &'static str = "ask-ci";
    const EFFECT: Effect = Effect::Reads;
    type Input = AskCiInput;
    type Output = CiRuns;

    async fn call(&self, input: AskCiInput, _: &OrderKey, site: &Site<'_>) -> Result<CiRuns, BoxError> {
        let token = match &input.token {
            None => None,
            Some(name) => {
                let token = site.secrets.secret(name).filter(|token| !token.trim().is_empty());
                let token = token.ok_or_else(|| format!("the secret `{name}` is not there"))?;
                may_carry(&input.api)?;
                Some(token.trim().to_owned())
            }
        };
        blocking(site, move |_| look(&input, token.as_deref())).await
    }

    async fn already(&self, _: &AskCiInput, _: &OrderKey, _: &Site<'_>) -> Already<CiRuns> {
        Already::NotDone
    }
}

/// A token goes over TLS, or to this machine.
fn may_carry(api: &str) -> Result<(), BoxError> {
    let uri: Uri = api.parse().map_err(|_| format!("`api: {api}` is no address"))?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_here => Ok(()),
        _ => Err(format!("`api: {api}` is not `https`: no token is sent there").into()),
    }
}

fn look(input: &AskCiInput, token: Option<&str>) -> Result<CiRuns, BoxError> {
    let AskCiInput { api, repository, commit, workflow, token: _ } = input;
    // What is put into the address must not say more than one part of it.
    for part in repository.split('/').chain(workflow.as_deref()).chain([commit.as_str()]) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if part.is_empty() || part.starts_with('.') || !part.chars().all(is_plain) {
            return Err(
                format!("`{part}` cannot be asked for: letters, digits, `-`, `_` and `.` only").into()
            );
        }
    }
    let api = api.trim_end_matches('/');
    let runs = match workflow {
        Some(workflow) => format!("actions/workflows/{workflow}/runs"),
        None => "actions/runs".to_owned(),
    };
    let url = format!("{api}/repos/{repository}/{runs}?head_sha={commit}&per_page=100");
    let mut headers = vec![
        ("accept".to_owned(), "application/vnd.github+json".to_owned()),
        ("x-github-api-version".to_owned(), "2022-11-28".to_owned()),
    ];
    if let Some(token) = token {
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    let request =
        Ask { method: Method::Get, url: &url, headers: &headers, body: None, timeout: TIMEOUT, redirects: 0 };
    let masked = |text: &str| token.map_or_else(|| text.to_owned(), |token| text.replace(token, "***"));
    let answer = ask(&request)
        .map_err(|why| Transient(format!("`{api}` does not answer: {}", masked(&why)).into()))?;
    if answer.status != 200 {
        let said = answer.json().ok().and_then(|body| Some(body.get("message")?.as_str()?.to_owned()));
        let said = masked(&shortened(&said.unwrap_or_default()));
        let error = format!("`{api}` answered {} for `{repository}`: {said}", answer.status).into();
        return Err(if answer.status == 429 || answer.status >= 500 {
            Transient(error).into()
        } else {
            error
        });
    }
    if answer.cut {
        return Err(format!("`{api}` answered with more than is read").into());
    }
    let page: Page = serde_json::from_slice(&answer.body)
        .map_err(|error| format!("`{api}` answered what is no list of runs: {error}"))?;
    if page.total_count > page.workflow_runs.len() as u64 {
        return Err(format!(
            "the commit has {} runs, more than are listed at once: name a workflow with `target`",
            page.total_count
        )
        .into());
    }
    Ok(CiRuns { runs: page.workflow_runs.into_iter().map(CiRun::from).collect() })
}
