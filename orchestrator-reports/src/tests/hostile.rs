//! Hostile text in every field stays text.

use orchestrator_core::action::{Action, Call, CommandLine, Content, Expects, Run, Write};
use orchestrator_core::agent::Conclusion;
use orchestrator_core::effect::Effect;
use orchestrator_core::event::{RunOutcome, TaskFinished};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::id::OperationName;
use orchestrator_core::order::Receipt;
use orchestrator_core::outcome::{Failure, Outcome};
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::report::{ReportGenerator, RunRecord};
use serde_json::json;

use super::html::page;
use crate::Markdown;
use crate::sample::{Journal, exited, id, plan, set};

const HOSTILE: &str = "</script></style><img src=x onerror=alert(1)>\"'`|&amp;\u{202e}";

pub(super) fn hostile() -> RunRecord {
    let mut plan = plan(&[("build", HOSTILE, &["a", "b"])]);
    plan["pipeline"] = json!(HOSTILE);
    plan["notes"] = json!([HOSTILE]);
    plan["phases"][0]["checkpoint"] = json!(HOSTILE);
    set(&mut plan, "a", "description", json!(HOSTILE));
    let mut command = Run::line(Effect::Writes, CommandLine::Shell(HOSTILE.into()));
    command.collect = vec![HOSTILE.into()];
    let operation = OperationName::new("op").unwrap();
    let call: Action =
        Call { operation, input: json!(HOSTILE).into(), effect: Effect::Publishes, keep_going: false }.into();
    let path = RelPath::new(HOSTILE.replace("</", "")).unwrap();
    let write: Action =
        Write { path: path.clone(), content: Content::new(HOSTILE), mode: None, expects: Expects::Anything }
            .into();
    let mut journal = Journal::begin(plan, Effect::Publishes);
    let mut receipt = exited("a", 1, 1.0, HOSTILE);
    for artifact in [receipt.stdout.as_mut().unwrap(), receipt.stderr.as_mut().unwrap()] {
        artifact.name = HOSTILE.into();
        artifact.place = path.clone();
    }
    receipt.artifacts = vec![receipt.stdout.clone().unwrap()];
    journal.start("a", 1, vec![command.clone().into()]).act("a", 0, vec![call.clone(), write.clone()]);
    journal.did(
        "a",
        0,
        Receipt::failed(Failure { message: HOSTILE.into(), causes: vec![HOSTILE.into()] }, true),
    );
    journal
        .retry("a", HOSTILE)
        .start("a", 2, vec![command.into()])
        .act("a", 0, vec![call.clone()])
        .did("a", 0, receipt);
    let evidence = Evidence {
        tool: HOSTILE.into(),
        version: Some(HOSTILE.into()),
        command: Some(HOSTILE.into()),
        artifact: Some(Digest::of(b"x")),
        place: Some(path),
    };
    let said = Conclusion { output: None, summary: HOSTILE.into(), metrics: vec![], findings: vec![] }
        .metrics([
            Metric::new(HOSTILE, f64::NAN, HOSTILE, evidence.clone()),
            Metric::new(HOSTILE, 1.5, HOSTILE, evidence),
        ])
        .findings([Finding::new(HOSTILE, Severity::Error, HOSTILE).at(HOSTILE, Some(1))]);
    let failure = Some(Failure { message: HOSTILE.into(), causes: vec![HOSTILE.into()] });
    let finished = TaskFinished {
        task: id("a"),
        outcome: Outcome::Failed,
        reason: None,
        conclusion: Some(said),
        failure,
        from_run: None,
        reused: None,
        follows: Vec::new(),
    };
    journal.push(orchestrator_core::event::Event::TaskFinished(Box::new(finished)));
    journal.start("b", 1, vec![call, write]).end("b", Outcome::Withheld, None, None);
    journal.finish(RunOutcome::Failed).record()
}

#[test]
fn hostile_text_stays_text() {
    let page = page(&hostile());
    assert!(!page.contains("<img"), "an element got in");
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(!page.contains('\u{202e}') && page.contains("[U+202E]"), "nothing turns the text around");
    assert!(page.matches("&lt;img").count() > 20, "it is shown as text");
    let markdown = Markdown.generate(&hostile()).unwrap().files.remove(0).1;
    let markdown = String::from_utf8(markdown).unwrap();
    let fenced: String = markdown.split("```").step_by(2).collect();
    assert!(!fenced.contains("<img"), "{fenced}");
}
