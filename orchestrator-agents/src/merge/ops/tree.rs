//! Merges of trees, by git alone: no worktree, no index, no ref.

use orchestrator_core::BoxError;

use crate::ops::git::{Git, GitError, Ready, failed};

/// What git made of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MergedTree {
    /// The tree; where there are conflicts, with markers in it.
    pub(super) tree: String,
    /// Whether nothing conflicts; folders that were renamed may conflict without an entry.
    pub(super) clean: bool,
    /// What conflicts: the entries of each file, in order.
    pub(super) entries: Vec<Entry>,
    /// What git says of the merge, kind by kind.
    pub(super) said: Vec<Said>,
}

/// One side of a file that conflicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// `100644`, `120000`, ...
    pub(super) mode: String,
    /// The object.
    pub(super) object: String,
    /// 1: the common one, 2: ours, 3: theirs.
    pub(super) stage: u8,
    /// The path, as git has it.
    pub(super) path: Vec<u8>,
}

/// A message about paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The paths that it is about.
    pub(super) paths: Vec<Vec<u8>>,
    /// `CONFLICT (contents)`, `Auto-merging`, ...
    pub(super) kind: String,
    /// The message.
    pub(super) text: String,
}

/// What is merged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides<'a> {
    /// The commit that the other is merged into. Its attributes count, not those of the user's checkout.
    pub(super) ours: &'a str,
    /// The other one.
    pub(super) theirs: &'a str,
    /// The commit that both are taken to come from; found by git where there is none given.
    pub(super) base: Option<&'a str>,
}

/// A merge of the branch that a ref names that gets ready while it is found out what is merged.
pub(super) struct Waiting<'a>(Ready<'a>);

/// Starts a merge into what a ref names, whose tree's attributes count.
pub(super) fn waiting<'a>(git: &Git<'a>, into: &str) -> Result<Waiting<'a>, GitError> {
    let attributes = format!("--attr-source={into}");
    Ok(Waiting(git.ready(&[&attributes, "merge-tree", "--write-tree", "--stdin", "-z", "--messages"])?))
}

impl Waiting<'_> {
    /// Says what is merged, and does not wait for it.
    pub(super) fn begin(&mut self, ours: &str, theirs: &str) {
        self.0.give(format!("{ours} {theirs}\n").into_bytes());
    }

    /// The tree.
    pub(super) fn end(self, git: &Git<'_>) -> Result<MergedTree, BoxError> {
        let (output, args) = self.0.output()?;
        if !output.status.success() {
            able(git)?;
            return Err(failed(&args, &output).into());
        }
        // The first field says whether it is clean.
        let (clean, rest) = match output.stdout.split_first_chunk() {
            Some((b"1\0", rest)) => (true, rest),
            Some((b"0\0", rest)) => (false, rest),
            _ => return Err("git's merge could not be read".into()),
        };
        Ok(MergedTree { clean, ..parse(rest).ok_or("git's merge could not be read")? })
    }
}

/// Merges two commits into a tree.
pub(super) fn merge_tree(git: &Git<'_>, sides: Sides<'_>) -> Result<MergedTree, BoxError> {
    let Sides { ours, theirs, base } = sides;
    let attributes = format!("--attr-source={ours}");
    let base = base.map(|base| format!("--merge-base={base}"));
    let mut args = vec![&*attributes, "merge-tree", "--write-tree", "-z", "--messages"];
    args.extend(base.as_deref());
    args.extend([ours, theirs]);
    let output = git.output(&args, None)?;
    match output.status.code() {
        Some(code @ (0 | 1)) => {
            let merged = parse(&output.stdout).ok_or("git's merge could not be read")?;
            Ok(MergedTree { clean: code == 0, ..merged })
        }
        _ => {
            able(git)?;
            Err(BoxError::from(failed::<&str>(&args, &output)))
        }
    }
}

/// Reads what `git merge-tree -z --messages` prints: the tree, the entries that conflict, an empty one, the messages.
fn parse(bytes: &[u8]) -> Option<MergedTree> {
    let mut fields = bytes.split(|byte| *byte == 0);
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let tree = text(fields.next()?).trim().to_owned();
    let mut entries = Vec::new();
    for field in fields.by_ref() {
        if field.is_empty() {
            break;
        }
        let tab = field.iter().position(|byte| *byte == b'\t')?;
        let head = text(&field[..tab]);
        let mut head = head.split(' ');
        let (mode, object) = (head.next()?.to_owned(), head.next()?.to_owned());
        let stage = head.next()?.parse().ok()?;
        entries.push(Entry { mode, object, stage, path: field[tab + 1..].to_vec() });
    }
    let mut said = Vec::new();
    while let Some(count) = fields.next().filter(|count| !count.is_empty()) {
        let count: usize = text(count).parse().ok()?;
        let paths = (0..count).map(|_| fields.next().map(<[u8]>::to_vec)).collect::<Option<_>>()?;
        let (kind, message) = (text(fields.next()?), text(fields.next()?));
        said.push(Said { paths, kind, text: message.trim_end().to_owned() });
    }
    Some(MergedTree { tree, clean: false, entries, said })
}

/// The paths of what conflicts, each once, as people read them.
pub(super) fn names(entries: &[Entry]) -> Vec<String> {
    let mut names: Vec<String> =
        entries.iter().map(|entry| format!("`{}`", String::from_utf8_lossy(&entry.path))).collect();
    names.dedup();
    names
}

/// The oldest git whose merges need no worktree.
const OLDEST: (u32, u32) = (2, 41);

/// Fails where git cannot merge trees by the attributes of a commit.
fn able(git: &Git<'_>) -> Result<(), BoxError> {
    let said = git.text(["--version"])?;
    match version(&said) {
        Some(version) if version < OLDEST => {
            let (major, minor) = OLDEST;
            Err(format!(
                "`{said}` is too old to merge without a checkout; {major}.{minor} or newer is needed"
            )
            .into())
        }
        _ => Ok(()),
    }
}

fn version(said: &str) -> Option<(u32, u32)> {
    let mut parts = said.split(' ').nth(2)?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Whether an error is git's word that two histories have nothing in common.
pub(super) fn unrelated(error: &BoxError) -> bool {
    matches!(error.downcast_ref(), Some(GitError::Failed { said, .. }) if said.contains("unrelated histories"))
}
