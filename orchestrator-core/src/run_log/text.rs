//! Events as lines for people.

use std::io::Write as _;

use jiff::Timestamp;

use crate::event::{Event, Record, RunOutcome, RunStarted, Stopped, TaskFinished};
use crate::id::TaskId;
use crate::order::Receipt;
use crate::outcome::Outcome;
use crate::state::{RunState, TaskState};

/// The longest line, in characters.
const LINE: usize = 300;

/// Adds the lines of a record; `state` has it applied.
pub(super) fn tell(record: &Record, state: &RunState, to: &mut Vec<u8>) {
    let at = record.at.strftime("%Y-%m-%d %H:%M:%S%.3fZ");
    let mut line = |text: &str| {
        // Writing to memory does not fail.
        let _ = writeln!(to, "{at} {}", short(text));
    };
    match &record.event {
        Event::RunStarted(begun) => line(&started(begun, state)),
        Event::RunResumed(process) => line(&format!("run resumed by process {}", process.pid)),
        Event::TaskStarted { task, attempt } => line(&format!("{task}: attempt {attempt} started")),
        Event::TaskPlanned { task, round: _, actions, carried: _ } => {
            line(&format!("{task}: {} planned", count(actions.len(), "action")));
            for action in actions {
                line(&format!("{task}:   {action}"));
            }
        }
        Event::ActionStarted { task, index, undo } => {
            let undo = if undo.is_empty() { "" } else { " (can be undone)" };
            line(&format!("{task}: action {} begins{undo}", index + 1));
        }
        Event::ActionFinished { task, index, receipt } => {
            let Receipt { status, took_ms, .. } = &**receipt;
            line(&format!("{task}: action {}: {status}, {took_ms:.0} ms", index + 1));
            if !receipt.ok() {
                for tail in clean(&receipt.tail).trim_end().lines() {
                    let _ = writeln!(to, "    | {}", short(tail));
                }
            }
        }
        Event::AttemptFailed { task, failure, retry_at } => {
            let at = retry_at.strftime("%H:%M:%SZ");
            line(&format!("{task}: the attempt failed, to be tried again at {at}: {failure}"));
        }
        Event::TaskFinished(finished) => line(&ended(finished, find(state, &finished.task))),
        Event::SignalReceived(signal) => line(&format!("signal `{}` came", signal.name)),
        Event::RunStopped { why } => line(match why {
            Stopped::Interrupted => "run stopped on request; it can be resumed",
            Stopped::Waiting => "run stopped: all that is left waits for a person",
            Stopped::Unsure => "run stopped: it is not known whether something was published",
        }),
        Event::RunFinished { outcome } => line(&finished(*outcome, state)),
        Event::Unknown { name } => line(&format!("`{name}`, which this version does not know")),
    }
}

fn started(begun: &RunStarted, state: &RunState) -> String {
    let RunStarted { journal: _, run, pipeline, plan: _, ceiling, parent, process } = begun;
    let tasks = count(state.tasks().len(), "task");
    let parent = parent.as_ref().map_or_else(String::new, |parent| format!(", after run {parent}"));
    let (version, pid) = (&process.version, process.pid);
    format!(
        "run {run} started: `{pipeline}`, up to `{ceiling}`, {tasks}{parent}; version {version}, process {pid}"
    )
}

fn finished(outcome: RunOutcome, state: &RunState) -> String {
    let word = match outcome {
        RunOutcome::Passed => "passed",
        RunOutcome::Failed => "failed",
        RunOutcome::Cancelled => "cancelled",
    };
    let counts: Vec<String> = Outcome::ALL
        .into_iter()
        .map(|outcome| (state.count(outcome), outcome))
        .filter(|(count, _)| *count > 0)
        .map(|(count, outcome)| format!("{count} {outcome}"))
        .collect();
    format!("run finished: {word}{}; {}", took(state.started(), state.last()), counts.join(", "))
}

fn ended(finished: &TaskFinished, task: Option<&TaskState>) -> String {
    let TaskFinished { task: id, outcome, reason, conclusion, failure, from_run, reused: _, follows: _ } =
        finished;
    let mut text = format!("{id}: {outcome}");
    if let Some(task) = task {
        text += &took(task.started, task.ended);
    }
    for more in [
        reason.as_ref().map(ToString::to_string),
        from_run.as_ref().map(|run| format!("as in run {run}")),
        conclusion.as_ref().map(|conclusion| conclusion.summary.clone()).filter(|said| !said.is_empty()),
        failure.as_ref().map(ToString::to_string),
    ]
    .into_iter()
    .flatten()
    {
        text.push_str(": ");
        text.push_str(&more);
    }
    text
}

fn find<'s>(state: &'s RunState, task: &TaskId) -> Option<&'s TaskState> {
    state.plan().find(task).map(|ix| state.task(ix))
}

fn took(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    let time = from.zip(to).map(|(from, to)| to.duration_since(from).as_millis().max(0));
    time.map_or_else(String::new, |millis| format!(" in {}.{:03} s", millis / 1000, millis % 1000))
}

fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// One line of it, no longer than [`LINE`].
fn short(text: &str) -> String {
    let clean = clean(text);
    let mut line: String = clean.chars().take(LINE).map(|c| if c == '\n' { ' ' } else { c }).collect();
    if clean.chars().nth(LINE).is_some() {
        line.push('…');
    }
    line
}

/// Without control sequences and control characters: a log that is shown on a terminal must not move its cursor.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' && rest.next_if_eq(&'[').is_some() {
            while rest.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {}
        } else if !c.is_control() || matches!(c, '\n' | '\t') {
            clean.push(c);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_print_is_not_obeyed() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m\u{7}\rx\ty\n\u{1b}"), "redx\ty\n");
        assert_eq!(clean("\u{1b}[12"), "", "a sequence without its end");
    }

    #[test]
    fn a_line_is_a_line() {
        assert_eq!(short("a\nb"), "a b");
        assert_eq!(short(&"ä".repeat(LINE + 1)).chars().count(), LINE + 1);
    }
}
