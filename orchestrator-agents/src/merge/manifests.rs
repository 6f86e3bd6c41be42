//! Version fields of manifests: found by the parser, replaced without touching anything else of the file.

mod json;
mod toml;

use orchestrator_core::BoxError;
use semver::Version;
use std::ops::Range;

use super::history::History;
use super::hunks::FileChange;

/// Manifests that may hold the version of a project, in the order in which they are asked.
const MANIFESTS: [&str; 4] = ["Cargo.toml", "package.json", "pyproject.toml", "composer.json"];

/// The version that a manifest of the project names.
pub(super) fn version(history: &History<'_>) -> Result<Option<Version>, BoxError> {
    for name in MANIFESTS {
        let Some(text) = history.file(&history.line().path.join(name)?)? else { continue };
        if let Some(place) = place(name, &text) {
            return Ok(Version::parse(&text[place]).ok().filter(|version| *version != Version::new(0, 0, 0)));
        }
    }
    Ok(None)
}

/// The changes that bring every manifest of the project, and the lock files beside them, to a version.
pub(super) fn bump(history: &History<'_>, version: &str) -> Result<Vec<FileChange>, BoxError> {
    let folder = history.line().path.clone();
    let mut changes = Vec::new();
    for name in MANIFESTS {
        let path = folder.join(name)?;
        let Some(text) = history.file(&path)? else { continue };
        let Some(place) = place(name, &text) else { continue };
        let old = text[place.clone()].to_owned();
        match name {
            "Cargo.toml" => changes.extend(toml::cargo(history, &folder, &text, &place, &old, version)?),
            _ => {
                changes.extend(FileChange::between(
                    path,
                    Some(&text),
                    &replaced(&text, vec![place], version),
                ));
            }
        }
        match name {
            "package.json" => changes.extend(json::locks(history, &folder, version)?),
            "pyproject.toml" => changes.extend(toml::uv_lock(history, &folder, &text, &old, version)?),
            _ => {}
        }
    }
    Ok(changes)
}

/// Where the version of the project stands in a manifest, without its quotes.
fn place(name: &str, text: &str) -> Option<Range<usize>> {
    match name {
        "Cargo.toml" => toml::version(text, &[&["workspace", "package"], &["package"]]),
        "pyproject.toml" => toml::version(text, &[&["project"], &["tool", "poetry"]]),
        _ => json::string(text, &["version"]),
    }
}

/// A text with something else in these places.
fn replaced(text: &str, mut places: Vec<Range<usize>>, by: &str) -> String {
    places.sort_by_key(|place| place.start);
    places.dedup();
    let (mut new, mut next) = (String::with_capacity(text.len()), 0);
    for place in places {
        new.push_str(&text[next..place.start]);
        new.push_str(by);
        next = place.end;
    }
    new + &text[next..]
}

#[cfg(test)]
mod tests;
