//! Commits by programs that get ready while something else is done. Where git says who commits and nothing is signed, a commit is a
//! text that `git hash-object` takes once it is there; whatever is not as plain as that is left to `git commit-tree`.

use std::cell::{OnceCell, RefCell};

use orchestrator_core::BoxError;

use super::commit::{NewCommit, commit_tree, signs};
use crate::merge::record::with_trailers;
use crate::ops::git::{Git, GitError, Ready};

/// Writes commits, and moves a ref to them.
pub(in crate::merge) struct Scribe<'a> {
    git: Git<'a>,
    asked: RefCell<Option<Ready<'a>>>,
    known: OnceCell<Known>,
    writers: RefCell<Vec<Ready<'a>>>,
    mover: RefCell<Option<Ready<'a>>>,
}

/// What git says of commits that are made now.
#[derive(Debug, Default, PartialEq, Eq)]
struct Known {
    /// The lines `author` and `committer`; none where git might refuse to say.
    who: Option<(String, String)>,
    /// Nothing says that commits are signed.
    unsigned: bool,
}

/// What makes a `commit` of standard input.
const WRITE: [&str; 5] = ["hash-object", "-t", "commit", "-w", "--stdin"];
/// What moves refs as standard input says, by compare-and-swap.
const MOVE: [&str; 5] = ["update-ref", "-m", "orchestrate", "--stdin", "-z"];

impl<'a> Scribe<'a> {
    /// Asks git who commits, and goes on meanwhile.
    pub(in crate::merge) fn new(git: &Git<'a>) -> Result<Self, GitError> {
        let asked = RefCell::new(Some(git.ready(&["var", "-l"])?));
        let (known, writers, mover) = (OnceCell::new(), RefCell::default(), RefCell::default());
        Ok(Self { git: git.clone(), asked, known, writers, mover })
    }

    fn known(&self) -> &Known {
        self.known.get_or_init(|| {
            let said = self.asked.take().and_then(|asked| asked.input(Vec::new()).ok());
            let named = ["GIT_AUTHOR", "GIT_COMMITTER", "EMAIL"];
            let named = |name: &str| named.iter().any(|one| name.starts_with(one));
            said.filter(|_| !self.git.environment().any(named))
                .map(|said| Known::of(&said))
                .unwrap_or_default()
        })
    }

    /// What it works with.
    pub(super) fn git(&self) -> &Git<'a> {
        &self.git
    }

    /// Starts what will write a commit and its record, and move the ref.
    pub(in crate::merge) fn get_ready(&self) -> Result<(), GitError> {
        if self.known().who.is_some() && self.mover.borrow().is_none() {
            let writers = if self.known().unsigned { 2 } else { 1 };
            for _ in 0..writers {
                self.writers.borrow_mut().push(self.git.ready(&WRITE)?);
            }
            *self.mover.borrow_mut() = Some(self.git.ready(&MOVE)?);
        }
        Ok(())
    }

    /// Makes a commit, signed where that is asked for.
    pub(in crate::merge) fn commit(&self, new: &NewCommit<'_>) -> Result<String, BoxError> {
        let NewCommit { tree, parents, message, trailers, author } = new;
        if self.known().unsigned
            && author.is_empty()
            && let Some(made) = self.write(tree, parents, &with_trailers(message, trailers))
        {
            return Ok(made);
        }
        let signs = !self.known().unsigned && signs(&self.git)?;
        commit_tree(&self.git, new, signs)
    }

    /// Makes a commit that is never signed; none where git would not have it so.
    pub(super) fn write(&self, tree: &str, parents: &[&str], message: &str) -> Option<String> {
        let (author, committer) = self.known().who.as_ref()?;
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let text = format!("tree {tree}\n{parents}author {author}\ncommitter {committer}\n\n{message}");
        if text.contains('\0') {
            return None;
        }
        let writer = self.writers.borrow_mut().pop().map_or_else(|| self.git.ready(&WRITE), Ok).ok()?;
        writer.input(text.into_bytes()).ok().filter(|made| !made.is_empty())
    }

    /// What moves refs, started already where it got ready.
    pub(super) fn mover(&self) -> Result<Ready<'a>, GitError> {
        self.mover.take().map_or_else(|| mover(&self.git), Ok)
    }
}

/// What moves refs, when it gets lines of `git update-ref --stdin -z`.
pub(super) fn mover<'a>(git: &Git<'a>) -> Result<Ready<'a>, GitError> {
    git.ready(&MOVE)
}

impl Known {
    /// Reads what `git var -l` lists: the configuration, and then what git makes of it. It says who commits also where `git
    /// commit-tree` would refuse to guess, so that only names that are configured count.
    fn of(said: &str) -> Self {
        let last = |name: &str| {
            let line = said.lines().rev().find(|line| line.strip_prefix(name).is_some_and(is_value))?;
            Some(line[name.len()..].strip_prefix('=').unwrap_or_default().trim())
        };
        let is_named =
            ["user.name", "user.email"].iter().all(|name| last(name).is_some_and(|it| !it.is_empty()));
        let who = last("GIT_AUTHOR_IDENT").zip(last("GIT_COMMITTER_IDENT"));
        let who = who.filter(|(author, committer)| is_named && is_ident(author) && is_ident(committer));
        // A name alone says yes, as git reads it.
        let signed =
            said.lines().rev().find(|line| line.strip_prefix("commit.gpgsign").is_some_and(is_value));
        let signed = signed.is_some_and(|line| {
            let value = line.split_once('=').map(|(_, value)| value.trim().to_ascii_lowercase());
            !matches!(value.as_deref(), Some("false" | "no" | "off" | "0"))
        });
        Self {
            unsigned: who.is_some() && !signed,
            who: who.map(|(author, committer)| (author.to_owned(), committer.to_owned())),
        }
    }
}

/// Whether a line goes on as after the name of a setting.
fn is_value(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('=')
}

/// `Ada <ada@example.org> 1700000000 +0000`.
fn is_ident(text: &str) -> bool {
    let Some((name, rest)) = text.split_once(" <") else { return false };
    let Some((mail, when)) = rest.split_once("> ") else { return false };
    let clean = |part: &str| !part.is_empty() && !part.contains(['<', '>']);
    let mut when = when.split(' ');
    let seconds = when.next().is_some_and(|seconds| seconds.parse::<u64>().is_ok());
    clean(name)
        && clean(mail)
        && seconds
        && when.next().is_some_and(|zone| zone.len() == 5)
        && when.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: &str = "GIT_COMMITTER_IDENT=Bob <b@example.org> 1700000000 +0000\nGIT_AUTHOR_IDENT=Ada L <a@example.org> 1700000001 -0130\nGIT_EDITOR=vi";

    #[test]
    fn only_what_is_plain_is_written_here() {
        let known = |config: &str| Known::of(&format!("{config}\n{WHO}"));
        let named = "user.name=Ada L\nuser.email=a@example.org";
        let (author, committer) = known(named).who.unwrap();
        assert_eq!(author, "Ada L <a@example.org> 1700000001 -0130");
        assert_eq!(committer, "Bob <b@example.org> 1700000000 +0000");
        for nobody in [
            "",
            "user.name=Ada",
            "user.name=Ada\nuser.email=",
            "user.name\nuser.email=a@b",
            "xuser.name=a\nuser.email=b",
        ] {
            assert_eq!(known(nobody), Known::default(), "{nobody}");
        }
        for (setting, unsigned) in [
            ("", true),
            ("commit.gpgsign=false", true),
            ("commit.gpgsign=OFF", true),
            ("commit.gpgsignx=true", true),
            ("commit.gpgsign=true\ncommit.gpgsign=no", true),
            ("commit.gpgsign=no\ncommit.gpgsign=1", false),
            ("commit.gpgsign", false),
            ("commit.gpgsign=", false),
            ("commit.gpgsign=yes", false),
        ] {
            let known = known(&format!("{named}\n{setting}"));
            assert_eq!((known.unsigned, known.who.is_some()), (unsigned, true), "{setting}");
        }
        for ident in [
            "Ada <a@b> 1",
            " <a@b> 1 +0000",
            "Ada <> 1 +0000",
            "A <b> c <d> 1 +0000",
            "A <b> x +0000",
            "A <b> 1 +0000 x",
        ] {
            assert!(!is_ident(ident), "{ident}");
        }
    }
}
