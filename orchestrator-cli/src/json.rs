//! One event a line, for programs.

use jiff::Timestamp;
use orchestrator_core::event::{Event, Record};
use orchestrator_core::id::RunId;
use orchestrator_core::observer::Observer;
use orchestrator_core::outcome::Outcome;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::{RunState, RunStatus};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::out::Out;

/// Version of the lines. Fields may be added within it, never renamed or removed.
pub const VERSION: u32 = 1;

/// Writes each event of a run as a line of JSON: `{"v":1,"run":..,"n":..,"at":..,"event":{..}}`.
pub struct JsonLines {
    out: Out,
}

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    run: Option<&'a RunId>,
    n: u64,
    at: Timestamp,
    event: &'a Event,
}

impl JsonLines {
    /// To standard output.
    pub fn stdout() -> Self {
        Self { out: Out::stdout() }
    }
}

impl Observer for JsonLines {
    fn event(&mut self, record: &Record, state: &RunState) {
        let Record { n, at, event } = record;
        let run = state.begun().map(|begun| &begun.run);
        match serde_json::to_string(&Line { v: VERSION, run, n: *n, at: *at, event }) {
            Ok(line) => self.out.line(&line),
            Err(error) => tracing::warn!(%error, n, "an event could not be written as JSON"),
        }
    }
}

/// The one line of an answer: `{"v":1,"result":{..}}`.
pub(crate) fn answer(result: &Value) -> String {
    format!("{{\"v\":{VERSION},\"result\":{result}}}")
}

/// What a run came to: the last line of `--format json`, and what `status` answers.
pub(crate) fn result(record: &RunRecord, exit: Exit, report: Option<&std::path::Path>) -> Value {
    let state = &record.state;
    let counts: Map<String, Value> =
        Outcome::ALL.into_iter().map(|outcome| (outcome.to_string(), state.count(outcome).into())).collect();
    let took = state.started().zip(state.last()).map(|(from, to)| to.duration_since(from));
    json!({
        "run": record.run, "pipeline": state.plan().pipeline(), "ceiling": state.ceiling(),
        "status": status(state), "exit": exit.code(), "counts": counts, "tasks": state.tasks().len(),
        "took_ms": took.and_then(|took| u64::try_from(took.as_millis()).ok()), "report": report,
        "waits": crate::questions::json(state, &record.run),
    })
}

/// Where a run stands, as programs read it.
pub(crate) fn status(state: &RunState) -> Value {
    match state.status() {
        RunStatus::New => "new".into(),
        RunStatus::Running => "running".into(),
        RunStatus::Stopped(why) => json!({ "stopped": why }),
        RunStatus::Finished(outcome) => json!({ "finished": outcome }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::sample::{Sample, record, records};

    #[test]
    fn a_line_an_event() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut lines = JsonLines { out: Out::new(writer) };
        let (plan, records) = records(Sample::Passed);
        let mut state = RunState::new(plan);
        for record in &records {
            state.apply(record.clone()).unwrap();
            lines.event(record, &state);
        }
        drop(lines);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let values: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(values.len(), records.len());
        for (n, value) in (1..).zip(&values) {
            assert_eq!((&value["v"], &value["n"]), (&json!(1), &json!(n)));
            assert_eq!(value["run"], "20261120234433-00ff00ff");
        }
        assert_eq!(values[1]["event"]["task_started"]["task"], "backup");
    }

    #[test]
    fn the_result_says_it_all() {
        let record = record(Sample::Failed);
        let result = result(&record, Exit::of(&record), None);
        assert_eq!((&result["exit"], &result["counts"]["failed"]), (&json!(1), &json!(1)));
        assert_eq!(result["status"], json!({ "finished": "failed" }));
    }
}
