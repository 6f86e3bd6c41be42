//! The report `markdown`: a short summary for the job page of a CI system.

use std::fmt::Write as _;

use orchestrator_core::report::{Report, ReportError, ReportGenerator, RunRecord};

use crate::measured::Measured;
use crate::summary::{PhaseStatus, PhaseSummary, RunVerdict, Summary, TaskStatus, TaskSummary};
use crate::theme::format;
use crate::theme::text::visible;

/// Renders the summary as Markdown: `summary.md`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Markdown;

/// The most failed tasks that are shown with their last lines.
const FAILED: usize = 10;
/// The most lines of each.
const LINES: usize = 20;

impl Markdown {
    /// The file that it renders.
    pub const FILE: &'static str = "summary.md";
}

impl ReportGenerator for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn generate(&self, run: &RunRecord) -> Result<Report, ReportError> {
        let text = render(&Summary::of(run))
            .map_err(|error| ReportError { name: self.name().into(), source: error.into() })?;
        Ok(Report { files: vec![(Self::FILE.into(), visible(&text).into_owned().into_bytes())] })
    }
}

fn render(summary: &Summary) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let Summary { verdict, pipeline, run, .. } = summary;
    writeln!(out, "## {} {}: {}\n", mark(verdict.status), escape(pipeline), escape(&verdict.headline))?;
    let dry = if summary.dry_run { " (dry run)" } else { "" };
    writeln!(out, "Run `{run}` · ceiling {}{dry} · {}\n", summary.ceiling, took(&summary.duration_ms))?;
    writeln!(out, "| Phase | Status | Tasks | Time |\n|---|---|---|---:|")?;
    for phase in &summary.phases {
        row(&mut out, phase)?;
    }
    let failed: Vec<_> = summary.tasks().filter(|task| task.status == TaskStatus::Failed).collect();
    for task in failed.iter().take(FAILED) {
        failure(&mut out, task)?;
    }
    if failed.len() > FAILED {
        writeln!(out, "\n… and {}.", format::plural(failed.len() - FAILED, "more failed task"))?;
    }
    waiting(&mut out, summary)?;
    pending(&mut out, summary)?;
    let records = summary.records;
    let plan = summary.plan.short();
    writeln!(
        out,
        "\n<sub>Rendered from records {}–{} of run `{run}`, plan `{plan}`.</sub>",
        records.from, records.to
    )?;
    Ok(out)
}

fn row(out: &mut String, phase: &PhaseSummary) -> std::fmt::Result {
    let total = phase.tasks().count();
    let good =
        phase.tasks().filter(|task| matches!(task.status, TaskStatus::Passed | TaskStatus::Cached)).count();
    let why = phase.reason.as_ref().map_or_else(String::new, |why| format!(": {}", escape(why)));
    let (mark, title, time) = (phase_mark(phase.status), escape(&phase.title), took(&phase.duration_ms));
    writeln!(out, "| {title} | {mark} {}{why} | {good} of {total} passed | {time} |", phase.status)
}

fn failure(out: &mut String, task: &TaskSummary) -> std::fmt::Result {
    let forgiven = if task.forgiven { " (may fail)" } else { "" };
    writeln!(out, "\n### ❌ `{}`{forgiven}\n\n{}", task.id, escape(&format::clip(&task.line(), 500)))?;
    if let Some(tail) = task.tail() {
        let tail = format::last_lines(tail, LINES, 4000);
        let fence = fence(&tail);
        writeln!(out, "\n{fence}text\n{tail}\n{fence}")?;
    }
    for log in
        task.actions.iter().rev().filter(|action| !action.tail.is_empty()).take(1).flat_map(|a| &a.logs)
    {
        writeln!(out, "\nWhole {}: {}", escape(&log.name), escape(log.place.as_str()))?;
    }
    Ok(())
}

fn waiting(out: &mut String, summary: &Summary) -> std::fmt::Result {
    for task in summary.tasks().filter(|task| task.status == TaskStatus::Waiting).take(FAILED) {
        writeln!(out, "\n⏸️ `{}` {}", task.id, escape(&format::clip(&task.line(), 500)))?;
    }
    Ok(())
}

fn pending(out: &mut String, summary: &Summary) -> std::fmt::Result {
    let changes = summary.changes;
    if changes.withheld + changes.deferred == 0 {
        return Ok(());
    }
    let actions = format::plural(changes.withheld, "action");
    let tasks = format::plural(changes.deferred, "task");
    writeln!(out, "\nWithheld by the ceiling: {actions}; known only after something else is done: {tasks}.")
}

fn took(ms: &Measured<f64>) -> String {
    match ms {
        Measured::Value(ms) => escape(&format::duration(*ms)),
        Measured::Not { not_measured } => format!("not measured ({not_measured})"),
    }
}

fn mark(status: RunVerdict) -> &'static str {
    match status {
        RunVerdict::Passed => "✅",
        RunVerdict::Failed => "❌",
        RunVerdict::Cancelled => "🚫",
        RunVerdict::Waiting => "⏸️",
        RunVerdict::Unsure => "⚠️",
        RunVerdict::Running | RunVerdict::Interrupted | RunVerdict::NotStarted => "⏳",
    }
}

fn phase_mark(status: PhaseStatus) -> &'static str {
    match status {
        PhaseStatus::Passed => "✅",
        PhaseStatus::Failed => "❌",
        PhaseStatus::Skipped => "⏭️",
        PhaseStatus::Cancelled => "🚫",
        PhaseStatus::Withheld => "🔒",
        PhaseStatus::Running => "⏳",
        PhaseStatus::Waiting => "⏸️",
        PhaseStatus::NotRun => "▫️",
    }
}

/// Text on one line in which nothing is Markdown or HTML.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A fence longer than any in the text.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out() {
        assert_eq!(escape("a|b\n<img> `x` @all"), "a\\|b &lt;img&gt; \\`x\\` &#64;all");
        assert_eq!(fence("```` and ```"), "`````");
        assert_eq!(fence("plain"), "```");
    }
}
