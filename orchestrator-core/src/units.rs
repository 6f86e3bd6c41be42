//! Durations and sizes as people write them: `10m`, `1h30m`, `1GiB`. Nothing else is guessed.

use std::time::Duration;

/// What a duration looks like, as a JSON Schema pattern.
pub const DURATION: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$|^[0-9]+(\.[0-9]+)?$";
/// What a size looks like, as a JSON Schema pattern.
pub const SIZE: &str = r"^[0-9]+(\.[0-9]+)? ?([kKmMgGtT]([iI])?)?[bB]?$";

/// The longest duration that is taken: a hundred years.
const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;

/// Splits `1.5GiB` into 1.5 and `GiB`; nothing where there is no number.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let whole = digits.starts_with(|c: char| c.is_ascii_digit());
    let ended = digits.ends_with(|c: char| c.is_ascii_digit());
    if whole && ended { Some((digits.parse().ok()?, rest)) } else { None }
}

/// Seconds as a duration; none where they are negative, not a number, or over a hundred years.
pub fn seconds(seconds: f64) -> Option<Duration> {
    (seconds <= LONGEST).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

/// Reads `10m`, `1h30m`, `90s`, `500ms`, `2d`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "`{text}` is not a duration; write it like `10m`, `1h30m`, `90s` or `500ms`, or as a number of seconds"
        )
    };
    let mut rest = text.trim();
    if let Some((bare, "")) = number(rest) {
        return seconds(bare).ok_or_else(wrong);
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let (value, after) = number(rest).ok_or_else(wrong)?;
        let end = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        sum += value
            * match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return Err(wrong()),
            };
        rest = after;
    }
    if text.trim().is_empty() { Err(wrong()) } else { seconds(sum).ok_or_else(wrong) }
}

/// Reads `1GiB`, `512MB`, `64 k`; a bare number is bytes. Powers of 1000, with an `i` of 1024.
#[expect(clippy::cast_sign_loss, reason = "`number` gives no negative numbers")]
pub fn size(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("`{text}` is not a size; write it like `1GiB` or `512MB`, or as a number of bytes");
    let (value, unit) = number(text.trim()).ok_or_else(wrong)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let (base, unit) = unit.strip_suffix('i').map_or((1_000.0_f64, unit), |unit| (1_024.0, unit));
    let power = match unit {
        "" if base > 1_000.0 => return Err(wrong()),
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(wrong()),
    };
    let bytes = value * base.powi(power);
    if bytes < 2_f64.powi(63) { Ok(bytes.round() as u64) } else { Err(wrong()) }
}

/// `52.3 MB`: decimal units, as disks are sold.
pub fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    for unit in ["kB", "MB", "GB", "TB"] {
        value /= 1000.0;
        if value < 999.95 {
            return format!("{value:.1} {unit}");
        }
    }
    format!("{:.1} PB", value / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let ms = |text| duration(text).map(|duration| duration.as_millis());
        for (text, millis) in [
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("90s", 90_000),
            ("500ms", 500),
            ("90", 90_000),
            ("0.5", 500),
            ("1.5h", 5_400_000),
            ("1d", 86_400_000),
            ("0s", 0),
        ] {
            assert_eq!(ms(text), Ok(millis), "{text}");
        }
        for bad in
            ["", " ", "m", "10x", "10 m", "-1s", "1h30", "1..5s", ".5s", "5.s", "1e3", "99999999999d", "10M"]
        {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_read_well() {
        let shown = [999, 52_340_000, 999_999_999, u64::MAX].map(bytes);
        assert_eq!(shown, ["999 B", "52.3 MB", "1.0 GB", "18446.7 PB"]);
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("1GiB", 1 << 30),
            ("512MB", 512_000_000),
            ("512mb", 512_000_000),
            ("1.5k", 1_500),
            ("2Ki", 2_048),
            ("7", 7),
            ("7B", 7),
            ("1 TB", 1_000_000_000_000),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "GB", "-1B", "1iB", "1i", "1XB", "1GBB", "1e9", "99999999TB", "1  GB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
