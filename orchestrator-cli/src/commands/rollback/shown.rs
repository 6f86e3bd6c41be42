//! A rollback as people and programs see it.

use std::fmt::Write as _;

use jiff::Timestamp;
use orchestrator_core::id::RunId;
use orchestrator_core::orchestrator::{Irreversible, LeftOut, Restoration, Reversal, Rollback};
use serde_json::{Value, json};

use crate::console::{clean, cut, plural};

/// The longest line of what is undone; `--dry-run` shows in full what is done instead.
const LINE: usize = 110;
/// How many changes that a backup brings are listed; programs get all.
const CHANGES: usize = 20;

/// What people see.
pub(super) fn text(run: &RunId, rollback: &Rollback) -> String {
    let Rollback { plan, reach, steps, left_out, irreversible, restoration, cut_off } = rollback;
    let mut text = String::new();
    if plan.is_none() {
        let _ = writeln!(text, "There is nothing to undo of run {run}.");
    } else {
        let _ = writeln!(text, "{} to undo of run {run}, up to `{reach}`:", plural(steps.len(), "step"));
        for step in steps {
            line(&mut text, &about(step));
            if step.action.is_none()
                && let Some(restoration) = restoration
            {
                backup(&mut text, restoration, irreversible);
            }
        }
    }
    for rollback in cut_off {
        let _ = writeln!(text, "Rollback {rollback} was cut off; this one does what it left.");
    }
    for (by, count) in by(left_out) {
        let _ = writeln!(text, "Left out, since rollback {by} undid it: {}", plural(count, "step"));
    }
    if !irreversible.is_empty() {
        text.push_str("What was done and cannot be undone from the journal:\n");
        for Irreversible { task, action, at, advice, covered } in irreversible {
            line(&mut text, &format!("{}{task}: {}", time(*at), clean(&action.to_string())));
            if *covered {
                text.push_str("    the backup brings back what it changed in the checkout\n");
            } else if let Some(advice) = advice {
                let _ = writeln!(text, "    instead: {}", clean(advice));
            }
        }
    }
    text
}

fn about(step: &Reversal) -> String {
    let Reversal { task, action, at, .. } = step;
    match action {
        Some(action) => format!("{}{task}: {}", time(*at), clean(&action.to_string())),
        None => format!("{}{task}: what changed since", time(*at)),
    }
}

fn backup(text: &mut String, restoration: &Restoration, irreversible: &[Irreversible]) {
    let Restoration { name, at: _, actions: _, covers, instead_of, changes, newer, took_ms } = restoration;
    let took = took_ms
        .map_or(String::new(), |ms| format!("; restoring took {:.1} s when it was tried", ms / 1000.0));
    let _ = writeln!(text, "    restores from backup {}{took}", clean(name));
    for at in covers {
        if let Some(Irreversible { task, action, .. }) = irreversible.get(*at) {
            line(text, &format!("    instead of an undo of {task}: {}", clean(&action.to_string())));
        }
    }
    if !instead_of.is_empty() {
        let _ = writeln!(text, "    and of {} that the journal has", plural(instead_of.len(), "undo"));
    }
    let _ = writeln!(text, "    {} as things are now:", plural(changes.len(), "change"));
    for change in changes.iter().take(CHANGES) {
        line(text, &format!("      {}", clean(change)));
    }
    if changes.len() > CHANGES {
        let _ = writeln!(text, "        and {} more", changes.len() - CHANGES);
    }
    if !newer.is_empty() {
        let _ = writeln!(text, "    newer than the run, so only with `--force`:");
        for name in newer.iter().take(CHANGES) {
            line(text, &format!("      {}", clean(name)));
        }
    }
}

fn line(text: &mut String, what: &str) {
    let _ = writeln!(text, "  {}", cut(what, LINE));
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M:%SZ  ").to_string())
}

/// How many steps each rollback undid.
fn by(left_out: &[LeftOut]) -> Vec<(&RunId, usize)> {
    let mut by: Vec<(&RunId, usize)> = Vec::new();
    for LeftOut { by: run, .. } in left_out {
        match by.iter_mut().find(|(known, _)| *known == run) {
            Some((_, count)) => *count += 1,
            None => by.push((run, 1)),
        }
    }
    by
}

/// What programs see.
pub(super) fn json(run: &RunId, rollback: &Rollback) -> Value {
    let Rollback { plan: _, reach, steps, left_out, irreversible, restoration, cut_off } = rollback;
    let steps = steps.iter().map(|Reversal { id, task, action, at, undo }| {
        let action = action.as_ref().map(ToString::to_string);
        let undo: Vec<String> = undo.iter().map(ToString::to_string).collect();
        json!({ "id": id, "task": task, "action": action, "at": at, "undo": undo })
    });
    let left_out = left_out
        .iter()
        .map(|LeftOut { task, action, by }| json!({ "task": task, "action": action.to_string(), "by": by }));
    let cannot = irreversible.iter().map(|Irreversible { task, action, at, advice, covered }| {
        json!({
            "task": task, "action": action.to_string(), "effect": action.effect(), "at": at, "advice": advice,
            "backup": covered,
        })
    });
    let backup = restoration.as_ref().map(|restoration| {
        let Restoration { name, at, actions: _, covers: _, instead_of, changes, newer, took_ms } =
            restoration;
        json!({
            "name": name, "at": at, "instead_of": instead_of.len(), "changes": changes, "newer": newer,
            "took_ms": took_ms,
        })
    });
    json!({
        "run": run, "reach": reach, "steps": steps.collect::<Value>(), "left_out": left_out.collect::<Value>(),
        "cannot": cannot.collect::<Value>(), "backup": backup, "cut_off": cut_off,
    })
}
