//! What a scalar of YAML says.

use serde_json::{Number, Value};
use serde_saphyr::granit_parser::ScalarStyle;

use super::super::value::opaque;

/// What a scalar says, by the core schema of YAML 1.2.
pub(super) fn scalar(said: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::String(said.into());
    }
    match said {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(said).unwrap_or_else(|| Value::String(said.into())),
    }
}

fn number(said: &str) -> Option<Value> {
    let digits = said.strip_prefix(['-', '+']).unwrap_or(said);
    if let Some(hex) = said.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with('+')).map(Value::from);
    }
    if let Some(octal) = said.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().filter(|_| !octal.starts_with('+')).map(Value::from);
    }
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(said, ".nan" | ".NaN" | ".NAN") {
        return Some(opaque(said));
    }
    let first = digits.bytes().next()?;
    let shaped =
        first.is_ascii_digit() || (first == b'.' && digits[1..].starts_with(|c: char| c.is_ascii_digit()));
    if !shaped || !digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) {
        return None;
    }
    let plain = said.strip_prefix('+').unwrap_or(said);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = plain.parse::<i64>().map(Value::from).or_else(|_| plain.parse::<u64>().map(Value::from));
        return Some(whole.unwrap_or_else(|_| opaque(said)));
    }
    let number = plain.parse::<f64>().ok()?;
    Some(Number::from_f64(number).map_or_else(|| opaque(said), Value::Number))
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_read_by_the_core_schema() {
        for (text, value) in [
            ("012", Value::from(12)),
            ("0x1F", Value::from(31)),
            ("0o17", Value::from(15)),
            ("-3", Value::from(-3)),
            ("+3", Value::from(3)),
            ("1e3", Value::from(1000.0)),
            (".5", Value::from(0.5)),
            ("18446744073709551615", Value::from(u64::MAX)),
            ("99999999999999999999999", opaque("99999999999999999999999")),
            (".inf", opaque(".inf")),
            ("1.2.3", Value::from("1.2.3")),
            ("on", Value::from("on")),
            ("2024-01-01", Value::from("2024-01-01")),
            ("-", Value::from("-")),
            ("~", Value::Null),
        ] {
            assert_eq!(scalar(text, ScalarStyle::Plain), value, "{text}");
        }
    }
}
