//! What a strategy does with a branch, commit by commit, before anything of it is done.

use orchestrator_core::BoxError;

use crate::merge::merge_branch::Strategy;
use crate::merge::record::MERGED;
use crate::ops::git::Git;

/// A commit to make on top of the candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pick {
    /// What goes in.
    pub(super) theirs: String,
    /// What it is taken to differ from; found by git where there is none given.
    pub(super) base: Option<String>,
    /// The message.
    pub(super) message: String,
    /// Whose it is: `GIT_AUTHOR_NAME` and so on; ours by default.
    pub(super) author: Vec<(String, String)>,
    /// More trailers.
    pub(super) trailers: Vec<(String, String)>,
    /// Whether `theirs` is a parent too.
    pub(super) merges: bool,
    /// Whether it changed nothing where it comes from, which is kept.
    pub(super) empty: bool,
}

/// What is to be done with a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing: all of it is there.
    AlreadySo,
    /// The branch's own commits.
    FastForward,
    /// New commits, in this order.
    Picks(Vec<Pick>),
}

/// Trailer that names the commit that another is a copy of.
pub(super) const REBASED: &str = "Orchestrate-Rebased";

/// The most commits of a branch that are made anew.
const MOST: usize = 2000;

/// Finds what to do. `asked` is a person's message; there is one by default.
pub(super) fn way(
    git: &Git<'_>,
    strategy: Strategy,
    ours: &str,
    branch: &str,
    theirs: &str,
    asked: Option<&str>,
) -> Result<Way, BoxError> {
    if git.is_ancestor(theirs, ours)? {
        return Ok(Way::AlreadySo);
    }
    let message = |default: String| asked.map_or(default, str::to_owned);
    match strategy {
        Strategy::Merge => Ok(Way::Picks(vec![merge(branch, theirs, asked)])),
        Strategy::FastForward => {
            forward(git, ours, branch, theirs)?;
            Ok(Way::FastForward)
        }
        Strategy::Squash | Strategy::Rebase => {
            let base = common(git, ours, branch, theirs)?;
            let done = last_merged(git, &base, ours, theirs)?;
            if done.as_deref() == Some(theirs) {
                return Ok(Way::AlreadySo);
            }
            Ok(Way::Picks(if strategy == Strategy::Squash {
                let since = done.as_deref().unwrap_or(&base);
                let (text, trailers) = squashed(git, branch, since, theirs)?;
                vec![Pick { trailers, ..pick(theirs, done.clone(), message(text)) }]
            } else {
                rebased(git, ours, theirs, done.as_deref())?
            }))
        }
    }
}

/// A merge commit.
pub(super) fn merge(branch: &str, theirs: &str, asked: Option<&str>) -> Pick {
    let message = asked.map_or_else(|| format!("Merge branch '{branch}'"), str::to_owned);
    Pick { merges: true, ..pick(theirs, None, message) }
}

fn pick(theirs: &str, base: Option<String>, message: String) -> Pick {
    let (theirs, author, trailers) = (theirs.to_owned(), Vec::new(), Vec::new());
    Pick { theirs, base, message, author, trailers, merges: false, empty: false }
}

/// Fails where a branch does not stand above ours by first parents.
fn forward(git: &Git<'_>, ours: &str, branch: &str, theirs: &str) -> Result<(), BoxError> {
    let not = format!("^{ours}");
    let chain = git.text(["rev-list", "--first-parent", "--parents", theirs, &not, "--"])?;
    let parent = chain.lines().next_back().and_then(|last| last.split(' ').nth(1));
    if parent == Some(ours) {
        return Ok(());
    }
    let why = if git.is_ancestor(ours, theirs)? {
        "it merged that branch into itself, and its own commits would become the main line"
    } else {
        "it does not start at the tip"
    };
    Err(format!(
        "`{branch}` cannot be fast-forwarded: {why}; rebase it, or choose `merge`, `squash` or `rebase`"
    )
    .into())
}

/// The best common ancestor.
fn common(git: &Git<'_>, ours: &str, branch: &str, theirs: &str) -> Result<String, BoxError> {
    let found = git.maybe(["merge-base", ours, theirs])?;
    found.ok_or_else(|| {
        format!("`{branch}` has no common history with what it is to go into; nothing was changed").into()
    })
}

/// The newest tip of a branch that was squashed or rebased into ours before, if it is part of the branch.
fn last_merged(git: &Git<'_>, base: &str, ours: &str, theirs: &str) -> Result<Option<String>, BoxError> {
    let format = format!("--format=%(trailers:key={MERGED},valueonly)");
    let not = format!("^{base}");
    let log = git.text(["log", "--first-parent", "--no-merges", &format, ours, &not, "--"])?;
    for tip in log.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if tip.bytes().all(|byte| byte.is_ascii_hexdigit())
            && git.has(tip)?
            && git.is_ancestor(tip, theirs)?
        {
            return Ok(Some(tip.to_owned()));
        }
    }
    Ok(None)
}

/// The message of a squashed branch: of its only commit, or of its weightiest one with a list of all; and who wrote it.
fn squashed(
    git: &Git<'_>,
    branch: &str,
    since: &str,
    theirs: &str,
) -> Result<(String, Vec<(String, String)>), BoxError> {
    let not = format!("^{since}");
    let format = "--format=%aN <%aE>%x1f%B%x1e";
    let log =
        git.text(["log", "--no-merges", "--reverse", "--encoding=UTF-8", format, theirs, &not, "--"])?;
    let commits: Vec<(&str, &str)> = log
        .split('\x1e')
        .filter_map(|commit| commit.trim_start_matches('\n').split_once('\x1f'))
        .map(|(author, message)| (author, message.trim()))
        .collect();
    let me = git.maybe(["var", "GIT_AUTHOR_IDENT"])?.unwrap_or_default();
    let mut trailers: Vec<(String, String)> = Vec::new();
    for (author, _) in &commits {
        let trailer = ("Co-authored-by".to_owned(), (*author).to_owned());
        if !me.starts_with(author) && !trailers.contains(&trailer) {
            trailers.push(trailer);
        }
    }
    let first = commits.iter().min_by_key(|(_, message)| crate::merge::commits::weight(message));
    let Some((_, first)) = first else { return Ok((format!("Squash branch '{branch}'"), trailers)) };
    if commits.len() == 1 {
        return Ok(((*first).to_owned(), trailers));
    }
    let subject = |message: &str| format!("* {}\n", message.lines().next().unwrap_or_default());
    let all: String = commits.iter().take(MOST).map(|(_, message)| subject(message)).collect();
    let (title, body) = first.split_once('\n').unwrap_or((first, ""));
    let body = if body.trim().is_empty() { String::new() } else { format!("\n\n{}", body.trim()) };
    Ok((format!("{title}\n\n{all}{body}").trim_end().to_owned(), trailers))
}

/// The commits of a branch that ours lacks, each as it is to be made anew. Those that are there as the same change are left out.
fn rebased(git: &Git<'_>, ours: &str, theirs: &str, done: Option<&str>) -> Result<Vec<Pick>, BoxError> {
    let range = format!("{ours}...{theirs}");
    let mut args = vec![
        "rev-list",
        "--reverse",
        "--topo-order",
        "--right-only",
        "--cherry-pick",
        "--no-merges",
        "--parents",
    ];
    let not = done.map(|done| format!("^{done}"));
    args.push(&range);
    args.extend(not.as_deref());
    args.push("--");
    let list = git.text(args)?;
    let orphan = list.lines().find(|line| !line.contains(' '));
    if let Some(orphan) = orphan {
        return Err(format!(
            "commit {orphan} has no parent and cannot be rebased; merge or squash the branch"
        )
        .into());
    }
    let commits: Vec<(&str, &str)> = list.lines().filter_map(|line| line.split_once(' ')).collect();
    if commits.len() > MOST {
        let many = commits.len();
        return Err(
            format!("{many} commits are too many to rebase; at most {MOST} are: merge or squash it").into()
        );
    }
    commits.into_iter().map(|(commit, parent)| copy(git, commit, parent)).collect()
}

/// A commit as it is to be made anew.
pub(super) fn copy(git: &Git<'_>, commit: &str, parent: &str) -> Result<Pick, BoxError> {
    let format = "--format=%an%x1f%ae%x1f%ad%x1f%T%x1f%B";
    let said = git.text(["show", "-s", "--encoding=UTF-8", "--date=raw", format, commit, "--"])?;
    let mut fields = said.splitn(5, '\x1f');
    let mut next = || fields.next().unwrap_or_default().to_owned();
    let (name, mail, date, tree, message) = (next(), next(), next(), next(), next());
    let author =
        [("GIT_AUTHOR_NAME", name), ("GIT_AUTHOR_EMAIL", mail), ("GIT_AUTHOR_DATE", format!("@{date}"))];
    let before = git.text(["rev-parse", "--verify", &format!("{parent}^{{tree}}")])?;
    Ok(Pick {
        author: author.map(|(name, value)| (name.to_owned(), value)).into(),
        trailers: vec![(REBASED.to_owned(), commit.to_owned())],
        empty: before == tree,
        ..pick(commit, Some(parent.to_owned()), message)
    })
}
