//! Pushes a branch and tags: all of them or none.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site, Transient};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::branch_ref;
use super::candidate::Candidate;
use crate::ops::git::{Git, failed};
use crate::ops::here::{Here, blocking};
use crate::ops::process::Output;

/// The longest that git may talk with a remote.
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
}

/// What the remote has now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pushed {
    /// Object of each ref.
    pub refs: BTreeMap<String, String>,
}

#[async_trait]
impl Operation for PushRelease {
    const NAME: &'static str = "push-release";
    const EFFECT: Effect = Effect::Publishes;
    type Input = PushInput;
    type Output = Pushed;

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

/// The local objects of what is to be pushed.
fn wanted(git: &Git<'_>, input: &PushInput, order: &OrderKey) -> Result<BTreeMap<String, String>, BoxError> {
    let commit = Candidate::released(git, &input.branch, order)?;
    let mut wanted = BTreeMap::from([(branch_ref(git, &input.branch)?, commit)]);
    for name in input.tags.iter().map(|tag| format!("refs/tags/{tag}")) {
        let object = git.maybe(["rev-parse", "--quiet", "--verify", &name])?;
        let object = object.ok_or_else(|| format!("there is no `{name}` to push"))?;
        wanted.insert(name, object);
    }
    Ok(wanted)
}

fn push(here: &Here, input: &PushInput, order: &OrderKey) -> Result<Pushed, BoxError> {
    let git = Git::new(here).limit(LIMIT);
    let refs = wanted(&git, input, order)?;
    here.progress.step(format!("pushing to {}", input.remote), None);
    let specs = refs.iter().map(|(name, object)| format!("{object}:{name}"));
    let args = ["push", "--atomic", "--porcelain", "--", &input.remote].map(str::to_owned);
    let args: Vec<String> = args.into_iter().chain(specs).collect();
    let output = git.output(&args, None)?;
    if output.status.success() { Ok(Pushed { refs }) } else { Err(refusal(&input.remote, &args, &output)) }
}

/// What a push that failed means: a remote that said no, or one that could not be talked with.
fn refusal(remote: &str, args: &[String], output: &Output) -> BoxError {
    let said = String::from_utf8_lossy(&output.stdout);
    let rejected: Vec<String> = said
        .lines()
        .filter_map(|line| line.strip_prefix("!\t")?.split_once('\t'))
        .filter(|(_, why)| !why.contains("atomic push failed"))
        .map(|(name, why)| format!("`{}` {why}", name.split(':').next_back().unwrap_or(name)))
        .collect();
    let moved = said.contains("(fetch first)") || said.contains("(non-fast-forward)");
    if !rejected.is_empty() {
        let advice = if moved { "; fetch and merge what others pushed, then run again" } else { "" };
        let rejected = rejected.join(", ");
        return format!("`{remote}` rejected the push, nothing was published: {rejected}{advice}").into();
    }
    let error = failed(args, output).into();
    if is_network(&output.stderr) { Transient(error).into() } else { error }
}

/// Whether git's words (in the C locale) tell of a network that failed, not of a remote that answered.
pub(super) fn is_network(said: &str) -> bool {
    const SIGNS: [&str; 12] = [
        "Could not resolve host",
        "Connection refused",
        "Connection reset",
        "Connection timed out",
        "Connection closed",
        "Failed to connect",
        "Operation timed out",
        "Network is unreachable",
        "No route to host",
        "early EOF",
        "hung up unexpectedly",
        "returned error: 5",
    ];
    SIGNS.iter().any(|sign| said.contains(sign))
}

fn compare(here: &Here, input: &PushInput, order: &OrderKey) -> Result<Already<Pushed>, BoxError> {
    let git = Git::new(here).limit(LIMIT);
    let refs = wanted(&git, input, order)?;
    let args = ["ls-remote", "--", &input.remote].into_iter().chain(refs.keys().map(String::as_str));
    let list = git.text(args)?;
    let there: BTreeMap<&str, &str> =
        list.lines().filter_map(|line| line.split_once('\t')).map(|(object, name)| (name, object)).collect();
    let same =
        refs.iter().filter(|(name, object)| there.get(name.as_str()) == Some(&object.as_str())).count();
    Ok(if same == refs.len() {
        Already::Done(Pushed { refs })
    } else if same == 0 {
        Already::NotDone
    } else {
        Already::Unknown
    })
}
