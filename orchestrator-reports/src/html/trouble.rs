//! What people look for first: what failed, and what waits for them.

use maud::{Markup, html};
use orchestrator_core::effect::Effect;

use crate::summary::{ActionState, ActionSummary, RunVerdict, Summary, TaskStatus, TaskSummary};
use crate::theme::{self, Links, Tone, format};

/// The most cards.
const CARDS: usize = 20;

pub(super) fn section(summary: &Summary, links: Links<'_>) -> Markup {
    let bad = |task: &&TaskSummary| {
        matches!(task.status, TaskStatus::Failed | TaskStatus::Waiting) || unsure(summary, task)
    };
    let mut all: Vec<_> = summary.tasks().filter(bad).collect();
    all.sort_by_key(|task| task.forgiven);
    if all.is_empty() {
        return html! {};
    }
    let body = html! {
        @for task in all.iter().take(CARDS) { (card(summary, task, links)) }
        (theme::left_out(CARDS, all.len(), "task"))
    };
    theme::section("attention", "Needs attention", &html! {}, &body)
}

/// Whether nobody knows if it published: the run stopped, and the end of the action is not on record.
fn unsure(summary: &Summary, task: &TaskSummary) -> bool {
    let publishing =
        |action: &ActionSummary| action.state == ActionState::UnderWay && action.effect == Effect::Publishes;
    summary.verdict.status != RunVerdict::Running && task.actions.iter().any(publishing)
}

fn card(summary: &Summary, task: &TaskSummary, links: Links<'_>) -> Markup {
    html! {
        article class=(format!("card alert {}", if task.forgiven { TaskStatus::Skipped } else { task.status }.class())) {
            h3 {
                (theme::badge(task.status)) " " a href=(format!("#t-{}", task.id)) { (task.id) }
                @if task.forgiven { span class="tag" { "may fail" } }
                small { (task.agent) @if task.attempts > 1 { " · " (task.attempts) " attempts" } }
            }
            p { (format::clip(&task.line(), 1000)) }
            @if let Some(tail) = task.tail() {
                pre tabindex="0" { (format::last_lines(tail, 20, 4000)) }
            }
            p class="hint" {
                @for log in task.actions.iter().rev().find(|action| !action.logs.is_empty()).iter().flat_map(|action| &action.logs) {
                    "Whole " (links.to(&log.place, &log.name, &log.digest.to_string())) " (" (format::bytes(log.bytes as f64)) ") · "
                }
                @if unsure(summary, task) {
                    "Whether it went out is not known. Look, then: "
                    code { "orchestrate resume " (summary.run) " --assume done " (task.id) } " or " code { "not-done" }
                } @else if task.status == TaskStatus::Failed && summary.verdict.status.is_over() {
                    "Again: " code { "orchestrate run --failed " (summary.run) }
                } @else {
                    "Follow: " code { "orchestrate logs -f " (summary.run) " " (task.id) }
                }
            }
        }
    }
}
