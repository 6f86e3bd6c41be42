//! Rules that need no more than the three sides of a file.

use std::path::PathBuf;

use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;

use super::super::conflict::File;
use super::Came;
use super::parses::fits;
use super::tools::{has_markers, run};
use crate::merge::rules::{Rules, Use};
use crate::merge::union;
use crate::ops::git::Git;
use crate::ops::here::{Here, Scratch};
use crate::ops::process::command;

/// The largest file that is merged by a rule.
const MOST: usize = 32 << 20;

/// Contents of sides, and a place for tools to read them from.
pub(super) struct Blobs<'a> {
    here: &'a Here,
    git: &'a Git<'a>,
    scratch: Scratch,
    records: Option<bool>,
}

/// The contents of the three sides; an absent one is empty.
struct Sides {
    base: Vec<u8>,
    ours: Vec<u8>,
    theirs: Vec<u8>,
}

impl<'a> Blobs<'a> {
    pub(super) fn new(here: &'a Here, git: &'a Git<'a>, order: &OrderKey) -> Result<Self, BoxError> {
        Ok(Self { here, git, scratch: here.scratch(order, "sides")?, records: None })
    }

    /// A side as it is; its absence where the file is not there.
    pub(super) fn side(file: &File, side: Use) -> (&'static str, Came) {
        match side {
            Use::Theirs => ("theirs", Ok(file.theirs.clone())),
            _ => ("ours", Ok(file.ours.clone())),
        }
    }

    /// Whether git records how conflicts are solved: then it is asked first, in the workshop.
    pub(super) fn records(&mut self, rules: &Rules) -> Result<bool, BoxError> {
        if self.records.is_none() {
            self.records = Some(rules.builtin.rerere && super::files::records(self.git)?);
        }
        Ok(self.records == Some(true))
    }

    pub(super) fn union(&mut self, file: &File) -> Result<Came, BoxError> {
        let sides = match self.sides(file)? {
            Ok(sides) => sides,
            Err(why) => return Ok(Err(why)),
        };
        let [base, ours, theirs] = self.written(file, &sides)?;
        let args = ["merge-file", "--union", "-p", "--quiet"].map(AsRef::as_ref);
        let paths = [ours.as_os_str(), base.as_os_str(), theirs.as_os_str()];
        let output = self.git.output(args.into_iter().chain(paths), None)?;
        if output.status.code().is_none_or(|code| code > 127) {
            return Ok(Err(format!("git does not merge its lines: {}", output.stderr)));
        }
        self.checked(file, &sides, output.stdout)
    }

    pub(super) fn changelog(&mut self, file: &File) -> Result<Came, BoxError> {
        let sides = match self.sides(file)? {
            Ok(sides) => sides,
            Err(why) => return Ok(Err(why)),
        };
        let texts = [&sides.base, &sides.ours, &sides.theirs].map(|side| std::str::from_utf8(side));
        let [Ok(base), Ok(ours), Ok(theirs)] = texts else { return Ok(Err("it is not UTF-8".to_owned())) };
        match union::changelog(base, ours, theirs) {
            Some(text) => self.checked(file, &sides, text.into_bytes()),
            None => Ok(Err("a side did more than add entries".to_owned())),
        }
    }

    /// A structural merge; none where there is no tool for it.
    pub(super) fn mergiraf(&mut self, file: &File) -> Result<Option<Came>, BoxError> {
        let sides = match self.sides(file)? {
            Ok(sides) => sides,
            Err(why) => return Ok(Some(Err(why))),
        };
        if !super::parses::is_known(&file.name()) {
            return Ok(None);
        }
        let [base, ours, theirs] = self.written(file, &sides)?;
        let into = self.scratch.path().join("merged");
        let _ = std::fs::remove_file(&into);
        let mut mergiraf = command(self.here, "mergiraf");
        mergiraf.arg("merge").args([&base, &ours, &theirs]).arg("-o").arg(&into).arg("-p").arg(file.name());
        match run(self.here, mergiraf)? {
            Ok(_) => {}
            Err(why) if why.contains("not installed") => return Ok(None),
            Err(_) => return Ok(Some(Err("it is a conflict by its structure too".to_owned()))),
        }
        let merged = std::fs::read(&into)?;
        self.checked(file, &sides, merged).map(Some)
    }

    /// A tree with some files replaced.
    pub(super) fn tree<'s>(
        &self,
        tree: &str,
        sides: impl Iterator<Item = (&'s [u8], Option<&'s (String, String)>)>,
    ) -> Result<String, BoxError> {
        let git = self.git.clone().env("GIT_INDEX_FILE", self.scratch.folder("git")?.join("index"));
        git.bytes(["read-tree", tree])?;
        let mut entries = Vec::new();
        for (path, side) in sides {
            let head = match side {
                Some((mode, object)) => format!("{mode} {object} 0\t"),
                None => format!("0 {} 0\t", "0".repeat(tree.len())),
            };
            entries.extend_from_slice(head.as_bytes());
            entries.extend_from_slice(path);
            entries.push(0);
        }
        git.input(&["update-index", "-z", "--index-info"], entries)?;
        Ok(git.text(["write-tree"])?)
    }

    /// What a rule made, if it is no worse than the sides.
    fn checked(&self, file: &File, sides: &Sides, merged: Vec<u8>) -> Result<Came, BoxError> {
        if has_markers(&merged) && !has_markers(&sides.ours) && !has_markers(&sides.theirs) {
            return Ok(Err("conflict markers are left in it".to_owned()));
        }
        if let Err(why) = fits(&file.name(), &sides.ours, &sides.theirs, &merged) {
            return Ok(Err(why));
        }
        let object = self.git.input(&["hash-object", "-w", "--no-filters", "--stdin"], merged)?;
        let mode = |side: &Option<(String, String)>| side.as_ref().map(|(mode, _)| mode.clone());
        // The mode that one side changed is the new one.
        let (base, ours, theirs) = (mode(&file.base), mode(&file.ours), mode(&file.theirs));
        let mode = if base == ours { theirs } else { ours };
        Ok(Ok(Some((mode.unwrap_or_else(|| "100644".to_owned()), object))))
    }

    fn sides(&self, file: &File) -> Result<Result<Sides, String>, BoxError> {
        let mut all = Vec::new();
        for side in [&file.base, &file.ours, &file.theirs] {
            let bytes = match side {
                Some((_, object)) => self.git.bytes(["cat-file", "blob", object])?,
                None => Vec::new(),
            };
            if bytes.len() > MOST {
                return Ok(Err(format!("it is larger than {} MiB", MOST >> 20)));
            }
            if bytes.contains(&0) {
                return Ok(Err("it is binary".to_owned()));
            }
            all.push(bytes);
        }
        let mut next = || all.remove(0);
        Ok(Ok(Sides { base: next(), ours: next(), theirs: next() }))
    }

    fn written(&self, file: &File, sides: &Sides) -> Result<[PathBuf; 3], BoxError> {
        let name = file.name();
        // Tools know a language by how the name ends.
        let ending =
            name.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(_, end)| end);
        let ending: String = ending.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let folder = self.scratch.folder("files")?;
        let paths = ["base", "ours", "theirs"].map(|side| folder.join(format!("{side}.{ending}")));
        for (path, bytes) in paths.iter().zip([&sides.base, &sides.ours, &sides.theirs]) {
            std::fs::write(path, bytes)?;
        }
        Ok(paths)
    }
}
