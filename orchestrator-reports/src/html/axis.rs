//! The axis of the timeline: round times.

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Steps that are easy to count in, in milliseconds.
#[rustfmt::skip]
const STEPS: [u64; 33] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500,
    SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND,
    MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
    HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR,
    DAY, 2 * DAY, 5 * DAY, 10 * DAY, 30 * DAY, 100 * DAY, 1_000_000 * DAY,
];

/// Round times on an axis of so many milliseconds: place in hundredths, text, side.
pub(super) fn ticks(span: f64) -> Vec<(f64, String, &'static str)> {
    let fits = |step: &u64| span / *step as f64 <= 7.0;
    let step = STEPS.into_iter().find(fits).unwrap_or(STEPS[STEPS.len() - 1]);
    let times = (0..).map(|n: u64| n * step).take_while(|ms| *ms as f64 <= span);
    let tick = |ms: u64| {
        let at = ms as f64 * 100.0 / span;
        let anchor = match ms {
            0 => "start",
            _ if at > 96.0 => "end",
            _ => "middle",
        };
        (at, text(ms), anchor)
    };
    times.map(tick).collect()
}

/// A round time: `0`, `200ms`, `5s`, `1m 30s`, `3h`, `2d`.
fn text(ms: u64) -> String {
    if ms == 0 {
        return "0".into();
    }
    let parts = [
        (ms / DAY, "d"),
        (ms % DAY / HOUR, "h"),
        (ms % HOUR / MINUTE, "m"),
        (ms % MINUTE / SECOND, "s"),
        (ms % SECOND, "ms"),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for span in [1.0, 9.0, 4500.0, 61_000.0, 5_000_000.0, 1e9, 1e11, 3e14] {
            let ticks = ticks(span);
            assert!((1..=8).contains(&ticks.len()), "{span}: {ticks:?}");
            assert!(ticks.iter().all(|(at, ..)| (0.0..=100.0).contains(at)));
        }
        assert_eq!(text(90_000), "1m 30s");
        assert_eq!(text(200), "200ms");
    }
}
