//! Snapshots as people and programs read them.

use std::fmt::Write as _;

use orchestrator_agents::backup::keep::{Judged, Keep, judge};
use orchestrator_agents::backup::ops::{Holds, Known, Verified};
use orchestrator_core::units;
use serde_json::{Value, json};

use super::Shelf;
use crate::args::Format;
use crate::console::{clean, plural};
use crate::json::answer;
use crate::out::say;

pub(super) fn list(shelf: &Shelf, format: Format) {
    say(&match format {
        Format::Human => text(shelf),
        Format::Json => answer(&value(shelf)),
    });
}

/// Milliseconds as people read them.
pub(super) fn took(ms: f64) -> String {
    if ms < 100.0 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1000.0) }
}

fn text(shelf: &Shelf) -> String {
    let of = &shelf.of;
    let found = &shelf.listed.shelf;
    let mut text = String::new();
    if found.snapshots.is_empty() {
        let _ = writeln!(text, "There is no backup in `{of}`. Make one with: orchestrate backup create");
    } else {
        let all = plural(found.snapshots.len(), "backup");
        let _ = writeln!(text, "{all} in `{of}`, {} on disk, the latest first:", units::bytes(found.bytes));
    }
    for known in found.snapshots.iter().rev() {
        for line in lines(shelf, known) {
            let _ = writeln!(text, "{line}");
        }
    }
    if !found.strangers.is_empty() {
        let names: Vec<String> = found.strangers.iter().map(|name| clean(name)).collect();
        let _ = writeln!(text, "No backups, left alone: {}", names.join(", "));
    }
    if !found.leftovers.is_empty() {
        let _ = writeln!(
            text,
            "{} of backups that were cut off; the next one removes them",
            plural(found.leftovers.len(), "leftover")
        );
    }
    text
}

fn lines(shelf: &Shelf, known: &Known) -> Vec<String> {
    let Known { name, at: _, bytes, added, holds, verified, damaged } = known;
    let shared =
        if added < bytes { format!(" ({} of its own)", units::bytes(*added)) } else { String::new() };
    let mut first = format!("  {}  {:>9}{shared}", clean(name), units::bytes(*bytes));
    if let Some(Holds { files, head, refs, .. }) = holds {
        let _ = write!(first, "  {}", plural(usize::try_from(*files).unwrap_or(usize::MAX), "file"));
        if let Some(head) = head {
            let _ = write!(first, "  at {}", clean(head.get(..10).unwrap_or(head)));
        }
        if !refs {
            first.push_str("  no refs");
        }
    }
    let _ = match (damaged, verified) {
        (Some(_), _) => write!(first, "  DAMAGED"),
        (None, Some(Verified { at, restore_ms })) => {
            let at = at.strftime("%Y-%m-%d %H:%M");
            write!(first, "  verified {at}, restores in {}", took(*restore_ms))
        }
        (None, None) => write!(first, "  not verified"),
    };
    let mut about = Vec::new();
    about.extend(damaged.as_ref().map(|why| format!("damaged: {}", clean(why))));
    about.extend(holds.as_ref().map(|holds| format!("made by run {}", holds.run)));
    about.extend(shelf.listed.held.get(name).map(|held| format!("held: {held}")));
    let mut lines = vec![first];
    lines.extend((!about.is_empty()).then(|| format!("      {}", about.join("; "))));
    lines
}

fn value(shelf: &Shelf) -> Value {
    let found = &shelf.listed.shelf;
    let one = |known: &Known| {
        let Known { name, at, bytes, added, holds, verified, damaged } = known;
        json!({
            "name": name, "at": at, "bytes": bytes, "added": added,
            "files": holds.as_ref().map(|holds| holds.files), "tree_bytes": holds.as_ref().map(|holds| holds.tree_bytes),
            "head": holds.as_ref().and_then(|holds| holds.head.as_ref()), "refs": holds.as_ref().map(|holds| holds.refs),
            "run": holds.as_ref().map(|holds| &holds.run), "verified": verified, "damaged": damaged,
            "held": shelf.listed.held.get(name), "why_held": shelf.listed.held.get(name).map(ToString::to_string),
        })
    };
    json!({
        "folder": shelf.of, "backups": found.snapshots.iter().rev().map(one).collect::<Value>(), "bytes": found.bytes,
        "left_alone": found.strangers, "leftovers": found.leftovers,
    })
}

/// What a policy would do, a line for each.
pub(super) fn judged(shelf: &Shelf, keep: &Keep) -> String {
    let seen: Vec<_> = shelf.all().iter().map(Known::seen).collect();
    let judged = judge(&seen, Some(keep), &shelf.listed.held);
    let mut text = format!("{}, kept by: {keep}\n", plural(judged.len(), "backup"));
    for Judged { name, stays } in judged {
        let rules: Vec<String> = stays.iter().map(ToString::to_string).collect();
        let becomes = match rules.as_slice() {
            [] => "would go: no rule keeps it".to_owned(),
            rules => format!("stays: {}", rules.join(", ")),
        };
        let _ = writeln!(text, "  {}  {becomes}", clean(&name));
    }
    text
}
