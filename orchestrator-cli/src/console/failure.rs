//! A failed task: why, what was found, its last lines, its log, and what to do next.

use std::fmt::Write as _;

use orchestrator_agents::backup::keep::is_housekeeping;
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::layout::Layout;
use orchestrator_core::order::Receipt;
use orchestrator_core::outcome::Outcome;
use orchestrator_core::plan::TaskIx;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::TaskState;

use super::paint::Paint;
use super::text::{clean, plural};
use crate::here::shown;

/// The most failed tasks that are told of in full.
const TASKS: usize = 10;
const FINDINGS: usize = 10;
const LINES: usize = 20;

/// All failed tasks.
pub(super) fn render(record: &RunRecord, layout: &Layout, paint: Paint) -> String {
    let failed: Vec<TaskIx> = failed(record).collect();
    let mut text = String::new();
    for ix in failed.iter().take(TASKS) {
        one(&mut text, record, *ix, layout, paint);
    }
    if failed.len() > TASKS {
        let more = plural(failed.len() - TASKS, "more task");
        let _ = writeln!(text, "\n{}", paint.bad(&format!("✗ {more} failed")));
    }
    text
}

/// The failed tasks.
pub(crate) fn failed(record: &RunRecord) -> impl Iterator<Item = TaskIx> {
    let tasks = record.state.tasks().iter().enumerate();
    tasks.filter(|(_, task)| task.outcome() == Some(Outcome::Failed)).map(|(at, _)| TaskIx(at as u32))
}

fn one(text: &mut String, record: &RunRecord, ix: TaskIx, layout: &Layout, paint: Paint) {
    let (planned, task, run) = (record.plan().task(ix), record.state.task(ix), &record.run);
    let receipt = last(task);
    let _ = writeln!(text, "\n{}", paint.bad(&format!("✗ {} failed", planned.id)));
    for line in why(task, receipt) {
        let _ = writeln!(text, "  {line}");
    }
    let findings = task.end.as_ref().and_then(|end| end.conclusion.as_ref());
    let findings = findings.map_or(&[][..], |conclusion| &conclusion.findings);
    for finding in findings.iter().take(FINDINGS) {
        let _ = writeln!(text, "    {}", remark(finding, paint));
    }
    if findings.len() > FINDINGS {
        let _ = writeln!(text, "    … and {}", plural(findings.len() - FINDINGS, "more finding"));
    }
    if let Some(receipt) = receipt {
        let tail = clean(&receipt.tail);
        let lines: Vec<&str> = tail.trim_end().lines().collect();
        for line in &lines[lines.len().saturating_sub(LINES)..] {
            let _ = writeln!(text, "  {} {line}", paint.dim("│"));
        }
        for log in [&receipt.stdout, &receipt.stderr].into_iter().flatten() {
            let _ = writeln!(text, "  log: {}", shown(&log.place.under(&layout.run_dir(run))));
        }
    }
    let _ = writeln!(text, "  all it printed: orchestrate logs {run} {}", planned.id);
    let pipeline = record.plan().pipeline();
    let again = match pipeline.strip_prefix("orchestrate ").filter(|_| is_housekeeping(pipeline)) {
        Some(command) => command.to_owned(),
        None => format!("run --failed {run}"),
    };
    let _ = writeln!(text, "  run it again: orchestrate {again}");
}

/// The receipt that made it fail, or else the last.
fn last(task: &TaskState) -> Option<&Receipt> {
    let receipts: Vec<&Receipt> = task.receipts().map(|(_, receipt)| receipt).collect();
    receipts.iter().rev().find(|receipt| !receipt.ok()).or(receipts.last()).copied()
}

fn why(task: &TaskState, receipt: Option<&Receipt>) -> Vec<String> {
    let mut lines = Vec::new();
    let end = task.end.as_ref();
    if let Some(said) = end.and_then(|end| end.conclusion.as_ref()).map(|conclusion| &conclusion.summary)
        && !said.is_empty()
    {
        lines.push(clean(said));
    }
    if let Some(failure) = end.and_then(|end| end.failure.as_ref()) {
        lines.push(clean(&failure.message));
        lines.extend(failure.causes.iter().map(|cause| format!("  because: {}", clean(cause))));
    }
    if let (true, Some(receipt)) = (lines.is_empty(), receipt) {
        lines.push(clean(&receipt.status.to_string()));
    }
    if task.attempt > 1 {
        lines.push(format!("after {}", plural(task.attempt as usize, "attempt")));
    }
    lines
}

fn remark(finding: &Finding, paint: Paint) -> String {
    let Finding { rule, severity, message, file, line, column } = finding;
    let mut place = file.clone().unwrap_or_default();
    for number in [line, column].into_iter().flatten() {
        let _ = write!(place, ":{number}");
    }
    let word = match severity {
        Severity::Error => paint.bad("error"),
        Severity::Warning => paint.warn("warning"),
        Severity::Note => paint.dim("note"),
    };
    let place = if place.is_empty() { place } else { format!("{}: ", clean(&place)) };
    format!("{place}{word} {}: {}", clean(rule), clean(message).replace('\n', " "))
}
