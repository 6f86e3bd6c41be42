use orchestrator_core::agent::Conclusion;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{GroupName, PhaseName};
use orchestrator_core::order::Status;
use orchestrator_core::testkit::Kept;
use serde_json::{Value, json};

use super::*;
use crate::testing::{ready, shown};

fn task(instructions: &str) -> Task<ManualConfig> {
    Task {
        id: TaskId::new("5.4").unwrap(),
        phase: PhaseName::new("five").unwrap(),
        group: GroupName::new("a").unwrap(),
        config: ManualConfig {
            instructions: instructions.into(),
            links: vec!["https://example.org/x".into()],
        },
        carried: Json::null(),
    }
}

fn plan(task: &Task<ManualConfig>) -> Result<Vec<Action>, BoxError> {
    let folder = tempfile::tempdir().unwrap();
    ready(Manual.plan(task, &Workspace::new(folder.path(), "2026-11-20T23:44:33Z".parse().unwrap())))
}

fn answered(task: &Task<ManualConfig>, payload: Value) -> Verdict<Done> {
    let mut receipt = Receipt::new(Status::Done);
    receipt.output = payload.into();
    receipt.tail = "shell-user".into();
    let kept = Kept::default();
    Manual.conclude(task, &[receipt], &Artifacts::new(&kept)).unwrap()
}

#[test]
fn it_plans_one_wait_and_shows_the_instructions() {
    let actions = plan(&task("  Rotate the key.\nThen tell the team. ")).unwrap();
    assert_eq!(
        shown(&actions),
        "wait for signal manual.5.4: Rotate the key.\nThen tell the team.\nsee https://example.org/x [writes]\n"
    );
    assert_eq!(actions[0].effect(), Effect::Writes, "a dry run shows it and does not wait");
}

#[test]
fn instructions_are_bounded_and_there() {
    assert!(plan(&task(" \n")).unwrap_err().to_string().contains("`instructions` is empty"));
    assert!(plan(&task(&"x".repeat(MAX_TEXT + 1))).unwrap_err().to_string().contains("65537 bytes"));
    let mut many = task("x");
    many.config.links = vec![String::new(); 101];
    assert!(plan(&many).unwrap_err().to_string().contains("`links` may have 100"));
}

#[test]
fn the_person_decides() {
    let at = "2026-11-21T06:00:00Z";
    let done =
        answered(&task("x"), json!({ "decision": "done", "by": "Ada", "note": "looks\ngood", "at": at }));
    let output = Done { by: "Ada".into(), note: "looks\ngood".into(), at: Some(at.parse().unwrap()) };
    assert_eq!(done, Verdict::passed("5.4 done by Ada: looks…", output));
    let skipped = answered(&task("x"), json!({ "decision": "skip" }));
    assert_eq!(skipped, Verdict::skipped("5.4 skipped by shell-user"));
    let aborted = answered(&task("x"), json!({ "decision": "abort", "by": "Ada", "note": "no" }));
    assert_eq!(aborted, Verdict::failed("5.4 aborted by Ada: no"));
}

#[test]
fn an_answer_that_makes_no_sense_is_passed_over_and_said() {
    let long = json!({ "decision": "done", "note": "x".repeat(MAX_NOTE + 1) });
    for (payload, why) in [
        (Value::Null, "it brought nothing"),
        (json!("done"), "invalid type"),
        (json!({}), "missing field `decision`"),
        (json!({ "decision": "maybe" }), "unknown variant `maybe`"),
        (json!({ "decision": "done", "sudo": true }), "unknown field `sudo`"),
        (long, "`note` has 65537 bytes, at most 65536"),
    ] {
        let verdict = answered(&task("Do it."), payload.clone());
        let Verdict::More { actions, carried } = verdict else { panic!("{payload}: {verdict:?}") };
        let said = shown(&actions);
        assert!(said.starts_with("wait for signal manual.5.4: Do it."), "{said}");
        assert!(said.contains(why) && said.contains("(an answer was passed over: "), "{said}");
        assert_eq!(carried, Json::of(&1).unwrap());
    }
    let worn = Task { carried: Json::of(&(MAX_BROKEN - 1)).unwrap(), ..task("x") };
    let Verdict::Failed(Conclusion { summary, .. }) = answered(&worn, json!(7)) else { panic!() };
    assert!(summary.starts_with("20 answers came that make no sense"), "{summary}");
}

#[test]
fn what_moves_a_cursor_is_replaced() {
    let payload = json!({ "decision": "done", "by": "A\u{1b}[2Jda\nroot", "note": "a\u{7}\u{9b}b\tc" });
    let Verdict::Passed(conclusion) = answered(&task("x"), payload) else { panic!() };
    let output = conclusion.output.unwrap();
    assert_eq!((output.by.as_str(), output.note.as_str()), ("A\u{fffd}[2Jda root", "a\u{fffd}\u{fffd}b\tc"));
    assert!(!conclusion.summary.chars().any(|c| c.is_control() && c != '\t'), "{}", conclusion.summary);
}

#[test]
fn every_task_has_a_signal_of_its_own() {
    let long = |end: &str| TaskId::new(format!("{}{end}", "x".repeat(MAX_NAME - 1))).unwrap();
    let (one, two) = (signal_of(&long("a")).unwrap(), signal_of(&long("b")).unwrap());
    assert!(one != two && one.as_str().len() <= MAX_NAME, "{one} {two}");
    assert_eq!(signal_of(&TaskId::new("1.1").unwrap()).unwrap().as_str(), "manual.1.1");
}
