use insta::assert_snapshot;
use orchestrator_core::agent::{Agent, Verdict, dyn_agent};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifacts, Receipt, Status};
use orchestrator_core::testkit::{Kept, task};
use orchestrator_core::workspace::Workspace;
use serde_json::{Value, json};

use super::{Command, CommandConfig};
use crate::testing::{ready, shown};

fn config(value: Value) -> CommandConfig {
    serde_json::from_value(value).unwrap()
}

fn planned(value: Value) -> String {
    let look = Workspace::new("/", "2026-11-20T23:44:33Z".parse().unwrap());
    match ready(Command.plan(&task(config(value)), &look)) {
        Ok(actions) => shown(&actions),
        Err(error) => format!("error: {error}\n"),
    }
}

#[test]
fn plans() {
    let mut all = planned(json!({ "run": ["cargo", "fmt", "--check"], "effect": "reads" }));
    all += &planned(json!({
        "run": "a | b", "cwd": "web", "env": { "TOKEN": { "secret": "CI" } }, "collect": ["out/*"],
        "undo": { "run": ["./undo.sh"] },
    }));
    all += &planned(json!({ "run": [] }));
    all += &planned(json!({ "run": "  " }));
    assert_snapshot!(all, @r"
    run cargo fmt --check [reads]
    run TOKEN=<secret CI> a | b (in web) (keeps out/*) (undo: run TOKEN=<secret CI> ./undo.sh (in web) [writes]) [writes]
    error: `run` is empty: there is nothing to run
    error: `run` is empty: there is nothing to run
    ");
}

#[test]
fn unknown_fields_are_named() {
    let agent = dyn_agent(Command).unwrap();
    let error = agent.check(&Json::from(json!({ "run": "x", "efect": "reads" }))).unwrap_err();
    assert!(
        error.to_string().starts_with("unknown field `efect`, expected one of `run`, `effect`"),
        "{error}"
    );
}

fn concluded(output: &str, status: Status, stdout: &[u8]) -> String {
    let mut kept = Kept::default();
    let mut receipt = Receipt::new(status);
    receipt.stdout = (!stdout.is_empty()).then(|| kept.keep("stdout", stdout));
    let task = task(config(json!({ "run": ["make", "it"], "output": output })));
    match Command.conclude(&task, &[receipt], &Artifacts::new(&kept)).unwrap() {
        Verdict::Passed(conclusion) => format!("passed: {}\n", Json::of(&conclusion.output).unwrap()),
        Verdict::Failed(conclusion) => format!("failed: {}\n", conclusion.summary),
        Verdict::Skipped(_) | Verdict::More { .. } => panic!("one round"),
    }
}

#[test]
fn conclusions() {
    let mut all = concluded("none", Status::Exited(0), b"noise");
    all += &concluded("text", Status::Exited(0), b"v1\n");
    all += &concluded("text", Status::Exited(0), b"a\xffb");
    all += &concluded("json", Status::Exited(0), b"{\"tag\": 1}\n");
    all += &concluded("json", Status::Exited(0), b"{\"tag\": ");
    all += &concluded("json", Status::Exited(0), b"");
    all += &concluded("none", Status::Exited(1), b"");
    all += &concluded("none", Status::Signaled(9), b"");
    all += &concluded("none", Status::TimedOut, b"");
    assert_snapshot!(all, @r#"
    passed: {"exit_code":0,"artifacts":[]}
    passed: {"exit_code":0,"stdout":"v1","artifacts":[]}
    passed: {"exit_code":0,"stdout":"a�b","artifacts":[]}
    passed: {"exit_code":0,"stdout":{"tag":1},"artifacts":[]}
    failed: `make it` printed what is not JSON: EOF while parsing a value at line 1 column 8
    failed: `make it` printed nothing, so its output is not JSON
    failed: `make it` ended with exit code 1
    failed: `make it` was ended by signal 9
    failed: `make it` ran out of time
    "#);
}

#[test]
fn text_is_cut_between_characters() {
    let text = concluded("text", Status::Exited(0), "é".repeat(40_000).as_bytes());
    assert_eq!(text.matches('é').count(), 32_768);
}

#[test]
fn references_stand_where_values_will_be() {
    let check = |config: Value| dyn_agent(Command).unwrap().check(&config.into());
    let from = json!({ "from": "version/tag" });
    check(json!({ "run": ["docker", "build", "-t", from], "env": { "TAG": from }, "cwd": from })).unwrap();
    let wrong = check(json!({ "run": ["x", from], "effect": "dreams" })).unwrap_err();
    assert!(wrong.message.contains("unknown variant `dreams`"), "{wrong}");
    assert!(check(json!({ "run": ["x"], "effect": from })).is_err(), "an effect is known before the run");
}
