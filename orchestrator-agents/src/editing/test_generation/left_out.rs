//! Cases that did not pass: a comment of the generated file names them, with a digest of their text, so that they are not
//! tried again for as long as they would be the same.

use std::fmt::Write as _;

use orchestrator_core::path::{Digest, RelPath};

use super::config::LanguageName;

/// What the comments say after the beginning of a comment.
const SAYS: &str = "did not pass, so it was left out: ";

/// A case that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Its name.
    pub(super) case: String,
    /// The first digits of the digest of its text.
    pub(super) digest: String,
}

/// The cases that a test file says it leaves out.
pub(super) fn read(language: LanguageName, text: &str) -> Vec<LeftOut> {
    let lines = text.lines().filter_map(|line| {
        let rest = line.trim().strip_prefix(language.comment())?.trim_start().strip_prefix(SAYS)?;
        let (digest, case) = rest.split_once(' ')?;
        Some(LeftOut { case: case.to_owned(), digest: digest.to_owned() })
    });
    lines.collect()
}

/// The text without those of the cases that it has, and with a comment that names them. Second: the names of the cases
/// that were left out. A case whose text is another than the digest says is kept.
pub(super) fn without(
    language: LanguageName,
    path: &RelPath,
    text: &str,
    cases: &[LeftOut],
) -> (String, Vec<String>) {
    let names: Vec<String> = cases.iter().map(|left| left.case.clone()).collect();
    let mut found = language.find(path, text, &names);
    found.retain(|(case, range)| {
        let digest = digest(&text[range.clone()]);
        cases.iter().any(|left| left.case == *case && (left.digest.is_empty() || left.digest == digest))
    });
    found.sort_by_key(|(_, range)| range.start);
    let (mut rest, mut at, mut comments) = (String::with_capacity(text.len()), 0, String::new());
    for (case, range) in &found {
        if range.start < at {
            continue;
        }
        rest.push_str(&text[at..range.start]);
        let digest = digest(&text[range.clone()]);
        writeln!(comments, "{} {SAYS}{digest} {case}", language.comment())
            .expect("a string takes everything");
        at = range.end;
    }
    rest.push_str(&text[at..]);
    let mut rest = if found.is_empty() { rest } else { without_empty_blocks(&rest) };
    if !comments.is_empty() {
        rest = format!("{}\n\n{comments}", rest.trim_end());
    }
    (rest, found.into_iter().map(|(case, _)| case).collect())
}

/// The text without blocks of cases that hold none any more: runners take an empty one for a mistake.
fn without_empty_blocks(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        let last = lines.iter().rposition(|line| !line.trim().is_empty());
        match last {
            Some(at) if line.trim() == "});" && lines[at].trim_start().starts_with("describe(") => {
                lines.truncate(at);
                while lines.last().is_some_and(|line| line.trim().is_empty()) {
                    lines.pop();
                }
            }
            _ => lines.push(line),
        }
    }
    lines.join("\n") + "\n"
}

fn digest(text: &str) -> String {
    Digest::of(text.trim().as_bytes()).short()
}
