//! A Python project: its `pyproject.toml`, or its requirements.

use std::collections::BTreeSet;

use orchestrator_core::path::RelPath;
use serde::Serialize;
use toml::{Table, Value};

use super::{About, Files, word};

/// A Python project.
#[derive(Debug, Clone, Serialize)]
pub(in super::super) struct Python {
    pub(super) folder: RelPath,
    #[serde(flatten)]
    pub(super) about: About,
    /// `uv`, `poetry` or `pip`: by lockfile and tables.
    pub(super) manager: &'static str,
    /// What comes before a command so that it runs in the project's environment; empty, or ends in a space.
    pub(super) run: &'static str,
    /// Names of all that it depends on, lower case with `-`, also for development.
    pub(in super::super) dependencies: BTreeSet<String>,
    /// Files of requirements.
    pub(super) requirements: Vec<String>,
    /// The optional dependencies that bring `pytest`.
    pub(super) test_extra: Option<String>,
    /// Whether `pytest` is depended on or configured.
    pub(super) pytest: bool,
    /// Whether pytest-asyncio takes every coroutine as a test.
    pub(super) asyncio_auto: bool,
    /// `requires-python`.
    pub(super) requires: Option<String>,
    /// The app of `FastAPI`.
    pub(super) app: Option<App>,
}

/// An app of `FastAPI`: a name in a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct App {
    module: String,
    name: String,
}

/// The folders of Python projects, the outermost first.
pub(super) fn folders(files: &Files<'_>) -> Vec<RelPath> {
    let mut folders: BTreeSet<RelPath> = files.folders_with("pyproject.toml").into_iter().collect();
    folders.extend(files.folders_with("requirements.txt"));
    let mut folders: Vec<RelPath> = folders.into_iter().collect();
    folders.sort_by_key(|folder| (super::depth(folder), folder.clone()));
    folders
}

pub(super) fn look(folder: &RelPath, files: &Files<'_>) -> Option<Python> {
    let manifest: Table = match files.text_in(folder, "pyproject.toml") {
        Some(text) => text.parse().ok()?,
        None => Table::new(),
    };
    let project = table(&manifest, "project").or_else(|| table(&manifest, "tool.poetry"));
    let text = |key: &str| project.and_then(|project| project.get(key)?.as_str()).and_then(word);
    let mut dependencies = declared(&manifest);
    let requirements = requirements(folder, files, &mut dependencies);
    let pytest = table(&manifest, "tool.pytest.ini_options");
    let auto = pytest.and_then(|table| table.get("asyncio_mode")?.as_str()) == Some("auto");
    let (manager, run) = if files.has(folder, "uv.lock") || table(&manifest, "tool.uv").is_some() {
        ("uv", "uv run ")
    } else if files.has(folder, "poetry.lock") || table(&manifest, "tool.poetry").is_some() {
        ("poetry", "poetry run ")
    } else {
        ("pip", "")
    };
    Some(Python {
        folder: folder.clone(),
        about: About { name: text("name"), version: text("version"), description: text("description") },
        manager,
        run,
        pytest: pytest.is_some() || dependencies.contains("pytest") || files.has(folder, "pytest.ini"),
        test_extra: test_extra(&manifest),
        asyncio_auto: auto,
        requires: text("requires-python"),
        app: dependencies.contains("fastapi").then(|| app(folder, files)).flatten(),
        dependencies,
        requirements,
    })
}

/// A table at a dotted way.
fn table<'a>(manifest: &'a Table, way: &str) -> Option<&'a Table> {
    way.split('.').try_fold(manifest, |table, part| table.get(part)?.as_table())
}

/// The name of a requirement: `Fast_API[all]>=1` is `fast-api`.
fn name(requirement: &str) -> Option<String> {
    let end = requirement.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
    let name = &requirement[..end.unwrap_or(requirement.len())];
    (!name.is_empty() && !name.starts_with('-')).then(|| name.to_ascii_lowercase().replace(['_', '.'], "-"))
}

fn declared(manifest: &Table) -> BTreeSet<String> {
    let mut lists: Vec<&Value> = Vec::new();
    lists.extend(table(manifest, "project").and_then(|project| project.get("dependencies")));
    for groups in ["project.optional-dependencies", "dependency-groups"] {
        lists.extend(table(manifest, groups).into_iter().flat_map(Table::values));
    }
    lists.extend(table(manifest, "tool.uv").and_then(|uv| uv.get("dev-dependencies")));
    let listed = lists.into_iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let mut names: BTreeSet<String> = listed.filter_map(name).collect();
    let mut tables = vec![table(manifest, "tool.poetry.dependencies")];
    tables.push(table(manifest, "tool.poetry.dev-dependencies"));
    let groups = table(manifest, "tool.poetry.group").into_iter().flat_map(Table::values);
    tables.extend(groups.map(|group| group.get("dependencies").and_then(Value::as_table)));
    names.extend(tables.into_iter().flatten().flat_map(Table::keys).filter_map(|key| name(key)));
    names
}

/// The first group of optional dependencies that has `pytest`.
fn test_extra(manifest: &Table) -> Option<String> {
    let groups = table(manifest, "project.optional-dependencies")?;
    let brings = |list: &Value| {
        let mut named = list.as_array().into_iter().flatten().filter_map(|one| name(one.as_str()?));
        named.any(|name| name == "pytest")
    };
    let extra = groups.iter().find(|(_, list)| brings(list)).map(|(extra, _)| extra.clone())?;
    name(&extra).filter(|plain| plain.len() == extra.len())
}

fn requirements(folder: &RelPath, files: &Files<'_>, names: &mut BTreeSet<String>) -> Vec<String> {
    const NAMES: [&str; 5] = [
        "requirements.txt",
        "requirements-dev.txt",
        "requirements-test.txt",
        "dev-requirements.txt",
        "test-requirements.txt",
    ];
    let mut found = Vec::new();
    for file in NAMES {
        let Some(text) = files.text_in(folder, file) else { continue };
        found.push(file.to_owned());
        names.extend(text.lines().filter_map(|line| name(line.trim())));
    }
    found
}

/// The first module, by path, that assigns an app of `FastAPI` to a name.
fn app(folder: &RelPath, files: &Files<'_>) -> Option<App> {
    let mut paths: Vec<&RelPath> =
        files.below(folder).filter(|path| super::extension(path) == "py").collect();
    paths.sort_by_key(|path| (super::depth(path), (*path).clone()));
    paths.into_iter().take(500).find_map(|path| {
        let name = files.text(path)?.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            let name = name.split(':').next().unwrap_or_default().trim_end();
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let value = value.trim_start();
            let is_app = value.starts_with("FastAPI(") || value.starts_with("fastapi.FastAPI(");
            (is_name && is_app).then(|| name.to_owned())
        })?;
        Some(App { module: module(folder, path)?, name })
    })
}

/// How a file is imported: `src` is no package.
fn module(folder: &RelPath, path: &RelPath) -> Option<String> {
    let inner = if folder.is_root() {
        path.as_str()
    } else {
        path.as_str().strip_prefix(folder.as_str())?.trim_start_matches('/')
    };
    let inner = inner.strip_prefix("src/").unwrap_or(inner).strip_suffix(".py")?;
    let inner = inner.strip_suffix("/__init__").unwrap_or(inner);
    let fits = |part: &str| {
        let first = part.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        first && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    inner.split('/').all(fits).then(|| inner.replace('/', "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_requirements_and_modules() {
        assert_eq!(name("Fast_API[all]>=1").as_deref(), Some("fast-api"));
        assert_eq!((name("-r base.txt"), name("# x"), name("")), (None, None, None));
        let path = |path: &str| RelPath::new(path).unwrap();
        assert_eq!(module(&path("api"), &path("api/src/shop/main.py")).as_deref(), Some("shop.main"));
        assert_eq!(module(&RelPath::root(), &path("shop/__init__.py")).as_deref(), Some("shop"));
        assert_eq!(module(&RelPath::root(), &path("my-tools/a.py")), None);
    }
}
