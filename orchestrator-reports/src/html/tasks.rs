//! Phases, groups and tasks; each task opens to its actions, attempts and logs.

use std::collections::HashSet;

use maud::{Markup, html};

use super::selection;
use crate::measured::Measured;
use crate::summary::{ActionState, ActionSummary, AttemptSummary, GroupSummary, PhaseStatus, PhaseSummary};
use crate::summary::{Summary, TaskStatus, TaskSummary};
use crate::theme::{self, Links, Tone, format};

/// The most tasks that get a row at all.
const ROWS: usize = 10_000;
/// The most actions of one attempt that are shown.
const ACTIONS: usize = 40;

struct Shown<'a> {
    full: HashSet<&'a str>,
    rows: HashSet<&'a str>,
    links: Links<'a>,
}

pub(super) fn section(summary: &Summary, links: Links<'_>) -> Markup {
    let full = selection::full(summary);
    let total = summary.tasks().count();
    let rows = summary.tasks().take(ROWS).map(|task| task.id.as_str()).chain(full.iter().copied()).collect();
    let about = html! {
        @if full.len() < total {
            p {
                "So many tasks: " (format::number(full.len() as f64)) " of them open to their actions, failed ones first; "
                "the actions of the others are in " code { "summary.json" } "."
            }
        }
    };
    let shown = Shown { full, rows, links };
    let body = html! { @for phase in &summary.phases { (self::phase(phase, &shown)) } };
    theme::section("tasks", "Phases and tasks", &about, &body)
}

fn phase(phase: &PhaseSummary, shown: &Shown<'_>) -> Markup {
    let quiet = matches!(phase.status, PhaseStatus::Passed | PhaseStatus::Skipped | PhaseStatus::NotRun);
    let open = !quiet || phase.tasks().count() <= 40;
    html! {
        details id=(format!("p-{}", phase.name)) class=(format!("phase {}", phase.status.class())) open[open] {
            summary {
                h3 { (format::clip(&phase.title, 120)) }
                (theme::badge(phase.status))
                span class="line" { @if let Some(why) = &phase.reason { (format::clip(why, 300)) } }
                span class="took" { (took(&phase.duration_ms)) }
            }
            @for group in &phase.groups { (self::group(group, phase.groups.len() > 1, shown)) }
            @if phase.groups.is_empty() { p class="none" { "No tasks were planned in this phase." } }
        }
    }
}

fn group(group: &GroupSummary, several: bool, shown: &Shown<'_>) -> Markup {
    let rows: Vec<_> = group.tasks.iter().filter(|task| shown.rows.contains(task.id.as_str())).collect();
    html! {
        div class="group" {
            h4 {
                @if group.checkpoint { "Checkpoint " } (group.name)
                @if several && group.status != PhaseStatus::Passed {
                    " " (theme::badge(group.status))
                    @if let Some(why) = &group.reason { small { (format::clip(why, 300)) } }
                }
            }
            @for task in &rows {
                @if shown.full.contains(task.id.as_str()) { (self::full(task, shown.links)) } @else { (brief(task)) }
            }
            (theme::left_out(rows.len(), group.tasks.len(), "task"))
        }
    }
}

/// The time that something took; the status beside it says why there is none.
fn took(ms: &Measured<f64>) -> Markup {
    match ms {
        Measured::Value(ms) => html! { (format::duration(*ms)) },
        Measured::Not { not_measured } => html! { abbr class="nm" title=(not_measured) { "no time" } },
    }
}

fn row(task: &TaskSummary, clip: usize) -> Markup {
    html! {
        (theme::badge(task.status))
        b { (task.id) }
        span class="line" { (format::clip(&task.line(), clip)) }
        span class="took" { (took(&task.duration_ms)) }
    }
}

fn brief(task: &TaskSummary) -> Markup {
    html! { div class="row" id=(format!("t-{}", task.id)) { (row(task, 80)) } }
}

fn full(task: &TaskSummary, links: Links<'_>) -> Markup {
    let open = task.status == TaskStatus::Failed && !task.forgiven;
    html! {
        details class="task" id=(format!("t-{}", task.id)) open[open] {
            summary { (row(task, 300)) }
            div class="body" {
                (facts(task))
                @if let Some(failure) = &task.failure {
                    @if !failure.causes.is_empty() {
                        ul class="causes" { @for cause in failure.causes.iter().take(20) { li { (format::clip(cause, 500)) } } }
                    }
                }
                @for attempt in &task.failed_attempts { (self::attempt(attempt, links)) }
                (actions(&task.actions, links))
            }
        }
    }
}

fn facts(task: &TaskSummary) -> Markup {
    let time = |at: &jiff::Timestamp| html! { time datetime=(at) { (format::time(*at)) } };
    html! {
        @if let Some(text) = &task.description { p class="description" { (format::clip(text, 500)) } }
        dl class="facts" {
            div { dt { "Agent" } dd { code { (task.agent) } } }
            div { dt { "Started" } dd { (theme::measured(&task.started, time)) } }
            div { dt { "Took" } dd { (theme::measured(&task.duration_ms, |ms| html! { (format::duration(*ms)) })) } }
            div { dt { "Attempts" } dd { (task.attempts) } }
            div { dt { "Record" } dd { (theme::measured(&task.record, |n| html! { "#" (n) })) } }
            @if let Some(run) = &task.from_run { div { dt { "Passed in" } dd { code { (run) } } } }
            @if task.forgiven { div { dt { "On error" } dd { "goes on" } } }
            @if let (Some(why), false) = (&task.reason, task.summary.is_empty()) {
                div { dt { "Note" } dd { (format::clip(why, 500)) } }
            }
        }
    }
}

fn attempt(attempt: &AttemptSummary, links: Links<'_>) -> Markup {
    html! {
        details class="attempt" {
            summary { "Attempt " (attempt.attempt) " failed: " (format::clip(&attempt.failure.to_string(), 300)) }
            (actions(&attempt.actions, links))
        }
    }
}

fn actions(all: &[ActionSummary], links: Links<'_>) -> Markup {
    if all.is_empty() {
        return html! { p class="none" { "No actions are on record." } };
    }
    let rows = html! { @for action in all.iter().take(ACTIONS) { (self::action(action, links)) } };
    html! {
        (theme::table("Actions", &["Action", "Effect", "Result", "Took", "CPU", "Logs"], &rows))
        (theme::left_out(ACTIONS, all.len(), "action"))
        @if let Some(tail) = all.iter().rev().map(|action| &action.tail).find(|tail| !tail.trim().is_empty()) {
            pre tabindex="0" { (format::last_lines(tail, 40, 3000)) }
        }
    }
}

fn action(action: &ActionSummary, links: Links<'_>) -> Markup {
    let tone = match action.state {
        ActionState::Done | ActionState::AlreadySo => "s-passed",
        ActionState::Failed => "s-failed",
        ActionState::UnderWay => "s-running",
        ActionState::Withheld => "s-withheld",
        ActionState::NotPerformed => "s-skipped",
    };
    html! {
        tr {
            td class="what" { (theme::action(&action.what, action.effect, 600)) }
            td { (action.effect) }
            td { span class=(format!("tone {tone}")) { (format::clip(&action.status, 300)) } }
            td class="n" { (theme::measured_short(&action.took_ms, |ms| html! { (format::duration(*ms)) })) }
            td class="n" { (theme::measured_short(&action.cpu_ms, |ms| html! { (format::duration(*ms as f64)) })) }
            td {
                @for log in &action.logs {
                    (links.to(&log.place, &log.name, &format!("{} bytes, digest {}", log.bytes, log.digest))) " "
                }
                @if action.logs.is_empty() { span class="nm" { @if action.took_ms.value().is_some() { "no output" } @else { "none" } } }
            }
        }
    }
}
