//! Version fields of manifests: found and replaced without touching anything else of the file.

use std::collections::BTreeSet;
use std::ops::Range;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use semver::Version;

use super::history::History;
use super::hunks::FileChange;

/// Tables of TOML manifests that hold the version of a project, by file.
const TABLES: [(&str, &[&str]); 2] =
    [("Cargo.toml", &["package", "workspace.package"]), ("pyproject.toml", &["project", "tool.poetry"])];

/// The version that a manifest at the root names.
pub(super) fn version(history: &History<'_>) -> Result<Option<Version>, BoxError> {
    for (name, _) in TABLES.iter().chain(&[("package.json", [].as_slice())]) {
        let Some(text) = history.file(&RelPath::new(name)?)? else { continue };
        if let Some(place) = place(name, &text) {
            return Ok(Version::parse(&text[place]).ok());
        }
    }
    Ok(None)
}

/// The changes that bring every manifest at the root, and the lock files beside them, to a version.
pub(super) fn bump(history: &History<'_>, version: &str) -> Result<Vec<FileChange>, BoxError> {
    let mut changes = Vec::new();
    for name in ["Cargo.toml", "package.json", "pyproject.toml"] {
        let path = RelPath::new(name)?;
        let Some(text) = history.file(&path)? else { continue };
        let Some(place) = place(name, &text) else { continue };
        let old = text[place.clone()].to_owned();
        changes.extend(FileChange::between(path, Some(&text), &replaced(&text, &[place], version)));
        match name {
            "Cargo.toml" => changes.extend(cargo_lock(history, &text, &old, version)?),
            "package.json" => changes.extend(package_lock(history, version)?),
            _ => {}
        }
    }
    Ok(changes)
}

/// Where the version of the project stands in a manifest.
fn place(name: &str, text: &str) -> Option<Range<usize>> {
    match TABLES.iter().find(|(file, _)| *file == name) {
        Some((_, tables)) => tables.iter().find_map(|table| in_toml(text, table)),
        None => in_json(text, &["version"]),
    }
}

/// Where the string `version = ".."` of a TOML table stands, without its quotes.
fn in_toml(text: &str, table: &str) -> Option<Range<usize>> {
    let (mut at, mut inside) = (0, false);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if let Some(header) = trimmed.strip_prefix('[') {
            inside = header.split(']').next().is_some_and(|name| name.trim() == table);
        } else if inside
            && let Some((key, value)) = trimmed.split_once('=')
            && key.trim() == "version"
        {
            let quote = value.trim().chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let start = at + line.find(quote)? + 1;
            let end = start + text[start..].find(quote)?;
            return Some(start..end);
        }
        at += line.len();
    }
    None
}

/// Where a string of a JSON object stands, by the keys that lead to it, without its quotes.
fn in_json(text: &str, way: &[&str]) -> Option<Range<usize>> {
    let mut keys: Vec<String> = Vec::new();
    let (mut last, mut expects_value) = (None::<Range<usize>>, false);
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => {
                let start = at + 1;
                let mut end = start;
                while let Some((at, char)) = chars.next() {
                    match char {
                        '\\' => drop(chars.next()),
                        '"' => {
                            end = at;
                            break;
                        }
                        _ => {}
                    }
                }
                let key = last.clone().map_or("", |key| &text[key]);
                // The outermost object has no key of its own.
                let here = keys.iter().skip(1).map(String::as_str).chain([key]).eq(way.iter().copied());
                if expects_value && here {
                    return Some(start..end);
                }
                if !expects_value {
                    last = Some(start..end);
                }
            }
            ':' => expects_value = true,
            '{' | '[' => {
                keys.push(last.take().map_or_else(String::new, |key| text[key].to_owned()));
                expects_value = false;
            }
            '}' | ']' => {
                keys.pop();
                expects_value = false;
            }
            ',' => expects_value = false,
            _ => {}
        }
    }
    None
}

/// The entries of our own packages in `Cargo.lock`: those that take the version of the root.
fn cargo_lock(
    history: &History<'_>,
    manifest: &str,
    old: &str,
    version: &str,
) -> Result<Option<FileChange>, BoxError> {
    let path = RelPath::new("Cargo.lock")?;
    let Some(lock) = history.file(&path)? else { return Ok(None) };
    let own_package = in_toml(manifest, "package").is_some();
    let mut names = BTreeSet::new();
    for member in history.files("Cargo.toml")? {
        let text = history.file(&member)?.unwrap_or_default();
        let Ok(table) = text.parse::<toml::Table>() else { continue };
        let Some(package) = table.get("package") else { continue };
        let inherits = package.get("version").is_some_and(toml::Value::is_table);
        if (inherits && !own_package) || (own_package && member.as_str() == "Cargo.toml") {
            names.extend(package.get("name").and_then(toml::Value::as_str).map(str::to_owned));
        }
    }
    let mut places = Vec::new();
    let mut at = 0;
    for entry in lock.split_inclusive("[[package]]") {
        let field = |key: &str| {
            let line = entry.lines().find(|line| line.starts_with(key))?;
            line.split('"').nth(1)
        };
        if field("source = ").is_none()
            && field("name = ").is_some_and(|name| names.contains(name))
            && field("version = ") == Some(old)
            && let Some(start) = entry.find("version = \"")
        {
            let start = at + start + "version = \"".len();
            places.push(start..start + old.len());
        }
        at += entry.len();
    }
    Ok(FileChange::between(path, Some(&lock), &replaced(&lock, &places, version)))
}

fn package_lock(history: &History<'_>, version: &str) -> Result<Option<FileChange>, BoxError> {
    let path = RelPath::new("package-lock.json")?;
    let Some(lock) = history.file(&path)? else { return Ok(None) };
    let mut places: Vec<Range<usize>> = [&["version"][..], &["packages", "", "version"]]
        .iter()
        .filter_map(|way| in_json(&lock, way))
        .collect();
    places.sort_by_key(|place| place.start);
    Ok(FileChange::between(path, Some(&lock), &replaced(&lock, &places, version)))
}

fn replaced(text: &str, places: &[Range<usize>], by: &str) -> String {
    let (mut new, mut next) = (String::with_capacity(text.len()), 0);
    for place in places {
        new.push_str(&text[next..place.start]);
        new.push_str(by);
        next = place.end;
    }
    new + &text[next..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_version_is_found() {
        let toml =
            "[dependencies]\nversion = \"9\"\n[ package ] # x\nname = \"a\"\nversion   = '0.1.0' # y\n";
        assert_eq!(&toml[in_toml(toml, "package").unwrap()], "0.1.0");
        assert_eq!(in_toml("[package]\nversion.workspace = true\n", "package"), None);
        let json = r#"{"a": {"version": "9"}, "b": ["version", {"version": "8"}], "x\"": ":{", "version" : "1.0.0"}"#;
        assert_eq!(&json[in_json(json, &["version"]).unwrap()], "1.0.0");
        let lock =
            r#"{"name": "n", "version": "1", "packages": {"": {"version": "2"}, "b": {"version": "3"}}}"#;
        assert_eq!(&lock[in_json(lock, &["packages", "", "version"]).unwrap()], "2");
        assert_eq!(in_json("{\"a\": \"b\"}", &["version"]), None);
        assert_eq!(in_json("{\"a", &["version"]), None);
    }
}
