//! A percentage as people write it: `80`, `79.5`, `"80%"`. Exact, so that 79.999 does not pass for 80.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most digits behind the point.
const DIGITS: u32 = 6;
const SCALE: u64 = 10_u64.pow(DIGITS);

/// A percentage from 0 to 100, with at most six digits behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent {
    /// In millionths of a percent.
    millionths: u64,
}

/// A text that is no percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no percentage: give a number from 0 to 100, such as `80` or `\"80%\"`")]
pub struct PercentError(String);

impl Percent {
    /// Whether `covered` of `total` reach it; nothing of nothing reaches nothing. Exact: nothing is rounded.
    pub fn is_reached(self, covered: u64, total: u64) -> bool {
        let has = u128::from(covered) * 100 * u128::from(SCALE);
        total > 0 && has >= u128::from(self.millionths) * u128::from(total)
    }

    /// How many of `total` would reach it.
    pub fn needed(self, total: u64) -> u64 {
        let all = u128::from(self.millionths) * u128::from(total);
        all.div_ceil(100 * u128::from(SCALE)) as u64
    }
}

impl FromStr for Percent {
    type Err = PercentError;

    fn from_str(text: &str) -> Result<Self, PercentError> {
        let error = || PercentError(text.chars().take(60).collect());
        let plain = text.trim();
        let plain = plain.strip_suffix('%').unwrap_or(plain).trim_end();
        let (whole, part) = plain.split_once('.').unwrap_or((plain, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || whole.len() > 3 || part.len() > DIGITS as usize {
            return Err(error());
        }
        let whole: u64 = whole.parse().map_err(|_| error())?;
        let part: u64 = format!("{part:0<6}").parse().map_err(|_| error())?;
        let millionths = whole * SCALE + part;
        if millionths > 100 * SCALE { Err(error()) } else { Ok(Self { millionths }) }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.millionths / SCALE, self.millionths % SCALE);
        if part == 0 {
            return write!(f, "{whole}%");
        }
        write!(f, "{whole}.{}%", format!("{part:06}").trim_end_matches('0'))
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(serde_json::Number),
            Text(String),
        }
        let text = match Written::deserialize(deserializer) {
            Ok(Written::Number(number)) => number.to_string(),
            Ok(Written::Text(text)) => text,
            Err(_) => {
                return Err(serde::de::Error::custom("a percentage is a number or a text such as `80%`"));
            }
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Percent {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a percentage: `80`, `79.5` or `\"80%\"`",
            "anyOf": [
                { "type": "number", "minimum": 0, "maximum": 100 },
                { "type": "string", "pattern": "^\\s*[0-9]{1,3}(\\.[0-9]{1,6})?\\s*%?\\s*$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn written_as_people_do() {
        for (written, read) in [
            (json!(80), "80%"),
            (json!(80.0), "80%"),
            (json!("80"), "80%"),
            (json!(" 80 % "), "80%"),
            (json!(79.999), "79.999%"),
            (json!("0.000001%"), "0.000001%"),
            (json!(100), "100%"),
        ] {
            let percent: Percent = serde_json::from_value(written).unwrap();
            assert_eq!(percent.to_string(), read);
            let again = serde_json::from_value(serde_json::to_value(percent).unwrap()).unwrap();
            assert_eq!(percent, again, "{read}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let long = "9".repeat(1000);
        for bad in [
            json!(101),
            json!(-1),
            json!("100.1"),
            json!(""),
            json!("%"),
            json!("80%%"),
            json!("1e1"),
            json!(1e-9),
            json!(true),
            json!("${COVERAGE}"),
            json!("٨٠"),
            json!(long),
        ] {
            let error = serde_json::from_value::<Percent>(bad.clone()).unwrap_err().to_string();
            assert!(error.contains("percentage") && error.len() < 250, "{bad}: {error}");
        }
    }

    #[test]
    fn nothing_is_rounded() {
        let eighty: Percent = "80".parse().unwrap();
        assert!(eighty.is_reached(80_000, 100_000) && eighty.is_reached(4, 5));
        assert!(!eighty.is_reached(79_999, 100_000) && !eighty.is_reached(0, 0));
        assert_eq!(eighty.needed(7), 6, "5.6 of 7");
        assert!("0".parse::<Percent>().unwrap().is_reached(0, 1));
        // No overflow at the largest counts.
        assert!(!"100".parse::<Percent>().unwrap().is_reached(u64::MAX - 1, u64::MAX));
        assert_eq!("100".parse::<Percent>().unwrap().needed(u64::MAX), u64::MAX);
    }
}
