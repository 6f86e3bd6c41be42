use insta::assert_snapshot;
use orchestrator_core::order::Status;

use crate::validation::cargo::{
    CargoBuild, CargoBuildConfig, CargoClippy, CargoClippyConfig, CargoFmt, CargoFmtConfig, CargoTest,
    CargoTestConfig,
};
use crate::validation::testing::{Printed, concluded, fixture, look, planned, printed};

#[test]
fn plans() {
    let look = look(std::path::Path::new("/"));
    let cwd = orchestrator_core::path::RelPath::new("web").unwrap();
    let test = CargoTestConfig { cwd, args: vec!["--".into(), "a b".into()], ..Default::default() };
    let mut all = planned(CargoFmt, CargoFmtConfig::default(), &look);
    all += &planned(CargoClippy, CargoClippyConfig::default(), &look);
    all += &planned(CargoBuild, CargoBuildConfig { profile: "release".into(), ..Default::default() }, &look);
    all += &planned(CargoTest, test, &look);
    assert_snapshot!(all, @"");
}

#[test]
fn tests_failed() {
    let text = concluded(
        CargoTest,
        CargoTestConfig::default(),
        fixture!(101, "cargo_test_failed.out", "cargo_test_failed.err"),
    );
    assert_snapshot!(text, @"");
}

#[test]
fn tests_passed_with_some_filtered() {
    let text = concluded(
        CargoTest,
        CargoTestConfig::default(),
        fixture!(0, "cargo_test_filtered.out", "cargo_test_filtered.err"),
    );
    assert_snapshot!(text, @"");
}

#[test]
fn no_tests_are_never_passed_tests() {
    let printed = || fixture!(0, "cargo_test_none.out", "cargo_test_none.err");
    assert_snapshot!(concluded(CargoTest, CargoTestConfig::default(), printed()), @"");
    let required = CargoTestConfig { require_tests: true, ..Default::default() };
    assert_snapshot!(concluded(CargoTest, required, printed()), @"");
}

#[test]
fn a_failed_build_is_no_failed_test() {
    let text = concluded(
        CargoTest,
        CargoTestConfig::default(),
        fixture!(101, "cargo_test_not_built.out", "cargo_test_not_built.err"),
    );
    assert_snapshot!(text, @"");
}

#[test]
fn a_test_binary_that_dies_has_no_result() {
    let text = concluded(
        CargoTest,
        CargoTestConfig::default(),
        fixture!(101, "cargo_test_aborted.out", "cargo_test_aborted.err"),
    );
    assert_snapshot!(text, @"");
}

#[test]
fn a_harness_of_its_own_is_not_counted() {
    let text = concluded(
        CargoTest,
        CargoTestConfig::default(),
        printed(0, "{\"reason\":\"build-finished\",\"success\":true}\nfine\n", ""),
    );
    assert_snapshot!(text, @"");
}

#[test]
fn other_ends() {
    let of = |status, stdout, stderr| {
        concluded(CargoTest, CargoTestConfig::default(), Printed { status, stdout, stderr })
    };
    let mut all = of(Status::TimedOut, b"running 3 tests\ntest a ... ok\n", b"");
    all += &of(Status::Signaled(9), b"", b"\xff\xfe broken");
    all += &of(Status::Exited(101), b"", b"\x1b[31merror\x1b[0m: could not find `Cargo.toml`\n");
    all += &of(
        Status::Exited(0),
        b"running 1 test\n\xff\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
        b"",
    );
    assert_snapshot!(all, @"");
}

#[test]
fn lints() {
    let clippy = || fixture!(0, "cargo_clippy.out", "cargo_clippy.err");
    assert_snapshot!(concluded(CargoClippy, CargoClippyConfig::default(), clippy()), @"");
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
    assert_snapshot!(concluded(CargoBuild, CargoBuildConfig::default(), build), @"");
    let failed = fixture!(101, "cargo_build_failed.out", "cargo_build_failed.err");
    assert_snapshot!(concluded(CargoBuild, CargoBuildConfig::default(), failed), @"");
}

#[test]
fn formats() {
    let mut all = concluded(CargoFmt, CargoFmtConfig::default(), fixture!(1, "cargo_fmt.out"));
    all += &concluded(CargoFmt, CargoFmtConfig::default(), printed(0, "", ""));
    let broken = Printed {
        stdout: b"",
        stderr: include_bytes!("../../../fixtures/cargo_fmt_syntax.err"),
        status: Status::Exited(1),
    };
    all += &concluded(CargoFmt, CargoFmtConfig::default(), broken);
    assert_snapshot!(all, @"");
}
