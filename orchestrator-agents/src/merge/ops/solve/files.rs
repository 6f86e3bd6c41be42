//! Rules that need the files of a merge: what git has recorded, lockfiles, generated files.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use orchestrator_core::BoxError;

use super::super::conflict::{ConflictFile, File, Planned, Solved};
use super::super::workshop::Workshop;
use super::Case;
use super::blobs::Blobs;
use super::locking;
use super::parses::fits;
use super::tools::{has_markers, run};
use crate::merge::rules::{Lockfile, Rule};
use crate::ops::git::Git;
use crate::ops::here::Here;
use crate::ops::process::command;

/// Whether git records how conflicts are solved in this repository.
pub(super) fn records(git: &Git<'_>) -> Result<bool, BoxError> {
    Ok(match git.maybe(["config", "--type=bool", "--get", "rerere.enabled"])?.as_deref() {
        Some(set) => set == "true",
        None => {
            let cache = git.text(["rev-parse", "--path-format=absolute", "--git-path", "rr-cache"])?;
            std::path::Path::new(&cache).is_dir()
        }
    })
}

/// Keeps what a person did for the next time, where git is set up so.
pub(super) fn remember(here: &Here, workshop: &Workshop<'_>) -> Result<(), BoxError> {
    if records(&Git::new(here))? {
        workshop.git().run(&["-c", "rerere.enabled=true", "rerere"])?;
    }
    Ok(())
}

/// Solves what can be solved among the files; says what is left.
pub(super) fn in_folder(
    case: &Case<'_>,
    workshop: &Workshop<'_>,
    open: Vec<(&File, Planned<'_>, String)>,
    solved: &mut Vec<Solved>,
) -> Result<Vec<ConflictFile>, BoxError> {
    let mut left = Vec::new();
    let (made, mut open): (Vec<_>, Vec<_>) = open
        .into_iter()
        .partition(|(_, planned, _)| matches!(planned, Planned::Lockfile(_) | Planned::Regenerate(_)));
    if case.rules.builtin.rerere && records(&Git::new(case.here))? {
        open = recorded(workshop, open, solved)?;
    }
    if case.rules.builtin.mergiraf {
        open = structural(case, workshop, open, solved)?;
    }
    for (file, planned, why) in open {
        let why = match planned {
            Planned::Person(why) => why.to_owned(),
            _ if why.is_empty() => "no rule is about it".to_owned(),
            _ => why,
        };
        left.push(file.left(why));
    }
    let waits = !left.is_empty();
    for (file, planned, _) in made {
        let (rule, came) = match planned {
            _ if waits => ("", Err("it is made once the other files are solved".to_owned())),
            Planned::Lockfile(tool) => ("lockfile", locked(case, workshop, file, tool)?),
            Planned::Regenerate(rule) => ("regenerate", generated(case, workshop, file, rule)?),
            _ => unreachable!("only these were set apart"),
        };
        match came {
            Ok(()) => solved.push(Solved { path: file.name(), rule: rule.to_owned() }),
            Err(why) => {
                // Whatever a tool made of it, a person starts from what git made of it.
                left.push(file.left(why));
            }
        }
    }
    Ok(left)
}

/// What git has recorded before.
fn recorded<'a, 'b>(
    workshop: &Workshop<'_>,
    open: Vec<(&'a File, Planned<'b>, String)>,
    solved: &mut Vec<Solved>,
) -> Result<Vec<(&'a File, Planned<'b>, String)>, BoxError> {
    let text = |file: &File| {
        std::fs::read(workshop.folder().join(OsStr::from_bytes(&file.path))).unwrap_or_default()
    };
    let before: Vec<Vec<u8>> = open.iter().map(|(file, _, _)| text(file)).collect();
    workshop.git().run(&["-c", "rerere.enabled=true", "-c", "rerere.autoUpdate=false", "rerere"])?;
    let mut rest = Vec::new();
    for (one, before) in open.into_iter().zip(before) {
        let (file, now) = (one.0, text(one.0));
        let asked = matches!(one.1, Planned::Attempts | Planned::Changelog);
        if asked && now != before && has_markers(&before) && !has_markers(&now) {
            workshop.add(&file.path)?;
            solved.push(Solved { path: file.name(), rule: "rerere".to_owned() });
        } else {
            rest.push(one);
        }
    }
    Ok(rest)
}

/// What a structural merge makes of the rest.
fn structural<'a, 'b>(
    case: &Case<'_>,
    workshop: &Workshop<'_>,
    open: Vec<(&'a File, Planned<'b>, String)>,
    solved: &mut Vec<Solved>,
) -> Result<Vec<(&'a File, Planned<'b>, String)>, BoxError> {
    let git = Git::new(case.here);
    let mut blobs = Blobs::new(case.here, &git, case.order)?;
    let mut rest = Vec::new();
    for (file, planned, why) in open {
        // Where it was asked before, its answer is known.
        if planned != Planned::Attempts || !why.is_empty() {
            rest.push((file, planned, why));
            continue;
        }
        match blobs.mergiraf(file)? {
            Some(Ok(Some((mode, object)))) => {
                workshop.put(&file.path, Some((&mode, &object)))?;
                solved.push(Solved { path: file.name(), rule: "mergiraf".to_owned() });
            }
            Some(Err(why)) => rest.push((file, planned, format!("mergiraf: {why}"))),
            _ => rest.push((file, planned, why)),
        }
    }
    Ok(rest)
}

/// Brings a lockfile up to the merged manifest, from ours.
fn locked(
    case: &Case<'_>,
    workshop: &Workshop<'_>,
    file: &File,
    tool: &'static Lockfile,
) -> Result<Result<(), String>, BoxError> {
    let name = file.name();
    let beside = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let folder = workshop.folder().join(beside);
    let path = workshop.folder().join(&name);
    if !folder.join(tool.manifest).is_file() {
        return Ok(Err(format!("there is no `{}` beside it", tool.manifest)));
    }
    let [ours, theirs] = sides(&Git::new(case.here), file)?;
    let kept = std::fs::read(&path).ok();
    let start = if ours.is_empty() { &theirs } else { &ours };
    let tool = tool.for_text(start);
    std::fs::write(&path, start)?;
    let came = locking::by_tool(case, &folder, beside, tool)?.and_then(|()| {
        let now = std::fs::read(&path).map_err(|error| error.to_string())?;
        if has_markers(&now) {
            return Err("conflict markers are left in it".to_owned());
        }
        if tool.is_in(start) && !tool.is_in(&now) {
            return Err("its tool wrote it in another format".to_owned());
        }
        fits(&name, &ours, &theirs, &now)
    });
    let came = match came {
        Ok(()) => only(workshop, std::slice::from_ref(&file.path))?,
        Err(why) => Err(why),
    };
    settle(workshop, file, kept, came)
}

/// The contents of both sides; an absent one is empty.
fn sides(git: &Git<'_>, file: &File) -> Result<[Vec<u8>; 2], BoxError> {
    let blob = |side: &Option<(String, String)>| -> Result<Vec<u8>, BoxError> {
        let Some((_, object)) = side else { return Ok(Vec::new()) };
        Ok(git.bytes(["cat-file", "blob", object])?)
    };
    Ok([blob(&file.ours)?, blob(&file.theirs)?])
}

/// Writes a generated file anew.
fn generated(
    case: &Case<'_>,
    workshop: &Workshop<'_>,
    file: &File,
    rule: &Rule,
) -> Result<Result<(), String>, BoxError> {
    let path = workshop.folder().join(OsStr::from_bytes(&file.path));
    let kept = std::fs::read(&path).ok();
    let [ours, theirs] = sides(&Git::new(case.here), file)?;
    let Some((program, args)) = rule.command.split_first() else {
        return Ok(Err("it has no command".into()));
    };
    let mut tool = command(case.here, program);
    tool.args(args).current_dir(workshop.folder());
    let came = run(case.here, tool)?.map(drop).and_then(|()| {
        let now = std::fs::read(&path).map_err(|_| "its command did not write it".to_owned())?;
        if has_markers(&now) {
            return Err("conflict markers are left in it: its command did not write it".to_owned());
        }
        fits(&file.name(), &ours, &theirs, &now)
    });
    let came = match came {
        Ok(()) => only(workshop, std::slice::from_ref(&file.path))?,
        Err(why) => Err(why),
    };
    settle(workshop, file, kept, came)
}

/// Fails where a tool changed more than it was to; what it changed is put back.
fn only(workshop: &Workshop<'_>, paths: &[Vec<u8>]) -> Result<Result<(), String>, BoxError> {
    let changed =
        workshop.git().run(&["diff-files", "--name-only", "-z", "--diff-filter=d", "--ignore-submodules"])?;
    let unmerged = workshop.unmerged()?;
    let others = changed
        .split(|byte| *byte == 0)
        .find(|path| !path.is_empty() && !paths.iter().chain(&unmerged).any(|own| own == path));
    Ok(match others {
        Some(other) => Err(format!("its tool changed `{}` too", String::from_utf8_lossy(other))),
        None => Ok(()),
    })
}

/// Takes what was made into the index; else puts back what git made of the file.
fn settle(
    workshop: &Workshop<'_>,
    file: &File,
    kept: Option<Vec<u8>>,
    came: Result<(), String>,
) -> Result<Result<(), String>, BoxError> {
    let path = workshop.folder().join(OsStr::from_bytes(&file.path));
    match &came {
        Ok(()) => workshop.add(&file.path)?,
        Err(_) => {
            // Files that conflict have no plain entry, so that only what a tool changed besides is put back.
            workshop
                .git()
                .run(&["checkout-index", "--all", "--force", "--quiet"])
                .or_else(|_| Ok::<_, BoxError>(Vec::new()))?;
            match kept {
                Some(bytes) => std::fs::write(&path, bytes)?,
                None => crate::ops::here::remove_tree(&path)?,
            }
        }
    }
    Ok(came)
}

/// Whether what is added for a file still has conflict markers that none of its sides has.
pub(super) fn staged_has_markers(workshop: &Workshop<'_>, file: &File) -> bool {
    let Ok(path) = std::str::from_utf8(&file.path) else { return false };
    let git = workshop.git();
    let Ok(now) = git.run(&["cat-file", "blob", &format!(":{path}")]) else { return false };
    let mut sides = [&file.ours, &file.theirs].into_iter().flatten();
    has_markers(&now)
        && !sides
            .any(|(_, object)| git.run(&["cat-file", "blob", object]).is_ok_and(|side| has_markers(&side)))
}
