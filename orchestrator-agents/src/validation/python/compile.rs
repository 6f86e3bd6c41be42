//! `python-compile`: does every Python file parse? Compiled in memory, so that no `__pycache__` is left behind.

use orchestrator_core::BoxError;
use orchestrator_core::action::Content;
use orchestrator_core::agent::{Conclusion, Dependencies, Verdict};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::validation::config::tool_config;
use crate::validation::ran::Ran;
use crate::validation::text;
use crate::validation::tool::{Tool, Wants};

/// Reads file names from standard input; prints a JSON line for each that does not compile, and last the count.
const SCRIPT: &str = r#"import json, sys
bad = n = 0
for name in filter(None, sys.stdin.buffer.read().decode("utf-8").split("\n")):
    n += 1
    try:
        with open(name, "rb") as file:
            compile(file.read(), name, "exec", dont_inherit=True)
    except Exception as error:
        bad += 1
        line, column = getattr(error, "lineno", None), getattr(error, "offset", None)
        message = getattr(error, "msg", None) or str(error)
        print(json.dumps({"file": name, "line": line, "column": column, "message": message}))
print(json.dumps({"checked": n}))
sys.exit(1 if bad else 0)
"#;

/// Folders of what was installed, where they are not ignored.
const NOT_OURS: [&str; 4] = [".venv", "venv", "site-packages", "node_modules"];

tool_config! {
    /// Config of `python-compile`.
    PythonCompileConfig {
        /// The interpreter: a program and its first arguments, such as `[uv, run, python]`.
        python: Vec<String> = super::python(),
    }
}

/// What `python-compile` gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Compiled {
    /// Files that compile.
    pub files: u64,
}

/// Compiles Python files in memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct PythonCompile;

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Checked { checked: u64 },
    Broken { file: String, line: Option<u32>, column: Option<u32>, message: String },
}

impl Tool for PythonCompile {
    const NAME: &'static str = "python-compile";
    const ABOUT: &'static str = "Compiles every Python file in memory, to find what does not parse";
    const TOOL: &'static str = "python compile";
    type Config = PythonCompileConfig;
    type Output = Compiled;

    fn wants(&self, config: &PythonCompileConfig) -> Wants {
        super::wants(&config.python)
    }

    fn depends_on(&self, config: &PythonCompileConfig) -> Option<Dependencies> {
        Some(super::depends_on(&self.wants(config).program, &config.cwd))
    }

    fn argv(&self, config: &PythonCompileConfig) -> Vec<String> {
        let mut argv = config.python.clone();
        argv.extend(["-X".into(), "utf8".into(), "-c".into(), SCRIPT.into()]);
        argv.extend_from_slice(&config.args);
        argv
    }

    /// Without the text of the script, which the journal has.
    fn shown(&self, config: &PythonCompileConfig) -> String {
        format!("{} -c 'compile(..)'", config.python.join(" "))
    }

    fn stdin(&self, config: &PythonCompileConfig, look: &Workspace) -> Result<Option<Content>, BoxError> {
        let within = format!("{}/", config.cwd);
        let files = look.files(&config.cwd);
        let python = files
            .iter()
            .map(RelPath::as_str)
            .filter(|file| file.rsplit_once('.').is_some_and(|(_, extension)| extension == "py"))
            .filter(|file| !file.split('/').any(|folder| NOT_OURS.contains(&folder)));
        let names: Vec<&str> = python.map(|file| file.strip_prefix(&within).unwrap_or(file)).collect();
        Ok(Some(Content::new(names.join("\n"))))
    }

    fn read(&self, _: &PythonCompileConfig, ran: &Ran<'_>) -> Verdict<Compiled> {
        let (mut checked, mut findings) = (None, Vec::new());
        for line in ran.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            match line {
                Line::Checked { checked: n } => checked = Some(n),
                Line::Broken { file, line, column, message } => {
                    let finding = Finding::new("syntax", Severity::Error, text::line(&message));
                    let mut finding = finding.at(ran.relative(&file), line);
                    finding.column = column;
                    findings.push(finding);
                }
            }
        }
        let Some(files) = checked else { return ran.failed(findings) };
        let broken = findings.len() as u64;
        if files == 0 && ran.ok() {
            let summary = "not run: there is no Python file".into();
            return Verdict::Passed(Conclusion { summary, ..Conclusion::default() });
        }
        let metrics = [ran.metric("syntax.files", files), ran.metric("syntax.errors", broken)];
        if broken > 0 {
            let summary = format!("{broken} of {} do not compile", text::count(files, "file"));
            return Verdict::Failed(Conclusion::new(summary, ()).metrics(metrics).findings(findings));
        }
        if !ran.ok() {
            return ran.failed(findings);
        }
        let summary =
            if files == 1 { "1 file compiles".to_owned() } else { format!("{files} files compile") };
        Verdict::Passed(Conclusion::new(summary, Compiled { files }).metrics(metrics))
    }
}
