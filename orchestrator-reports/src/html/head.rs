//! The head of the page: verdict, key figures, phases at a glance.

use maud::{Markup, html};

use crate::summary::{
    PhaseStatus, PhaseSummary, RunVerdict, Summary, TaskStatus, TaskSummary, Verdict, millis,
};
use crate::theme::{self, Tone, donut, format};

pub(super) fn header(summary: &Summary) -> Markup {
    let Summary { verdict, pipeline, run, .. } = summary;
    let counts: Vec<_> = summary.counts.iter().map(|(status, n)| (*status, *n)).collect();
    let good = summary.count(TaskStatus::Passed) + summary.count(TaskStatus::Cached);
    let total: usize = summary.counts.values().sum();
    html! {
        header id="top" class=(format!("verdict {}", tone(verdict))) {
            div class="wrap" {
                div class="said" {
                    p class="eyebrow" { "Run " code { (run) } @if summary.dry_run { span class="tag" { "dry run" } } }
                    h1 { (theme::icon(verdict.status)) span { (format::clip(pipeline, 120)) " " em { (word(verdict)) } } }
                    p class="headline" { (capital(&verdict.headline)) "." }
                    (facts(summary))
                }
                div class="shares" {
                    (ring(&counts, good, total))
                    (donut::legend(&counts))
                }
            }
            (tiles(summary))
        }
    }
}

fn ring(counts: &[(TaskStatus, usize)], good: usize, total: usize) -> Markup {
    let [good, total] = [good, total].map(|n| format::number(n as f64));
    if good.len() + total.len() > 6 {
        donut::ring(counts, &good, &format!("of {total} passed"))
    } else {
        donut::ring(counts, &format!("{good}/{total}"), "passed")
    }
}

/// A dry run that finds changes to make has passed; what matters to people is the changes.
fn tone(verdict: &Verdict) -> String {
    if shows_pending(verdict) { TaskStatus::Withheld.class() } else { verdict.status.class() }
}

fn word(verdict: &Verdict) -> &'static str {
    if shows_pending(verdict) { "changes pending" } else { verdict.status.as_str() }
}

fn shows_pending(verdict: &Verdict) -> bool {
    verdict.changes_pending && verdict.status == RunVerdict::Passed
}

fn facts(summary: &Summary) -> Markup {
    let time = |at: &jiff::Timestamp| html! { time datetime=(at) { (format::time(*at)) } };
    html! {
        dl class="facts" {
            div { dt { "Started" } dd { (theme::measured(&summary.started, time)) } }
            div { dt { "Ended" } dd { (theme::measured(&summary.ended, time)) } }
            div { dt { "Ceiling" } dd { (summary.ceiling) @if summary.dry_run { " (changes nothing)" } } }
            div { dt { "Machine" } dd { (theme::measured(&summary.host, |host| html! { (host) })) } }
            @if summary.resumes > 0 {
                div { dt { "Resumed" } dd { (format::plural(summary.resumes as usize, "time")) } }
            }
            @if let Some(parent) = &summary.parent { div { dt { "Follows" } dd { code { (parent) } } } }
        }
    }
}

fn tile(title: &str, href: &str, big: &Markup, small: &Markup) -> Markup {
    html! { a class="tile" href=(href) { span { (title) } strong { (big) } small { (small) } } }
}

fn tiles(summary: &Summary) -> Markup {
    let passed = summary.phases.iter().filter(|phase| phase.status == PhaseStatus::Passed).count();
    let retried = summary.tasks().filter(|task| task.attempts > 1).count();
    let figures = match summary.metrics.len() {
        0 => html! { "none" },
        n => html! { (format::number(n as f64)) },
    };
    html! {
        div class="tiles" {
            (duration(summary))
            (tile("Phases", "#tasks", &html! { (passed) span { "/" (summary.phases.len()) } }, &html! { "passed" }))
            (tile("Retried", "#tasks", &html! { (format::number(retried as f64)) }, &html! { "tasks took more than one attempt" }))
            (changes(summary))
            (findings(summary))
            (tile("Figures", "#figures", &figures, &html! { "measured, each with its evidence" }))
        }
    }
}

/// From the first record to the end, or to the last record so far.
fn duration(summary: &Summary) -> Markup {
    let busy: f64 = summary.tasks().filter_map(|task| task.duration_ms.value()).sum();
    let last = summary.started.value().zip(summary.last_record.value());
    let (ms, small) = match (summary.duration_ms.value(), last) {
        (Some(ms), _) => (*ms, html! { (format::duration(busy)) " of task time" }),
        (None, Some((from, to))) => (millis(*from, *to), html! { "so far: the run is not over" }),
        (None, None) => {
            let big = html! { abbr class="nm" title="the run has not begun" { "n/m" } };
            return tile("Duration", "#timeline", &big, &html! { "the run has not begun" });
        }
    };
    tile("Duration", "#timeline", &html! { (format::duration(ms)) }, &small)
}

fn changes(summary: &Summary) -> Markup {
    let changes = summary.changes;
    if summary.dry_run {
        let tasks = format::plural(changes.deferred, "task");
        let small = html! { "actions withheld; " (tasks) " known later" };
        let place = if summary.withheld.is_empty() { "#changes" } else { "#withheld" };
        return tile("Pending", place, &html! { (format::number(changes.withheld as f64)) }, &small);
    }
    let made = changes.written + changes.published;
    let small = html! {
        (format::number(changes.published as f64)) " published"
        @if changes.failed > 0 { ", " (changes.failed) " failed" }
        @if changes.under_way > 0 { ", " (changes.under_way) " under way" }
        @if changes.withheld > 0 { ", " (changes.withheld) " withheld" }
    };
    tile("Changes", "#changes", &html! { (format::number(made as f64)) }, &small)
}

/// Findings are counted only among tasks that ran; those that did not are named.
fn findings(summary: &Summary) -> Markup {
    let ran = summary.tasks().filter(|task| concluded(task)).count();
    let missing = summary.tasks().count() - ran;
    let small = html! {
        "reported by " (format::plural(ran, "task")) " that ran"
        @if missing > 0 { "; " (format::number(missing as f64)) " did not" }
    };
    let big = match (ran, summary.findings.len()) {
        (0, _) => html! { abbr class="nm" title="no task ran" { "n/m" } },
        (_, 0) => html! { "none" },
        (_, n) => html! { (format::number(n as f64)) },
    };
    tile("Findings", "#findings", &big, &small)
}

fn concluded(task: &TaskSummary) -> bool {
    matches!(task.status, TaskStatus::Passed | TaskStatus::Cached | TaskStatus::Failed)
}

/// One card for each phase.
pub(super) fn phases(summary: &Summary) -> Markup {
    html! {
        section id="phases" aria-label="Phases at a glance" {
            ol class="steps" {
                @for (at, phase) in summary.phases.iter().enumerate() { (step(at, phase)) }
            }
        }
    }
}

fn step(at: usize, phase: &PhaseSummary) -> Markup {
    let counts: Vec<_> = TaskStatus::ALL
        .into_iter()
        .map(|status| (status, phase.tasks().filter(|task| task.status == status).count()))
        .collect();
    let good: usize = counts[..2].iter().map(|(_, n)| n).sum();
    let total: usize = counts.iter().map(|(_, n)| n).sum();
    html! {
        li class=(phase.status.class()) {
            a href=(format!("#p-{}", phase.name)) {
                span class="no" { (at + 1) }
                b { (format::clip(&phase.title, 60)) }
                (theme::badge(phase.status))
                (donut::bar(&counts))
                small {
                    (good) " of " (total) " passed"
                    @if let Some(ms) = phase.duration_ms.value() { " · " (format::duration(*ms)) }
                }
                @if let Some(why) = &phase.reason { small class="why" { (format::clip(why, 160)) } }
            }
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
