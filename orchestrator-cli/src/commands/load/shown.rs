//! What came of a load, for people.

use std::fmt::Write as _;

use orchestrator_traffic::load::{Example, Summary, Times};

use crate::console::clean;

/// The summary as text.
pub(super) fn text(summary: &Summary) -> String {
    let mut text = String::new();
    counts(&mut text, summary);
    times(&mut text, summary);
    versions(&mut text, summary);
    examples(&mut text, &summary.examples);
    if summary.answered + summary.failed == 0 {
        text.push_str("\nnote: no request came to its end, so nothing is known of the server\n");
    }
    for remark in &summary.client.remarks {
        let _ = writeln!(text, "\nnote: {remark}");
    }
    text
}

fn counts(text: &mut String, summary: &Summary) {
    let Summary {
        plan,
        due,
        sent,
        answered,
        failed,
        failures,
        failure_bound,
        rate,
        took_ms,
        stopped,
        client,
        ..
    } = summary;
    let stopped = if *stopped { ", stopped before its end" } else { "" };
    let seconds = *took_ms as f64 / 1e3;
    let _ = writeln!(text, "{}: {due} requests were due in {seconds:.1} s{stopped}", clean(&plan.url));
    let _ = writeln!(text, "sent      {sent:>9}  {rate:.1} a second, {:.1} wanted", plan.rate);
    let _ = writeln!(text, "answered  {answered:>9}");
    let over = answered + failed;
    let share = if over == 0 { 0.0 } else { *failed as f64 / over as f64 };
    let _ =
        write!(text, "failed    {failed:>9}  {}, at most {} (95 %)", percent(share), percent(*failure_bound));
    for (kind, count) in failures {
        let _ = write!(text, ", {} {count}", format!("{kind:?}").to_lowercase());
    }
    text.push('\n');
    if client.unsent > 0 {
        let _ = writeln!(text, "not sent  {:>9}", client.unsent);
    }
    if client.abandoned > 0 {
        let _ = writeln!(text, "under way {:>9}  when it was stopped", client.abandoned);
    }
}

fn times(text: &mut String, summary: &Summary) {
    let Summary { latency, service, shapes, client, .. } = summary;
    if latency.count == 0 {
        return;
    }
    let _ = writeln!(
        text,
        "\n{:<18}{:>9}{:>11}{:>11}{:>11}{:>11}{:>11}",
        "ms", "requests", "p50", "p95", "p99", "p99.9", "max"
    );
    row(text, "from when due", latency);
    row(text, "from when sent", service);
    for (name, shape) in shapes.iter().filter(|_| shapes.len() > 1) {
        row(text, &format!("  {name}"), &shape.latency);
    }
    row(text, "sent late by", &client.lag);
}

fn row(text: &mut String, name: &str, times: &Times) {
    let Times { count, mean_us: _, p50_us, p95_us, p99_us, p999_us, max_us } = times;
    let _ = write!(text, "{name:<18}{count:>9}");
    for micros in [p50_us, p95_us, p99_us, p999_us, max_us] {
        let _ = write!(text, "{:>11.2}", *micros as f64 / 1e3);
    }
    text.push('\n');
}

fn versions(text: &mut String, summary: &Summary) {
    if summary.plan.version_from.is_some() && summary.versions.is_empty() {
        text.push_str("\nno answer named its version\n");
    }
    for (at, seen) in summary.versions.iter().enumerate() {
        let start = if at == 0 { "\n" } else { "" };
        let _ = writeln!(
            text,
            "{start}version {}: {} answers, {} of them wrong, {} cut or too late, from {:.3} s to {:.3} s",
            clean(&seen.version),
            seen.answered + seen.failed,
            seen.wrong,
            seen.failed.saturating_sub(seen.wrong),
            seen.first_ms / 1e3,
            seen.last_ms / 1e3
        );
    }
    for overlap in &summary.overlaps {
        let (from, to) = (clean(&overlap.from), clean(&overlap.to));
        let _ = match overlap.answers_ms {
            together if together >= 0.0 => {
                writeln!(text, "{from} still answered for {together:.1} ms after the first answer of {to}")
            }
            gap => writeln!(text, "{from} answered last {:.1} ms before the first answer of {to}", -gap),
        };
    }
}

fn examples(text: &mut String, examples: &[Example]) {
    if !examples.is_empty() {
        text.push_str("\nfirst failures\n");
    }
    for Example { sent_ms, failed_ms, shape, kind, what } in examples {
        let (sent, took) = (sent_ms / 1e3, failed_ms - sent_ms);
        let kind = format!("{kind:?}").to_lowercase();
        let _ = writeln!(
            text,
            "  sent at {sent:.3} s, failed after {took:.1} ms: {shape}: {kind}: {}",
            clean(what)
        );
    }
}

/// Shares of failures are small: so many digits that two of them say something.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0 %".into(),
        small if small < 0.01 => format!("{small:.4} %"),
        small if small < 1.0 => format!("{small:.3} %"),
        more => format!("{more:.1} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_say_something_however_small_they_are() {
        let said: Vec<_> = [0.0, 3e-5, 0.0042, 0.123, 1.0].into_iter().map(percent).collect();
        assert_eq!(said, ["0 %", "0.0030 %", "0.420 %", "12.3 %", "100.0 %"]);
    }
}
