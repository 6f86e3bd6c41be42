use insta::assert_snapshot;
use orchestrator_core::order::Status;
use orchestrator_core::settings::Remedies;

use crate::validation::cargo::{
    CargoBuild, CargoBuildConfig, CargoClippy, CargoClippyConfig, CargoFmt, CargoFmtConfig, CargoTest,
    CargoTestConfig,
};
use crate::validation::testing::{Printed, concluded, fixture, look, planned, printed};

#[test]
fn plans() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Cargo.lock"), "").unwrap();
    let look = look(folder.path());
    let cwd = orchestrator_core::path::RelPath::new("web").unwrap();
    let test = CargoTestConfig { cwd, args: vec!["--".into(), "a b".into()], ..Default::default() };
    let mut all = planned(CargoFmt, CargoFmtConfig::default(), &look);
    all += &planned(CargoClippy, CargoClippyConfig::default(), &look);
    all += &planned(CargoBuild, CargoBuildConfig { profile: "release".into(), ..Default::default() }, &look);
    all += &planned(CargoTest, test, &look);
    assert_snapshot!(all, @r"
    run pwd -P (goes on when it fails) [reads]
    run CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never NO_COLOR=1 cargo fmt --all --check [reads]
    run CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never NO_COLOR=1 cargo clippy --all-targets --workspace --message-format=json [reads]
    run pwd -P (goes on when it fails) [reads]
    run CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never NO_COLOR=1 cargo build --profile release --workspace --message-format=json [reads]
    run CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never NO_COLOR=1 cargo test --no-fail-fast --workspace --message-format=json -- 'a b' (in web) [reads]
    ");
}

#[test]
fn without_a_lock_file_cargo_writes_one() {
    let folder = tempfile::tempdir().unwrap();
    let build = planned(CargoBuild, CargoBuildConfig::default(), &look(folder.path()));
    assert!(build.trim_end().ends_with("[writes]"), "{build}");
    let fmt = planned(CargoFmt, CargoFmtConfig::default(), &look(folder.path()));
    assert!(fmt.trim_end().ends_with("[reads]"), "{fmt}");
}

#[test]
fn tests_failed() {
    let text = concluded(
        CargoTest,
        CargoTestConfig::default(),
        fixture!(101, "cargo_test_failed.out", "cargo_test_failed.err"),
    );
    assert_snapshot!(text, @r"
    failed: 1 of 5 tests failed: tests::breaks
    tests.passed = 4
    tests.failed = 1
    tests.ignored = 1
    Error test-failed src/lib.rs:29:None tests::breaks: assertion `left == right` failed: sums differ
    ");
}

#[test]
fn tests_passed_with_some_filtered() {
    let text = concluded(
        CargoTest,
        CargoTestConfig::default(),
        fixture!(0, "cargo_test_filtered.out", "cargo_test_filtered.err"),
    );
    assert_snapshot!(text, @r#"
    passed: 1 test passed, 5 filtered out
    output {"tests":{"passed":1,"failed":0,"ignored":0,"errors":0,"measured":0,"filtered":5}}
    tests.passed = 1
    tests.failed = 0
    tests.ignored = 0
    tests.filtered = 5
    "#);
}

#[test]
fn no_tests_are_never_passed_tests() {
    let printed = || fixture!(0, "cargo_test_none.out", "cargo_test_none.err");
    assert_snapshot!(concluded(CargoTest, CargoTestConfig::default(), printed()), @r#"
    passed: no tests ran
    output {"tests":{"passed":0,"failed":0,"ignored":0,"errors":0,"measured":0,"filtered":0}}
    tests.passed = 0
    tests.failed = 0
    tests.ignored = 0
    Warning no-tests no tests ran
    "#);
    let required = CargoTestConfig { require_tests: true, ..Default::default() };
    assert_snapshot!(concluded(CargoTest, required, printed()), @r"
    failed: no tests ran
    tests.passed = 0
    tests.failed = 0
    tests.ignored = 0
    Warning no-tests no tests ran
    ");
}

#[test]
fn a_failed_build_is_no_failed_test() {
    let text = concluded(
        CargoTest,
        CargoTestConfig::default(),
        fixture!(101, "cargo_test_not_built.out", "cargo_test_not_built.err"),
    );
    assert_snapshot!(text, @r"
    failed: the build failed with 1 error: no test ran
    build.errors = 1
    Error E0308 src/lib.rs:2:5 mismatched types
    ");
}

#[test]
fn a_test_binary_that_dies_has_no_result() {
    let text = concluded(
        CargoTest,
        CargoTestConfig::default(),
        fixture!(101, "cargo_test_aborted.out", "cargo_test_aborted.err"),
    );
    assert_snapshot!(text, @"failed: 1 of 2 test binaries ended without a result (signal: 6, SIGABRT: process abort signal)");
}

#[test]
fn a_harness_of_its_own_is_not_counted() {
    let text = concluded(
        CargoTest,
        CargoTestConfig::default(),
        printed(0, "{\"reason\":\"build-finished\",\"success\":true}\nfine\n", ""),
    );
    assert_snapshot!(text, @r#"
    passed: counts not measured: no test harness said how many tests it ran
    output {"tests":null,"not_measured":"no test harness said how many tests it ran"}
    "#);
}

#[test]
fn other_ends() {
    let of = |status, stdout, stderr| {
        concluded(CargoTest, CargoTestConfig::default(), Printed { status, stdout, stderr })
    };
    let mut all = of(Status::TimedOut, b"running 3 tests\ntest a ... ok\n", b"");
    let built = b"{\"reason\":\"build-finished\",\"success\":true}\nrunning 3 tests\ntest a ... ok\n";
    all += &of(Status::TimedOut, built, b"");
    all += &of(Status::Signaled(9), b"", b"\xff\xfe broken");
    all += &of(Status::Exited(101), b"", b"\x1b[31merror\x1b[0m: could not find `Cargo.toml`\n");
    all += &of(
        Status::Exited(0),
        b"running 1 test\n\xff\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
        b"",
    );
    assert_snapshot!(all, @r#"
    failed: `cargo test --no-fail-fast --workspace --message-format=json` ran out of time
    failed: `cargo test --no-fail-fast --workspace --message-format=json` ran out of time
    failed: `cargo test --no-fail-fast --workspace --message-format=json` was ended by signal 9
    failed: `cargo test --no-fail-fast --workspace --message-format=json` ended with exit code 101: error: could not find `Cargo.toml`
    passed: 1 test passed
    output {"tests":{"passed":1,"failed":0,"ignored":0,"errors":0,"measured":0,"filtered":0}}
    tests.passed = 1
    tests.failed = 0
    tests.ignored = 0
    "#);
}

#[test]
fn lints() {
    let clippy = || fixture!(0, "cargo_clippy.out", "cargo_clippy.err");
    assert_snapshot!(concluded(CargoClippy, CargoClippyConfig::default(), clippy()), @r"
    failed: 2 warnings
    lint.warnings = 2
    lint.errors = 0
    Warning unused_variables src/main.rs:2:9 unused variable: `unused`
    Warning clippy::len_zero src/main.rs:4:8 length comparison to zero
    ");
    let lenient = CargoClippyConfig { deny_warnings: false, ..Default::default() };
    let text = concluded(CargoClippy, lenient.clone(), clippy());
    assert!(text.starts_with("passed: 2 warnings\noutput {\"warnings\":2,\"errors\":0}\n"), "{text}");
    let whole = clippy().stdout;
    let cut = Printed { stdout: &whole[..whole.len() / 2], ..clippy() };
    let text = concluded(CargoClippy, lenient, cut);
    assert!(text.starts_with("failed: ") && text.contains("not whole: not linted"), "{text}");
}

#[test]
fn builds() {
    let build = fixture!(0, "cargo_build.out", "cargo_build.err");
    assert_snapshot!(concluded(CargoBuild, CargoBuildConfig::default(), build), @r#"
    passed: 1 program built, 1 warning
    output {"executables":[{"name":"tiny","path":"target/debug/tiny"}],"programs":{"tiny":"target/debug/tiny"},"profile":"dev","warnings":1}
    build.executables = 1
    build.warnings = 1
    Warning unused_variables src/main.rs:2:9 unused variable: `unused`
    "#);
    let failed = fixture!(101, "cargo_build_failed.out", "cargo_build_failed.err");
    assert_snapshot!(concluded(CargoBuild, CargoBuildConfig::default(), failed), @r"
    failed: the build failed with 1 error
    build.errors = 1
    build.warnings = 0
    Error E0308 src/lib.rs:2:5 mismatched types
    ");
}

#[test]
fn formats() {
    let off = CargoFmtConfig { remedy: Remedies::Off, ..CargoFmtConfig::default() };
    let mut all = concluded(CargoFmt, off, fixture!(1, "cargo_fmt.out"));
    all += &concluded(CargoFmt, CargoFmtConfig::default(), printed(0, "", ""));
    let broken = Printed {
        stdout: b"",
        stderr: include_bytes!("../../../fixtures/cargo_fmt_syntax.err"),
        status: Status::Exited(1),
    };
    all += &concluded(CargoFmt, CargoFmtConfig::default(), broken);
    assert_snapshot!(all, @r#"
    failed: 1 file is not formatted: src/lib.rs (would help: `cargo fmt --all`)
    format.unformatted = 1
    Error rustfmt src/lib.rs:1:None not formatted
    Note remedy-not-performed not performed: remedies are off: format the sources (`cargo fmt --all`)
    passed: every file is formatted
    output {"unformatted":0}
    format.unformatted = 0
    failed: `cargo fmt --all --check` ended with exit code 1: error: this file contains an unclosed delimiter
    Error syntax src/lib.rs:1:14 this file contains an unclosed delimiter
    "#);
}
