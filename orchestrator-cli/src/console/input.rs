//! A long input of a call, as lines that a person can read: nothing of it is left out.

use serde_json::Value;

/// The longest value that stays on one line.
const LINE: usize = 90;

/// The lines of a value. Texts of several lines are shown as they are, behind a bar.
pub(super) fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| under(&format!("{name}:"), value)).collect()
        }
        Value::Array(items) => items.iter().flat_map(|item| under("-", item)).collect(),
        Value::String(text) if text.contains('\n') => text.lines().map(|line| format!("│ {line}")).collect(),
        other => vec![other.to_string()],
    }
}

fn under(head: &str, value: &Value) -> Vec<String> {
    let short = value.to_string();
    let several = match value {
        Value::Object(fields) => !fields.is_empty() && short.len() > LINE,
        Value::Array(items) => !items.is_empty() && short.len() > LINE,
        Value::String(text) => text.trim_end_matches('\n').contains('\n'),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    };
    if !several {
        return vec![format!("{head} {short}")];
    }
    let inner = lines(value).into_iter().map(|line| format!("  {line}"));
    std::iter::once(head.to_owned()).chain(inner).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_shown_line_by_line() {
        let long = "x".repeat(LINE);
        let input =
            json!({"branch": "main", "changes": [{"path": long, "insert": "a\nb\n"}], "tags": ["v1"]});
        let shown = lines(&input).join("\n");
        let expected = format!(
            "branch: \"main\"\nchanges:\n  -\n    insert:\n      │ a\n      │ b\n    path: \"{long}\"\ntags: [\"v1\"]"
        );
        assert_eq!(shown, expected);
    }
}
