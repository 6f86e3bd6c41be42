//! What a run withheld: the very actions of a real run, edits as diffs.

use std::fmt::Write as _;
use std::path::Path;

use orchestrator_core::action::{Action, Call, Remove, Write};
use orchestrator_core::layout::Layout;
use orchestrator_core::outcome::Outcome;
use orchestrator_core::report::RunRecord;

use super::diff::Overlay;
use super::paint::Paint;
use super::spread::{LINE, spread};
use super::text::{clean, plural};

/// The agent that keeps what it writes only where the command after it passes.
const TRIED: &str = "test_generation";

/// Each withheld action, then what was put off and why.
pub(super) fn render(record: &RunRecord, root: &Path, layout: &Layout, paint: Paint) -> String {
    let (withheld, plan) = (record.withheld(), record.plan());
    let mut overlay = Overlay::new(root.to_owned(), layout, &record.run);
    let mut text = String::new();
    let mut phase = None;
    for (ix, actions) in withheld.tasks() {
        let at = plan.phase_ix(ix);
        if phase.replace(at) != Some(at) {
            let _ = writeln!(text, "\n{}", paint.bold(&clean(&plan.phases()[at].title)));
        }
        let tried = plan.task(ix).agent.as_str() == TRIED && actions.iter().any(|action| is_run(action));
        let kept = if tried { paint.dim(" (kept if they pass)") } else { String::new() };
        let _ = writeln!(text, "  {}{kept}", plan.task(ix).id);
        for action in actions {
            if is_own(action) {
                let _ = writeln!(text, "    {}", paint.dim(&format!("· {}", clean(&line(action)))));
                continue;
            }
            let _ = writeln!(text, "    {} {}", paint.warn("~"), clean(&line(action)));
            let diff = match action {
                Action::Write(Write { path, content, .. }) => overlay.edit(path, Some(content), paint),
                Action::Remove(Remove { path, .. }) => overlay.edit(path, None, paint),
                Action::Call(call) if is_long(action) => clean(&spread(&call.input.value()).join("\n")),
                Action::Run(_) | Action::Call(_) | Action::Await(_) => String::new(),
            };
            for line in diff.lines() {
                let _ = writeln!(text, "      {line}");
            }
        }
    }
    let deferred: Vec<String> = withheld
        .deferred()
        .map(|ix| {
            let task = plan.task(ix);
            let before = task.takes.iter().chain(&task.needs).chain(&task.follows);
            let is_off = |outcome| matches!(outcome, Some(Outcome::Withheld | Outcome::Deferred));
            let held = before
                .filter(|id| plan.find(id).is_some_and(|ix| is_off(record.state.task(ix).outcome())))
                .map(ToString::to_string);
            let held: std::collections::BTreeSet<String> = held.collect();
            let held = held.into_iter().collect::<Vec<_>>().join(", ");
            let why = if held.is_empty() { "something withheld before it".to_owned() } else { held };
            format!("  {}: needs the result of {why}", task.id)
        })
        .collect();
    if !deferred.is_empty() {
        let _ =
            writeln!(text, "\n{}\n{}", paint.bold("Known only once the above is done"), deferred.join("\n"));
    }
    text
}

/// Whether it is about what orchestrate remembers for itself: one line is enough.
fn is_own(action: &Action) -> bool {
    match action {
        Action::Write(Write { path, .. }) | Action::Remove(Remove { path, .. }) => {
            path.as_str().starts_with(".orchestrate/")
        }
        Action::Run(_) | Action::Call(_) | Action::Await(_) => false,
    }
}

fn is_run(action: &Action) -> bool {
    matches!(action, Action::Run(_))
}

fn is_long(action: &Action) -> bool {
    action.to_string().len() > LINE
}

/// An action on a line; the input of a call that is too long for it follows below.
fn line(action: &Action) -> String {
    match action {
        Action::Call(Call { operation, input: _, effect, keep_going }) if is_long(action) => {
            let goes_on = if *keep_going { " (goes on when it fails)" } else { "" };
            format!("call {operation}{goes_on} [{effect}]")
        }
        action => action.to_string(),
    }
}

/// "3 changes pending, 2 tasks known after them; nothing was changed".
pub(super) fn sentence(record: &RunRecord) -> String {
    let withheld = record.withheld();
    let changes: usize = withheld.tasks().map(|(_, actions)| actions.len()).sum();
    let after = match withheld.deferred().count() {
        0 => String::new(),
        deferred => format!(", {} known after them", plural(deferred, "task")),
    };
    // A task that failed may have failed over a change that it made.
    let done = if record.state.count(Outcome::Failed) == 0 { "nothing was changed" } else { "none was made" };
    format!("{} pending{after}; {done}", plural(changes, "change"))
}
