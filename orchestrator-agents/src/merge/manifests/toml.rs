//! Version fields of TOML files: `Cargo.toml` and its lock, `pyproject.toml` and uv's lock.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use toml::de::{DeTable, DeValue};

use super::replaced;
use crate::merge::history::History;
use crate::merge::hunks::FileChange;

/// The most manifests of a workspace that are looked at.
const MEMBERS: usize = 1000;

/// Where the string `version` of the first of these tables that has one stands, without its quotes.
pub(super) fn version(text: &str, tables: &[&[&str]]) -> Option<Range<usize>> {
    let root = DeTable::parse(text).ok()?;
    tables.iter().find_map(|way| string(text, table(root.get_ref(), way)?, "version"))
}

/// `Cargo.toml` at a version, with the members of its workspace that depend on members by path and version, and its lock.
pub(super) fn cargo(
    history: &History<'_>,
    folder: &RelPath,
    root: &str,
    place: &Range<usize>,
    old: &str,
    new: &str,
) -> Result<Vec<FileChange>, BoxError> {
    let whole = version(root, &[&["workspace", "package"]]).is_some();
    let mut manifests = Vec::new();
    for path in history.files("Cargo.toml")?.into_iter().take(MEMBERS) {
        let below = folder.is_root() || path.as_str().starts_with(&format!("{folder}/"));
        if below && let Some(text) = history.file(&path)? {
            manifests.push((path, text));
        }
    }
    let at_root = folder.join("Cargo.toml")?;
    let mut ours = BTreeSet::new();
    for (path, text) in &manifests {
        let Ok(table) = DeTable::parse(text) else { continue };
        let Some(package) = self::table(table.get_ref(), &["package"]) else { continue };
        let inherits = package.get("version").is_some_and(|version| version.get_ref().as_table().is_some());
        if (whole && inherits) || (!whole && *path == at_root) {
            ours.extend(package.get("name").and_then(|name| name.get_ref().as_str()).map(str::to_owned));
        }
    }
    let mut changes = Vec::new();
    for (path, text) in &manifests {
        let mut places = requirements(text, &ours, old);
        if *path == at_root {
            places.push(place.clone());
            // The package of the root may have the version of the workspace written out.
            let own = version(text, &[&["package"]]).filter(|own| text[own.clone()] == *old);
            places.extend(own);
        }
        changes.extend(FileChange::between(path.clone(), Some(text), &replaced(text, places, new)));
    }
    changes.extend(lock(history, folder.join("Cargo.lock")?, &ours, old, new)?);
    Ok(changes)
}

/// Where dependencies by path name the old version of one of ours: `core = { path = "..", version = "0.1.0" }`. What stands
/// before the figures, such as `=`, stays.
fn requirements(text: &str, ours: &BTreeSet<String>, old: &str) -> Vec<Range<usize>> {
    let Ok(root) = DeTable::parse(text) else { return Vec::new() };
    let mut places = Vec::new();
    in_tables(text, root.get_ref(), ours, old, 0, &mut places);
    places
}

fn in_tables(
    text: &str,
    table: &DeTable<'_>,
    ours: &BTreeSet<String>,
    old: &str,
    depth: usize,
    places: &mut Vec<Range<usize>>,
) {
    const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    for (key, value) in table {
        let DeValue::Table(inner) = value.get_ref() else { continue };
        if !TABLES.contains(&key.get_ref().as_ref()) {
            // `[workspace.dependencies]`, `[target.'cfg(unix)'.dependencies]`.
            if depth < 3 {
                in_tables(text, inner, ours, old, depth + 1, places);
            }
            continue;
        }
        for (name, dependency) in inner {
            let DeValue::Table(dependency) = dependency.get_ref() else { continue };
            let package = dependency.get("package").and_then(|name| name.get_ref().as_str());
            let name: Cow<'_, str> = package.map_or_else(|| name.get_ref().clone(), Cow::Borrowed);
            if !dependency.contains_key("path") || !ours.contains(name.as_ref()) {
                continue;
            }
            let Some(place) = string(text, dependency, "version") else { continue };
            let bare = text[place.clone()].trim_start_matches(['=', '^', '~', ' ']);
            if bare == old {
                places.push(place.end - bare.len()..place.end);
            }
        }
    }
}

/// A lock file with the entries of our own packages at a version.
fn lock(
    history: &History<'_>,
    path: RelPath,
    names: &BTreeSet<String>,
    old: &str,
    new: &str,
) -> Result<Option<FileChange>, BoxError> {
    let Some(lock) = history.file(&path)? else { return Ok(None) };
    let Ok(root) = DeTable::parse(&lock) else { return Ok(None) };
    let Some(DeValue::Array(packages)) = root.get_ref().get("package").map(toml::Spanned::get_ref) else {
        return Ok(None);
    };
    let mut places = Vec::new();
    for package in packages {
        let DeValue::Table(package) = package.get_ref() else { continue };
        let local = match package.get("source").map(toml::Spanned::get_ref) {
            None => true,
            // As uv writes what lies in the project.
            Some(DeValue::Table(source)) => {
                ["editable", "virtual"].iter().any(|kind| source.contains_key(*kind))
            }
            Some(_) => false,
        };
        let named = package.get("name").and_then(|name| name.get_ref().as_str());
        if local && named.is_some_and(|name| names.contains(name)) {
            places.extend(string(&lock, package, "version").filter(|place| lock[place.clone()] == *old));
        }
    }
    Ok(FileChange::between(path, Some(&lock), &replaced(&lock, places, new)))
}

/// uv's lock beside a `pyproject.toml`.
pub(super) fn uv_lock(
    history: &History<'_>,
    folder: &RelPath,
    manifest: &str,
    old: &str,
    new: &str,
) -> Result<Option<FileChange>, BoxError> {
    let Ok(root) = DeTable::parse(manifest) else { return Ok(None) };
    let name =
        table(root.get_ref(), &["project"]).and_then(|project| project.get("name")?.get_ref().as_str());
    let Some(name) = name else { return Ok(None) };
    // Names are written the same way everywhere in a lock (PEP 503).
    let plain = name
        .to_ascii_lowercase()
        .split(['-', '_', '.'])
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    lock(history, folder.join("uv.lock")?, &BTreeSet::from([plain]), old, new)
}

fn table<'t, 'i>(root: &'t DeTable<'i>, way: &[&str]) -> Option<&'t DeTable<'i>> {
    way.iter().try_fold(root, |table, key| table.get(*key)?.get_ref().as_table())
}

/// Where a plain string of a table stands, without its quotes; none where it is written with escapes or on several lines.
fn string(text: &str, table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let value = table.get(key)?;
    let (span, said) = (value.span(), value.get_ref().as_str()?);
    let inner = span.start + 1..span.end.checked_sub(1)?;
    (text.get(inner.clone()) == Some(said)).then_some(inner)
}
