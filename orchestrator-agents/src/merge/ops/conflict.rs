//! What conflicts, as people and rules see it.

use std::collections::BTreeMap;

use orchestrator_core::BoxError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tree::{Entry, MergedTree};
use crate::merge::rules::{Lockfile, Rule, Rules, Use, is_changelog, lockfile};

/// A conflict that waits for a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    /// The worktree in which it is to be solved, relative to the root where it lies below it.
    pub folder: String,
    /// The commit that is being made anew, where it is one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The files that are left.
    pub files: Vec<ConflictFile>,
    /// What else there is to say: that it was redone, that something is not added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
}

/// A file that is left to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConflictFile {
    /// Its path.
    pub path: String,
    /// What kind of conflict: `contents`, `modify/delete`, ...
    pub kind: String,
    /// Why no rule solved it.
    pub why: String,
}

/// A file that a rule, or a person, solved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Solved {
    /// Its path.
    pub path: String,
    /// The rule: `ours`, `theirs`, `union`, `regenerate`, `lockfile`, `changelog`, `mergiraf`, `rerere`; `person`.
    pub rule: String,
}

/// A file that conflicts, with its sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    pub(super) path: Vec<u8>,
    /// Mode and object of the common one.
    pub(super) base: Option<(String, String)>,
    pub(super) ours: Option<(String, String)>,
    pub(super) theirs: Option<(String, String)>,
    /// `contents`, `modify/delete`, ...
    pub(super) kinds: Vec<String>,
}

/// What a rule would do with a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Planned<'a> {
    /// The side as it is.
    Side(Use),
    /// Both sides' lines.
    Union,
    /// A changelog of both.
    Changelog,
    /// By the tool of a lockfile.
    Lockfile(&'static Lockfile),
    /// By the command of a rule.
    Regenerate(&'a Rule),
    /// By what git has recorded, or by its structure; a person where neither helps.
    Attempts,
    /// By nobody but a person, and why.
    Person(&'static str),
}

impl File {
    /// Its path as people read it.
    pub(super) fn name(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }

    /// The kinds of conflict, for people.
    pub(super) fn kind(&self) -> String {
        if self.kinds.is_empty() { "contents".to_owned() } else { self.kinds.join(", ") }
    }

    /// Left to a person.
    pub(super) fn left(&self, why: impl Into<String>) -> ConflictFile {
        ConflictFile { path: self.name(), kind: self.kind(), why: why.into() }
    }

    /// Whether both sides are files, and so their contents can be merged.
    fn has_contents(&self) -> bool {
        let plain =
            |side: &Option<(String, String)>| side.as_ref().is_some_and(|(mode, _)| mode.starts_with("100"));
        plain(&self.ours) && plain(&self.theirs) && (self.base.is_none() || plain(&self.base))
    }

    /// Whether the conflict is one of this path alone: of its contents, its presence, not of names.
    fn is_of_its_own(&self) -> bool {
        let own = ["contents", "binary", "add/add", "modify/delete", "submodule"];
        !self.kinds.is_empty() && self.kinds.iter().all(|kind| own.iter().any(|own| kind.starts_with(own)))
    }

    /// What rules say of it.
    pub(super) fn planned<'a>(&self, rules: &'a Rules) -> Result<Planned<'a>, BoxError> {
        let Ok(path) = std::str::from_utf8(&self.path) else {
            return Ok(Planned::Person("its name is not UTF-8"));
        };
        let rule = rules.of(path)?;
        if rule.is_some_and(|rule| rule.r#use == Use::Person) {
            return Ok(Planned::Person("a rule leaves it to a person"));
        }
        if !self.is_of_its_own() {
            return Ok(Planned::Person("names are in question, which no rule decides"));
        }
        if let Some(rule) = rule {
            return Ok(match rule.r#use {
                Use::Ours | Use::Theirs => Planned::Side(rule.r#use),
                Use::Regenerate => Planned::Regenerate(rule),
                Use::Union if self.has_contents() => Planned::Union,
                Use::Union | Use::Person => Planned::Person("there are not two texts to take lines of"),
            });
        }
        let BuiltInFor { changelogs, lockfiles } = BuiltInFor::of(rules);
        if let Some(tool) =
            lockfile(path).filter(|_| lockfiles && (self.ours.is_some() || self.theirs.is_some()))
        {
            return Ok(Planned::Lockfile(tool));
        }
        if !self.has_contents() || self.kinds.iter().any(|kind| kind == "binary") {
            return Ok(Planned::Person("no rule is about it"));
        }
        if changelogs && is_changelog(path) {
            return Ok(Planned::Changelog);
        }
        Ok(Planned::Attempts)
    }
}

struct BuiltInFor {
    changelogs: bool,
    lockfiles: bool,
}

impl BuiltInFor {
    fn of(rules: &Rules) -> Self {
        Self { changelogs: rules.builtin.changelogs, lockfiles: rules.builtin.lockfiles }
    }
}

/// The files of a merge that conflict, in order.
pub(super) fn files(merged: &MergedTree) -> Vec<File> {
    let mut files: BTreeMap<&[u8], File> = BTreeMap::new();
    for Entry { mode, object, stage, path } in &merged.entries {
        let file = files.entry(path).or_insert_with(|| File {
            path: path.clone(),
            base: None,
            ours: None,
            theirs: None,
            kinds: Vec::new(),
        });
        let side = Some((mode.clone(), object.clone()));
        match stage {
            1 => file.base = side,
            2 => file.ours = side,
            _ => file.theirs = side,
        }
    }
    for said in &merged.said {
        let kind = said.kind.strip_prefix("CONFLICT (").and_then(|kind| kind.strip_suffix(')'));
        let Some(kind) = kind else { continue };
        for path in &said.paths {
            if let Some(file) = files.get_mut(&**path)
                && !file.kinds.iter().any(|own| own == kind)
            {
                file.kinds.push(kind.to_owned());
            }
        }
    }
    files.into_values().collect()
}
