//! A ring of shares, and the same as a bar.

use maud::{Markup, html};

use super::Tone;
use crate::summary::TaskStatus;

/// A ring with one arc for each status; in the middle, two lines of text.
pub(crate) fn ring(counts: &[(TaskStatus, usize)], big: &str, small: &str) -> Markup {
    let total: usize = counts.iter().map(|(_, n)| n).sum();
    let mut from = 0;
    let arcs = counts.iter().filter(|(_, n)| *n > 0).map(|(status, n)| {
        let arc = (*status, *n, from);
        from += n;
        arc
    });
    let share = |n: usize| format!("{:.3}", n as f64 * 100.0 / total.max(1) as f64);
    html! {
        svg class="ring" viewBox="0 0 120 120" role="img" aria-label=(label(counts)) {
            circle class="track" cx="60" cy="60" r="50" {}
            @for (status, n, from) in arcs {
                circle class=(status.class()) cx="60" cy="60" r="50" pathLength="100" transform="rotate(-90 60 60)"
                    stroke-dasharray=(format!("{} 100", share(n))) stroke-dashoffset=(format!("-{}", share(from))) {
                    title { (n) " " (status) }
                }
            }
            text class="big" x="60" y="61" text-anchor="middle" { (big) }
            text class="small" x="60" y="78" text-anchor="middle" { (small) }
        }
    }
}

/// What each colour means, with its number.
pub(crate) fn legend(counts: &[(TaskStatus, usize)]) -> Markup {
    html! {
        ul class="legend" {
            @for (status, n) in counts.iter().filter(|(_, n)| *n > 0) {
                li class=(status.class()) { b { (super::format::number(*n as f64)) } " " (status) }
            }
        }
    }
}

/// A thin bar with one part for each status.
pub(crate) fn bar(counts: &[(TaskStatus, usize)]) -> Markup {
    html! {
        div class="bar" role="img" aria-label=(label(counts)) {
            @for (status, n) in counts.iter().filter(|(_, n)| *n > 0) {
                i class=(status.class()) style=(format!("flex-grow:{n}")) {}
            }
        }
    }
}

fn label(counts: &[(TaskStatus, usize)]) -> String {
    let parts: Vec<String> =
        counts.iter().filter(|(_, n)| *n > 0).map(|(status, n)| format!("{n} {status}")).collect();
    if parts.is_empty() { "no tasks".into() } else { parts.join(", ") }
}
