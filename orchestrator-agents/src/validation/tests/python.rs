use insta::assert_snapshot;
use orchestrator_core::agent::Agent;
use orchestrator_core::path::RelPath;
use orchestrator_core::testkit::task;

use crate::testing::ready;
use crate::validation::Check;
use crate::validation::python::{Pytest, PytestConfig, PythonCompile, PythonCompileConfig, Ruff, RuffConfig};
use crate::validation::testing::{concluded, fixture, look, planned, printed};

#[test]
fn python() {
    let of = |printed| concluded(Pytest, PytestConfig::default(), printed);
    let mut all = of(fixture!(1, "pytest_failed.out"));
    all += &of(fixture!(0, "pytest_passed.out"));
    all += &of(fixture!(5, "pytest_none.out"));
    all += &of(fixture!(2, "pytest_error.out"));
    all += &of(printed(1, "", "/usr/bin/python3: No module named pytest\n"));
    all += &of(printed(4, "", "ERROR: usage: pytest [options]\n"));
    all += &of(printed(0, "3 passed, 2 deselected in 65.10s (0:01:05)\n", ""));
    assert_snapshot!(all, @r#"
    failed: 1 of 2 tests failed, 1 error: test_a.py::TestThing::test_fix, test_a.py::test_breaks
    tests.passed = 1
    tests.failed = 1
    tests.ignored = 2
    tests.errors = 1
    Error test-failed test_a.py::TestThing::test_fix: RuntimeError: no db
    Error test-failed test_a.py::test_breaks: AssertionError: sum
    passed: 1 test passed
    output {"tests":{"passed":1,"failed":0,"ignored":0,"errors":0,"measured":0,"filtered":0}}
    tests.passed = 1
    tests.failed = 0
    tests.ignored = 0
    passed: no tests ran
    output {"tests":{"passed":0,"failed":0,"ignored":0,"errors":0,"measured":0,"filtered":0}}
    tests.passed = 0
    tests.failed = 0
    tests.ignored = 0
    Warning no-tests no tests ran
    failed: 1 error: test_e.py
    tests.passed = 0
    tests.failed = 0
    tests.ignored = 0
    tests.errors = 1
    Error test-failed test_e.py
    failed: pytest is not installed: python3 -m pip install pytest
    failed: `python3 -m pytest -p no:cacheprovider --color=no -rfE` ended with exit code 4: ERROR: usage: pytest [options]
    passed: 3 tests passed, 2 filtered out
    output {"tests":{"passed":3,"failed":0,"ignored":0,"errors":0,"measured":0,"filtered":2}}
    tests.passed = 3
    tests.failed = 0
    tests.ignored = 0
    tests.filtered = 2
    "#);
}

#[test]
fn ruff() {
    let mut all = concluded(Ruff, RuffConfig::default(), fixture!(1, "ruff.out"));
    all += &concluded(Ruff, RuffConfig::default(), printed(0, "[]", ""));
    all += &concluded(
        Ruff,
        RuffConfig::default(),
        printed(0, "[]", "warning: No Python files found under the given path(s)\n"),
    );
    all += &concluded(Ruff, RuffConfig::default(), printed(2, "", "ruff failed\n  Cause: bad config\n"));
    all += &concluded(Ruff, RuffConfig::default(), printed(1, "[{\"code\":", ""));
    assert_snapshot!(all, @r#"
    failed: 4 findings
    lint.errors = 4
    Error I001 a.py:1:1 Import block is un-sorted or un-formatted
    Error F401 a.py:1:8 `os` imported but unused
    Error F401 a.py:2:8 `sys` imported but unused
    Error F821 a.py:5:12 Undefined name `undefined_name`
    passed: no findings
    output {"warnings":0,"errors":0}
    lint.errors = 0
    passed: not run: there is no Python file
    output null
    failed: `ruff check --output-format=json --no-fix` ended with exit code 2: Cause: bad config
    failed: `ruff check --output-format=json --no-fix` ended with exit code 1: [{"code":
    "#);
}

#[test]
fn compile_plans_the_files_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lib")).unwrap();
    for (name, text) in [("lib/a.py", "x = 1\n"), ("lib/b.py", "def f(:\n"), ("lib/c.txt", "")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let cwd = RelPath::new("lib").unwrap();
    let config = PythonCompileConfig { cwd, ..PythonCompileConfig::default() };
    let text = planned(PythonCompile, config.clone(), &look(folder.path()));
    assert!(text.contains("(in lib) < 9 bytes [reads]"), "{text}");
    let said = "{\"file\": \"b.py\", \"line\": 1, \"column\": 7, \"message\": \"invalid syntax\"}\n{\"checked\": 2}\n";
    let mut all = concluded(PythonCompile, config.clone(), printed(1, said, ""));
    all += &concluded(PythonCompile, config.clone(), printed(0, "{\"checked\": 0}\n", ""));
    all += &concluded(PythonCompile, config, printed(1, "", "Traceback\nUnicodeDecodeError: bad\n"));
    assert_snapshot!(all, @r"
    failed: 1 of 2 files do not compile
    syntax.files = 2
    syntax.errors = 1
    Error syntax lib/b.py:1:7 invalid syntax
    passed: not run: there is no Python file
    output null
    failed: `python3 -c 'compile(..)'` ended with exit code 1: UnicodeDecodeError: bad
    ");
}

#[test]
fn missing_tools_are_said() {
    let look = look(std::path::Path::new("/"));
    let config = RuffConfig { ruff: vec!["no-such-ruff".into()], ..RuffConfig::default() };
    let error = ready(Check(Ruff).plan(&task(config), &look)).unwrap_err();
    assert_eq!(error.to_string(), "`no-such-ruff` is not installed: python3 -m pip install ruff");
}
