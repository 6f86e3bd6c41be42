//! Tools that are not at hand here: their outputs follow their documentation.

use insta::assert_snapshot;

use crate::validation::go::{GoConfig, GoTest, GoVet};
use crate::validation::php::{Phpunit, PhpunitConfig};
use crate::validation::testing::{concluded, printed};

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
    assert_snapshot!(all, @r#"
    failed: 2 findings
    lint.errors = 2
    Error vet a.go:7:2 unreachable code
    Error vet b.go:3:1 expected declaration
    passed: no findings
    output {"warnings":0,"errors":0}
    lint.errors = 0
    failed: 1 of 2 tests failed, 1 error: tiny.TestBreaks, tiny/broken
    tests.passed = 1
    tests.failed = 1
    tests.ignored = 1
    tests.errors = 1
    Error test-failed tiny.TestBreaks: a_test.go:9: got 2
    Error test-failed tiny/broken: the package could not be built or tested
    passed: no tests ran
    output {"tests":{"passed":0,"failed":0,"ignored":0,"errors":0,"measured":0,"filtered":0}}
    tests.passed = 0
    tests.failed = 0
    tests.ignored = 0
    Warning no-tests no tests ran
    "#);
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
    assert_snapshot!(all, @r#"
    passed: 3 tests passed
    output {"tests":{"passed":3,"failed":0,"ignored":0,"errors":0,"measured":0,"filtered":0}}
    tests.passed = 3
    tests.failed = 0
    tests.ignored = 0
    failed: 1 of 2 tests failed: App\FooTest::testBar
    tests.passed = 1
    tests.failed = 1
    tests.ignored = 1
    Error test-failed App\FooTest::testBar
    passed: no tests ran
    output {"tests":{"passed":0,"failed":0,"ignored":0,"errors":0,"measured":0,"filtered":0}}
    tests.passed = 0
    tests.failed = 0
    tests.ignored = 0
    Warning no-tests no tests ran
    "#);
}
