//! Pushes what was prepared: branch and tags, all of them or none; or a branch that asks for it to be merged.

mod outgoing;
mod propose;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site, Transient};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::published::Published;
use super::refusal::Refusal;
use crate::merge::push::Mode;
use crate::ops::git::{Git, GitError, failed};
use crate::ops::here::{Here, blocking};
use crate::ops::process::{Output, ProcessError};
use outgoing::Outgoing;

/// The longest that git may talk with a remote, where nothing else is said.
const LIMIT: Duration = Duration::from_mins(10);

/// Pushes a branch and tags atomically, never by force. There is no undo: others may have them already.
#[derive(Debug, Clone, Copy)]
pub struct PushRelease;

/// What to push, and where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushInput {
    /// Name of the remote.
    pub remote: String,
    /// The branch, of the same name there.
    pub branch: String,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The commit that is to go out; the candidate's tip must be this one. None where it is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Whether it must have been checked.
    #[serde(default)]
    pub checked: bool,
    /// How it is to go out.
    #[serde(default)]
    pub mode: Mode,
    /// The longest that git may talk with the remote, in milliseconds; ten minutes by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_ms: Option<u64>,
}

impl PushInput {
    fn limit(&self) -> Duration {
        self.limit_ms.map_or(LIMIT, Duration::from_millis)
    }
}

/// What the remote has now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pushed {
    /// Object of each ref that was to be there.
    pub refs: BTreeMap<String, String>,
    /// All of it was there before.
    #[serde(default)]
    pub already_so: bool,
    /// Nothing went out because the branch moved meanwhile: the commit that it is at there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<String>,
    /// It went out as a branch that asks to be merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<Proposed>,
}

/// A branch that asks to be merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proposed {
    /// Its name.
    pub branch: String,
    /// The page where a person asks for it, where the host is known.
    pub page: Option<String>,
    /// Why it did not go out directly, where that was tried.
    pub why: Option<String>,
}

#[async_trait]
impl Operation for PushRelease {
    const NAME: &'static str = "push-release";
    const EFFECT: Effect = Effect::Publishes;
    type Input = PushInput;
    type Output = Pushed;

    fn advice(&self, input: &PushInput) -> Option<String> {
        let PushInput { remote, branch, tags, .. } = input;
        let gone: Vec<String> = tags.iter().map(|tag| format!(":refs/tags/{tag}")).collect();
        let tags = match gone.as_slice() {
            [] => String::new(),
            gone => format!("; tags that nobody has yet go with `git push {remote} {}`", gone.join(" ")),
        };
        Some(format!(
            "others may have it: mend it on `{branch}` and release that as the next patch version{tags}"
        ))
    }

    async fn call(&self, input: PushInput, order: &OrderKey, site: &Site<'_>) -> Result<Pushed, BoxError> {
        let order = order.clone();
        blocking(site, move |here| push(here, &input, &order)).await
    }

    async fn already(&self, input: &PushInput, order: &OrderKey, site: &Site<'_>) -> Already<Pushed> {
        let (input, order) = (input.clone(), order.clone());
        let answer = blocking(site, move |here| compare(here, &input, &order)).await;
        answer.unwrap_or(Already::Unknown)
    }
}

fn push(here: &Here, input: &PushInput, order: &OrderKey) -> Result<Pushed, BoxError> {
    let out = Outgoing::of(here, input, order)?;
    let there = ask(here, input, &out)?;
    if out.is_there(&there) {
        return Ok(Pushed { already_so: true, ..out.pushed() });
    }
    out.tags_are_free(&there)?;
    let at = there.object(&out.branch);
    if at != Some(&*out.commit) {
        let git = Git::new(here);
        if let Some(tip) = at
            && !(git.has(tip)? && git.is_ancestor(tip, &out.base)?)
        {
            return Ok(Pushed { moved: Some(tip.to_owned()), ..Pushed::default() });
        }
        if input.mode == Mode::PullRequest {
            return propose::propose(here, input, &out, &there, None);
        }
    }
    here.progress.step(format!("pushing to {}", input.remote), None);
    let args = out.args(&input.remote, at);
    match send(here, input, &args) {
        Sent::Yes => {
            let now = ask(here, input, &out)?;
            if out.is_there(&now) {
                return Ok(out.pushed());
            }
            Err(format!(
                "`{}` took the push and does not have all of it: {}",
                input.remote,
                out.missing(&now)
            )
            .into())
        }
        Sent::Unclear(error) => unclear(here, input, &out, error),
        Sent::Refused(Refusal::Moved, _) => {
            let now = ask(here, input, &out)?;
            // A push of ours that was thought dead got there first.
            if out.is_there(&now) {
                return Ok(out.pushed());
            }
            let moved = now.object(&out.branch).unwrap_or("nothing").to_owned();
            Ok(Pushed { moved: Some(moved), ..Pushed::default() })
        }
        Sent::Refused(Refusal::Protected, output) if input.mode == Mode::Auto => {
            let why = rejected(&input.remote, Refusal::Protected, &args, &output);
            propose::propose(here, input, &out, &there, Some(why.to_string()))
        }
        Sent::Refused(refusal, output) => Err(rejected(&input.remote, refusal, &args, &output)),
        Sent::Failed(error) => Err(error),
    }
}

/// How a push ended.
enum Sent {
    /// The remote took it.
    Yes,
    /// The remote said no.
    Refused(Refusal, Output),
    /// It broke off; the remote may have taken it.
    Unclear(BoxError),
    /// It did not begin.
    Failed(BoxError),
}

fn send(here: &Here, input: &PushInput, args: &[String]) -> Sent {
    match Git::new(here).limit(input.limit()).output(args, None) {
        Ok(output) if output.status.success() => Sent::Yes,
        Ok(output) => match Refusal::of(&output) {
            Refusal::Network => Sent::Unclear(failed(args, &output).into()),
            refusal => Sent::Refused(refusal, output),
        },
        Err(error @ GitError::Process(ProcessError::TimedOut { .. })) => Sent::Unclear(error.into()),
        Err(error) => Sent::Failed(error.into()),
    }
}

/// A push that broke off is known by what the remote has.
fn unclear(here: &Here, input: &PushInput, out: &Outgoing, error: BoxError) -> Result<Pushed, BoxError> {
    let remote = &input.remote;
    let said = match ask(here, input, out) {
        Ok(now) if out.is_there(&now) => return Ok(out.pushed()),
        Ok(_) => format!("`{remote}` did not take the push to its end, nothing was published: {error}"),
        Err(_) => format!(
            "it is not known whether `{remote}` took the push: {error}; it is asked first the next time, and nothing goes out twice"
        ),
    };
    Err(Transient(said.into()).into())
}

fn ask(here: &Here, input: &PushInput, out: &Outgoing) -> Result<Published, BoxError> {
    Published::refs(here, &input.remote, input.limit(), &out.asked())
}

/// What a push that was refused means.
fn rejected(remote: &str, refusal: Refusal, args: &[String], output: &Output) -> BoxError {
    let said = String::from_utf8_lossy(&output.stdout);
    let rejected: Vec<String> = said
        .lines()
        .filter_map(|line| line.strip_prefix("!\t")?.split_once('\t'))
        .filter(|(_, why)| !why.contains("atomic push fail"))
        .map(|(name, why)| format!("`{}` {why}", name.split(':').next_back().unwrap_or(name)))
        .collect();
    let advice = refusal.advice(remote).map_or_else(String::new, |advice| format!("; {advice}"));
    if rejected.is_empty() {
        return format!("{}; nothing was published{advice}", failed(args, output)).into();
    }
    let words: Vec<&str> =
        output.stderr.lines().filter_map(|line| line.strip_prefix("remote: ")).map(str::trim).collect();
    let words = words.into_iter().filter(|line| !line.is_empty()).take(3).collect::<Vec<_>>().join("; ");
    let words = if words.is_empty() { words } else { format!(" (it says: {words})") };
    format!("`{remote}` rejected the push, nothing was published: {}{words}{advice}", rejected.join(", "))
        .into()
}

fn compare(here: &Here, input: &PushInput, order: &OrderKey) -> Result<Already<Pushed>, BoxError> {
    let out = Outgoing::of(here, input, order)?;
    // Where the remote cannot be asked now, calling again is safe: it asks first.
    let Ok(there) = ask(here, input, &out) else { return Ok(Already::NotDone) };
    if out.is_there(&there) {
        return Ok(Already::Done(out.pushed()));
    }
    if let Some(done) = propose::already(here, input, &out, &there) {
        return Ok(Already::Done(done));
    }
    // All of it went out or nothing; the branch may have moved on since.
    Ok(match out.tags_there(&there) {
        0 => Already::NotDone,
        all if input.commit.is_some() && all == input.tags.len() => Already::Done(out.pushed()),
        _ => Already::Unknown,
    })
}
