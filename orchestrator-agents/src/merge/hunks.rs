//! Changes of text files as data: small, exact, and readable in a dry run.

use orchestrator_core::BoxError;
use orchestrator_core::path::{Digest, RelPath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a file changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileChange {
    /// Which file.
    pub path: RelPath,
    /// Digest of what it must hold before; none where there must be no file.
    pub was: Option<Digest>,
    /// What changes in it, from its start to its end.
    pub hunks: Vec<Hunk>,
}

/// Lines that are replaced by others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hunk {
    /// The first line in question, from 1.
    pub line: usize,
    /// The lines that go, with their line breaks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remove: String,
    /// The lines that come in their place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub insert: String,
}

impl FileChange {
    /// What leads from one text to another; none where they are the same.
    pub fn between(path: RelPath, old: Option<&str>, new: &str) -> Option<Self> {
        if old == Some(new) {
            return None;
        }
        let was = old.map(|text| Digest::of(text.as_bytes()));
        let (before, after): (Vec<&str>, Vec<&str>) = (lines(old.unwrap_or_default()), lines(new));
        let same = before.iter().zip(&after).take_while(|(old, new)| old == new).count();
        let (before, after) = (&before[same..], &after[same..]);
        let tail = before.iter().rev().zip(after.iter().rev()).take_while(|(old, new)| old == new).count();
        let (before, after) = (&before[..before.len() - tail], &after[..after.len() - tail]);
        let hunks = if before.len() == after.len() {
            line_by_line(same, before, after)
        } else {
            vec![Hunk { line: same + 1, remove: before.concat(), insert: after.concat() }]
        };
        Some(Self { path, was, hunks })
    }

    /// The new text.
    pub fn apply(&self, old: &str) -> Result<String, BoxError> {
        let lines = lines(old);
        let (mut new, mut next) = (String::with_capacity(old.len()), 0);
        for Hunk { line, remove, insert } in &self.hunks {
            let start = line.saturating_sub(1);
            let end = start + self::lines(remove).len();
            let (Some(kept), Some(gone)) = (lines.get(next..start), lines.get(start..end)) else {
                return Err(format!("`{}` has no line {line} to change", self.path).into());
            };
            if gone.concat() != *remove {
                return Err(format!("`{}` holds something else from line {line} on", self.path).into());
            }
            new.extend(kept.iter().copied());
            new.push_str(insert);
            next = end;
        }
        new.extend(lines[next..].iter().copied());
        Ok(new)
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Runs of lines that differ, each its own hunk.
fn line_by_line(skipped: usize, before: &[&str], after: &[&str]) -> Vec<Hunk> {
    let mut hunks: Vec<Hunk> = Vec::new();
    let mut open = false;
    for (at, (old, new)) in before.iter().zip(after).enumerate() {
        if old == new {
            open = false;
            continue;
        }
        match hunks.last_mut() {
            Some(hunk) if open => {
                hunk.remove.push_str(old);
                hunk.insert.push_str(new);
            }
            _ => hunks.push(Hunk {
                line: skipped + at + 1,
                remove: (*old).to_owned(),
                insert: (*new).to_owned(),
            }),
        }
        open = true;
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_lead_from_one_text_to_the_other() {
        let texts = [
            "",
            "a",
            "a\n",
            "a\nb\nc\n",
            "a\nx\nc\n",
            "a\nx\nc\ny\n",
            "z\nb\nq",
            "a\nc\n",
            "a\nb\nc\nb\nc\n",
        ];
        let path = RelPath::new("f").unwrap();
        for old in texts {
            for new in texts {
                match FileChange::between(path.clone(), Some(old), new) {
                    Some(change) => assert_eq!(change.apply(old).unwrap(), new, "{old:?} {change:?}"),
                    None => assert_eq!(old, new),
                }
            }
        }
        let change = FileChange::between(path.clone(), None, "new\n").unwrap();
        assert_eq!((change.was, change.apply("").unwrap().as_str()), (None, "new\n"));
        let change = FileChange::between(path, Some("a\nb\nc\nd\n"), "x\nb\nc\ny\n").unwrap();
        assert_eq!(change.hunks.len(), 2);
        assert!(change.apply("q\nb\nc\nd\n").is_err() && change.apply("a\n").is_err());
    }
}
