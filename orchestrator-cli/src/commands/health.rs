//! What the checks of a doctor came to.

use std::fmt::Write as _;

use orchestrator_agents::environment::NOT_RUN;
use orchestrator_core::agent::Conclusion;
use orchestrator_core::json::Json;
use orchestrator_core::outcome::Outcome;
use orchestrator_core::report::RunRecord;
use serde_json::{Value, json};

use crate::console::{clean, plural};
use crate::mended::remedies;

/// What the checks came to.
pub(super) struct Health {
    checks: usize,
    passed: usize,
    /// Task, and what is wrong.
    failed: Vec<(String, String)>,
    /// What was mended.
    mended: Vec<(String, String)>,
    /// What was not checked, and why.
    not_run: Vec<(String, String)>,
}

impl Health {
    pub(super) fn of(record: &RunRecord) -> Self {
        let mut health =
            Self { checks: 0, passed: 0, failed: Vec::new(), mended: Vec::new(), not_run: Vec::new() };
        for (planned, task) in record.plan().tasks().iter().zip(record.state.tasks()) {
            health.checks += 1;
            let id = || planned.id.to_string();
            let conclusion = task.end.as_ref().and_then(|end| end.conclusion.as_ref());
            let failure = task.end.as_ref().and_then(|end| end.failure.as_ref());
            let findings = conclusion.map_or(&[][..], |conclusion| &conclusion.findings);
            match task.outcome() {
                // A check that did not run says so and has no output: it has not passed.
                Some(outcome) if outcome.is_success() && is_not_run(conclusion) => {}
                Some(outcome) if outcome.is_success() => health.passed += 1,
                Some(Outcome::Failed) => {
                    let why = conclusion.map(|conclusion| conclusion.summary.clone());
                    let why = why.filter(|why| !why.is_empty()).or_else(|| failure.map(ToString::to_string));
                    health.failed.push((id(), why.unwrap_or_else(|| "failed".into())));
                }
                Some(outcome) => {
                    let why = task.reason().map_or_else(|| outcome.to_string(), |reason| reason.to_string());
                    health.not_run.push((id(), why));
                }
                None => health.not_run.push((id(), "it has not ended".into())),
            }
            health.mended.extend(
                remedies(findings)
                    .filter(|_| task.outcome() == Some(Outcome::Passed))
                    .map(|finding| (id(), finding.message.clone())),
            );
            let skipped = findings.iter().filter(|finding| finding.rule == NOT_RUN);
            health.not_run.extend(skipped.map(|finding| (id(), finding.message.clone())));
        }
        health
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let list = |list: &[(String, String)]| -> Vec<Value> {
            list.iter().map(|(task, message)| json!({ "task": task, "message": message })).collect()
        };
        json!({
            "checks": self.checks, "passed": self.passed, "failed": list(&self.failed),
            "mended": list(&self.mended), "not_run": list(&self.not_run),
        })
    }

    /// For people: what is wrong, what was mended, what is not known, and the count.
    pub(super) fn text(&self) -> String {
        let Self { checks, passed, failed, mended, not_run } = self;
        let mut text = String::new();
        for (title, list) in [("Wrong", failed), ("Mended", mended), ("Not checked", not_run)] {
            if !list.is_empty() {
                let _ = writeln!(text, "{title}:");
            }
            for (task, message) in list {
                let _ = writeln!(text, "  {task}: {}", clean(message).replace('\n', " "));
            }
        }
        let all = plural(*checks, "check");
        let _ = match failed.len() {
            0 if passed == checks => write!(text, "{all} passed."),
            0 => write!(text, "{passed} of {all} passed, none failed; the others were not run."),
            failed => {
                write!(text, "{failed} of {all} failed: this machine cannot run the pipeline as it is.")
            }
        };
        text
    }
}

fn is_not_run(conclusion: Option<&Conclusion<Json>>) -> bool {
    conclusion.is_some_and(|conclusion| {
        conclusion.output.is_none() && conclusion.findings.iter().any(|finding| finding.rule == NOT_RUN)
    })
}
