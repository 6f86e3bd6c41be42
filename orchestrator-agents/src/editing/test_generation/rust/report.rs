//! What `cargo test` prints, and where a case stands in a test file.

use std::ops::Range;

use orchestrator_core::path::RelPath;
use syn::Item;
use syn::spanned::Spanned;

use super::super::language::{Printed, Ran};

/// What a run printed.
pub(super) fn read(printed: &Printed<'_>) -> Ran {
    let mut ran = Ran { passed: Some(0), ..Ran::default() };
    for line in printed.stdout.lines() {
        if let Some(rest) = line.strip_prefix("test result: ") {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let count = words.windows(2).find(|two| two[1] == "passed;").and_then(|two| two[0].parse().ok());
            ran.passed = count.or(ran.passed);
        } else if let Some(name) =
            line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            let name = name.split(" - ").next().unwrap_or(name).to_owned();
            let said = said(printed.stdout, &name);
            ran.failed.push((name, said));
        }
    }
    if !printed.ok && ran.failed.is_empty() {
        let first = printed.stderr.lines().skip_while(|line| !line.starts_with("error"));
        ran.said = first.collect::<Vec<_>>().join("\n");
        if ran.said.is_empty() {
            printed.stderr.clone_into(&mut ran.said);
        }
    }
    ran
}

/// What a case said: what follows where it panicked.
fn said(stdout: &str, name: &str) -> String {
    let head = format!("---- {name} stdout ----");
    let lines = stdout.lines().skip_while(|line| *line != head).skip(1);
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("---- ")).take(12).collect();
    let after = lines.iter().position(|line| line.contains("panicked at ")).map_or(0, |at| at + 1);
    let words = lines[after.min(lines.len())..].iter().take_while(|line| !line.trim().is_empty());
    words.map(|line| line.trim()).collect::<Vec<_>>().join(", ")
}

/// Where cases stand: whole lines, with the empty lines after them.
pub(super) fn find(path: &RelPath, text: &str, cases: &[String]) -> Vec<(String, Range<usize>)> {
    let Ok(tree) = super::parse(path, text) else { return Vec::new() };
    let mut starts: Vec<usize> = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    starts.push(text.len());
    let mut found = Vec::new();
    for item in &tree.items {
        let Item::Fn(function) = item else { continue };
        let name = function.sig.ident.to_string();
        if !cases.contains(&name) {
            continue;
        }
        let first =
            function.attrs.first().map_or_else(|| function.span().start(), |attr| attr.span().start());
        let last = function.block.brace_token.span.close().end();
        let start = starts.get(first.line - 1).copied().unwrap_or(text.len());
        let mut end = starts.get(last.line).copied().unwrap_or(text.len());
        while text[end..].starts_with('\n') {
            end += 1;
        }
        found.push((name, start..end));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_prints_is_read() {
        let stdout = "running 2 tests\ntest a ... ok\ntest b - should panic ... FAILED\n\nfailures:\n\n---- b stdout ----\n\n\
                      thread 'b' panicked at tests/x.rs:3:5:\nassertion `left == right` failed\n  left: 1\n right: 2\n\nnote: run\n\n\
                      test result: FAILED. 1 passed; 1 failed; 0 ignored\n";
        let ran = read(&Printed { ok: false, stdout, stderr: "" });
        assert_eq!(ran.passed, Some(1));
        assert_eq!(
            ran.failed,
            [("b".to_owned(), "assertion `left == right` failed, left: 1, right: 2".to_owned())]
        );
        let broken = "   Compiling x\nerror[E0432]: unresolved import `x::y`\n --> tests/x.rs\n";
        let ran = read(&Printed { ok: false, stdout: "", stderr: broken });
        assert_eq!(
            (ran.passed, ran.said.lines().next()),
            (Some(0), Some("error[E0432]: unresolved import `x::y`"))
        );
    }

    #[test]
    fn cases_are_whole_lines() {
        let text = "use a::b;\n\n#[test]\nfn one() {\n    b();\n}\n\n#[test]\n#[should_panic]\nfn two() {}\n";
        let found = find(&RelPath::new("tests/x.rs").unwrap(), text, &["one".into(), "two".into()]);
        let found: Vec<_> = found.iter().map(|(name, range)| (name.as_str(), &text[range.clone()])).collect();
        let expected = [
            ("one", "#[test]\nfn one() {\n    b();\n}\n\n"),
            ("two", "#[test]\n#[should_panic]\nfn two() {}\n"),
        ];
        assert_eq!(found, expected);
    }
}
