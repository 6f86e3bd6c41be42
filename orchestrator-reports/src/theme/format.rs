//! Figures as people read them.

use jiff::Timestamp;

use super::text::plain;

/// A span of milliseconds: `12ms`, `4.5s`, `1m 05s`, `2h 03m`, `3d 4h`.
pub(crate) fn duration(ms: f64) -> String {
    if ms < 1.0 {
        return "<1ms".into();
    }
    if ms < 999.5 {
        return format!("{ms:.0}ms");
    }
    if ms < 59_950.0 {
        return format!("{:.1}s", ms / 1000.0);
    }
    #[expect(clippy::cast_sign_loss, reason = "it is about a minute at least")]
    let seconds = (ms / 1000.0).round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours) {
        (0, 0) => format!("{minutes}m {:02}s", seconds % 60),
        (0, _) => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// A number of bytes, decimal: `52.3 MB`.
pub(crate) fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes.abs() < 1000.0 {
        return format!("{} B", number(bytes));
    }
    let mut value = bytes / 1000.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value.abs() < 999.95 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    format!("{value:.1} {unit}")
}

/// A number with thousands apart, rounded to four digits after the point: `12,345`, `0.25`. Never rounded to nought.
pub(crate) fn number(value: f64) -> String {
    if value.abs() >= 1e15 || (value != 0.0 && value.abs() < 0.001) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let mut grouped = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

/// A value with its unit.
pub(crate) fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "bytes" | "B" => bytes(value),
        "ms" if value >= 1000.0 => duration(value),
        "s" if value >= 60.0 => duration(value * 1000.0),
        "%" | "percent" => format!("{} %", number(value)),
        "" | "count" => number(value),
        unit => format!("{} {unit}", number(value)),
    }
}

/// A count of things: `1 task`, `2 tasks`.
pub(crate) fn plural(n: usize, one: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {one}{s}", number(n as f64))
}

/// A time to the second, in UTC: `2026-11-20 23:44:33 UTC`.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The text, or its beginning and how much was left out.
pub(crate) fn clip(text: &str, most: usize) -> String {
    let text = &*plain(text);
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => {
            let left = text[at..].chars().count();
            format!("{}… ({} more characters)", &text[..at], number(left as f64))
        }
    }
}

/// The last `lines` lines of a text, at most `most` characters of them.
pub(crate) fn last_lines(text: &str, lines: usize, most: usize) -> String {
    let text = plain(text);
    let text = text.trim_end();
    let all: Vec<&str> = text.lines().collect();
    let tail = all[all.len().saturating_sub(lines)..].join("\n");
    let left = tail.chars().count().saturating_sub(most);
    if left == 0 { tail } else { format!("…{}", tail.chars().skip(left).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let spans: [(f64, &str); 9] = [
            (0.0, "<1ms"),
            (0.9, "<1ms"),
            (12.3, "12ms"),
            (999.6, "1.0s"),
            (4500.0, "4.5s"),
            (59_990.0, "1m 00s"),
            (65_000.0, "1m 05s"),
            (7_380_000.0, "2h 03m"),
            (273_600_000.0, "3d 4h"),
        ];
        for (ms, text) in spans {
            assert_eq!(duration(ms), text, "{ms}");
        }
    }

    #[test]
    fn quantities() {
        assert_eq!(bytes(52_300_000.0), "52.3 MB");
        assert_eq!(bytes(999_999.0), "1.0 MB");
        assert_eq!(bytes(17.0), "17 B");
        assert_eq!(number(-1_234_567.5), "-1,234,567.5");
        assert_eq!(number(0.1 + 0.2), "0.3");
        assert_eq!(number(1e20), "1.00e20");
        assert_eq!(number(0.000_012), "1.20e-5");
        assert_eq!((number(0.0), number(1000.0)), ("0".into(), "1,000".into()));
        assert_eq!(quantity(87.25, "%"), "87.25 %");
        assert_eq!(quantity(3.0, "count"), "3");
        assert_eq!(quantity(1500.0, "ms"), "1.5s");
        assert_eq!(quantity(3.4, "ms"), "3.4 ms");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(clip("äöü", 2), "äö… (1 more characters)");
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(last_lines("a\nb\nc\n", 2, 100), "b\nc");
        assert_eq!(last_lines("äöü", 5, 2), "…öü");
    }
}
