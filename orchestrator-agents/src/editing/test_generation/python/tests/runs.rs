//! Generated files under the real pytest: they pass, and they fail when the source is changed.

use std::path::PathBuf;
use std::process::Command;

use super::super::*;
use super::files::made;
use crate::rig::Rig;

const SOURCE: &str = include_str!("pricing.py");

/// A Python that has pytest: `ORCHESTRATE_TEST_PYTHON`, else that of the example.
fn python() -> PathBuf {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/roadmap/.venv/bin/python");
    std::env::var_os("ORCHESTRATE_TEST_PYTHON").map_or_else(|| PathBuf::from(example), PathBuf::from)
}

/// Whether pytest passes, and what it said.
fn passes(rig: &Rig) -> (bool, String) {
    let words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=.", "tests"];
    let python = python();
    let output =
        Command::new(&python).args(words).current_dir(&rig.root).env("PYTHONDONTWRITEBYTECODE", "1").output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn written(dependencies: &str) -> (Rig, Generated) {
    let rig = Rig::bare();
    rig.write("pyproject.toml", &format!("[project]\nname = \"app\"\ndependencies = [{dependencies}]\n"));
    rig.write("app/__init__.py", "");
    rig.write("app/pricing.py", SOURCE);
    let made = made(&rig, "app/pricing.py").unwrap();
    rig.write("tests/test_pricing.py", &made.text);
    (rig, made)
}

#[test]
#[ignore = "needs pytest"]
fn needs_pytest_generated_files_pass() {
    for dependencies in ["", "\"pytest-asyncio\"", "\"anyio\""] {
        let (rig, made) = written(dependencies);
        let (passed, said) = passes(&rig);
        assert!(passed, "{dependencies}: {said}\n{}", made.text);
        assert!(
            said.contains(&format!("{} passed", made.cases.len())) || dependencies.contains("anyio"),
            "{said}"
        );
    }
}

#[test]
#[ignore = "needs pytest"]
fn needs_pytest_changed_sources_fail() {
    let changes = [
        ("total < 0", "total <= 0"),
        ("total >= FREE_FROM", "total > FREE_FROM"),
        ("FREE_FROM = 50", "FREE_FROM = 51"),
        ("must not be negative", "must be positive"),
        ("country not in RATES", "country in RATES"),
        ("self.total * 0.9", "self.total * 0.8"),
        ("is Tier.GOLD", "is Tier.BASIC"),
        (".lower().replace", ".upper().replace"),
        ("len(values)", "(len(values) + 1)"),
        ("return 0.0", "return 1.0"),
        ("{n:03d}", "{n:04d}"),
        ("order is None", "order is not None"),
        ("self.count += 1", "self.count += 2"),
        ("body=text", "body=text + text"),
        ("return True", "return False"),
        ("\"8000\"", "\"8001\""),
        ("self.port < 1024", "self.port <= 1024"),
        ("== \"true\"", "!= \"true\""),
        ("\"https://\"", "\"http://\""),
        ("client.get(url)", "client.get(url + url)"),
        ("{field}: {why}", "{why}: {field}"),
        ("return order\n", "return None\n"),
    ];
    let (rig, _) = written("");
    for (from, to) in changes {
        assert_eq!(SOURCE.matches(from).count(), 1, "{from}");
        rig.write("app/pricing.py", &SOURCE.replace(from, to));
        let (passed, _) = passes(&rig);
        assert!(!passed, "no test saw that `{from}` became `{to}`");
    }
}
