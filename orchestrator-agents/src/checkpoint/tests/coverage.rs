use std::time::{Duration, SystemTime};

use orchestrator_core::agent::{Agent, Verdict};
use orchestrator_core::path::Digest;
use orchestrator_core::testkit::task;
use serde_json::json;

use super::{ended, said};
use crate::checkpoint::{CoverageThreshold, PythonCoverage};
use crate::rig::Rig;
use crate::testing::shown;

const LCOV: &str = include_str!("../../../fixtures/coverage/vitest.lcov");
const COBERTURA: &str = include_str!("../../../fixtures/coverage/vitest.cobertura.xml");
const SUMMARY: &str = include_str!("../../../fixtures/coverage/vitest.coverage-summary.json");
const PYTHON: &str = include_str!("../../../fixtures/coverage/coverage_py.json");

/// Sets when a file was changed, in seconds before now.
fn age(rig: &Rig, path: &str, seconds: u64) {
    let file = std::fs::File::options().write(true).open(rig.root.join(path)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

/// A project whose sources are an hour old.
fn project() -> Rig {
    let rig = Rig::bare();
    rig.write("package.json", "{\"devDependencies\":{\"vitest\":\"3\"}}");
    for (path, text) in [("src/price.ts", "1"), ("src/never.ts", "2")] {
        rig.write(path, text);
        age(&rig, path, 3600);
    }
    rig
}

#[tokio::test]
async fn the_number_is_reached_or_not() {
    let rig = project();
    rig.write("coverage/lcov.info", LCOV);
    let Ok(Verdict::Passed(conclusion)) = ended(CoverageThreshold, json!({ "target": "50%" }), &rig).await
    else {
        panic!("8 of 16 are 50%");
    };
    assert!(
        conclusion
            .summary
            .starts_with("50% of lines covered (8 of 16), target 50%; from `coverage/lcov.info` (lcov, ")
    );
    let metrics: Vec<(String, f64)> =
        conclusion.metrics.iter().map(|metric| (metric.name.clone(), metric.value)).collect();
    assert_eq!(metrics[0], ("coverage.lines".to_owned(), 50.0));
    assert!(metrics.contains(&("coverage.functions.covered".to_owned(), 1.0)));
    assert!(
        conclusion.metrics.iter().all(|metric| metric.evidence.artifact == Some(Digest::of(LCOV.as_bytes())))
    );

    let Ok(Verdict::Failed(conclusion)) =
        ended(CoverageThreshold, json!({ "target": "50.000001" }), &rig).await
    else {
        panic!("nothing is rounded");
    };
    assert!(
        conclusion.summary.starts_with("50% of lines covered (8 of 16), 1 too few for the target 50.000001%")
    );
    assert_eq!(conclusion.findings[0].message, "5 of 13 lines not covered");
    assert_eq!(conclusion.findings[0].file.as_deref(), Some("src/price.ts"));
    let branches = said(CoverageThreshold, json!({ "target": 51, "metric": "branches" }), &rig).await;
    assert!(branches.starts_with("failed: 50% of branches covered (2 of 4), 1 too few"), "{branches}");
    let statements = said(CoverageThreshold, json!({ "target": 1, "metric": "statements" }), &rig).await;
    assert!(
        statements.starts_with("failed: statements are not measured: the report (lcov) does not count them"),
        "{statements}"
    );
}

#[tokio::test]
async fn each_format_is_found_at_its_usual_place() {
    for (place, text) in [
        ("coverage/cobertura-coverage.xml", COBERTURA),
        ("coverage/coverage-summary.json", SUMMARY),
        ("lcov.info", LCOV),
    ] {
        let rig = project();
        rig.write(place, &text.replace("/home/ada/tiny", rig.root.to_str().unwrap()));
        let said = said(CoverageThreshold, json!({ "target": 50 }), &rig).await;
        assert!(said.starts_with("passed: 50% of lines") && said.contains(place), "{said}");
    }
}

#[tokio::test]
async fn no_report_is_not_measured() {
    let rig = project();
    let none = said(CoverageThreshold, json!({ "target": 0 }), &rig).await;
    assert!(
        none.starts_with(
            "failed: lines are not measured: there is no coverage report; looked for coverage/lcov.info"
        ),
        "{none}"
    );
    assert!(none.ends_with("run `npx vitest run --coverage --coverage.reporter=lcov`"), "{none}");
    let named = said(CoverageThreshold, json!({ "target": 0, "file": "out/*.info" }), &rig).await;
    assert!(named.contains("there is no report at `out/*.info`"), "{named}");
    rig.write("coverage/lcov.info", "SF:src/price.ts\nend_of_record\n");
    let zero = said(CoverageThreshold, json!({ "target": 0 }), &rig).await;
    assert!(zero.starts_with("failed: lines are not measured: the report counts none at all"), "{zero}");
    rig.write("coverage/lcov.info", "SF:src/price.ts\nDA:1,1\n");
    let torn = said(CoverageThreshold, json!({ "target": 0 }), &rig).await;
    assert!(torn.contains("`coverage/lcov.info` cannot be counted: it ends inside a record"), "{torn}");
    let bad = said(CoverageThreshold, json!({ "target": "${COVERAGE}" }), &rig).await;
    assert!(bad.starts_with("error: `${COVERAGE}` is no percentage"), "{bad}");
}

#[tokio::test]
async fn a_report_that_tells_of_what_was_is_stale() {
    let rig = project();
    rig.write("coverage/lcov.info", LCOV);
    age(&rig, "coverage/lcov.info", 60);
    age(&rig, "src/never.ts", 30);
    let stale = said(CoverageThreshold, json!({ "target": 0 }), &rig).await;
    assert!(
        stale.contains("`coverage/lcov.info` is older than `src/never.ts`")
            && stale.contains("run `npx vitest"),
        "{stale}"
    );
    // What makes it anew is run first.
    let config = json!({ "target": 50, "command": ["touch", "coverage/lcov.info"], "effect": "reads" });
    let passed = said(CoverageThreshold, config, &rig).await;
    assert!(passed.starts_with("passed: 50%"), "{passed}");
    let config = json!({ "target": 0, "command": "echo broken >&2; exit 3" });
    let broken = said(CoverageThreshold, config, &rig).await;
    assert!(
        broken
            .starts_with("failed: lines are not measured: `echo broken >&2; exit 3` ended with exit code 3"),
        "{broken}"
    );
}

#[tokio::test]
async fn a_report_of_another_checkout_is_none() {
    let rig = project();
    rig.write("coverage/coverage-summary.json", SUMMARY);
    let other = said(CoverageThreshold, json!({ "target": 0 }), &rig).await;
    assert!(other.contains("is about no file of this checkout"), "{other}");
}

#[tokio::test]
async fn reports_of_packages_are_added_up_by_lines() {
    let rig = Rig::bare();
    for (package, covered) in [("a", 1), ("b", 2)] {
        rig.write(&format!("packages/{package}/package.json"), "{}");
        rig.write(&format!("packages/{package}/src/x.ts"), "x");
        age(&rig, &format!("packages/{package}/src/x.ts"), 3600);
        let lines: String = (1..=package.len() * 3)
            .map(|line| format!("DA:{line},{}\n", u8::from(line <= covered)))
            .collect();
        rig.write(
            &format!("packages/{package}/coverage/lcov.info"),
            &format!("SF:src/x.ts\n{lines}end_of_record\n"),
        );
    }
    rig.write(".gitignore", "coverage/\n");
    // 1 of 3 and 2 of 3: half of six, not the mean of two shares.
    let sum = said(CoverageThreshold, json!({ "target": 50 }), &rig).await;
    assert!(sum.starts_with("passed: 50% of lines covered (3 of 6)"), "{sum}");
    let glob =
        said(CoverageThreshold, json!({ "target": 50, "file": "packages/*/coverage/*.info" }), &rig).await;
    assert!(glob.starts_with("passed: 50% of lines covered (3 of 6)"), "{glob}");
    let Ok(Verdict::Passed(whole)) = ended(CoverageThreshold, json!({ "target": 50 }), &rig).await else {
        panic!()
    };
    let each: Vec<_> = whole.metrics.iter().filter(|metric| metric.name.contains(" of ")).collect();
    assert_eq!((each[0].value, each[1].value), (33.33, 66.66));
    assert!(each[0].evidence.artifact.is_some() && each[0].evidence.artifact != each[1].evidence.artifact);
    // Twice the same source would count twice.
    std::fs::copy(
        rig.root.join("packages/a/coverage/lcov.info"),
        rig.root.join("packages/a/coverage/again.info"),
    )
    .unwrap();
    let twice =
        said(CoverageThreshold, json!({ "target": 0, "file": "packages/*/coverage/*.info" }), &rig).await;
    assert!(twice.contains("`packages/a/src/x.ts` is in") && twice.contains("would count twice"), "{twice}");
}

#[tokio::test]
async fn what_is_no_file_or_too_large_is_refused() {
    let rig = project();
    rig.write("coverage/lcov.info/x", "");
    let folder = said(CoverageThreshold, json!({ "target": 0 }), &rig).await;
    assert!(folder.contains("`coverage/lcov.info` is no file"), "{folder}");
    rig.write("huge.info", "");
    std::fs::File::options()
        .write(true)
        .open(rig.root.join("huge.info"))
        .unwrap()
        .set_len((64 << 20) + 1)
        .unwrap();
    let huge = said(CoverageThreshold, json!({ "target": 0, "file": "huge.info" }), &rig).await;
    assert!(huge.contains("larger than 64 MiB"), "{huge}");
    let outside = said(CoverageThreshold, json!({ "target": 0, "file": "../lcov.info" }), &rig).await;
    assert!(outside.contains("leads out of the checkout"), "{outside}");
}

#[tokio::test]
async fn python_has_its_own_places_and_its_own_data() {
    let rig = Rig::bare();
    for path in ["app/__init__.py", "app/price.py"] {
        rig.write(path, "x = 1\n");
        age(&rig, path, 3600);
    }
    rig.write("coverage/lcov.info", LCOV);
    let none = said(PythonCoverage, json!({ "target": 0 }), &rig).await;
    assert!(none.contains("looked for coverage.xml") && none.contains("python3 -m coverage json"), "{none}");
    // The program is a stand-in for coverage.py's, which prints what it would write.
    rig.write(".coverage", "SQLite");
    rig.write("report.json", PYTHON);
    rig.write(".venv/bin/coverage", "#!/bin/sh\n[ \"$*\" = 'json -q -o -' ] && cat report.json\n");
    let program = rig.root.join(".venv/bin/coverage");
    std::fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let data = said(PythonCoverage, json!({ "target": "66.6" }), &rig).await;
    assert!(
        data.starts_with("passed: 66.66% of lines covered (6 of 9)")
            && data.contains("`.coverage` (coverage.py"),
        "{data}"
    );
    rig.write("coverage.json", PYTHON);
    let json = said(PythonCoverage, json!({ "target": 67 }), &rig).await;
    assert!(
        json.starts_with("failed: 66.66% of lines covered (6 of 9), 1 too few")
            && json.contains("`coverage.json`"),
        "{json}"
    );
}

/// The data of a project in a folder without a manifest, made by the command.
#[tokio::test]
async fn python_needs_no_manifest() {
    let rig = Rig::bare();
    rig.write("py/app/__init__.py", "");
    rig.write("py/app/price.py", "x = 1\n");
    rig.write("py/report.json", PYTHON);
    rig.write("py/.venv/bin/coverage", "#!/bin/sh\ncat report.json\n");
    let program = rig.root.join("py/.venv/bin/coverage");
    std::fs::set_permissions(program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let none = said(PythonCoverage, json!({ "target": 60, "command": "true" }), &rig).await;
    assert!(none.contains("there is no coverage report") && none.ends_with("run `true`"), "{none}");
    let made = said(PythonCoverage, json!({ "target": 60, "command": "touch py/.coverage" }), &rig).await;
    assert!(
        made.starts_with("passed: 66.66% of lines") && made.contains("`py/.coverage` (coverage.py"),
        "{made}"
    );
    rig.write("py/.venv/bin/coverage", "#!/bin/sh\necho 'no data to report' >&2; exit 1\n");
    let broken = said(PythonCoverage, json!({ "target": 60 }), &rig).await;
    assert!(broken.contains("made no report of `py/.coverage`: no data to report"), "{broken}");
}

#[tokio::test]
async fn what_is_run_and_read_is_shown() {
    let rig = project();
    let config = json!({ "target": 80, "command": "npm run coverage", "file": "coverage/lcov.info" });
    let task = task(serde_json::from_value(config).unwrap());
    let actions = CoverageThreshold.plan(&task, &rig.look()).await.unwrap();
    assert_eq!(
        shown(&actions),
        "run npm run coverage (keeps coverage/lcov.info) [writes]\n\
         call measure-coverage {\"file\":\"coverage/lcov.info\",\"metric\":\"lines\"} [reads]\n"
    );
}
