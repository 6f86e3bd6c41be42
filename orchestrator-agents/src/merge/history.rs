//! What git knows of a branch: its releases, its commits, its files; also as they will be once other branches are
//! merged into it.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_core::BoxError;
use orchestrator_core::id::RunId;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use semver::Version;

use super::commits::{Change, FORMAT, parse_log, telling};
use super::forge::{Forge, Pages};
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

/// A line of releases: how its tags begin, and the folder that it is about.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// `v`, or `api-v` for a part of a repository.
    pub(crate) prefix: String,
    /// The folder; the root for the whole repository.
    pub(crate) path: RelPath,
}

impl Line {
    /// Releases of the whole repository, with the usual tags.
    pub(crate) fn usual() -> Self {
        Self { prefix: "v".to_owned(), path: RelPath::root() }
    }

    /// The tag of a version.
    pub(crate) fn tag(&self, version: &Version) -> String {
        format!("{}{version}", self.prefix)
    }

    /// The version that a tag releases; none for other tags, and for the second tag of a release, which ends with a time.
    pub(crate) fn version(&self, tag: &str) -> Option<Version> {
        let version = Version::parse(tag.strip_prefix(&self.prefix)?).ok()?;
        (version.build.is_empty() && !is_stamped(version.pre.as_str())).then_some(version)
    }
}

/// Whether a tag's name ends with a time: `..20261120-234433`.
pub(crate) fn is_stamped(name: &str) -> bool {
    let Some((rest, time)) = name.rsplit_once('-') else { return false };
    let date = rest.rsplit_once('-').map_or(rest, |(_, date)| date);
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(date, 8) && digits(time, 6)
}

/// How many commits are read at a time, and at most.
const PAGE: usize = 5000;
const MOST: usize = 200_000;
/// How many people git's mailmap is asked about at a time, and at most.
const PEOPLE: usize = 100;
const MOST_PEOPLE: usize = 2000;

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
    line: Line,
}

impl<'a> History<'a> {
    /// The history of a branch, and of what a run prepared for it. Branches in `including` that are merged already make no
    /// difference. Before anything is prepared, as in a dry run, the base is what is known of it here.
    pub(crate) fn new(
        git: &'a dyn ReadGit,
        of: &Released<'_>,
        line: Line,
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
            return Ok(Self { git, tip: record.tip, including: Vec::new(), line });
        }
        let local = known(branch)?;
        let there = remote.and_then(|remote| commit(&format!("refs/remotes/{remote}/{branch}")));
        let ahead = |there: &String| git.read(&["merge-base", "--is-ancestor", &local, there]).is_ok();
        let tip = there.filter(ahead).unwrap_or(local);
        let including: Vec<String> =
            including.iter().map(|branch| known(branch)).collect::<Result<_, _>>()?;
        let including = including.into_iter().filter(|branch| !was_squashed(git, &tip, branch)).collect();
        Ok(Self { git, tip, including, line })
    }

    /// The commit that is released as far as it is prepared.
    pub(crate) fn tip(&self) -> &str {
        &self.tip
    }

    /// The line of releases.
    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    /// What was released on the branch, from its tags; the highest last.
    pub(crate) fn releases(&self) -> Result<Vec<Version>, BoxError> {
        let pattern = format!("{}*", self.line.prefix);
        let tags = self.git.read(&["tag", "--list", "--merged", &self.tip, &pattern])?;
        let mut versions: Vec<Version> = tags.lines().filter_map(|tag| self.line.version(tag)).collect();
        versions.sort();
        Ok(versions)
    }

    /// What a release follows: for a pre-release the one before it, whatever it was, else the last that was none.
    pub(crate) fn before(&self, version: &Version) -> Result<Option<Version>, BoxError> {
        let mut versions = self.releases()?;
        versions.retain(|other| other < version && (!version.pre.is_empty() || other.pre.is_empty()));
        Ok(versions.pop())
    }

    /// The commits since a release, the latest first; merges, release commits and what was taken back not counted.
    pub(crate) fn since(&self, release: Option<&Version>) -> Result<Vec<Change>, BoxError> {
        let mut changes = Vec::new();
        let not = release.map(|version| format!("^refs/tags/{}", self.line.tag(version)));
        let below = format!(":(top,literal){}", self.line.path);
        loop {
            let (skip, page) = (format!("--skip={}", changes.len()), format!("--max-count={PAGE}"));
            let mut args = vec!["log", "-z", "--topo-order", "--no-merges", "--no-show-signature"];
            args.extend(["--encoding=UTF-8", &skip, &page, FORMAT, &self.tip]);
            args.extend(self.including.iter().map(String::as_str));
            args.extend(not.as_deref());
            args.push("--");
            if !self.line.path.is_root() {
                args.push(&below);
            }
            let read = parse_log(&self.git.read(&args)?);
            let count = read.len();
            changes.extend(read);
            if count < PAGE || changes.len() >= MOST {
                break;
            }
        }
        let mut changes = telling(changes);
        self.name_people(&mut changes);
        Ok(changes)
    }

    /// Those who helped, as git's mailmap names them; as they were written where it cannot be asked.
    fn name_people(&self, changes: &mut [Change]) {
        let all: BTreeSet<&String> = changes.iter().flat_map(|change| &change.with).collect();
        let all: Vec<String> = all.into_iter().take(MOST_PEOPLE).cloned().collect();
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for some in all.chunks(PEOPLE) {
            let args: Vec<&str> =
                ["check-mailmap"].into_iter().chain(some.iter().map(String::as_str)).collect();
            let Ok(named) = self.git.read(&args) else { continue };
            let named: Vec<&str> = named.lines().collect();
            if named.len() == some.len() {
                known.extend(some.iter().cloned().zip(named.into_iter().map(str::to_owned)));
            }
        }
        for person in changes.iter_mut().flat_map(|change| &mut change.with) {
            let named = known.get(person).unwrap_or(person);
            *person = named.split('<').next().unwrap_or_default().trim().to_owned();
        }
    }

    /// Where people look at the repository, as its remote's address tells.
    pub(crate) fn pages(&self, remote: Option<&str>, forge: Option<Forge>) -> Option<Pages> {
        let remote = remote?;
        let raw = self.git.read(&["config", "--get", &format!("remote.{remote}.url")]).ok();
        let found = raw.and_then(|address| Pages::of(&address, forge));
        // Short forms, which git's configuration makes long.
        let full = || self.git.read(&["remote", "get-url", "--", remote]).ok();
        found.or_else(|| Pages::of(&full()?, forge))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_a_line_are_told_from_others() {
        let line = |prefix: &str| Line { prefix: prefix.into(), path: RelPath::root() };
        let version = |prefix: &str, tag: &str| line(prefix).version(tag).map(|version| version.to_string());
        assert_eq!(version("v", "v1.2.3-rc.1").as_deref(), Some("1.2.3-rc.1"));
        assert_eq!(version("api/v", "api/v1.2.3").as_deref(), Some("1.2.3"));
        for tag in [
            "v1.2.3-20261120-234433",
            "v1.2.3-rc.1-20261120-234433",
            "v1.2",
            "web-v1.0.0",
            "vendor",
            "v1.0.0+x",
        ] {
            assert_eq!(version("v", tag), None, "{tag}");
        }
        assert_eq!(version("api-v", "v1.2.3"), None);
    }
}
