//! Findings, measured values and kept files: each with where it comes from.

use maud::{Markup, html};
use orchestrator_core::evidence::{Finding, Severity};

use crate::measured::Measured;
use crate::summary::{ArtifactFigure, FindingSummary, MetricSummary, Summary, TaskStatus, TaskSummary};
use crate::theme::{self, Links, format};

/// The most findings that are listed.
const FINDINGS: usize = 500;
/// The most measured values that are listed.
const METRICS: usize = 1000;
/// The most files that are listed.
const ARTIFACTS: usize = 300;
/// The most tasks named as not run.
const NOT_RUN: usize = 50;

pub(super) fn findings(summary: &Summary) -> Markup {
    let count = |severity| summary.findings.iter().filter(|one| one.finding.severity == severity).count();
    let about = html! {
        @if !summary.findings.is_empty() {
            p {
                (format::plural(count(Severity::Error), "error")) ", "
                (format::plural(count(Severity::Warning), "warning")) ", "
                (format::plural(count(Severity::Note), "note")) "."
            }
        }
        (not_run(summary))
    };
    let rows = html! { @for one in summary.findings.iter().take(FINDINGS) { (finding(one)) } };
    let body = html! {
        @if summary.findings.is_empty() {
            p class="none" { "No task that ran reported a finding. That says nothing of checks that did not run." }
        } @else {
            (theme::table("Findings", &["Severity", "Message", "Place", "Rule", "Task"], &rows))
            (theme::left_out(FINDINGS, summary.findings.len(), "finding"))
        }
    };
    theme::section("findings", "Findings", &about, &body)
}

fn finding(one: &FindingSummary) -> Markup {
    let Finding { rule, severity, message, file, line, column } = &one.finding;
    let (tone, word) = match severity {
        Severity::Error => ("s-failed", "error"),
        Severity::Warning => ("s-waiting", "warning"),
        Severity::Note => ("s-running", "note"),
    };
    html! {
        tr {
            td { span class=(format!("badge {tone}")) { (word) } }
            td class="text" { (format::clip(message, 400)) }
            td {
                @match file {
                    Some(file) => code {
                        (format::clip(file, 160))
                        @if let Some(line) = line { ":" (line) @if let Some(column) = column { ":" (column) } }
                    },
                    None => span class="nm" { "no place" },
                }
            }
            td { code { (format::clip(rule, 120)) } }
            td { a href=(format!("#t-{}", one.task)) { (one.task) } " " (record(&one.record)) }
        }
    }
}

fn record(n: &Measured<u64>) -> Markup {
    theme::measured_short(n, |n| html! { small title=(format!("record {n} of the journal")) { "#" (n) } })
}

/// Tasks that did not run, or are not over.
fn missing(summary: &Summary) -> Vec<&TaskSummary> {
    let ran = |task: &TaskSummary| {
        matches!(task.status, TaskStatus::Passed | TaskStatus::Cached | TaskStatus::Failed)
    };
    summary.tasks().filter(|task| !ran(task)).collect()
}

/// Says that what these tasks would have measured is not known.
fn unknown(summary: &Summary) -> Markup {
    let missing = missing(summary).len();
    html! {
        @if missing > 0 {
            p {
                "Not measured: whatever " a href="#not-run" { (format::plural(missing, "task")) }
                " that did not run would have measured."
            }
        }
    }
}

/// The same for findings, with the tasks and the reasons.
fn not_run(summary: &Summary) -> Markup {
    let missing = missing(summary);
    html! {
        @if !missing.is_empty() {
            details class="not-run" id="not-run" {
                summary { (format::plural(missing.len(), "task")) " not run, or not over: nothing is known of what they check and measure" }
                ul {
                    @for task in missing.iter().take(NOT_RUN) {
                        li {
                            a href=(format!("#t-{}", task.id)) { (task.id) } ": " (task.status)
                            @if let Some(why) = &task.reason { " (" (format::clip(why, 200)) ")" }
                        }
                    }
                }
                (theme::left_out(NOT_RUN, missing.len(), "task"))
            }
        }
    }
}

pub(super) fn metrics(summary: &Summary, links: Links<'_>) -> Markup {
    if summary.metrics.is_empty() {
        let none = html! { p class="none" { "No task gave a measured value." } };
        return theme::section("figures", "Figures and their evidence", &unknown(summary), &none);
    }
    let heads = ["Figure", "Value", "Tool", "Command", "Evidence", "Task"];
    let rows = html! { @for one in summary.metrics.iter().take(METRICS) { (metric(one, links)) } };
    let body = html! {
        (theme::table("Figures and their evidence", &heads, &rows))
        (theme::left_out(METRICS, summary.metrics.len(), "figure"))
    };
    let about = html! {
        p { "Every figure names its source: tool, command, kept output and record of the journal. A part that is not known says why." }
        (unknown(summary))
    };
    theme::section("figures", "Figures and their evidence", &about, &body)
}

fn metric(one: &MetricSummary, links: Links<'_>) -> Markup {
    let evidence = &one.evidence;
    let exact = |value: &f64| format!("{value} {}", one.unit);
    html! {
        tr {
            th scope="row" { (format::clip(&one.name, 120)) }
            td class="n value" {
                (theme::measured(&one.value, |value| html! {
                    span title=(exact(value)) { (format::quantity(*value, &format::clip(&one.unit, 40))) }
                }))
            }
            td {
                (format::clip(&evidence.tool, 120)) " "
                (theme::or_why(&evidence.version, |version| html! { small { (format::clip(version, 120)) } }))
            }
            td class="what" { (theme::or_why(&evidence.command, |command| html! { code { (format::clip(command, 400)) } })) }
            td { (source(one, links)) }
            td { a href=(format!("#t-{}", one.task)) { (one.task) } " " (record(&evidence.record)) }
        }
    }
}

/// The kept output that a figure was read from.
fn source(one: &MetricSummary, links: Links<'_>) -> Markup {
    let evidence = &one.evidence;
    theme::or_why(&evidence.artifact, |digest| {
        let title = digest.to_string();
        html! {
            code {
                @match evidence.place.value() {
                    Some(place) => (links.to(place, &digest.short(), &title)),
                    None => span title=(title) { (digest.short()) },
                }
            }
        }
    })
}

pub(super) fn artifacts(summary: &Summary, links: Links<'_>) -> Markup {
    if summary.artifacts.is_empty() {
        return html! {};
    }
    let rows = html! { @for one in summary.artifacts.iter().take(ARTIFACTS) { (artifact(one, links)) } };
    let body = html! {
        (theme::table("Kept files", &["File", "Size", "Digest", "Task"], &rows))
        (theme::left_out(ARTIFACTS, summary.artifacts.len(), "file"))
    };
    theme::section("artifacts", "Kept files", &html! {}, &body)
}

fn artifact(one: &ArtifactFigure, links: Links<'_>) -> Markup {
    let file = &one.artifact;
    html! {
        tr {
            th scope="row" { (links.to(&file.place, &format::clip(&file.name, 200), file.place.as_str())) }
            td class="n" { span title=(format!("{} bytes", file.bytes)) { (format::bytes(file.bytes as f64)) } }
            td { code title=(file.digest) { (file.digest.short()) } }
            td { a href=(format!("#t-{}", one.task)) { (one.task) } }
        }
    }
}
