//! Words and figures for people.

use jiff::{SignedDuration, Timestamp};
use orchestrator_core::outcome::Outcome;
use orchestrator_core::state::RunState;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Text without anything that moves a cursor or changes colours: what tools print is shown, never obeyed.
pub(crate) fn clean(text: &str) -> String {
    let stripped = anstream::adapter::strip_str(text).to_string();
    stripped.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\n')).collect()
}

/// Clean text with its lines moved to the right.
pub(crate) fn indented(text: &str) -> String {
    let clean = clean(text);
    let lines: Vec<String> = clean.lines().map(|line| format!("    {line}").trim_end().to_owned()).collect();
    lines.join("\n")
}

/// One line of at most so many columns, for lists and what is drawn live; a cut is marked.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    let mut line: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    if line.width() > columns {
        let mut room = columns.saturating_sub(1);
        let fits = |c: &char| {
            let left = room.checked_sub(c.width().unwrap_or(0));
            room = left.unwrap_or(0);
            left.is_some()
        };
        line = line.chars().take_while(fits).chain(['…']).collect();
    }
    line
}

/// "1 task", "2 tasks".
pub(crate) fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// "12ms", "4.5s", "2m 05s", "1h 03m".
pub(crate) fn took(time: SignedDuration) -> String {
    let millis = time.as_millis().max(0);
    let seconds = millis / 1000;
    match millis {
        0..100 => format!("{millis}ms"),
        100..60_000 => format!("{:.1}s", millis as f64 / 1000.0),
        60_000..3_600_000 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// The time between two moments; nothing where one is missing.
pub(crate) fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<SignedDuration> {
    Some(to?.duration_since(from?))
}

/// "21 passed, 2 skipped": how the tasks of a run ended, and how many have not.
pub(crate) fn counts(state: &RunState) -> String {
    let ended = Outcome::ALL.into_iter().map(|outcome| (state.count(outcome), outcome.as_str()));
    let open = state.tasks().iter().filter(|task| task.outcome().is_none()).count();
    let all: Vec<String> = ended
        .chain([(open, "not done")])
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if all.is_empty() { "no tasks".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let shown = [0, 99, 4_520, 125_000, 3_780_000].map(|ms| took(SignedDuration::from_millis(ms)));
        assert_eq!(shown, ["0ms", "99ms", "4.5s", "2m 05s", "1h 03m"]);
    }

    #[test]
    fn what_is_too_long_is_cut_by_columns() {
        assert_eq!(cut("a\tb\nc", 5), "a b c");
        assert_eq!(cut("abcdef", 5), "abcd…");
        assert_eq!(cut("日本語です", 6), "日本…");
    }

    #[test]
    fn what_tools_print_is_not_obeyed() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m\u{7}\rx\ty"), "redx\ty");
    }
}
