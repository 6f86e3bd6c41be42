//! Version fields of JSON files.

use std::ops::Range;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;

use super::replaced;
use crate::merge::history::History;
use crate::merge::hunks::FileChange;

/// The lock files beside a `package.json`.
pub(super) fn locks(
    history: &History<'_>,
    folder: &RelPath,
    version: &str,
) -> Result<Vec<FileChange>, BoxError> {
    let mut changes = Vec::new();
    for name in ["package-lock.json", "npm-shrinkwrap.json"] {
        let path = folder.join(name)?;
        let Some(lock) = history.file(&path)? else { continue };
        let ways: [&[&str]; 2] = [&["version"], &["packages", "", "version"]];
        let places = ways.iter().filter_map(|way| string(&lock, way)).collect();
        changes.extend(FileChange::between(path, Some(&lock), &replaced(&lock, places, version)));
    }
    Ok(changes)
}

/// Where a string of a JSON object stands, by the keys that lead to it, without its quotes.
pub(super) fn string(text: &str, way: &[&str]) -> Option<Range<usize>> {
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
