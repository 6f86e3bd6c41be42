//! The whole task for Python, with a pytest that is a script, and with the real one.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::rounds::run;
use crate::rig::Rig;

const SOURCE: &str = "class Basket:\n    def __init__(self):\n        self.items = 0\n\n    def add(self, n: int) -> int:\n        \
                      if n < 1:\n            raise ValueError(\"nothing\")\n        self.items += n\n        return self.items\n\n\n\
                      def double(n: int) -> int:\n    return 2 * n\n";
const FILE: &str = "tests/test_basket.py";

/// A project whose Python is this script.
fn project(script: &str) -> Rig {
    let rig = Rig::bare();
    rig.write("pyproject.toml", "[project]\nname = \"shop\"\n");
    rig.write("shop/__init__.py", "");
    rig.write("shop/basket.py", SOURCE);
    python(&rig, "", script);
    rig
}

fn python(rig: &Rig, folder: &str, script: &str) {
    rig.write(&format!("{folder}.venv/bin/pytest"), "");
    let path = format!("{folder}.venv/bin/python");
    rig.write(&path, &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(rig.root.join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn basket() -> Value {
    json!({ "target": "shop/basket.py", "test_type": "unit", "templates": ["python"] })
}

#[test]
fn what_pytest_passes_is_kept_and_what_it_fails_is_left_out() {
    let rig = project(
        "if grep -q 'n_is_0(self)' tests/test_basket.py; then\n\
         echo 'FAILED tests/test_basket.py::TestBasket::test_add_raises_value_error_when_n_is_0 - Failed: DID NOT RAISE'\n\
         echo '1 failed, 3 passed in 0.01s'; exit 1; fi\necho '9 passed in 0.01s'",
    );
    let ended = run(&rig, basket()).unwrap();
    assert_eq!(ended.rounds.len(), 2, "{}\n{:?}", ended.summary(), ended.rounds[0]);
    let output = ended.output();
    assert!(output.ran);
    let last = output.needs_person.last().unwrap();
    let name = "TestBasket::test_add_raises_value_error_when_n_is_0";
    assert_eq!(
        (last.what.as_str(), last.why.as_str()),
        (name, "it did not pass when it was run: Failed: DID NOT RAISE")
    );
    let text = std::fs::read_to_string(rig.root.join(FILE)).unwrap();
    let comment = text.lines().last().unwrap();
    assert!(comment.starts_with("# did not pass, so it was left out: ") && comment.ends_with(name), "{text}");
    assert!(!text.contains("n_is_0(self)") && text.contains("    def test_add(self):\n"), "{text}");

    let again = run(&rig, basket()).unwrap();
    assert_eq!(again.rounds, [Vec::new()], "what did not pass is known: {}", again.summary());
    assert!(again.summary().starts_with("already so: "), "{}", again.summary());
}

#[test]
fn a_project_that_cannot_be_imported_keeps_nothing() {
    let rig =
        project("echo \"E   ModuleNotFoundError: No module named 'shop'\"; echo '1 error in 0.1s'; exit 2");
    let ended = run(&rig, basket()).unwrap();
    let expected = "`tests/test_basket.py` is not kept, so it was removed; pytest says: ModuleNotFoundError: No module named 'shop'";
    assert_eq!(ended.summary(), expected);
    assert!(!rig.root.join(FILE).exists());
}

#[test]
fn without_pytest_it_says_what_to_install() {
    let rig = project("exit 1");
    std::fs::remove_file(rig.root.join(".venv/bin/pytest")).unwrap();
    let ended = run(&rig, basket()).unwrap();
    let said = "not run: pytest is not installed in the project; install it in its `.venv` and run `tests/test_basket.py`";
    assert!(ended.summary().contains(said) || ended.summary().contains("pytest"), "{}", ended.summary());
    assert!(rig.root.join(FILE).exists() == ended.verdict.is_ok());
}

#[test]
fn the_project_s_formatter_has_the_last_word() {
    let rig = project("echo '9 passed in 0.01s'");
    rig.write("pyproject.toml", "[project]\nname = \"shop\"\n\n[tool.black]\nline-length = 100\n");
    rig.write(".venv/bin/black", "#!/bin/sh\nsed \"s/^# formatted$//; s/\\\"\\\"\\\"/'''/g\"\n");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(rig.root.join(".venv/bin/black"), mode).unwrap();
    let ended = run(&rig, basket()).unwrap();
    assert!(ended.output().ran, "{}", ended.summary());
    let text = std::fs::read_to_string(rig.root.join(FILE)).unwrap();
    assert!(text.starts_with("'''Tests of `shop.basket`, from what its source says.'''\n"), "{text}");
    let again = run(&rig, basket()).unwrap();
    assert!(again.summary().starts_with("already so: "), "{}", again.summary());
}

/// The modules of the example, each under the real pytest: what is generated passes at once.
#[test]
#[ignore = "needs pytest"]
fn needs_pytest_every_module_of_the_example() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/roadmap/analytics");
    let real = std::env::var("ORCHESTRATE_TEST_PYTHON")
        .unwrap_or_else(|_| example.join("../.venv/bin/python").display().to_string());
    let rig = Rig::bare();
    rig.write("analytics/pyproject.toml", &std::fs::read_to_string(example.join("pyproject.toml")).unwrap());
    let mut modules = Vec::new();
    for entry in std::fs::read_dir(example.join("wellbeing")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(stem) = name.strip_suffix(".py") {
            let text = std::fs::read_to_string(example.join("wellbeing").join(&name)).unwrap();
            rig.write(&format!("analytics/wellbeing/{name}"), &text);
            modules.extend((stem != "__init__").then(|| stem.to_owned()));
        }
    }
    python(&rig, "analytics/", &format!("exec {real} \"$@\""));
    modules.sort();
    assert!(modules.len() > 5, "{modules:?}");
    for module in modules {
        let config = json!({
            "target": format!("analytics/wellbeing/{module}.py"),
            "test_file": format!("analytics/tests/test_{module}_cases.py"),
        });
        let ended = run(&rig, config.clone()).unwrap();
        println!("{}", ended.summary());
        if let Err(failed) = &ended.verdict {
            failed.findings.iter().for_each(|finding| println!("  {:?} {}", finding.line, finding.message));
            assert_eq!(module, "cli", "it only passes on what comes from elsewhere: {}", ended.summary());
            continue;
        }
        let output = ended.output();
        for person in &output.needs_person {
            println!("  {} {}: {}", person.what, person.line, person.why);
        }
        assert!(output.ran && !output.cases.is_empty(), "{}", ended.summary());
        assert_eq!(ended.rounds.len(), 1, "{module}: no case is taken out");
        assert!(run(&rig, config).unwrap().summary().starts_with("already so: "));
    }
}
