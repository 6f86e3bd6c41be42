//! The dialect of roadmaps: `orchestrator:`, `phase_N:` and `checkpoints:` at the top. Reads the same tree as pipelines do, into
//! the same specs; tasks are read by what every task takes.

mod notify;
mod task;

use serde_json::{Map, Value};

use crate::file::cursor::Cursor;
use crate::file::decode;
use crate::file::keys::roadmap::{
    ABOUT, CHECKPOINT, GROUP, MINUTES, NOTIFICATIONS, PHASE, RETRIES, ROADMAP, SETTINGS,
};
use crate::file::keys::{EXECUTION, MANY};
use crate::file::tree::{Data, Node};
use crate::id::{GroupName, PhaseName};
use crate::pipeline::{Checkpoint, GroupSpec, PhaseSpec, Pipeline};
use crate::problem::unknown;
use notify::Notifications;

/// Whether a file is a roadmap.
pub(super) fn is_roadmap(root: &Node<'_>) -> bool {
    root.get("orchestrator").is_some() && root.get("version").is_none() && root.get("phases").is_none()
}

/// Reads a roadmap.
pub(super) fn pipeline(root: &Cursor<'_>) -> Pipeline {
    let mut pipeline = Pipeline { settings: Value::Object(Map::new()), roadmap: true, ..Pipeline::default() };
    let mut notifications = Notifications::default();
    root.each_key(&ROADMAP, |key, at| match key {
        "orchestrator" => notifications = about(&at, &mut pipeline),
        "vars" | "checkpoints" => {}
        "$schema" => drop(at.text()),
        key if key.starts_with("phase_") => pipeline.phases.extend(phase(&at, key)),
        key if key.starts_with("x-") => {}
        key => root.wrong_key(
            key,
            unknown("key of a roadmap", key, ["orchestrator", "vars", "checkpoints", "phase_1", "phase_2"]),
        ),
    });
    if let Some(node) = root.node.get("checkpoints") {
        checkpoints(&root.below("checkpoints", node), &mut pipeline.phases);
    }
    if pipeline.phases.is_empty() && matches!(root.node.data, Data::Map(_)) {
        root.wrong("a roadmap needs at least one phase: `phase_1:` with its `groups:`");
    }
    pipeline.phases.extend(notifications.phase(&pipeline.phases));
    pipeline
}

fn about(at: &Cursor<'_>, pipeline: &mut Pipeline) -> Notifications {
    let mut notifications = Notifications::default();
    at.each_key(&ABOUT, |key, value| match key {
        "name" => pipeline.name = value.text().map(str::to_owned),
        "version" | "description" => drop(value.text()),
        "project_root" => here(&value),
        "settings" => notifications = settings(&value, &mut pipeline.settings),
        _ => {}
    });
    notifications
}

/// The root of the project is the folder of the file.
fn here(at: &Cursor<'_>) {
    if at.text().is_some_and(|root| !matches!(root, "." | "./")) {
        at.wrong("the root of the project is the folder of this file: say `.`, and put the file there");
    }
}

/// Settings under the dialect's names become those of pipelines; any other is one of theirs.
fn settings(at: &Cursor<'_>, layer: &mut Value) -> Notifications {
    let mut notifications = Notifications::default();
    let mut own = Map::new();
    at.each_key(&SETTINGS, |key, value| match key {
        "max_parallel_tasks" => own.extend(value.count(&MANY).map(|jobs| ("jobs".into(), jobs.into()))),
        "retry_attempts" => {
            let count = value.count(&RETRIES);
            own.extend(count.map(|count| ("retries".into(), count.into())));
        }
        "retry_delay_seconds" => {
            own.extend(value.amount(3_600.0).map(|delay| ("retry_delay".into(), delay.into())));
        }
        "timeout_minutes" => {
            let minutes = value.count(&MINUTES);
            own.extend(minutes.map(|minutes| ("timeout".into(), (u64::from(minutes) * 60).into())));
        }
        "notifications" => notifications = Notifications::read(&value, &NOTIFICATIONS),
        _ => {}
    });
    let theirs = decode::settings_layer_of(at, |key| !SETTINGS.names().any(|name| name == key));
    if let Value::Object(theirs) = theirs {
        own.extend(theirs);
    }
    *layer = Value::Object(own);
    notifications
}

fn phase(at: &Cursor<'_>, key: &str) -> Option<PhaseSpec> {
    let name: PhaseName = match key.parse() {
        Ok(name) => name,
        Err(error) => {
            let error: crate::id::NameError = error;
            at.wrong(error.to_string());
            return None;
        }
    };
    let mut phase = PhaseSpec::new(name);
    phase.place = Some(at.place());
    at.each_key(&PHASE, |key, value| match key {
        "name" => phase.title = value.text().map(str::to_owned),
        "description" => phase.description = value.text().map(str::to_owned),
        "estimated_duration" => drop(value.text()),
        "depends_on" => phase.depends_on = Some(phases(&value)),
        "parallel_with" => phase.parallel_with = phases(&value),
        "groups" => value.each_entry(|key, place, at| match key.parse::<GroupName>() {
            Ok(name) => phase.groups.push(group(&at, name)),
            Err(error) => at.wrong_there(place, error.to_string()),
        }),
        _ => {}
    });
    Some(phase)
}

/// `phase_1`, or `1`.
fn phases(at: &Cursor<'_>) -> Vec<PhaseName> {
    at.one_or_list(|item| {
        let text = item.text()?;
        let number = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let name = if number { format!("phase_{text}") } else { text.to_owned() };
        PhaseName::new(name).map_err(|error| item.wrong(error.to_string())).ok()
    })
}

fn group(at: &Cursor<'_>, name: GroupName) -> GroupSpec {
    let mut group = GroupSpec::new(name);
    group.place = Some(at.place());
    at.each_key(&GROUP, |key, value| match key {
        "name" => group.title = value.text().map(str::to_owned),
        "description" => drop(value.text()),
        "execution" => group.execution = value.word(&EXECUTION).unwrap_or_default(),
        "fail_fast" => group.fail_fast = value.flag(),
        "max_parallel" => group.max_parallel = value.count(&MANY),
        "depends_on" => group.depends_on = value.one_or_list(|at| decode::group_ref(&at)),
        "tasks" => group.tasks = value.list(|_, at| Some(task::tasks(&at))).into_iter().flatten().collect(),
        _ => {}
    });
    group
}

/// `after_PHASE`: what must hold after a phase.
fn checkpoints(at: &Cursor<'_>, phases: &mut [PhaseSpec]) {
    at.each_entry(|key, place, value| {
        let known: Vec<String> = phases.iter().map(|phase| format!("after_{}", phase.name)).collect();
        let Some(of) = known.iter().position(|known| known == key) else {
            return value.wrong_there(place, unknown("checkpoint", key, known.iter().map(String::as_str)));
        };
        let before = &phases[..=of];
        let mut checkpoint = Checkpoint { name: "checkpoint".into(), validations: Vec::new() };
        value.each_key(&CHECKPOINT, |key, value| match key {
            "name" => value.text().unwrap_or("checkpoint").clone_into(&mut checkpoint.name),
            "description" => drop(value.text()),
            "validations" => {
                let phase = before[of].name.clone();
                checkpoint.validations =
                    value.list(|index, at| task::validation(&at, &phase, index + 1, before));
            }
            _ => {}
        });
        phases[of].checkpoint = Some(checkpoint);
    });
}
