//! A branch that asks to be merged, where nobody pushes to the released one directly.

use orchestrator_core::BoxError;
use orchestrator_core::operation::Transient;

use super::super::branches::TRAILER;
use super::super::published::Published;
use super::super::tag::{delete_own, is_ours};
use super::outgoing::Outgoing;
use super::{Proposed, PushInput, Pushed, Sent, ask, rejected, send};
use crate::merge::forge::Pages;
use crate::ops::git::Git;
use crate::ops::here::Here;

/// Pushes the commit as `release/vX.Y.Z`. Its tags stay away, here too: the release is made once that branch is merged.
pub(super) fn propose(
    here: &Here,
    input: &PushInput,
    out: &Outgoing,
    there: &Published,
    why: Option<String>,
) -> Result<Pushed, BoxError> {
    let git = Git::new(here);
    let at = there.object(&out.proposal);
    if let Some(other) = at.filter(|other| *other != out.commit)
        && !is_of_a_run(&git, other)?
    {
        let name = branch(out);
        return Err(format!(
            "`{}` has a branch `{name}` already, at {other}, which no run made; merge or delete it, then run again; nothing was published",
            input.remote
        )
        .into());
    }
    if at != Some(&*out.commit) {
        here.progress.step(format!("pushing {} to {}", branch(out), input.remote), None);
        let lease = format!("--force-with-lease={}:{}", out.proposal, at.unwrap_or_default());
        let spec = format!("{}:{}", out.commit, out.proposal);
        let args =
            ["push", "--atomic", "--porcelain", "--no-follow-tags", &lease, "--", &input.remote, &spec];
        let args = args.map(str::to_owned);
        match send(here, input, &args) {
            Sent::Yes => {}
            Sent::Refused(refusal, output) => return Err(rejected(&input.remote, refusal, &args, &output)),
            Sent::Failed(error) => return Err(error),
            Sent::Unclear(error) => {
                let now = ask(here, input, out).map_err(|_| BoxError::from(Transient(error)))?;
                if now.object(&out.proposal) != Some(&*out.commit) {
                    let said =
                        format!("`{}` did not take the push to its end, nothing was published", input.remote);
                    return Err(Transient(said.into()).into());
                }
            }
        }
    }
    for tag in &input.tags {
        if is_ours(&git, tag)? {
            delete_own(&git, tag)?;
        }
    }
    Ok(proposed(&git, input, out, why))
}

/// What was proposed already.
pub(super) fn already(here: &Here, input: &PushInput, out: &Outgoing, there: &Published) -> Option<Pushed> {
    let same = there.object(&out.proposal) == Some(&*out.commit);
    let pending = same && there.object(&out.branch) != Some(&*out.commit);
    pending.then(|| proposed(&Git::new(here), input, out, None))
}

fn proposed(git: &Git<'_>, input: &PushInput, out: &Outgoing, why: Option<String>) -> Pushed {
    let address = git.maybe(["config", "--get", &format!("remote.{}.url", input.remote)]).ok().flatten();
    let pages = address.and_then(|address| Pages::of(&address, None));
    let branch = branch(out).to_owned();
    let page = pages.map(|pages| pages.propose(&input.branch, &branch));
    let refs = [(out.proposal.clone(), out.commit.clone())].into();
    Pushed { refs, proposed: Some(Proposed { branch, page, why }), ..Pushed::default() }
}

fn branch(out: &Outgoing) -> &str {
    out.proposal.strip_prefix("refs/heads/").unwrap_or(&out.proposal)
}

/// Whether a run made a commit; not, where it is not even here.
fn is_of_a_run(git: &Git<'_>, commit: &str) -> Result<bool, BoxError> {
    if !git.has(commit)? {
        return Ok(false);
    }
    let format = format!("--format=%(trailers:key={TRAILER},valueonly)");
    Ok(!git.text(["log", "-1", &format, commit, "--"])?.trim().is_empty())
}
