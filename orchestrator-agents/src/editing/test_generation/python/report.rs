//! What pytest prints, and where a case stands in a test file.

use std::ops::Range;

use orchestrator_core::path::RelPath;
use ruff_python_ast::{Stmt, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::super::language::{Printed, Ran};
use super::full_name;

/// What a run printed. Cases of more than one input (`[asyncio]`) count as the one that they are of.
pub(super) fn read(printed: &Printed<'_>) -> Ran {
    let mut ran = Ran { passed: Some(passed(printed.stdout)), ..Ran::default() };
    for line in printed.stdout.lines() {
        let Some(rest) = line.strip_prefix("FAILED ") else { continue };
        let (id, said) = rest.split_once(" - ").unwrap_or((rest, "pytest does not say why"));
        let Some((_, name)) = id.split_once("::") else { continue };
        let name = name.split('[').next().unwrap_or(name).trim();
        if ran.failed.iter().all(|(known, _)| known != name) {
            ran.failed.push((name.to_owned(), said.to_owned()));
        }
    }
    if !printed.ok && ran.failed.is_empty() {
        let errors: Vec<&str> =
            printed.stdout.lines().filter_map(|line| line.strip_prefix("E ")).map(str::trim).collect();
        let said = if errors.is_empty() { printed.stderr.to_owned() } else { errors.join("\n") };
        ran.said = if said.trim().is_empty() { printed.stdout.to_owned() } else { said };
    }
    ran
}

/// The number of `3 passed` in the last line that has one.
fn passed(stdout: &str) -> usize {
    let count = |line: &str| {
        let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        words.windows(2).find(|two| two[1] == "passed").and_then(|two| two[0].parse().ok())
    };
    stdout.lines().rev().find_map(count).unwrap_or(0)
}

/// Where cases stand: whole lines, with the empty lines after them.
pub(super) fn find(path: &RelPath, text: &str, cases: &[String]) -> Vec<(String, Range<usize>)> {
    let Ok(tree) = super::module::parse(path, text) else { return Vec::new() };
    let mut found = Vec::new();
    let mut look = |class: Option<&str>, def: &StmtFunctionDef| {
        let name = full_name(class, &def.name);
        if cases.contains(&name) {
            found.push((name, lines(text, def)));
        }
    };
    for stmt in &tree.body {
        match stmt {
            Stmt::FunctionDef(def) => look(None, def),
            Stmt::ClassDef(class) => {
                for stmt in &class.body {
                    if let Stmt::FunctionDef(def) = stmt {
                        look(Some(class.name.as_str()), def);
                    }
                }
            }
            _ => {}
        }
    }
    found
}

fn lines(text: &str, def: &StmtFunctionDef) -> Range<usize> {
    let first = def.decorator_list.first().map_or(def.start(), Ranged::start);
    let start = text[..first.to_usize()].rfind('\n').map_or(0, |at| at + 1);
    let end = def.end().to_usize();
    let mut end = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    while text[end..].starts_with('\n') {
        end += 1;
    }
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pytest_prints_is_read() {
        let stdout = "..F [100%]\n====\nFAILED tests/test_a.py::TestA::test_b[asyncio] - assert 1 == 2\n\
                      FAILED tests/test_a.py::TestA::test_b[trio] - assert 1 == 2\n2 failed, 12 passed in 0.02s\n";
        let ran = read(&Printed { ok: false, stdout, stderr: "" });
        assert_eq!(ran.passed, Some(12));
        assert_eq!(ran.failed, [("TestA::test_b".to_owned(), "assert 1 == 2".to_owned())]);
        let broken = "E   ModuleNotFoundError: No module named 'x'\nERROR tests/test_a.py\n1 error in 0.1s\n";
        let ran = read(&Printed { ok: false, stdout: broken, stderr: "" });
        assert_eq!((ran.passed, ran.said.as_str()), (Some(0), "ModuleNotFoundError: No module named 'x'"));
        let none = read(&Printed { ok: false, stdout: "", stderr: "No module named pytest" });
        assert_eq!((none.passed, none.said.as_str()), (Some(0), "No module named pytest"));
    }

    #[test]
    fn cases_are_whole_lines() {
        let text = "import x\n\n\n@mark\ndef test_a():\n    pass\n\n\nclass TestB:\n    \"\"\"B.\"\"\"\n\n    def test_c(self):\n        pass\n";
        let path = RelPath::new("tests/test_a.py").unwrap();
        let found = find(&path, text, &["test_a".into(), "TestB::test_c".into(), "test_c".into()]);
        let found: Vec<_> = found.iter().map(|(name, range)| (name.as_str(), &text[range.clone()])).collect();
        let expected = [
            ("test_a", "@mark\ndef test_a():\n    pass\n\n\n"),
            ("TestB::test_c", "    def test_c(self):\n        pass\n"),
        ];
        assert_eq!(found, expected);
    }
}
