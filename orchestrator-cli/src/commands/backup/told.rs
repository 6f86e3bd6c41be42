//! What came of a run of `backup`, from its record.

use std::fmt::Write as _;

use orchestrator_agents::backup::ops::PreviewRollBack;
use orchestrator_core::action::Action;
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Receipt;
use orchestrator_core::outcome::Outcome;
use orchestrator_core::plan::PlannedTask;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::TaskState;
use orchestrator_core::units;
use serde_json::{Map, Value, json};

use super::list::took;
use crate::console::clean;

/// The agents whose output is told, and under which key.
const TOLD: [(&str, &str); 6] = [
    ("backup", "made"),
    ("verify-backup", "verified"),
    ("rollback-script", "script"),
    ("restore-backup", "restored"),
    ("restore-databases", "databases"),
    ("prune-backups", "pruned"),
];

fn tasks(record: &RunRecord) -> impl Iterator<Item = (&PlannedTask, &TaskState)> {
    record.plan().tasks().iter().zip(record.state.tasks())
}

/// For programs: the outputs, by what was done.
pub(super) fn json(record: &RunRecord) -> Value {
    let mut told: Map<String, Value> = Map::new();
    for (planned, task) in tasks(record) {
        let Some((_, key)) = TOLD.iter().find(|(agent, _)| *agent == planned.agent.as_str()) else {
            continue;
        };
        let output = task.output().map(orchestrator_core::json::Json::value);
        if *key == "verified" {
            let about = json!({
                "task": planned.id, "outcome": task.outcome(), "backup": planned.config.value().get("snapshot"), "output": output,
                "why": failure(task),
            });
            let all = told.entry(*key).or_insert_with(|| json!([]));
            all.as_array_mut().into_iter().for_each(|all| all.push(about.clone()));
        } else if let Some(output) = output {
            told.insert((*key).into(), json!(output));
        }
    }
    told.extend(previewed(record).map(|seen| ("would_change".to_owned(), seen)));
    Value::Object(told)
}

/// Why a task failed.
fn failure(task: &TaskState) -> Option<String> {
    let end = task.end.as_ref().filter(|end| end.outcome == Outcome::Failed)?;
    let summary = end.conclusion.as_ref().map(|conclusion| conclusion.summary.clone());
    summary.filter(|summary| !summary.is_empty()).or_else(|| end.failure.as_ref().map(ToString::to_string))
}

/// What restoring in place would change, where that was looked at and nothing was restored.
fn previewed(record: &RunRecord) -> Option<Value> {
    let looked = |(action, receipt): (&Action, &Receipt)| match action {
        Action::Call(call) if call.operation.as_str() == PreviewRollBack::NAME && receipt.ok() => {
            Some(receipt.output.value().clone())
        }
        _ => None,
    };
    tasks(record)
        .filter(|(_, task)| task.output().is_none())
        .find_map(|(_, task)| task.receipts().find_map(looked))
}

/// For people: figures of what was made, and a line for each backup that stays or goes.
pub(super) fn text(record: &RunRecord) -> String {
    let told = json(record);
    let mut text = String::new();
    if let Some(made) = told.get("made") {
        let field = |name: &str| made.get(name).and_then(Value::as_u64).unwrap_or_default();
        let place = made.get("snapshot").and_then(Value::as_str).unwrap_or_default();
        let _ =
            write!(text, "{}: {} of {} files", clean(place), units::bytes(field("bytes")), field("files"));
        let ms = |way: &str| told.pointer(way).and_then(Value::as_f64);
        if let Some(ms) = ms("/verified/0/output/restore_ms") {
            let _ = write!(text, ", restores in {}", took(ms));
        }
        if let Some(ms) = ms("/script/restore_ms") {
            let _ = write!(text, ", by its rollback.sh in {}", took(ms));
        }
        text.push('\n');
    }
    let lines = told.pointer("/would_change/changes").and_then(Value::as_array);
    for line in lines.into_iter().flatten().filter_map(Value::as_str) {
        let _ = writeln!(text, "  {}", clean(line));
    }
    for (_, task) in tasks(record).filter(|(planned, _)| planned.agent.as_str() == "prune-backups") {
        let conclusion = task.end.as_ref().and_then(|end| end.conclusion.as_ref());
        for finding in conclusion.map_or(&[][..], |conclusion| &conclusion.findings) {
            let _ = writeln!(text, "  {}", clean(&finding.message));
        }
    }
    text
}
