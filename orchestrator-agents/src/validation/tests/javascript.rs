use insta::assert_snapshot;
use orchestrator_core::agent::Agent;
use orchestrator_core::path::RelPath;
use orchestrator_core::testkit::task;

use crate::testing::ready;
use crate::validation::npm::{Manager, NpmInstall, NpmInstallConfig, NpmScript, NpmScriptConfig};
use crate::validation::testing::{concluded, fixture, look, printed};

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
    assert_snapshot!(all, @r"
    failed: 1 of 3 tests failed: breaks
    tests.passed = 2
    tests.failed = 1
    tests.ignored = 1
    Error test-failed breaks
    failed: 1 of 3 tests failed: breaks
    tests.passed = 2
    tests.failed = 1
    tests.ignored = 1
    Error test-failed breaks
    failed: 1 of 2 tests failed: breaks
    tests.passed = 1
    tests.failed = 1
    tests.ignored = 1
    Error test-failed breaks
    failed: 1 of 2 tests failed: vv/a.spec.mjs > breaks
    tests.passed = 1
    tests.failed = 1
    tests.ignored = 1
    Error test-failed vv/a.spec.mjs > breaks
    failed: 1 of 2 tests failed: breaks
    tests.passed = 1
    tests.failed = 1
    tests.ignored = 1
    Error test-failed breaks
    ");
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
    assert_snapshot!(all, @r#"
    passed: `test` ended well; counts not measured: unknown runner
    output {"runner":null,"tests":null,"not_measured":"unknown runner"}
    passed: `test` ended well
    output {"runner":null,"tests":null}
    passed: no tests ran
    output {"runner":"node:test","tests":{"passed":0,"failed":0,"ignored":0,"errors":0,"measured":0,"filtered":0}}
    tests.passed = 0
    tests.failed = 0
    tests.ignored = 0
    Warning no-tests no tests ran
    passed: 1 test passed, 1 ignored
    output {"runner":"tap","tests":{"passed":1,"failed":0,"ignored":1,"errors":0,"measured":0,"filtered":0}}
    tests.passed = 1
    tests.failed = 0
    tests.ignored = 1
    failed: `npm run test` ended with exit code 1: npm error Missing script: "nosuch"
    "#);
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
