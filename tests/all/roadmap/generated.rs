//! Generated tests through the whole program: a roadmap with one task for a Python module, run by a pytest that is a script.

use std::os::unix::fs::PermissionsExt;

use super::run;
use crate::support::Folder;

const ROADMAP: &str = "\
orchestrator: {name: small, settings: {retry_attempts: 0}}
phase_1:
  name: Only
  groups:
    group_a:
      tasks:
        - {id: '1.1', name: Fees, type: test_generation, target: shop/fees.py, language: python, test_type: unit, templates: [python], estimated_cases: 3}
";

const FEES: &str = "\
def fee(total: int) -> int:
    if total < 0:
        raise ValueError('a total is not negative')
    return 0 if total >= 50 else 5


def much() -> str:
    return 'x' * 10**9
";

#[test]
fn tests_of_python_are_written_run_and_kept() {
    let folder = Folder::with(ROADMAP);
    folder.write("pyproject.toml", "[project]\nname = \"shop\"\n");
    folder.write("shop/__init__.py", "");
    folder.write("shop/fees.py", FEES);
    folder.write(".venv/bin/pytest", "");
    let script =
        "#!/bin/sh\necho \"$@\" >> ran\necho \"$(grep -c 'def test_' tests/test_fees.py) passed in 0.01s\"\n";
    folder.write(".venv/bin/python", script);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path().join(".venv/bin/python"), mode).unwrap();

    folder.orchestrate("run --dry-run").exits(3).says(&["  1.1 (kept if they pass)\n", "+def test_"]);
    assert!(!folder.path().join("tests/test_fees.py").exists());
    let records = run(&folder, "", 0);
    let end = &records.ends()["1.1"]["conclusion"];
    let said = end["summary"].as_str().unwrap();
    assert!(said.contains("they pass under pytest") && said.contains("1 needs a person"), "{said}");
    let text = folder.read("tests/test_fees.py");
    for part in ["assert fee(50) == 0", "assert fee(49) == 5", "with pytest.raises(ValueError) as raised:"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("much"), "{text}");

    let again = run(&folder, "", 0);
    let end = &again.ends()["1.1"];
    let said = end["conclusion"]["summary"].as_str().unwrap_or_default();
    assert!(end["outcome"] == "cached" || said.starts_with("already so: "), "{end:#}");
    assert_eq!(folder.read("ran").lines().count(), 1, "it is not run again");
    assert_eq!(folder.read("tests/test_fees.py"), text);
}
