//! The timeline: one bar for each task that was started, on a true time scale, drawn here and not in the browser.

use std::collections::HashSet;

use jiff::Timestamp;
use maud::{Markup, html};

use super::{axis, selection};
use crate::summary::{PhaseSummary, Summary, TaskSummary};
use crate::theme::{self, Tone, format};

/// The most bars.
const BARS: usize = 120;
/// Height of a row.
const ROW: usize = 26;
/// Height of the axis.
const AXIS: usize = 28;
/// The narrowest bar, in hundredths of the width: so that short tasks can be seen.
const NARROWEST: f64 = 0.25;

/// From where to where the axis goes.
#[derive(Clone, Copy)]
struct Scale {
    from: Timestamp,
    span: f64,
}

impl Scale {
    fn of(summary: &Summary) -> Option<Self> {
        let from = *summary.started.value()?;
        let to = *summary.ended.value().or(summary.last_record.value())?;
        Some(Self { from, span: since(from, to).max(1.0) })
    }

    /// The place of a time, in hundredths of the width.
    fn at(self, time: Timestamp) -> f64 {
        (since(self.from, time) * 100.0 / self.span).clamp(0.0, 100.0)
    }

    fn end(self) -> f64 {
        self.span
    }
}

fn since(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_microsecond() - from.as_microsecond()) as f64 / 1000.0
}

enum Row<'a> {
    Phase(&'a PhaseSummary),
    Task(&'a TaskSummary),
}

pub(super) fn section(summary: &Summary) -> Markup {
    let started: Vec<&TaskSummary> = summary.tasks().filter(|task| task.started.value().is_some()).collect();
    let never = summary.tasks().count() - started.len();
    let Some(scale) = Scale::of(summary).filter(|_| !started.is_empty()) else {
        let none = html! { p class="none" { "No task was started." } };
        return theme::section("timeline", "Timeline", &html! {}, &none);
    };
    let rows = rows(summary, &chosen(&started));
    let about = html! {
        p {
            (format::duration(scale.end())) " from the first record to the last. Bars include waits and retries; a mark shows where an attempt failed."
            @if never > 0 { " " (format::plural(never, "task")) " never started and " @if never == 1 { "has" } @else { "have" } " no bar." }
        }
    };
    let body = html! {
        div class="card timeline" {
            div class="names" style=(format!("padding-top:{AXIS}px")) {
                @for row in &rows {
                    @match row {
                        Row::Phase(phase) => { b title=(phase.title) { (format::clip(&phase.title, 40)) } }
                        Row::Task(task) => { a href=(format!("#t-{}", task.id)) { (task.id) } }
                    }
                }
            }
            (drawing(&rows, scale))
        }
        (theme::left_out(BARS, started.len(), "task"))
    };
    theme::section("timeline", "Timeline", &about, &body)
}

/// The tasks that get a bar: all, or else those people look for first and the longest.
fn chosen<'a>(started: &[&'a TaskSummary]) -> HashSet<&'a str> {
    let mut all = started.to_vec();
    let length = |task: &TaskSummary| task.duration_ms.value().copied().unwrap_or(f64::MAX);
    all.sort_by(|a, b| {
        let bad = |task: &TaskSummary| selection::rank(task).min(2);
        bad(a).cmp(&bad(b)).then(length(b).total_cmp(&length(a)))
    });
    all.into_iter().take(BARS).map(|task| task.id.as_str()).collect()
}

fn rows<'a>(summary: &'a Summary, chosen: &HashSet<&str>) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for phase in &summary.phases {
        let mut tasks: Vec<_> = phase.tasks().filter(|task| chosen.contains(task.id.as_str())).collect();
        tasks.sort_by_key(|task| task.started.value().copied());
        if !tasks.is_empty() {
            rows.push(Row::Phase(phase));
            rows.extend(tasks.into_iter().map(Row::Task));
        }
    }
    rows
}

fn drawing(rows: &[Row<'_>], scale: Scale) -> Markup {
    let height = AXIS + rows.len() * ROW + 6;
    let label = format!("Timeline of {} rows over {}", rows.len(), format::duration(scale.end()));
    html! {
        svg width="100%" height=(height) role="group" aria-label=(label) {
            @for (at, text, anchor) in axis::ticks(scale.end()) {
                line class="tick" x1=(pct(at)) x2=(pct(at)) y1=(AXIS - 6) y2=(height) {}
                text class="axis" x=(pct(at)) y=(AXIS - 12) text-anchor=(anchor) { (text) }
            }
            @for (n, row) in rows.iter().enumerate() {
                @let top = AXIS + n * ROW;
                @match row {
                    Row::Phase(phase) => { (span(phase, scale, top)) }
                    Row::Task(task) => { (bar(task, scale, top)) }
                }
            }
        }
    }
}

/// The time from the first start to the last end of a phase.
fn span(phase: &PhaseSummary, scale: Scale, top: usize) -> Markup {
    let Some(from) = phase.started.value().map(|at| scale.at(*at)) else { return html! {} };
    let to = phase.ended.value().map_or(100.0, |at| scale.at(*at));
    html! {
        rect class=(format!("span {}", phase.status.class())) x=(pct(from)) width=(pct((to - from).max(NARROWEST)))
            y=(top + ROW / 2 - 1) height="3" rx="1.5" {
            title { (phase.title) ": " (phase.status) }
        }
    }
}

fn bar(task: &TaskSummary, scale: Scale, top: usize) -> Markup {
    let Some(started) = task.started.value() else { return html! {} };
    let from = scale.at(*started).min(100.0 - NARROWEST);
    let to = task.ended.value().map_or(100.0, |at| scale.at(*at));
    let width = (to - from).max(NARROWEST);
    let took = task.duration_ms.value().map_or_else(|| task.status.to_string(), |ms| format::duration(*ms));
    let (x, dx, anchor) = label(from, from + width);
    html! {
        a href=(format!("#t-{}", task.id)) class=(task.status.class()) {
            title { (task.id) ": " (task.status) ", " (took) ", started after " (format::duration(since(scale.from, *started))) }
            rect class="hit" x="0" width="100%" y=(top) height=(ROW) {}
            rect class="task" x=(pct(from)) width=(pct(width)) y=(top + 5) height=(ROW - 10) rx="3" {}
            @for attempt in task.failed_attempts.iter().take(20) {
                line class="retry" x1=(pct(scale.at(attempt.ended))) x2=(pct(scale.at(attempt.ended))) y1=(top + 3) y2=(top + ROW - 3) {}
            }
            text x=(pct(x)) dx=(dx) y=(top + ROW / 2 + 4) text-anchor=(anchor) class=[(dx == 0).then_some("in")] { (took) }
        }
    }
}

/// Where the label of a bar goes: after it, before it, or into its middle.
fn label(from: f64, to: f64) -> (f64, i32, &'static str) {
    if to < 88.0 {
        (to, 6, "start")
    } else if from > 12.0 {
        (from, -6, "end")
    } else {
        (f64::midpoint(from, to), 0, "middle")
    }
}

fn pct(at: f64) -> String {
    format!("{at:.3}%")
}
