//! What all pages share: the style sheet, badges, links, figures that may be missing.

pub(crate) mod donut;
pub(crate) mod format;
pub(crate) mod text;

use std::fmt::{Display, Write as _};

use maud::{Markup, PreEscaped, html};
use orchestrator_core::effect::Effect;
use orchestrator_core::path::RelPath;

use crate::measured::Measured;
use crate::summary::{PhaseStatus, RunVerdict, TaskStatus};

/// The style sheet: light and dark, wide and narrow, on paper too. No scripts, no fonts, nothing from elsewhere.
const STYLE: &str = include_str!("theme/style.css");

/// A whole page.
pub(crate) fn page(title: &str, class: &str, body: Markup) -> Markup {
    html! {
        (maud::DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body class=(class) { (body) }
        }
    }
}

/// The class of a status, which gives it its colour.
pub(crate) trait Tone: Display + Copy {
    /// Such as `s-not-run`.
    fn class(self) -> String {
        format!("s-{}", self.to_string().replace(' ', "-"))
    }
}

impl Tone for TaskStatus {}
impl Tone for PhaseStatus {}
impl Tone for RunVerdict {}

/// A status as a coloured word.
pub(crate) fn badge(status: impl Tone) -> Markup {
    html! { span class=(format!("badge {}", status.class())) { (status) } }
}

/// The icon of a verdict.
pub(crate) fn icon(verdict: RunVerdict) -> Markup {
    let path = match verdict {
        RunVerdict::Passed => "M7 12.5l3.5 3.5L17 8.5",
        RunVerdict::Failed => "M8 8l8 8M16 8l-8 8",
        RunVerdict::Cancelled => "M7 12h10",
        RunVerdict::Running | RunVerdict::NotStarted => "M12 7v5.5l3.5 2",
        RunVerdict::Interrupted | RunVerdict::Waiting => "M9.5 8v8M14.5 8v8",
        RunVerdict::Unsure => "M12 7v6M12 16.2v.3",
    };
    html! {
        svg class="icon" viewBox="0 0 24 24" width="56" height="56" aria-hidden="true" {
            circle cx="12" cy="12" r="11" {}
            path d=(path) fill="none" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" {}
        }
    }
}

/// A figure, or the words "not measured" with the reason.
pub(crate) fn measured<T>(figure: &Measured<T>, show: impl FnOnce(&T) -> Markup) -> Markup {
    match figure {
        Measured::Value(value) => show(value),
        Measured::Not { not_measured } => html! {
            span class="nm" { "not measured" span class="why" { ": " (not_measured) } }
        },
    }
}

/// A figure, or only the reason why there is none: where the reason says all by itself.
pub(crate) fn or_why<T>(figure: &Measured<T>, show: impl FnOnce(&T) -> Markup) -> Markup {
    match figure {
        Measured::Value(value) => show(value),
        Measured::Not { not_measured } => html! { span class="nm" { (not_measured) } },
    }
}

/// The same in little room: the reason shows on hovering.
pub(crate) fn measured_short<T>(figure: &Measured<T>, show: impl FnOnce(&T) -> Markup) -> Markup {
    match figure {
        Measured::Value(value) => show(value),
        Measured::Not { not_measured } => html! {
            abbr class="nm" title=(format!("not measured: {not_measured}")) { "n/m" }
        },
    }
}

/// An action in one line, without its effect, which has a place of its own.
pub(crate) fn action(what: &str, effect: Effect, most: usize) -> Markup {
    let end = format!(" [{effect}]");
    html! { code { (format::clip(what.strip_suffix(&end).unwrap_or(what), most)) } }
}

/// A section with its heading.
pub(crate) fn section(id: &str, title: &str, about: &Markup, body: &Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby=(format!("h-{id}")) {
            h2 id=(format!("h-{id}")) { (title) }
            div class="about" { (about) }
            (body)
        }
    }
}

/// A table that scrolls sideways by itself where it is too wide.
pub(crate) fn table(caption: &str, heads: &[&str], rows: &Markup) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(caption) {
            table {
                caption class="hidden" { (caption) }
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// Says how many were left out; nothing where none was.
pub(crate) fn left_out(shown: usize, all: usize, what: &str) -> Markup {
    html! {
        @if all > shown {
            p class="left-out" {
                (format::plural(all - shown, &format!("more {what}"))) " left out of this page; all are in "
                code { "summary.json" } "."
            }
        }
    }
}

/// Links from the page to the files of its run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Links<'a> {
    /// The way from the page to the run's folder; without one nothing is linked.
    pub(crate) base: Option<&'a str>,
}

impl Links<'_> {
    /// A link to a file of the run's folder.
    pub(crate) fn to(self, place: &RelPath, text: &str, title: &str) -> Markup {
        let Some(base) = self.base else {
            return html! { span title=(title) { (text) } };
        };
        html! { a href=(href(base, place)) title=(title) { (text) } }
    }
}

/// A relative address: the base as it is, the place with everything encoded that means something in addresses.
fn href(base: &str, place: &RelPath) -> String {
    format!("{}{}", encode(base), encode(place.as_str()))
}

fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes everything");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_nowhere_else() {
        let place = RelPath::new("logs/javascript:a b#c?d\"e%2f").unwrap();
        assert_eq!(href("../", &place), "../logs/javascript%3Aa%20b%23c%3Fd%22e%252f");
    }
}
