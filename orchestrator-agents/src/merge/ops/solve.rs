//! Solves what conflicts by rule. What no rule solves, or a rule solves badly, is left to a person.

mod blobs;
mod files;
mod locking;
mod parses;
mod tools;

use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;

use super::conflict::{ConflictFile, File, Planned, Solved, files as conflicting};
use super::tree::MergedTree;
use super::workshop::{Note, Workshop};
use crate::merge::rules::Rules;
use crate::ops::git::Git;
use crate::ops::here::Here;

use blobs::Blobs;

/// What is merged, and by which rules.
pub(super) struct Case<'a> {
    pub(super) here: &'a Here,
    pub(super) order: &'a OrderKey,
    pub(super) rules: &'a Rules,
    /// Where the branch goes into.
    pub(super) ours: &'a str,
    /// Digest of what is merged.
    pub(super) key: &'a str,
}

/// What came of it.
pub(super) enum Settled {
    /// All is solved: the tree, and by which rules.
    Tree(String, Vec<Solved>),
    /// The rest waits in the workshop.
    Left(Vec<ConflictFile>, Vec<String>),
}

/// What a rule came to: mode and object, none where the file goes; or why not.
type Came = Result<Option<(String, String)>, String>;

/// Solves a merge that conflicts, or leaves the rest of it in the workshop.
pub(super) fn solve(
    case: &Case<'_>,
    workshop: &Workshop<'_>,
    merged: &MergedTree,
) -> Result<Settled, BoxError> {
    let git = Git::new(case.here);
    let files = conflicting(merged);
    let mut blobs = Blobs::new(case.here, &git, case.order)?;
    let (mut done, mut open) = (Vec::new(), Vec::new());
    for file in &files {
        case.here.go_on()?;
        let planned = file.planned(case.rules)?;
        match by_contents(&mut blobs, case.rules, file, &planned)? {
            Some((rule, Ok(side))) => done.push((file, rule, side)),
            Some((rule, Err(why))) => open.push((file, planned, format!("{rule}: {why}"))),
            None => open.push((file, planned, String::new())),
        }
    }
    let mut solved: Vec<Solved> =
        done.iter().map(|(file, rule, _)| Solved { path: file.name(), rule: (*rule).to_owned() }).collect();
    if open.is_empty() && !files.is_empty() {
        let sides = done.iter().map(|(file, _, side)| (file.path.as_slice(), side.as_ref()));
        return Ok(Settled::Tree(blobs.tree(&merged.tree, sides)?, solved));
    }
    workshop.make(case.ours, &merged.tree, &files)?;
    for (file, _, side) in &done {
        workshop.put(&file.path, side.as_ref().map(|(mode, object)| (&**mode, &**object)))?;
    }
    let left = files::in_folder(case, workshop, open, &mut solved)?;
    if left.is_empty() && !files.is_empty() {
        let tree = workshop.tree()?;
        workshop.remove()?;
        return Ok(Settled::Tree(tree, solved));
    }
    // What tools left lying about is not the person's.
    workshop.git().run(&["clean", "-d", "--force", "--quiet"])?;
    workshop.write_note(&Note { key: case.key.to_owned(), files, solved })?;
    let said = if left.is_empty() { of_names(merged) } else { Vec::new() };
    Ok(Settled::Left(left, said))
}

/// What git says where no file is unmerged and yet something is in question: folders that were renamed.
fn of_names(merged: &MergedTree) -> Vec<String> {
    merged
        .said
        .iter()
        .filter(|said| said.kind.starts_with("CONFLICT"))
        .map(|said| said.text.clone())
        .collect()
}

/// Rules that need no more than the sides.
fn by_contents(
    blobs: &mut Blobs<'_>,
    rules: &Rules,
    file: &File,
    planned: &Planned<'_>,
) -> Result<Option<(&'static str, Came)>, BoxError> {
    Ok(match planned {
        Planned::Side(side) => Some(Blobs::side(file, *side)),
        Planned::Union => Some(("union", blobs.union(file)?)),
        Planned::Changelog => Some(("changelog", blobs.changelog(file)?)),
        Planned::Attempts if rules.builtin.mergiraf && !blobs.records(rules)? => {
            blobs.mergiraf(file)?.map(|came| ("mergiraf", came))
        }
        _ => None,
    })
}

/// Looks at what a person did in the workshop: the tree, or what is still to be done.
pub(super) fn look(case: &Case<'_>, workshop: &Workshop<'_>, note: Note) -> Result<Settled, BoxError> {
    let mut solved = note.solved;
    let unmerged = workshop.unmerged()?;
    let mut open = Vec::new();
    for file in note.files.iter().filter(|file| unmerged.contains(&file.path)) {
        let planned = file.planned(case.rules)?;
        let why = "it is not added yet: `git add` it there, or `git rm` it".to_owned();
        open.push((file, planned, why));
    }
    let mut left = Vec::new();
    for file in &note.files {
        let is_solved = solved.iter().any(|own| own.path == file.name());
        if !unmerged.contains(&file.path) && !is_solved && files::staged_has_markers(workshop, file) {
            left.push(file.left("it is added and still has conflict markers"));
        }
    }
    let said: Vec<String> = workshop
        .not_added()?
        .iter()
        .take(20)
        .map(|path| format!("`{path}` is changed and not added"))
        .collect();
    if left.is_empty() && said.is_empty() {
        left.extend(files::in_folder(case, workshop, open, &mut solved)?);
    } else {
        left.extend(open.into_iter().map(|(file, _, why)| file.left(why)));
    }
    if !left.is_empty() || !said.is_empty() {
        workshop.write_note(&Note { key: note.key, files: note.files, solved })?;
        return Ok(Settled::Left(left, said));
    }
    for file in &note.files {
        if !solved.iter().any(|own| own.path == file.name()) {
            solved.push(Solved { path: file.name(), rule: "person".to_owned() });
        }
    }
    // What the person did is remembered where git remembers such things.
    files::remember(case.here, workshop)?;
    Ok(Settled::Tree(workshop.tree()?, solved))
}

/// Before a conflict is redone: what the person did is kept where git is set up to remember; says what becomes of it.
pub(super) fn keep_the_work(case: &Case<'_>, workshop: &Workshop<'_>) -> Result<String, BoxError> {
    files::remember(case.here, workshop)?;
    let note = workshop.note();
    let unmerged = workshop.unmerged()?;
    let worked_in = note.is_some_and(|note| {
        note.files.iter().any(|file| {
            !unmerged.contains(&file.path) && !note.solved.iter().any(|solved| solved.path == file.name())
        })
    }) || !workshop.not_added()?.is_empty();
    if !worked_in {
        return Ok(String::new());
    }
    // Nothing that a person did is thrown away.
    let aside = workshop.set_aside()?;
    Ok(format!("; what was done so far is in {aside}"))
}
