//! What the run changed, and what it would have changed below a higher ceiling.

use maud::{Markup, html};
use orchestrator_core::action::{Action, Content};
use orchestrator_core::effect::Effect;
use orchestrator_core::path::RelPath;

use crate::summary::{ActionState, ActionSummary, Summary, TaskSummary, WithheldAction, WithheldSummary};
use crate::theme::{self, Links, format};

/// The most changes that are listed.
const MADE: usize = 300;
/// The most tasks with withheld actions that are listed.
const WITHHELD: usize = 300;
/// The most actions of one of them.
const ACTIONS: usize = 30;

/// Actions above `Reads` that were performed.
pub(super) fn made(summary: &Summary) -> Markup {
    let of = |task: &'_ TaskSummary| task.every_action().filter(|action| action.is_change()).count();
    let total: usize = summary.tasks().map(of).sum();
    if total == 0 {
        let why = if summary.dry_run {
            "Nothing: this is a dry run."
        } else {
            "No action that changes something is on record."
        };
        return theme::section("changes", "Changes made", &html! {}, &html! { p class="none" { (why) } });
    }
    let changes = summary.tasks().flat_map(|task| {
        task.every_action().filter(|action| action.is_change()).map(move |action| (task, action))
    });
    let (publishes, writes): (Vec<_>, Vec<_>) =
        changes.partition(|(_, action)| action.effect == Effect::Publishes);
    let about = html! {
        p {
            (format::plural(publishes.len(), "action")) " reached beyond this machine's checkout (publishes), "
            (format::plural(writes.len(), "action")) " wrote to checkout, local refs, state or backups."
        }
    };
    let rows = html! {
        @for (task, action) in publishes.iter().chain(&writes).take(MADE) { (change(task, action)) }
    };
    let body = html! {
        (theme::table("Changes made", &["Effect", "Action", "Result", "Took", "Task"], &rows))
        (theme::left_out(MADE, total, "change"))
    };
    theme::section("changes", "Changes made", &about, &body)
}

fn change(task: &TaskSummary, action: &ActionSummary) -> Markup {
    let tone = match action.state {
        ActionState::Failed => "s-failed",
        ActionState::UnderWay => "s-unsure",
        _ => "s-passed",
    };
    html! {
        tr {
            td { span class=(format!("effect {}", action.effect)) { (action.effect) } }
            td class="what" { (theme::action(&action.what, action.effect, 600)) }
            td { span class=(format!("tone {tone}")) { (format::clip(&action.status, 300)) } }
            td class="n" { (theme::measured_short(&action.took_ms, |ms| html! { (format::duration(*ms)) })) }
            td { a href=(format!("#t-{}", task.id)) { (task.id) } }
        }
    }
}

/// Actions above the ceiling: the very values that a real run performs.
pub(super) fn withheld(summary: &Summary, links: Links<'_>) -> Markup {
    if summary.withheld.is_empty() {
        return html! {};
    }
    let about = html! {
        p { "Not done, because it lies above the ceiling " b { (summary.ceiling) } ". A run with a higher ceiling performs exactly these actions." }
    };
    let body = html! {
        @for task in summary.withheld.iter().take(WITHHELD) { (of_task(task, links)) }
        (theme::left_out(WITHHELD, summary.withheld.len(), "task"))
    };
    theme::section("withheld", "Changes withheld", &about, &body)
}

fn of_task(task: &WithheldSummary, links: Links<'_>) -> Markup {
    html! {
        article class="card withheld" {
            h3 { a href=(format!("#t-{}", task.task)) { (task.task) } }
            @if let Some(why) = &task.deferred { p class="none" { (why) } }
            ul {
                @for action in task.actions.iter().take(ACTIONS) { (one(action, links)) }
            }
            (theme::left_out(ACTIONS, task.actions.len(), "action"))
        }
    }
}

fn one(withheld: &WithheldAction, links: Links<'_>) -> Markup {
    let content = match &withheld.action {
        Action::Write(write) => Some(&write.content),
        Action::Run(run) => run.stdin.as_ref(),
        Action::Remove(_) | Action::Call(_) | Action::Await(_) => None,
    };
    html! {
        li {
            span class=(format!("effect {}", withheld.effect)) { (withheld.effect) }
            (theme::action(&withheld.what, withheld.effect, 2000))
            @if let Some(content) = content { (self::content(content, links)) }
        }
    }
}

fn content(content: &Content, links: Links<'_>) -> Markup {
    match content {
        Content::Text(text) => html! {
            details { summary { "Content" } pre tabindex="0" { (format::clip(text, Content::INLINE)) } }
        },
        Content::Hex(_) => html! { small { "bytes that are no text" } },
        Content::Blob { digest, bytes } => {
            let size = format::bytes(*bytes as f64);
            let place = RelPath::new(format!("artifacts/{digest}"));
            html! {
                @match place {
                    Ok(place) => small { (links.to(&place, &format!("content ({size})"), &digest.to_string())) },
                    Err(_) => small { (size) },
                }
            }
        }
    }
}
