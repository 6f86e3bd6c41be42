use insta::assert_snapshot;

use super::Machine;
use crate::environment::{CheckTool, CheckToolConfig, Probing, ToolSeen, Version};

fn wants(tool: &str, minimum: Option<&str>, requires: Option<&str>) -> CheckToolConfig {
    CheckToolConfig {
        minimum: minimum.map(|text| Version::parse(text).unwrap()),
        requires: requires.map(str::to_owned),
        declared: requires.map(|_| "pyproject.toml".to_owned()),
        ..CheckToolConfig::new(tool)
    }
}

#[tokio::test]
async fn a_tool_that_is_too_old_fails_and_says_what_to_install() {
    let mut machine = Machine::bare();
    machine.program("python3", "echo 'Python 3.6.9'");
    let mut all = String::new();
    for config in [
        wants("python", None, None),
        wants("python", Some("3.6"), None),
        wants("python", Some("3.10"), None),
        wants("python", None, Some(">=3.9,<4")),
        wants("python", None, Some("whatever")),
        wants("python3", Some("3.8"), None),
    ] {
        all += &machine.check(Probing(CheckTool), config).await.text();
    }
    assert_snapshot!(all, @r#"
    passed: Python 3.6.9
    output {"program":"python3","version":"3.6.9"}
    passed: Python 3.6.9
    output {"program":"python3","version":"3.6.9"}
    failed: Python 3.6.9 is too old, 3.10 or later is wanted: install Python 3.10 or later: the package `python3` of the system, or `uv python install`; see https://www.python.org/downloads
    Error old-tool Python 3.6.9 is too old, 3.10 or later is wanted: install Python 3.10 or later: the package `python3` of the system, or `uv python install`; see https://www.python.org/downloads
    failed: Python 3.6.9 is not what pyproject.toml asks for, `>=3.9,<4`: install Python >=3.9,<4: the package `python3` of the system, or `uv python install`; see https://www.python.org/downloads
    Error wrong-tool Python 3.6.9 is not what pyproject.toml asks for, `>=3.9,<4`: install Python >=3.9,<4: the package `python3` of the system, or `uv python install`; see https://www.python.org/downloads
    passed: Python 3.6.9
    output {"program":"python3","version":"3.6.9"}
    Warning not-run not run: pyproject.toml asks for Python `whatever`, which is no range that is understood
    failed: python3 3.6.9 is too old, 3.8 or later is wanted: install python3 3.8 or later: the package `python3` of the system, or `uv python install`; see https://www.python.org/downloads
    Error old-tool python3 3.6.9 is too old, 3.8 or later is wanted: install python3 3.8 or later: the package `python3` of the system, or `uv python install`; see https://www.python.org/downloads
    "#);
}

#[tokio::test]
async fn what_is_missing_or_broken_is_said() {
    let mut machine = Machine::bare();
    machine.program("python3", "echo \"pyenv: python3: command not found\" >&2; exit 127");
    machine.program("python", "echo 'Python 2.7.18' >&2");
    machine.program("npm", "echo 'not a version'");
    machine.program("node", "kill -9 $$");
    machine.program("mytool", "echo 'mytool, built today'");
    let mut all = String::new();
    let own = CheckToolConfig { install: Some("`make tools`".into()), ..CheckToolConfig::new("other-tool") };
    for config in [
        wants("python", Some("3.8"), None),
        wants("npm", Some("10"), None),
        wants("node", None, None),
        wants("uv", Some("0.5"), None),
        wants("mytool", None, None),
        wants("mytool", Some("1"), None),
        own,
    ] {
        all += &machine.check(Probing(CheckTool), config).await.text();
    }
    let all = all.replace(&machine.bin().display().to_string(), "BIN");
    assert_snapshot!(all, @r#"
    failed: Python 2.7.18 is too old, 3.8 or later is wanted: install Python 3.8 or later: the package `python3` of the system, or `uv python install`; see https://www.python.org/downloads
    Error old-tool Python 2.7.18 is too old, 3.8 or later is wanted: install Python 3.8 or later: the package `python3` of the system, or `uv python install`; see https://www.python.org/downloads
    failed: npm does not say its version but `not a version`: install npm 10 or later: it comes with Node.js; a newer one: `npm install -g npm`
    Error unknown-version npm does not say its version but `not a version`: install npm 10 or later: it comes with Node.js; a newer one: `npm install -g npm`
    failed: Node.js is not installed, or does not run: install Node.js: see https://nodejs.org/en/download, or `nvm install`
    Error missing-tool Node.js is not installed, or does not run: install Node.js: see https://nodejs.org/en/download, or `nvm install` (`node --version` ended with exit code -1)
    failed: uv is not installed, or does not run: install uv 0.5 or later: see https://docs.astral.sh/uv/getting-started/installation; a newer one: `uv self update`
    Error missing-tool uv is not installed, or does not run: install uv 0.5 or later: see https://docs.astral.sh/uv/getting-started/installation; a newer one: `uv self update` (`uv --version` could not be run: `uv` was not found on PATH)
    passed: mytool is there
    output {"program":"BIN/mytool"}
    failed: mytool does not say its version but `mytool, built today`: install mytool 1 or later so that it is found on `PATH`
    Error unknown-version mytool does not say its version but `mytool, built today`: install mytool 1 or later so that it is found on `PATH`
    failed: other-tool is not installed: install other-tool: `make tools`
    Error missing-tool other-tool is not installed: install other-tool: `make tools`
    "#);
}

#[tokio::test]
async fn the_tools_of_this_machine_are_found() {
    let mut machine = Machine::new();
    for tool in ["git", "rustc", "cargo"] {
        let came = machine.check(Probing(CheckTool), wants(tool, Some("1.0"), None)).await.passes();
        assert_eq!(came.rounds.len(), 1);
        machine
            .check(Probing(CheckTool), wants(tool, Some("999"), None))
            .await
            .fails()
            .says(&["too old", "install"]);
    }
}

#[test]
fn a_name_is_no_flag_and_a_minimum_is_a_version() {
    use crate::environment::Probe;
    let actions = |tool: &str| CheckTool.actions(&CheckToolConfig::new(tool), &ToolSeen::default());
    assert!(actions("-c").is_err() && actions(" ").is_err());
    let config = serde_json::from_str::<CheckToolConfig>(r#"{"tool": "go", "minimum": 1.1}"#);
    assert!(config.unwrap_err().to_string().contains("expected a string"));
}
