//! What can be done now: what a rollback would do, and the commands.

use maud::{Markup, html};

use crate::summary::{RunVerdict, Summary, Undo};
use crate::theme::{self, format};

/// The most changes that are listed.
const CHANGES: usize = 200;

pub(super) fn undo(summary: &Summary) -> Markup {
    let Undo { can, cannot } = &summary.undo;
    if can.is_empty() && cannot.is_empty() {
        let none = html! { p class="none" { "Nothing to undo: no change is on record." } };
        return theme::section("undo", "Undo", &html! {}, &none);
    }
    let about = html! {
        p {
            "What a rollback would do, from what was recorded before each change, the latest first. "
            (format::plural(can.len(), "change")) " can be reversed, " (format::number(cannot.len() as f64)) " cannot."
        }
    };
    let body = html! {
        @if !can.is_empty() { (reversals(summary)) }
        @if !cannot.is_empty() { (irreversible(summary)) }
    };
    theme::section("undo", "Undo", &about, &body)
}

fn reversals(summary: &Summary) -> Markup {
    let can = &summary.undo.can;
    let rows = html! {
        @for one in can.iter().take(CHANGES) {
            tr {
                td { a href=(format!("#t-{}", one.task)) { (one.task) } }
                td class="what" { code { (format::clip(&one.change, 300)) } }
                td class="what" {
                    @for action in one.undo.iter().take(10) { code { (format::clip(action, 400)) } }
                    (theme::left_out(10, one.undo.len(), "action"))
                }
            }
        }
    };
    html! {
        (theme::table("What a rollback would do", &["Task", "Change", "Is reversed by"], &rows))
        (theme::left_out(CHANGES, can.len(), "change"))
    }
}

fn irreversible(summary: &Summary) -> Markup {
    let cannot = &summary.undo.cannot;
    html! {
        details class="cannot" {
            summary { (format::plural(cannot.len(), "change")) " that cannot be reversed" }
            ul {
                @for one in cannot.iter().take(CHANGES) {
                    li {
                        span class=(format!("effect {}", one.effect)) { (one.effect) }
                        a href=(format!("#t-{}", one.task)) { (one.task) } " "
                        (theme::action(&one.change, one.effect, 300)) " " small { (one.why) }
                    }
                }
            }
            (theme::left_out(CHANGES, cannot.len(), "change"))
        }
    }
}

pub(super) fn commands(summary: &Summary) -> Markup {
    let run = &summary.run;
    let status = summary.verdict.status;
    let resumable = matches!(
        status,
        RunVerdict::Interrupted | RunVerdict::Waiting | RunVerdict::Unsure | RunVerdict::Running
    );
    let mut all: Vec<(String, &str)> = Vec::new();
    if resumable {
        all.push((
            format!("orchestrate resume {run}"),
            "goes on where it stopped; finished actions are not repeated",
        ));
    }
    if status == RunVerdict::Unsure {
        let line = format!("orchestrate resume {run} --assume done TASK");
        all.push((line, "says that the publishing did happen; `not-done` says that it did not"));
    }
    if status == RunVerdict::Failed {
        all.push((format!("orchestrate run --failed {run}"), "runs what failed, and what waited for it"));
    }
    if summary.verdict.changes_pending {
        all.push(("orchestrate run".into(), "performs what this dry run shows, up to its ceiling"));
    }
    all.push((format!("orchestrate logs {run}"), "shows the output of all tasks; name a task to see one"));
    all.push((format!("orchestrate status {run}"), "shows where it stands now"));
    if !summary.undo.can.is_empty() {
        all.push((format!("orchestrate rollback {run}"), "shows what it would undo, then asks"));
    }
    let body = html! {
        dl class="commands" {
            @for (line, about) in &all { div { dt { code { (line) } } dd { (about) } } }
        }
        @if !summary.notes.is_empty() {
            h3 { "Left out when the plan was made" }
            ul class="notes" { @for note in summary.notes.iter().take(CHANGES) { li { (format::clip(note, 400)) } } }
        }
    };
    theme::section("next", "What you can do now", &html! {}, &body)
}
