//! The axis of the timeline: round times.

/// Round times on the axis: place, text, side.
pub(super) fn ticks(span: f64) -> Vec<(f64, String, &'static str)> {
    const S: f64 = 1000.0;
    const M: f64 = 60.0 * S;
    const H: f64 = 60.0 * M;
    const D: f64 = 24.0 * H;
    const STEPS: [f64; 32] = [
        1.0,
        2.0,
        5.0,
        10.0,
        20.0,
        50.0,
        100.0,
        200.0,
        500.0,
        S,
        2.0 * S,
        5.0 * S,
        10.0 * S,
        15.0 * S,
        30.0 * S,
        M,
        2.0 * M,
        5.0 * M,
        10.0 * M,
        15.0 * M,
        30.0 * M,
        H,
        2.0 * H,
        3.0 * H,
        6.0 * H,
        12.0 * H,
        D,
        2.0 * D,
        5.0 * D,
        10.0 * D,
        30.0 * D,
        100.0 * D,
    ];
    let step = STEPS.into_iter().find(|step| span / step <= 7.0).unwrap_or(span);
    let count = (span / step).floor() as u32;
    (0..=count)
        .map(|n| {
            let ms = f64::from(n) * step;
            let at = ms * 100.0 / span;
            let anchor = if n == 0 {
                "start"
            } else if at > 96.0 {
                "end"
            } else {
                "middle"
            };
            (at, tick(ms), anchor)
        })
        .collect()
}

/// A round time: `0`, `200ms`, `5s`, `2m`, `1m 30s`, `3h`, `2d`.
fn tick(ms: f64) -> String {
    let whole = ms.round() as u64;
    if whole == 0 {
        return "0".into();
    }
    if whole % 1000 != 0 {
        return if whole < 1000 { format!("{whole}ms") } else { format!("{}s", ms / 1000.0) };
    }
    let seconds = whole / 1000;
    let parts =
        [(seconds / 86400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let parts: Vec<String> =
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for span in [1.0, 9.0, 4500.0, 61_000.0, 5_000_000.0, 1e9, 1e11] {
            let ticks = ticks(span);
            assert!((1..=8).contains(&ticks.len()), "{span}: {ticks:?}");
            assert!(ticks.iter().all(|(at, ..)| (0.0..=100.0).contains(at)));
        }
        assert_eq!(tick(90_000.0), "1m 30s");
        assert_eq!(tick(1500.0), "1.5s");
    }
}
