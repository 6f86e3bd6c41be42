//! The embedded example: a small real project with a history, a feature branch and a remote, laid out in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use crate::error::CliError;

mod fitted;

pub(crate) use fitted::has_database;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/demo");

/// Says that a folder was laid out here, so that it may be removed again.
const MARKER: &str = ".orchestrate-demo";

/// What the marker says of an example that is whole.
const WHOLE: &str = "Made by `orchestrate demo`; `orchestrate demo --fresh` starts over.\n";

/// What it says while one is laid out or removed: a process that dies in between leaves this.
const PARTIAL: &str = "Not whole: `orchestrate demo` starts over.\n";

/// One commit of the example's history.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Commit {
    branch: String,
    from: Option<String>,
    message: String,
    date: String,
    tag: Option<String>,
    files: BTreeMap<String, String>,
    /// What is replaced by what in files that are there already.
    #[serde(default)]
    edits: BTreeMap<String, Vec<(String, String)>>,
}

/// The example in a folder: the checkout `school` and its remote `origin.git`.
pub(crate) struct Demo {
    folder: PathBuf,
}

impl Demo {
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The checkout.
    pub(crate) fn checkout(&self) -> PathBuf {
        self.folder.join("school")
    }

    /// Whether it was laid out, whole.
    pub(crate) fn is_there(&self) -> bool {
        fs::read_to_string(self.marker()).is_ok_and(|text| text == WHOLE)
    }

    fn marker(&self) -> PathBuf {
        self.folder.join(MARKER)
    }

    fn next_marker(&self) -> PathBuf {
        self.folder.join(format!("{MARKER}.next"))
    }

    /// Changes what the marker says, in one step.
    fn mark(&self, text: &str) -> Result<(), CliError> {
        let (marker, next) = (self.marker(), self.next_marker());
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&next, text))
            .and_then(|()| fs::rename(&next, &marker))
            .map_err(|error| CliError::io(format!("`{}` could not be written", marker.display()), error))
    }

    /// Removes what was laid out here, whole or not; refuses any other folder.
    pub(crate) fn remove(&self) -> Result<(), CliError> {
        let folder = self.folder.display();
        let marked = self.marker().exists() || self.next_marker().exists();
        if !marked && fs::read_dir(&self.folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(CliError::usage(format!(
                "`{folder}` is not empty and was not made by `demo`; name another folder"
            )));
        }
        if marked {
            self.mark(PARTIAL)?;
        }
        for part in [self.checkout(), self.folder.join("origin.git"), self.marker()] {
            let removed = if part.is_dir() { fs::remove_dir_all(&part) } else { fs::remove_file(&part) };
            match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(CliError::io(format!("`{}` could not be removed", part.display()), error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lays out the history, commit by commit, and pushes it to the remote.
    pub(crate) fn lay_out(&self) -> Result<(), CliError> {
        self.remove()?;
        self.mark(PARTIAL)?;
        let checkout = self.checkout();
        let made = |error| CliError::io(format!("`{}` could not be made", checkout.display()), error);
        fs::create_dir_all(checkout.join("data")).map_err(made)?;
        self.git(&["init", "--quiet", "--initial-branch", "main"], "")?;
        for (key, value) in [
            ("user.name", "orchestrate demo"),
            ("user.email", "demo@example.invalid"),
            ("commit.gpgsign", "false"),
            ("tag.gpgsign", "false"),
            ("core.autocrlf", "false"),
            ("core.hooksPath", "/dev/null"),
        ] {
            self.git(&["config", key, value], "")?;
        }
        for commit in commits()? {
            self.commit(&commit)?;
        }
        self.git(&["init", "--quiet", "--bare", "--initial-branch", "main", "../origin.git"], "")?;
        self.git(&["remote", "add", "origin", "../origin.git"], "")?;
        self.git(&["push", "--quiet", "--all", "origin"], "")?;
        self.git(&["push", "--quiet", "--tags", "origin"], "")?;
        self.git(&["branch", "--quiet", "--set-upstream-to", "origin/main", "main"], "")?;
        self.mark(WHOLE)
    }

    fn commit(&self, commit: &Commit) -> Result<(), CliError> {
        let Commit { branch, from, message, date, tag, files, edits } = commit;
        match from {
            Some(from) => self.git(&["switch", "--quiet", "--create", branch, from], date)?,
            None if self.git(&["rev-parse", "--quiet", "--verify", "HEAD"], "").is_ok() => {
                self.git(&["switch", "--quiet", branch], date)?;
            }
            None => {}
        }
        for (to, template) in files {
            let path = self.checkout().join(to);
            let wrong = |error| CliError::io(format!("`{}` could not be written", path.display()), error);
            let text = text(template).map_err(wrong)?;
            let text = if Path::new(to).extension().is_some_and(|kind| kind == "yaml") {
                fitted::pipeline(to, text, &self.folder)
            } else {
                text.into()
            };
            path.parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| fs::write(&path, text))
                .map_err(wrong)?;
        }
        for (to, changes) in edits {
            let path = self.checkout().join(to);
            let wrong = |error| CliError::io(format!("`{}` could not be edited", path.display()), error);
            let mut text = fs::read_to_string(&path).map_err(wrong)?;
            for (from, into) in changes {
                if !text.contains(from) {
                    return Err(wrong(std::io::Error::other(format!("`{from}` is not in it"))));
                }
                text = text.replacen(from, into, 1);
            }
            fs::write(&path, text).map_err(wrong)?;
        }
        self.git(&["add", "--all"], date)?;
        self.git(&["commit", "--quiet", "--message", message], date)?;
        match tag {
            Some(tag) => self.git(&["tag", "--annotate", "--message", tag, tag], date),
            None => Ok(()),
        }
    }

    fn git(&self, args: &[&str], date: &str) -> Result<(), CliError> {
        let mut git = Command::new("git");
        git.current_dir(self.checkout()).args(args).stdin(std::process::Stdio::null());
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            git.env_remove(variable);
        }
        if !date.is_empty() {
            git.env("GIT_AUTHOR_DATE", date).env("GIT_COMMITTER_DATE", date);
        }
        let what = format!("`git {}`", args.join(" "));
        let done = git.output().map_err(|error| {
            CliError::io(format!("{what} could not be started; the demo needs git"), error)
        })?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        Err(CliError::io(
            format!("{what} failed in `{}`", shown(&self.checkout())),
            std::io::Error::other(said),
        ))
    }
}

fn shown(path: &Path) -> String {
    crate::here::shown(path)
}

/// The text of an embedded file.
fn text(name: &str) -> std::io::Result<&'static str> {
    let file = FILES.get_file(name).and_then(include_dir::File::contents_utf8);
    file.ok_or_else(|| std::io::ErrorKind::NotFound.into())
}

fn commits() -> Result<Vec<Commit>, CliError> {
    let text = FILES.get_file("layout.json").map(include_dir::File::contents).unwrap_or_default();
    serde_json::from_slice(text)
        .map_err(|error| CliError::io("the embedded example is damaged", std::io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_laid_out_once_and_only_where_it_may_be() {
        let temp = tempfile::tempdir().unwrap();
        let demo = Demo::at(temp.path().join("d"));
        demo.lay_out().unwrap();
        assert!(demo.is_there());
        let log = Command::new("git")
            .current_dir(demo.checkout())
            .args(["log", "--all", "--format=%s"])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(log.stdout).unwrap().lines().count(), commits().unwrap().len());
        fs::remove_dir_all(demo.folder.join("origin.git")).unwrap();
        demo.mark(PARTIAL).unwrap();
        assert!(!demo.is_there(), "a process that dies while it lays out leaves nothing to go on with");
        demo.lay_out().unwrap();
        assert!(demo.is_there() && demo.folder.join("origin.git/HEAD").exists());
        demo.remove().unwrap();
        assert!(!demo.is_there() && !demo.marker().exists());
        fs::write(temp.path().join("mine"), "x").unwrap();
        assert!(Demo::at(temp.path().to_owned()).lay_out().is_err(), "a folder of somebody else is refused");
        assert!(temp.path().join("mine").exists());
    }
}
