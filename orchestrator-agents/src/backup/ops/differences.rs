//! What restoring a snapshot would change, as the snapshot's own script says it; and what of that is nobody's but a
//! person's. Looks only.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use orchestrator_core::BoxError;
use orchestrator_core::path::{Digest, RelPath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::in_place::{LOOK, in_place};
use super::made::read;
use super::script::SCRIPT;
use crate::backup::manifest::{Name, What};
use crate::ops::git::Git;
use crate::ops::here::Here;

/// What a restoration may replace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Replace {
    /// What was last changed while a run, or a rollback of it, was at work.
    Made {
        /// When the run ended.
        #[schemars(with = "String")]
        until: Timestamp,
        /// When rollbacks were at work.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schemars(with = "Vec<(String, String)>")]
        during: Vec<(Timestamp, Timestamp)>,
    },
    /// What is as this snapshot has it.
    As(RelPath),
    /// Whatever is there.
    Anything,
}

/// A file that would change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::backup) struct Changed {
    /// Where, relative to the root.
    pub(in crate::backup) path: Name,
    /// Comes back (`A`), goes (`D`), or gets other content (`M`, `T`).
    pub(in crate::backup) letter: char,
}

/// What restoring would change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::backup) struct Differences {
    pub(in crate::backup) files: BTreeSet<Changed>,
    /// Full names of refs, and the objects that they have now; none of those that are gone.
    pub(in crate::backup) refs: BTreeSet<(String, Option<String>)>,
}

impl Differences {
    pub(in crate::backup) fn is_empty(&self) -> bool {
        let Self { files, refs } = self;
        files.is_empty() && refs.is_empty()
    }
}

/// What restoring a snapshot would change now.
pub(in crate::backup) fn differences(here: &Here, snapshot: &RelPath) -> Result<Differences, BoxError> {
    let (manifest, _) = read(&snapshot.under(&here.root))?;
    if manifest.bundle.is_none() {
        return by_manifest(here, &manifest.entries);
    }
    let output = in_place(here, snapshot, Some(LOOK))?;
    parse(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| format!("`{snapshot}/{SCRIPT} --dry-run` did not say what would change").into())
}

/// Reads what the script says. None where it does not say it.
fn parse(said: &str) -> Option<Differences> {
    let mut found = Differences::default();
    let (mut part, mut complete) = ("", false);
    for line in said.lines() {
        match line {
            "would change refs:" | "would change files:" => {
                part = line;
                complete |= line == "would change files:";
            }
            _ if line.starts_with("would ") => part = "",
            _ if part == "would change refs:" => {
                let mut words = line.split(' ');
                let (verb, name) = (words.next()?, words.next().unwrap_or_default());
                match verb {
                    _ if name.starts_with("refs/before-rollback/") => {}
                    "create" => drop(found.refs.insert((name.to_owned(), None))),
                    "update" => drop(found.refs.insert((name.to_owned(), words.nth(1).map(str::to_owned)))),
                    _ => {}
                }
            }
            _ if part == "would change files:" => {
                let (letter, path) = line.split_once('\t')?;
                found.files.insert(Changed { path: unquoted(path), letter: letter.chars().next()? });
            }
            _ => {}
        }
    }
    complete.then_some(found)
}

/// A path as git writes it: in quotes and with escapes where it is not plain.
fn unquoted(path: &str) -> Name {
    let Some(inner) = path.strip_prefix('"').and_then(|path| path.strip_suffix('"')) else {
        return Name(path.into());
    };
    let (mut bytes, mut rest) = (Vec::new(), inner.as_bytes());
    while let [first, more @ ..] = rest {
        rest = more;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let octal =
            rest.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        let taken = match (octal, rest.first()) {
            (Some(byte), _) => (byte, 3),
            (None, Some(escape)) => (escaped(*escape), 1),
            (None, None) => break,
        };
        bytes.push(taken.0);
        rest = &rest[taken.1..];
    }
    Name(bytes)
}

fn escaped(letter: u8) -> u8 {
    match letter {
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        other => other,
    }
}

/// Without git only the files of the snapshot can be compared.
fn by_manifest(here: &Here, entries: &[crate::backup::manifest::Entry]) -> Result<Differences, BoxError> {
    let mut found = Differences::default();
    for entry in entries {
        here.go_on()?;
        let What::File { bytes, blake3, extents: _ } = &entry.what else { continue };
        let path = here.root.join(entry.path.as_path());
        let letter = match path.symlink_metadata() {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Some('A'),
            Err(error) => return Err(error.into()),
            Ok(there) if !there.is_file() || there.len() != *bytes => Some('M'),
            Ok(_) => (digest(&path)? != *blake3).then_some('M'),
        };
        found.files.extend(letter.map(|letter| Changed { path: entry.path.clone(), letter }));
    }
    Ok(found)
}

fn digest(path: &Path) -> Result<Digest, BoxError> {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut fs::File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().into())
}

/// The digest of a file; none where there is none.
pub(in crate::backup) fn digest_of(here: &Here, path: &RelPath) -> Result<Option<Digest>, BoxError> {
    let full = path.under(&here.root);
    match full.symlink_metadata() {
        Ok(there) if there.is_file() => Ok(Some(digest(&full)?)),
        _ => Ok(None),
    }
}

/// The paths that are not as the commit has them that is checked out.
pub(in crate::backup) fn uncommitted(here: &Here) -> Result<BTreeSet<Name>, BoxError> {
    let git = Git::new(here);
    let prefix = git.text(["rev-parse", "--show-prefix"])?;
    let said =
        git.bytes(["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", "."])?;
    let paths = said.split(|byte| *byte == 0).filter_map(|line| line.get(3..));
    Ok(paths.filter_map(|path| path.strip_prefix(prefix.as_bytes())).map(|path| Name(path.into())).collect())
}

/// What of the differences is newer than what may be replaced, in words. What comes back replaces nothing.
pub(in crate::backup) fn newer(
    here: &Here,
    differences: &Differences,
    replace: &Replace,
) -> Result<Vec<String>, BoxError> {
    let there = differences.files.iter().filter(|changed| changed.letter != 'A');
    let moved = differences.refs.iter().filter_map(|(name, now)| Some((name, now.as_ref()?)));
    let mut newer = Vec::new();
    match replace {
        Replace::Anything => {}
        Replace::As(snapshot) => {
            let other = self::differences(here, snapshot)?;
            let both = there.filter(|changed| other.files.iter().any(|other| other.path == changed.path));
            newer.extend(both.map(|changed| changed.path.to_string()));
            let both = moved.filter(|(name, _)| other.refs.iter().any(|(other, _)| other == *name));
            newer.extend(both.map(|(name, _)| name.clone()));
        }
        Replace::Made { until, during } => {
            let made =
                |at: Timestamp| at <= *until || during.iter().any(|(from, to)| (*from..=*to).contains(&at));
            for changed in there {
                let path = here.root.join(OsStr::from_bytes(&changed.path.0));
                if !changed_at(&path).is_some_and(made) {
                    newer.push(changed.path.to_string());
                }
            }
            let git = Git::new(here);
            for (name, object) in moved {
                let at = git.maybe(["log", "-1", "--format=%ct", object, "--"])?;
                let at = at.and_then(|at| Timestamp::from_second(at.trim().parse().ok()?).ok());
                if !at.is_some_and(made) {
                    newer.push(name.clone());
                }
            }
        }
    }
    Ok(newer)
}

/// When a file was last changed in any way; a clock that nobody sets back by hand.
fn changed_at(path: &Path) -> Option<Timestamp> {
    let there = path.symlink_metadata().ok()?;
    Timestamp::new(there.ctime(), i32::try_from(there.ctime_nsec()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_says_is_read_and_nonsense_is_not() {
        let said = "would change refs:\ncreate refs/before-rollback/1/HEAD 11\n\
                    create refs/before-rollback/1/heads/main 11\nupdate refs/heads/main 22 11\ncreate refs/tags/v1 33\n\
                    would change databases:\nnothing\nwould change files:\nM\ta b\nD\t\"\\303\\244\\t\\\"x\"\nA\tc\n";
        let found = parse(said).unwrap();
        let files: Vec<_> = found.files.iter().map(|file| (file.letter, file.path.0.clone())).collect();
        assert_eq!(files, [('M', b"a b".to_vec()), ('A', b"c".to_vec()), ('D', "ä\t\"x".into())]);
        let main = ("refs/heads/main".to_owned(), Some("11".to_owned()));
        assert_eq!(found.refs.into_iter().collect::<Vec<_>>(), [main, ("refs/tags/v1".to_owned(), None)]);
        assert_eq!(parse("would make a repository in /x and restore backup y into it"), None);
        assert_eq!(parse("would change files:\nno letter"), None);
    }
}
