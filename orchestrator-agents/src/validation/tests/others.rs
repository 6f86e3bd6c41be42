use insta::assert_snapshot;
use orchestrator_core::agent::Agent;
use orchestrator_core::path::RelPath;
use orchestrator_core::testkit::task;

use crate::testing::ready;
use crate::validation::Check;
use crate::validation::go::{GoConfig, GoTest, GoVet};
use crate::validation::npm::{Manager, NpmInstall, NpmInstallConfig, NpmScript, NpmScriptConfig};
use crate::validation::php::{Phpunit, PhpunitConfig};
use crate::validation::python::{Pytest, PytestConfig, PythonCompile, PythonCompileConfig, Ruff, RuffConfig};
use crate::validation::testing::{concluded, fixture, look, planned, printed};

fn script(tests: bool) -> NpmScriptConfig {
    NpmScriptConfig { tests, ..NpmScriptConfig::new("test", Manager::Npm, RelPath::root()) }
}

#[test]
fn javascript_runners() {
    let mut all = String::new();
    for printed in [
        fixture!(1, "node_tap.out"),
        fixture!(1, "node_spec.out"),
        fixture!(1, "jest.out", "jest.err"),
        fixture!(1, "vitest.out", "vitest.err"),
        fixture!(1, "mocha.out"),
    ] {
        all += &concluded(NpmScript, script(true), printed);
    }
    assert_snapshot!(all, @"");
}

#[test]
fn javascript_without_counts() {
    let mut all = concluded(NpmScript, script(true), printed(0, "all fine\n", ""));
    all += &concluded(NpmScript, script(false), printed(0, "linted\n", ""));
    all += &concluded(
        NpmScript,
        script(true),
        printed(0, "TAP version 13\n1..0\n# tests 0\n# pass 0\n# fail 0\n# skipped 0\n", ""),
    );
    all +=
        &concluded(NpmScript, script(false), printed(0, "ok 1 - a\nnot ok 2 - b # TODO later\n1..2\n", ""));
    all += &concluded(
        NpmScript,
        script(false),
        printed(1, "", include_str!("../../../fixtures/npm_no_script.err")),
    );
    assert_snapshot!(all, @"");
}

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
    assert_snapshot!(all, @"");
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
    assert_snapshot!(all, @"");
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
    assert!(text.contains("(in lib) < 10 bytes [reads]"), "{text}");
    let said = "{\"file\": \"b.py\", \"line\": 1, \"column\": 7, \"message\": \"invalid syntax\"}\n{\"checked\": 2}\n";
    let mut all = concluded(PythonCompile, config.clone(), printed(1, said, ""));
    all += &concluded(PythonCompile, config.clone(), printed(0, "{\"checked\": 0}\n", ""));
    all += &concluded(PythonCompile, config, printed(1, "", "Traceback\nUnicodeDecodeError: bad\n"));
    assert_snapshot!(all, @"");
}

#[test]
fn go_by_its_documented_formats() {
    let vet = "# tiny\n./a.go:7:2: unreachable code\nvet: ./b.go:3:1: expected declaration\n";
    let mut all = concluded(GoVet, GoConfig::default(), printed(1, "", vet));
    all += &concluded(GoVet, GoConfig::default(), printed(0, "", ""));
    let events = r#"{"Action":"start","Package":"tiny"}
{"Action":"run","Package":"tiny","Test":"TestAdds"}
{"Action":"pass","Package":"tiny","Test":"TestAdds","Elapsed":0}
{"Action":"output","Package":"tiny","Test":"TestBreaks","Output":"    a_test.go:9: got 2\n"}
{"Action":"fail","Package":"tiny","Test":"TestBreaks","Elapsed":0}
{"Action":"skip","Package":"tiny","Test":"TestLater","Elapsed":0}
{"Action":"fail","Package":"tiny","Elapsed":0.01}
{"Action":"fail","Package":"tiny/broken","Elapsed":0}
{"Action":"#;
    all += &concluded(GoTest, GoConfig::default(), printed(1, events, ""));
    all += &concluded(
        GoTest,
        GoConfig::default(),
        printed(0, "{\"Action\":\"skip\",\"Package\":\"tiny\"}\n", ""),
    );
    assert_snapshot!(all, @"");
}

#[test]
fn phpunit_by_its_documented_formats() {
    let of = |code, text| concluded(Phpunit, PhpunitConfig::default(), printed(code, text, ""));
    let mut all = of(0, "OK (3 tests, 4 assertions)\n");
    all += &of(
        2,
        "1) App\\FooTest::testBar\nfailed\n\nFAILURES!\nTests: 3, Assertions: 4, Failures: 1, Skipped: 1.\n",
    );
    all += &of(1, "No tests executed!\n");
    assert_snapshot!(all, @"");
}

#[test]
fn missing_tools_are_said() {
    let look = look(std::path::Path::new("/"));
    let config = RuffConfig { ruff: vec!["no-such-ruff".into()], ..RuffConfig::default() };
    let error = ready(Check(Ruff).plan(&task(config), &look)).unwrap_err();
    assert_eq!(error.to_string(), "`no-such-ruff` is not installed: python3 -m pip install ruff");
}

#[test]
fn packages_are_installed_where_they_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |look: &_| ready(NpmInstall.plan(&task(NpmInstallConfig::default()), look));
    let look = look(folder.path());
    assert_eq!(plan(&look).unwrap_err().to_string(), "`package.json` does not exist");
    std::fs::write(folder.path().join("package.json"), "{}").unwrap();
    assert_eq!(plan(&look).unwrap(), []);
    std::fs::write(folder.path().join("package.json"), r#"{"dependencies": {"a": "1"}}"#).unwrap();
    std::fs::create_dir(folder.path().join("node_modules")).unwrap();
    assert_eq!(plan(&look).unwrap(), []);
}
