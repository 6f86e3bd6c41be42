//! The runs that the tests report on: a dry one, one that waits; deliveries are next door.

use orchestrator_core::action::{Action, Await, Call, Content, Expects, Remove, Run, Write};
use orchestrator_core::effect::Effect;
use orchestrator_core::event::{Event, Process, RunOutcome, Stopped};
use orchestrator_core::id::{OperationName, SignalName};
use orchestrator_core::outcome::{Outcome, Reason};
use orchestrator_core::path::RelPath;
use orchestrator_core::report::RunRecord;
use serde_json::Value;

use crate::sample::{Journal, exited, plan};

pub(super) use super::delivery::{failed, failing, passed};

pub(super) fn run(effect: Effect, argv: &[&str]) -> Action {
    Run::new(effect, argv.iter().copied()).into()
}

pub(super) fn call(effect: Effect, operation: &str, input: Value) -> Action {
    let operation = OperationName::new(operation).unwrap();
    Call { operation, input: input.into(), effect, keep_going: false }.into()
}

pub(super) fn write(path: &str, text: &str) -> Action {
    let path = RelPath::new(path).unwrap();
    Write { path, content: Content::new(text), mode: None, expects: Expects::Absent }.into()
}

pub(super) fn remove(path: &str) -> Action {
    Remove { path: RelPath::new(path).unwrap(), expects: Expects::Anything }.into()
}

pub(super) fn dry() -> RunRecord {
    let plan = plan(&[("build", "BUILD", &["fmt", "edit"]), ("release", "RELEASE", &["push", "notify"])]);
    let mut journal = Journal::begin(plan, Effect::Reads);
    journal.start("fmt", 1, vec![run(Effect::Reads, &["cargo", "fmt", "--check"])]).wait(400);
    journal.did("fmt", 0, exited("fmt", 0, 399.0, "")).passed("fmt", "formatted");
    journal.start("edit", 1, vec![write("VERSION", "1.4.0\n"), remove("OLD")]).wait(1);
    journal.end("edit", Outcome::Withheld, None, None);
    journal.start("push", 1, vec![run(Effect::Publishes, &["git", "push", "origin", "main"])]);
    journal.end("push", Outcome::Withheld, None, None).end(
        "notify",
        Outcome::Deferred,
        Some(Reason::Withheld),
        None,
    );
    journal.wait(1).finish(RunOutcome::Passed).record()
}

pub(super) fn waiting() -> RunRecord {
    let plan = plan(&[("build", "BUILD", &["test"]), ("release", "RELEASE", &["approve", "push"])]);
    let mut journal = Journal::begin(plan, Effect::Publishes);
    journal.start("test", 1, vec![run(Effect::Reads, &["cargo", "test"])]).wait(5000);
    journal.did("test", 0, exited("test", 0, 4990.0, "ok\n")).passed("test", "214 tests passed");
    let signal = Some(SignalName::new("release.approved").unwrap());
    let wait = Await { signal, seconds: Some(86400), message: "approve the release of 1.4.0".into() };
    journal.start("approve", 1, vec![wait.into()]).act("approve", 0, vec![]);
    journal.wait(2).stop(Stopped::Interrupted).wait(60_000);
    journal.push(Event::RunResumed(Process { version: "0.1.0".into(), pid: 4712, host: "build-7".into() }));
    journal.wait(3).stop(Stopped::Waiting).record()
}
