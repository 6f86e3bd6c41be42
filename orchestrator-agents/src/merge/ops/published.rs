//! What a remote has: asked of it, never believed from what was fetched once.

use std::collections::BTreeMap;
use std::time::Duration;

use orchestrator_core::BoxError;
use orchestrator_core::operation::Transient;

use super::refusal::Refusal;
use crate::merge::history::Line;
use crate::ops::git::{Git, GitError, failed};
use crate::ops::here::Here;
use crate::ops::process::ProcessError;

/// The longest that a remote may take to say what it has.
pub(super) const LIMIT: Duration = Duration::from_mins(2);

/// Refs of a remote, by their full names; those of annotated tags with what they name as `refs/tags/x^{}`.
#[derive(Debug)]
pub(super) struct Published {
    remote: String,
    refs: BTreeMap<String, String>,
}

impl Published {
    /// The tags of a line of releases.
    pub(super) fn ask(here: &Here, remote: &str, line: &Line) -> Result<Self, BoxError> {
        Self::refs(here, remote, LIMIT, &[format!("refs/tags/{}*", line.prefix)])
    }

    /// Refs by their names or patterns.
    pub(super) fn refs(
        here: &Here,
        remote: &str,
        limit: Duration,
        names: &[String],
    ) -> Result<Self, BoxError> {
        let git = Git::new(here).limit(limit);
        let args = ["ls-remote", "--", remote].into_iter().chain(names.iter().map(String::as_str));
        let args: Vec<&str> = args.collect();
        let output = match git.output(&args, None) {
            Ok(output) => output,
            Err(error @ GitError::Process(ProcessError::TimedOut { .. })) => {
                return Err(Transient(format!("`{remote}` did not answer: {error}").into()).into());
            }
            Err(error) => return Err(error.into()),
        };
        if !output.status.success() {
            let error = failed(&args, &output);
            return Err(match Refusal::of(&output) {
                Refusal::Network => Transient(error.into()).into(),
                refusal => match refusal.advice(remote) {
                    Some(advice) => format!("{error}; {advice}").into(),
                    None => error.into(),
                },
            });
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let refs = text.lines().filter_map(|line| line.split_once('\t'));
        let refs = refs.map(|(object, name)| (name.to_owned(), object.to_owned())).collect();
        Ok(Self { remote: remote.to_owned(), refs })
    }

    /// The object that a ref names there.
    pub(super) fn object(&self, name: &str) -> Option<&str> {
        self.refs.get(name).map(String::as_str)
    }

    /// Fails where the remote has a tag of this name that is not the one of this history.
    pub(super) fn allows(&self, git: &Git<'_>, tag: &str, tip: &str) -> Result<(), BoxError> {
        let name = format!("refs/tags/{tag}");
        let Some(there) = self.object(&name) else { return Ok(()) };
        let here = git.maybe(["rev-parse", "--quiet", "--verify", &name])?;
        if here.as_deref() == Some(there) && git.is_ancestor(&name, tip)? {
            return Ok(());
        }
        let commit = self.object(&format!("{name}^{{}}")).unwrap_or(there);
        let remote = &self.remote;
        Err(format!(
            "`{remote}` has a tag `{tag}` already, at {commit}, which is not of this release; fetch its tags (`git fetch --tags {remote}`) \
             so that they count, or give another version; nothing was changed"
        )
        .into())
    }
}
