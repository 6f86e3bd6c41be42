//! Runs git for operations: the user's git, with the user's hooks, signing and credentials, that never asks anything.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::here::Here;
use super::process::{self, Output, ProcessError, Started};

/// Git in a folder.
#[derive(Clone)]
pub(crate) struct Git<'a> {
    here: &'a Here,
    folder: PathBuf,
    limit: Option<Duration>,
    env: Vec<(OsString, OsString)>,
}

/// Why git did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    /// It ran and failed.
    #[error("`git {command}` failed: {said}")]
    Failed { command: String, said: String },
    /// It did not run to its end.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl<'a> Git<'a> {
    /// Git at the root of the checkout.
    pub(crate) fn new(here: &'a Here) -> Self {
        Self { here, folder: here.root.clone(), limit: None, env: Vec::new() }
    }

    /// The same in another folder.
    pub(crate) fn at(&self, folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), ..self.clone() }
    }

    /// The same with a limit of time.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The same with one more environment variable.
    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs git to its end, however it ends.
    pub(crate) fn output<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        stdin: Option<Vec<u8>>,
    ) -> Result<Output, GitError> {
        Ok(process::run(self.here, self.command(args), stdin, self.limit)?)
    }

    /// Names of environment variables that it gets.
    pub(crate) fn environment(&self) -> impl Iterator<Item = &str> {
        let names = self.here.env.iter().chain(&self.env).map(|(name, _)| name);
        names.filter_map(|name| name.to_str())
    }

    /// Starts git, which gets its input later by [`Ready::input`].
    pub(crate) fn ready(&self, args: &[&str]) -> Result<Ready<'a>, GitError> {
        let started = process::ready(self.here, self.command(args))?;
        Ok(Ready { started, args: args.iter().map(|&arg| arg.to_owned()).collect(), limit: self.limit })
    }

    fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = process::placed(self.here, "git");
        command.current_dir(&self.folder).args(args);
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        // Without a terminal to ask on, ssh would otherwise wait for one.
        if !self.here.env.iter().any(|(name, _)| name == "SSH_ASKPASS") {
            command.env("SSH_ASKPASS", "false").env("SSH_ASKPASS_REQUIRE", "force");
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What git prints, as bytes.
    pub(crate) fn bytes<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Vec<u8>, GitError> {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let output = self.output(&args, None)?;
        if output.status.success() { Ok(output.stdout) } else { Err(failed(&args, &output)) }
    }

    /// What git prints, as text without the last line break.
    pub(crate) fn text<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Result<String, GitError> {
        let bytes = self.bytes(args)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// What git prints of what it is given, as text without the last line break.
    pub(crate) fn input<S: AsRef<OsStr>>(&self, args: &[S], stdin: Vec<u8>) -> Result<String, GitError> {
        let output = self.output(args, Some(stdin))?;
        let text = String::from_utf8_lossy(&output.stdout);
        if output.status.success() { Ok(text.trim_end().to_owned()) } else { Err(failed(args, &output)) }
    }

    /// The same as `text`; none where git fails.
    pub(crate) fn maybe<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Option<String>, GitError> {
        match self.text(args) {
            Ok(text) => Ok(Some(text)),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The commit that a revision names; none where there is no such revision.
    pub(crate) fn commit(&self, revision: &str) -> Result<Option<String>, GitError> {
        let revision = format!("{revision}^{{commit}}");
        self.maybe(["rev-parse", "--quiet", "--verify", &revision])
    }

    /// Whether a commit is here.
    pub(crate) fn has(&self, commit: &str) -> Result<bool, GitError> {
        Ok(self.maybe(["cat-file", "-e", &format!("{commit}^{{commit}}")])?.is_some())
    }

    /// Whether one commit can be reached from another.
    pub(crate) fn is_ancestor(&self, ancestor: &str, of: &str) -> Result<bool, GitError> {
        Ok(self.maybe(["merge-base", "--is-ancestor", ancestor, of])?.is_some())
    }
}

/// A git that runs and waits for its input.
pub(crate) struct Ready<'a> {
    started: Started<'a>,
    args: Vec<String>,
    limit: Option<Duration>,
}

impl Ready<'_> {
    /// Gives it its input, and does not wait.
    pub(crate) fn give(&mut self, stdin: Vec<u8>) {
        self.started.give(stdin);
    }

    /// Waits for its end, however it ends; its arguments, for those who tell of it.
    pub(crate) fn output(self) -> Result<(Output, Vec<String>), GitError> {
        Ok((self.started.finish(None, self.limit)?, self.args))
    }

    /// Gives it its input, and waits for its end; what it prints, as text without the last line break.
    pub(crate) fn input(self, stdin: Vec<u8>) -> Result<String, GitError> {
        let output = self.started.finish(Some(stdin), self.limit)?;
        let text = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            Ok(text.trim_end().to_owned())
        } else {
            Err(failed(&self.args, &output))
        }
    }
}

/// The error of a git command that ran and failed, with git's own words.
pub(crate) fn failed<S: AsRef<OsStr>>(args: &[S], output: &Output) -> GitError {
    let args: Vec<_> = args.iter().map(|arg| arg.as_ref().to_string_lossy()).collect();
    let mut command = args.join(" ");
    if command.len() > 200 {
        command = command.chars().take(200).chain("...".chars()).collect();
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let said = if output.stderr.is_empty() { stdout.trim() } else { &output.stderr };
    let said = if said.is_empty() { output.status.to_string() } else { said.replace('\n', "; ") };
    GitError::Failed { command: without_credentials(&command), said: without_credentials(&said) }
}

/// A text without what stands before `@` in addresses: git repeats the addresses of remotes as they are.
fn without_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        clean.push_str("://");
        let end =
            part.find(|char: char| char == '/' || char.is_whitespace() || char == '\'').unwrap_or(part.len());
        match part[..end].rfind('@') {
            Some(at) => {
                clean.push_str("***");
                clean.push_str(&part[at..]);
            }
            None => clean.push_str(part),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_out_of_errors() {
        for (text, clean) in [
            (
                "unable to access 'https://ada:s3cret@host/a@b/': 403",
                "unable to access 'https://***@host/a@b/': 403",
            ),
            ("https://token@h, ssh://git@h:22/x and mail@x", "https://***@h, ssh://***@h:22/x and mail@x"),
            ("http://host/a 'x' ://", "http://host/a 'x' ://"),
        ] {
            assert_eq!(without_credentials(text), clean);
        }
    }
}
