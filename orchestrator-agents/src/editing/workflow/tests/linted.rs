//! The results under GitHub's published schema and a security linter. `check-jsonschema` and `zizmor` are Python packages,
//! so they are run where somebody names the folder of their programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::editing::config_edit::edited::Edited;

/// A folder with `check-jsonschema` and `zizmor`, such as the `bin` of a virtual environment.
const TOOLS: &str = "ORCHESTRATE_TEST_TOOLS";

#[test]
#[ignore = "needs check-jsonschema and zizmor: ORCHESTRATE_TEST_TOOLS names the folder of both"]
fn needs_workflow_linters_results_are_valid_and_have_no_new_findings() {
    let tools = PathBuf::from(std::env::var_os(TOOLS).unwrap_or_else(|| panic!("{TOOLS} is not set")));
    let folder = tempfile::tempdir().unwrap();
    let mut pairs = Vec::new();
    for case in super::cases::cases() {
        let before = super::fixture(case.fixture);
        let Ok(Edited::Changed { text, .. }) = case.apply(before) else {
            panic!("{} does not change", case.name)
        };
        let name = case.name.replace(' ', "-");
        let paths =
            [format!("{name}.before.yml"), format!("{name}.after.yml")].map(|name| folder.path().join(name));
        std::fs::write(&paths[0], before).unwrap();
        std::fs::write(&paths[1], text).unwrap();
        pairs.push(paths);
    }
    valid(&tools, &pairs);
    // `regular` is what projects run; the stricter ones are held to the same.
    for persona in ["regular", "pedantic", "auditor"] {
        for [before, after] in &pairs {
            let (was, is) = (findings(&tools, persona, before), findings(&tools, persona, after));
            let mut left = was.clone();
            let new: Vec<&String> = is
                .iter()
                .filter(|finding| {
                    left.iter().position(|left| left == *finding).map(|at| left.swap_remove(at)).is_none()
                })
                .collect();
            let text = std::fs::read_to_string(after).unwrap();
            assert!(new.is_empty(), "{persona}: {}: {new:#?}\n{text}", after.display());
        }
    }
}

fn valid(tools: &Path, pairs: &[[PathBuf; 2]]) {
    let mut command = Command::new(tools.join("check-jsonschema"));
    command.args(["--builtin-schema", "vendor.github-workflows"]).args(pairs.iter().flatten());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// What the linter says of a file: rule, severity and place by key.
fn findings(tools: &Path, persona: &str, file: &Path) -> Vec<String> {
    let mut command = Command::new(tools.join("zizmor"));
    command.args(["--offline", "--no-exit-codes", "--format", "json", "--persona", persona]).arg(file);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = found.as_array().unwrap().iter();
    found.map(|finding| format!("{} {}", finding["ident"], finding["determinations"]["severity"])).collect()
}
