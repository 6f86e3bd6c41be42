//! What templates know as `project`: read from its manifests through the workspace, nothing guessed.

mod commands;
mod git;
mod node;
mod python;
mod scripts;
mod workflows;

use std::collections::BTreeMap;

use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use serde::Serialize;

use super::config::Language;
use commands::{Command, Section};
use git::Git;
use node::Node;
use python::Python;
use workflows::Workflow;

/// The most manifests of one kind that are read.
const MANIFESTS: usize = 20;
/// The largest file that is read for facts.
const LARGEST: usize = 1 << 20;
/// Folders that are not the project's own words, also where git does not ignore them.
const FOREIGN: [&str; 7] = ["node_modules", ".venv", "venv", "vendor", "dist", "target", "__pycache__"];

/// What is known of a project, as seen from one target.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Facts {
    /// Name in the nearest manifest, or of the folder.
    pub(super) name: String,
    /// Version in the nearest manifest.
    pub(super) version: Option<String>,
    /// Description in the nearest manifest.
    pub(super) description: Option<String>,
    /// `typescript`, `javascript` or `python`: that of the nearest manifest.
    pub(super) language: Option<&'static str>,
    /// The nearest `package.json`.
    pub(super) node: Option<Node>,
    /// The nearest `pyproject.toml`, or `requirements.txt`.
    pub(super) python: Option<Python>,
    /// Commands that the project has, by what they are for: `install build test quality start migrate deploy revert rollback`.
    pub(super) commands: BTreeMap<Section, Vec<Command>>,
    /// The command that deploys to what `DEPLOY_ENVIRONMENT` names.
    pub(super) deploy: Option<String>,
    /// GitHub workflows.
    workflows: Vec<Workflow>,
    /// Where it is hosted.
    git: Git,
}

/// The files of the project, and how they are read.
pub(super) struct Files<'a> {
    look: &'a Workspace,
    all: Vec<RelPath>,
}

impl<'a> Files<'a> {
    /// All but those of others.
    pub(super) fn of(look: &'a Workspace) -> Self {
        let mut all = look.files(&RelPath::root());
        all.retain(|path| !path.as_str().split('/').any(|part| FOREIGN.contains(&part)));
        Self { look, all }
    }

    /// The text of a file that can be used.
    fn text(&self, path: &RelPath) -> Option<String> {
        self.look.read_text(path).ok().flatten().filter(|text| text.len() <= LARGEST)
    }

    /// The text of a file in a folder.
    fn text_in(&self, folder: &RelPath, name: &str) -> Option<String> {
        self.text(&folder.join(name).ok()?)
    }

    /// Whether a folder has a file.
    fn has(&self, folder: &RelPath, name: &str) -> bool {
        folder.join(name).is_ok_and(|path| self.look.exists(&path))
    }

    /// The files below a folder.
    fn below(&self, folder: &RelPath) -> impl Iterator<Item = &RelPath> {
        let below = if folder.is_root() { String::new() } else { format!("{folder}/") };
        self.all.iter().filter(move |path| path.as_str().starts_with(&below))
    }

    /// The folders that have a file of this name, the outermost first.
    fn folders_with(&self, name: &str) -> Vec<RelPath> {
        let holds = |path: &&RelPath| crate::rendering::split(path).1 == name;
        let mut folders: Vec<RelPath> =
            self.all.iter().filter(holds).map(|path| crate::rendering::split(path).0).collect();
        folders.sort_by_key(|folder| (depth(folder), folder.clone()));
        folders.truncate(MANIFESTS);
        folders
    }
}

/// What comes after the last dot of a file's name.
fn extension(path: &RelPath) -> &str {
    path.as_str().rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// How many folders down.
fn depth(folder: &RelPath) -> usize {
    if folder.is_root() { 0 } else { folder.as_str().split('/').count() }
}

/// Whether a target lies in a folder, or is it.
fn holds(folder: &RelPath, target: &RelPath) -> bool {
    let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    folder.is_root() || target.as_str().strip_prefix(folder.as_str()).is_some_and(below)
}

/// The folder of these that a target lies in, the innermost; or else the first.
fn nearest<'a>(folders: &'a [RelPath], target: &RelPath) -> Option<&'a RelPath> {
    folders.iter().rev().find(|folder| holds(folder, target)).or_else(|| folders.first())
}

impl Facts {
    /// Looks at the project from a target.
    pub(super) fn of(target: &RelPath, files: &Files<'_>) -> Self {
        let nodes: Vec<Node> = files
            .folders_with("package.json")
            .iter()
            .filter_map(|folder| node::look(folder, files))
            .collect();
        let pythons: Vec<Python> =
            python::folders(files).iter().filter_map(|folder| python::look(folder, files)).collect();
        let near = |folders: Vec<&RelPath>| {
            let folders: Vec<RelPath> = folders.into_iter().cloned().collect();
            nearest(&folders, target).cloned()
        };
        let node = near(nodes.iter().map(|node| &node.folder).collect());
        let python = near(pythons.iter().map(|python| &python.folder).collect());
        let mut facts = Self {
            commands: commands::all(&nodes, &pythons, files),
            deploy: commands::deploys(&nodes, files),
            workflows: workflows::look(files),
            git: git::look(files.look),
            node: node.and_then(|folder| nodes.into_iter().find(|node| node.folder == folder)),
            python: python.and_then(|folder| pythons.into_iter().find(|python| python.folder == folder)),
            ..Self::default()
        };
        facts.describe(target, files.look);
        facts
    }

    /// Name, version and so on are those of the manifest whose folder holds the target, the innermost; where none does, of
    /// the outermost. Of two in one folder it is `package.json`.
    fn describe(&mut self, target: &RelPath, look: &Workspace) {
        let rank = |folder: &RelPath| {
            let (holds, depth) = (holds(folder, target), depth(folder));
            (holds, if holds { depth } else { usize::MAX - depth })
        };
        let python_first = match (&self.node, &self.python) {
            (Some(node), Some(python)) => rank(&python.folder) > rank(&node.folder),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let about = match (&self.node, &self.python) {
            (_, Some(python)) if python_first => Some((&python.about, Language::Python)),
            (Some(node), _) if node.typescript => Some((&node.about, Language::Typescript)),
            (Some(node), _) => Some((&node.about, Language::Javascript)),
            _ => None,
        };
        if let Some((about, language)) = about {
            (self.name, self.version, self.description) =
                (about.name.clone().unwrap_or_default(), about.version.clone(), about.description.clone());
            self.language = Some(language.name());
        }
        if self.name.is_empty() {
            let folder = look.root().file_name().and_then(std::ffi::OsStr::to_str);
            folder.unwrap_or("project").clone_into(&mut self.name);
        }
    }
}

/// What a manifest says of itself.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct About {
    name: Option<String>,
    version: Option<String>,
    description: Option<String>,
}

/// Text that fits on a line; none where there is nothing to read.
fn word(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= 400 && !text.contains(char::is_control)).then(|| text.to_owned())
}
