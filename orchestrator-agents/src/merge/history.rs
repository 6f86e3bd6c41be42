//! What git knows of a branch: its releases, its commits, its files; also as they will be once other branches are
//! merged into it.

use orchestrator_core::BoxError;
use orchestrator_core::id::RunId;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use semver::Version;

use super::commits::{Change, parse_log};
use super::record::{MERGED, Record};

/// Reads by git. A plan reads through its workspace, an operation by itself.
pub(crate) trait ReadGit: Sync {
    /// What a git command prints, without the last line break.
    fn read(&self, args: &[&str]) -> Result<String, BoxError>;
}

impl ReadGit for Workspace {
    fn read(&self, args: &[&str]) -> Result<String, BoxError> {
        Ok(self.git(args)?)
    }
}

/// The main branch: `main`, `master`, or what the HEAD of `origin` names.
pub(super) fn main_branch(git: &dyn ReadGit) -> Result<String, BoxError> {
    for branch in ["main", "master"] {
        if git.read(&["rev-parse", "--quiet", "--verify", &format!("refs/heads/{branch}")]).is_ok() {
            return Ok(branch.to_owned());
        }
    }
    let remote = git.read(&["symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"]);
    remote
        .ok()
        .and_then(|name| name.strip_prefix("origin/").map(str::to_owned))
        .ok_or_else(|| "no branch is called `main` or `master`; name the one to release".into())
}

/// Whether a branch went in by a squash or a rebase, so that its own commits did not.
fn was_squashed(git: &dyn ReadGit, tip: &str, branch: &str) -> bool {
    let Ok(base) = git.read(&["merge-base", tip, branch]) else { return false };
    let (grep, not) = (format!("--grep={MERGED}: {branch}"), format!("^{base}"));
    let args = ["log", "-1", "--first-parent", "--fixed-strings", &grep, "--format=%H", tip, &not, "--"];
    git.read(&args).is_ok_and(|found| !found.is_empty())
}

/// What is released.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Released<'a> {
    /// The branch.
    pub(crate) branch: &'a str,
    /// The remote whose tip of it counts.
    pub(crate) remote: Option<&'a str>,
    /// Branches that will have been merged into it.
    pub(crate) including: &'a [String],
}

/// A branch and those that will have been merged into it.
pub(crate) struct History<'a> {
    git: &'a dyn ReadGit,
    tip: String,
    including: Vec<String>,
}

impl<'a> History<'a> {
    /// The history of a branch, and of what a run prepared for it. Branches in `including` that are merged already make no
    /// difference. Before anything is prepared, as in a dry run, the base is what is known of it here.
    pub(crate) fn new(
        git: &'a dyn ReadGit,
        of: &Released<'_>,
        run: Option<&RunId>,
    ) -> Result<Self, BoxError> {
        let Released { branch, remote, including } = of;
        let commit =
            |name: &str| git.read(&["rev-parse", "--quiet", "--verify", &format!("{name}^{{commit}}")]).ok();
        let known = |branch: &str| {
            let found = commit(&format!("refs/heads/{branch}"));
            found.or_else(|| commit(&format!("refs/remotes/{branch}")))
        };
        let known = |branch: &str| known(branch).ok_or_else(|| format!("there is no branch `{branch}`"));
        let record = Record::read(git, branch)?.filter(|(_, record)| Some(&record.run) == run);
        if let Some((_, record)) = record {
            // Merged by now, squashed or not.
            return Ok(Self { git, tip: record.tip, including: Vec::new() });
        }
        let local = known(branch)?;
        let there = remote.and_then(|remote| commit(&format!("refs/remotes/{remote}/{branch}")));
        let ahead = |there: &String| git.read(&["merge-base", "--is-ancestor", &local, there]).is_ok();
        let tip = there.filter(ahead).unwrap_or(local);
        let including: Vec<String> =
            including.iter().map(|branch| known(branch)).collect::<Result<_, _>>()?;
        let including = including.into_iter().filter(|branch| !was_squashed(git, &tip, branch)).collect();
        Ok(Self { git, tip, including })
    }

    /// The commit that is released as far as it is prepared.
    pub(crate) fn tip(&self) -> &str {
        &self.tip
    }

    /// The latest release on the branch, from tags `vX.Y.Z`; `but` does not count.
    pub(crate) fn last_release(&self, but: Option<&Version>) -> Result<Option<Version>, BoxError> {
        let tags = self.git.read(&["tag", "--list", "v*", "--merged", &self.tip])?;
        let versions = tags.lines().filter_map(|tag| Version::parse(tag.strip_prefix('v')?).ok());
        Ok(versions.filter(|version| version.pre.is_empty() && Some(version) != but).max())
    }

    /// The commits since a release, the latest first; merges and release commits not counted.
    pub(crate) fn since(&self, release: Option<&Version>) -> Result<Vec<Change>, BoxError> {
        let mut args = vec!["log", "--no-merges", "--format=%H%x1f%an%x1f%B%x1e", &self.tip];
        args.extend(self.including.iter().map(String::as_str));
        let not = release.map(|version| format!("^refs/tags/v{version}"));
        args.extend(not.as_deref());
        args.push("--");
        Ok(parse_log(&self.git.read(&args)?))
    }

    /// A file of the branch as it will be; none where there is none. Where several branches changed it, the content
    /// before the merge is the best that can be said.
    pub(crate) fn file(&self, path: &RelPath) -> Result<Option<String>, BoxError> {
        let blob = |commit: &str| {
            self.git.read(&["rev-parse", "--quiet", "--verify", &format!("{commit}:{path}")]).ok()
        };
        let mut now = blob(&self.tip);
        for branch in &self.including {
            let Ok(base) = self.git.read(&["merge-base", &self.tip, branch]) else { continue };
            if blob(&base) == now {
                now = blob(branch);
            }
        }
        now.map(|blob| self.content(&blob, path)).transpose()
    }

    /// The files of that name, wherever they are.
    pub(crate) fn files(&self, name: &str) -> Result<Vec<RelPath>, BoxError> {
        let list = self.git.read(&["ls-tree", "-r", "-z", "--name-only", "--full-tree", &self.tip])?;
        let below = format!("/{name}");
        let paths = list.split('\0').filter(|path| *path == name || path.ends_with(&below));
        Ok(paths.filter_map(|path| RelPath::new(path).ok()).collect())
    }

    fn content(&self, blob: &str, path: &RelPath) -> Result<String, BoxError> {
        let mut text = self.git.read(&["cat-file", "blob", blob])?;
        let bytes: usize = self.git.read(&["cat-file", "-s", blob])?.trim().parse()?;
        // The last line break, which reading leaves out.
        if bytes == text.len() + 1 {
            text.push('\n');
        }
        if bytes == text.len() { Ok(text) } else { Err(format!("`{path}` is not UTF-8").into()) }
    }
}
