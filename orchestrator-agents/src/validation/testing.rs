//! For the tests of tools: captured outputs in, verdicts as text out.

use std::fmt::Write as _;

use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifacts, Receipt, Status};
use orchestrator_core::testkit::{Kept, task};
use orchestrator_core::workspace::Workspace;

use super::tool::{Check, Tool};
use crate::testing::{ready, shown};

/// What a tool printed, and how it ended.
pub(super) struct Printed<'a> {
    pub(super) status: Status,
    pub(super) stdout: &'a [u8],
    pub(super) stderr: &'a [u8],
}

/// A captured output, from `fixtures/`.
macro_rules! fixture {
    ($code:literal, $out:literal, $err:literal) => {
        $crate::validation::testing::Printed {
            status: orchestrator_core::order::Status::Exited($code),
            stdout: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/", $out)),
            stderr: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/", $err)),
        }
    };
    ($code:literal, $out:literal) => {
        $crate::validation::testing::Printed {
            status: orchestrator_core::order::Status::Exited($code),
            stdout: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/", $out)),
            stderr: b"",
        }
    };
}
pub(super) use fixture;

/// Output that was made up.
pub(super) fn printed<'a>(code: i32, stdout: &'a str, stderr: &'a str) -> Printed<'a> {
    Printed { status: Status::Exited(code), stdout: stdout.as_bytes(), stderr: stderr.as_bytes() }
}

/// The verdict of a tool on what it printed, run in `/home/ada/tiny`.
pub(super) fn verdict<T: Tool>(tool: T, config: T::Config, printed: Printed<'_>) -> Verdict<T::Output> {
    let mut kept = Kept::default();
    let Printed { status, stdout, stderr } = printed;
    let mut receipts = Vec::new();
    if T::PRINTS_ROOT {
        receipts.push(kept.exited(0, "/home/ada/tiny\n", ""));
    }
    let mut receipt = Receipt::new(status);
    receipt.stdout = (!stdout.is_empty()).then(|| kept.keep("stdout", stdout));
    receipt.stderr = (!stderr.is_empty()).then(|| kept.keep("stderr", stderr));
    receipts.push(receipt);
    let mut task = task(config);
    task.carried = Json::of(&serde_json::json!({ "version": "tool 1.2.3" })).unwrap();
    Check(tool).conclude(&task, &receipts, &Artifacts::new(&kept)).unwrap()
}

/// The same as text: what people see, then metrics and findings.
pub(super) fn concluded<T: Tool>(tool: T, config: T::Config, printed: Printed<'_>) -> String {
    let (word, summary, metrics, findings, output) = match verdict(tool, config, printed) {
        Verdict::Passed(c) => {
            let output = serde_json::to_string(&c.output).unwrap();
            ("passed", c.summary, c.metrics, c.findings, output)
        }
        Verdict::Failed(c) => ("failed", c.summary, c.metrics, c.findings, String::new()),
        Verdict::Skipped(_) | Verdict::More { .. } => panic!("a tool runs once"),
    };
    let mut text = format!("{word}: {summary}\n");
    if !output.is_empty() {
        writeln!(text, "output {output}").unwrap();
    }
    for metric in metrics {
        assert_eq!(metric.evidence.version.as_deref(), Some("tool 1.2.3"));
        assert!(metric.evidence.command.is_some());
        writeln!(text, "{} = {}", metric.name, metric.value).unwrap();
    }
    for f in findings {
        let place = f.file.map(|file| format!("{file}:{:?}:{:?} ", f.line, f.column));
        let place = place.unwrap_or_default().replace("Some(", "").replace(')', "");
        writeln!(text, "{:?} {} {place}{}", f.severity, f.rule, f.message).unwrap();
    }
    text
}

/// The actions that a tool plans where it is installed, one a line.
pub(super) fn planned<T: Tool>(tool: T, config: T::Config, look: &Workspace) -> String {
    let mut task: Task<T::Config> = task(config);
    task.carried = Json::of(&serde_json::json!({ "version": "tool 1.2.3" })).unwrap();
    let actions = ready(Check(tool).plan(&task, look)).unwrap();
    shown(&actions)
}

/// A look at a folder.
pub(super) fn look(root: &std::path::Path) -> Workspace {
    Workspace::new(root, "2026-11-20T23:44:33Z".parse().unwrap())
}
