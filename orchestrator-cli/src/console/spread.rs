//! A long JSON value over lines, so that people can read it.

use serde_json::Value;

/// The longest action that stays on one line.
pub(super) const LINE: usize = 160;

/// The lines of a value: a key or item each, texts of several lines as blocks. Nothing is left out.
pub(super) fn spread(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                entry(&mut lines, &format!("{key}:"), value);
            }
        }
        Value::Array(items) => {
            for item in items {
                entry(&mut lines, "-", item);
            }
        }
        Value::String(text) if text.contains('\n') => lines.extend(text.lines().map(str::to_owned)),
        scalar => lines.push(scalar.to_string()),
    }
    lines
}

fn entry(lines: &mut Vec<String>, head: &str, value: &Value) {
    let block = matches!(value, Value::String(text) if text.contains('\n'));
    let nested = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if block || nested {
        lines.push(if block { format!("{head} |") } else { head.to_owned() });
        lines.extend(spread(value).into_iter().map(|line| format!("  {line}")));
    } else {
        lines.push(format!("{head} {value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_out() {
        let value = serde_json::json!({ "a": [], "b": [{ "text": "x\ny\n" }, 1], "c": "d" });
        let lines = spread(&value);
        assert_eq!(lines, ["a: []", "b:", "  -", "    text: |", "      x", "      y", "  - 1", "c: \"d\""]);
    }
}
