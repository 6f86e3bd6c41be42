use orchestrator_core::agent::{Agent, Verdict};
use orchestrator_core::json::Json;
use orchestrator_core::order::Artifacts;
use orchestrator_core::testkit::{Kept, task};
use serde_json::{Value, json};

use super::{ended, said};
use crate::checkpoint::AllCriticalTested;
use crate::rig::Rig;
use crate::testing::shown;

const VITEST: &str = include_str!("../../../fixtures/coverage/vitest.report.json");
const PYTEST: &str = include_str!("../../../fixtures/coverage/pytest.rA.txt");

fn executable(rig: &Rig, path: &str, text: &str) {
    rig.write(path, text);
    std::fs::set_permissions(rig.root.join(path), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
}

fn of(files: &[(&str, &str)]) -> Value {
    let critical: Vec<Value> =
        files.iter().map(|(task, file)| json!({ "task": task, "test_file": file })).collect();
    json!({ "critical": critical })
}

/// What is concluded of a runner's output in `/home/ada/tiny`, where the files are these.
async fn concluded(rig: &Rig, config: Value, code: i32, stdout: &str) -> (String, String) {
    let mut task = task(serde_json::from_value(config).unwrap());
    let (look, mut kept) = (rig.look(), Kept::default());
    task.carried = AllCriticalTested.survey(&task, &look).await.unwrap();
    let actions = AllCriticalTested.plan(&task, &look).await.unwrap();
    let receipts = [kept.exited(code, stdout, "")];
    let said = match AllCriticalTested.conclude(&task, &receipts, &Artifacts::new(&kept)).unwrap() {
        Verdict::Passed(conclusion) => format!("passed: {}", conclusion.summary),
        Verdict::Failed(conclusion) => format!("failed: {}", conclusion.summary),
        Verdict::More { .. } | Verdict::Skipped(_) => panic!("it runs once and asks nobody"),
    };
    (shown(&actions), said)
}

#[tokio::test]
async fn vitest_runs_the_files_and_each_must_pass() {
    let rig = Rig::bare();
    executable(&rig, "node_modules/.bin/vitest", "");
    rig.write("src/price.test.ts", "it('x', () => {})\n");
    let config = of(&[("1.1", "src/price.test.ts"), ("1.2", "src/price.test.ts")]);
    let (shown, passed) = concluded(&rig, config.clone(), 0, VITEST).await;
    assert_eq!(
        shown,
        "run CARGO_TERM_COLOR=never CI=1 NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1 node_modules/.bin/vitest run --reporter=json \
         ./src/price.test.ts (goes on when it fails) [reads]\n"
    );
    assert_eq!(passed, "passed: 2 tests passed in 1 file for 2 critical tasks");
    for (from, to, why) in [
        (
            "\"status\":\"passed\",\"title\":\"members",
            "\"status\":\"failed\",\"title\":\"members",
            "task `1.1`, task `1.2`: 1 of 2 tests failed",
        ),
        ("/src/price.test.ts", "/src/other.test.ts", "not measured: the runner did not run it"),
        (
            "\"status\":\"passed\",\"message\":\"\"",
            "\"status\":\"failed\",\"message\":\"SyntaxError: x\"",
            "could not be run: SyntaxError: x",
        ),
    ] {
        let printed = VITEST.replace(from, to);
        assert_ne!(printed, VITEST);
        let (_, failed) = concluded(&rig, config.clone(), 1, &printed).await;
        assert!(failed.starts_with("failed: `src/price.test.ts`: ") && failed.contains(why), "{failed}");
    }
    let skipped = VITEST.replace("\"status\":\"passed\",\"title\"", "\"status\":\"skipped\",\"title\"");
    let (_, none) = concluded(&rig, config.clone(), 0, &skipped).await;
    assert!(none.contains("no test ran"), "{none}");
    // All is well by its report, and yet it failed.
    let (_, code) = concluded(&rig, config.clone(), 1, VITEST).await;
    assert!(code.starts_with("failed: ") && code.contains("ended with exit code 1"), "{code}");
    let (_, silent) = concluded(&rig, config, 0, "").await;
    assert!(silent.contains("not measured: the runner printed no report"), "{silent}");
}

#[tokio::test]
async fn pytest_runs_the_files_and_each_must_pass() {
    let rig = Rig::bare();
    executable(&rig, ".venv/bin/pytest", "");
    for file in ["tests/test_price.py", "tests/test_other.py"] {
        rig.write(file, "def test_x():\n    pass\n");
    }
    let (shown, passed) = concluded(&rig, of(&[("2.1", "tests/test_price.py")]), 0, PYTEST).await;
    assert!(
        shown.contains(".venv/bin/python -m pytest -p no:cacheprovider --color=no -rA ./tests/test_price.py"),
        "{shown}"
    );
    assert_eq!(passed, "passed: 2 tests passed in 1 file for 1 critical task");
    let (_, other) =
        concluded(&rig, of(&[("2.1", "tests/test_price.py"), ("2.2", "tests/test_other.py")]), 0, PYTEST)
            .await;
    assert!(other.starts_with("failed: `tests/test_other.py`: task `2.2`: no test ran"), "{other}");
    let broken = PYTEST.replace(
        "PASSED tests/test_price.py::test_members_pay_less",
        "FAILED tests/test_price.py::test_members_pay_less - assert 1",
    );
    let (_, failed) = concluded(&rig, of(&[("2.1", "tests/test_price.py")]), 1, &broken).await;
    assert!(failed.contains("1 of 2 tests failed"), "{failed}");
}

#[tokio::test]
async fn a_crate_is_tested_by_cargo() {
    let mut rig = Rig::bare();
    // Toolchains lie below the home of whoever runs this.
    rig.env.retain(|(name, _)| name != "HOME");
    let own = ["HOME", "RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN"];
    rig.env.extend(std::env::vars_os().filter(|(name, _)| own.iter().any(|own| name == own)));
    rig.write(
        "Cargo.toml",
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
    );
    rig.write("tests/sum.rs", "#[test]\nfn adds() {\n    assert_eq!(1 + 1, 2);\n}\n");
    let config = of(&[("3.1", "tests/sum.rs")]);
    let (shown, passed) = concluded(&rig, config.clone(), 0, "running 1 test\ntest adds ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n").await;
    assert!(shown.contains("cargo test --no-fail-fast --test sum"), "{shown}");
    assert_eq!(passed, "passed: 1 test passed in 1 file for 1 critical task");
    let (_, died) = concluded(&rig, config.clone(), 101, "running 1 test\n").await;
    // And by the real one.
    rig.write("src/lib.rs", "");
    let real = said(AllCriticalTested, config.clone(), &rig).await;
    assert_eq!(real, "passed: 1 test passed in 1 file for 1 critical task");
    rig.write("tests/sum.rs", "#[test]\nfn adds() {\n    assert_eq!(1 + 1, 3);\n}\n");
    let broken = said(AllCriticalTested, config.clone(), &rig).await;
    assert_eq!(broken, "failed: `tests/sum.rs`: task `3.1`: 1 of 1 test failed");
    assert!(died.contains("not built or did not come to their end"), "{died}");
    let (_, none) = concluded(&rig, config, 0, "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n").await;
    assert!(none.contains("no test ran"), "{none}");
}

#[tokio::test]
async fn what_is_not_there_is_not_tested() {
    let rig = Rig::bare();
    rig.write("a.test.ts", "// it('says nothing')\n/* test( */\nconst it = 1;\n");
    rig.write("b.test.ts", "  it(\"runs\", () => {});\n");
    rig.write("test_c.py", "def helper():\n    pass\n# def test_x\n");
    rig.write("d.go", "func TestX\n");
    rig.write("e.rs", "#[test]\nfn x() {}\n");
    for (file, why) in [
        ("none.test.ts", "`none.test.ts` of task `1` does not exist"),
        ("a.test.ts", "`a.test.ts` of task `1` has no test in it"),
        ("test_c.py", "has no test in it"),
        ("b.test.ts", "not measured: neither vitest nor jest is installed: run `npm install`"),
        ("d.go", "not measured: no runner is known"),
        ("e.rs", "not measured: there is no `Cargo.toml` above it"),
    ] {
        let failed = said(AllCriticalTested, of(&[("1", file)]), &rig).await;
        assert!(failed.starts_with("failed: ") && failed.contains(why), "{file}: {failed}");
    }
    let empty = said(AllCriticalTested, json!({ "critical": [] }), &rig).await;
    assert!(empty.starts_with("error: nothing is marked critical"), "{empty}");
    let unnamed =
        said(AllCriticalTested, json!({ "critical": [{ "task": "7", "target": "src/a.ts" }] }), &rig).await;
    assert!(unnamed.contains("task `7` names no `test_file`"), "{unnamed}");
    // A task whose target is itself a file of tests needs no other.
    let own =
        said(AllCriticalTested, json!({ "critical": [{ "task": "7", "target": "b.test.ts" }] }), &rig).await;
    assert!(own.contains("`b.test.ts` of task `7`"), "{own}");
}

/// A program in the place of vitest that really runs, from the folder of the package.
#[tokio::test]
async fn it_runs_where_the_package_is() {
    let rig = Rig::bare();
    let report = VITEST.replace("/home/ada/tiny", &format!("{}/web", rig.root.display()));
    rig.write("web/report.json", &report);
    executable(
        &rig,
        "web/node_modules/.bin/vitest",
        "#!/bin/sh\n[ \"$*\" = 'run --reporter=json ./src/price.test.ts' ] && cat report.json\n",
    );
    rig.write("web/src/price.test.ts", "test('x', () => {})\n");
    let Ok(Verdict::Passed(conclusion)) =
        ended(AllCriticalTested, of(&[("1", "web/src/price.test.ts")]), &rig).await
    else {
        panic!("it passes")
    };
    assert_eq!(conclusion.metrics[0].value.to_string(), "2");
    assert_eq!(conclusion.metrics[0].evidence.tool, "vitest");
    assert!(!Json::of(&conclusion.output).unwrap().is_null());
}
