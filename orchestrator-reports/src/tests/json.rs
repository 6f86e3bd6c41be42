//! The summary, as JSON.

use super::runs;
use crate::summary::PhaseStatus::{Failed, NotRun, Passed, Waiting, Withheld};
use crate::summary::{PhaseStatus, RunVerdict, Summary, TaskStatus};
use crate::{Json, Markdown};
use orchestrator_core::report::{ReportGenerator, RunRecord};

fn text(generator: &dyn ReportGenerator, record: &RunRecord) -> String {
    let report = generator.generate(record).unwrap();
    assert_eq!(report, generator.generate(record).unwrap(), "same record, same bytes");
    String::from_utf8(report.files.into_iter().next().unwrap().1).unwrap()
}

#[test]
fn summaries_of_runs() {
    insta::assert_snapshot!("passed", text(&Json, &runs::passed()));
    insta::assert_snapshot!("failed", text(&Json, &runs::failed()));
    insta::assert_snapshot!("dry", text(&Json, &runs::dry()));
    insta::assert_snapshot!("waiting", text(&Json, &runs::waiting()));
}

#[test]
fn markdown_of_runs() {
    insta::assert_snapshot!("passed.md", text(&Markdown, &runs::passed()));
    insta::assert_snapshot!("failed.md", text(&Markdown, &runs::failed()));
    insta::assert_snapshot!("dry.md", text(&Markdown, &runs::dry()));
    insta::assert_snapshot!("waiting.md", text(&Markdown, &runs::waiting()));
}

#[test]
fn a_summary_reads_back() {
    let summary = Summary::of(&runs::failed());
    let read: Summary = serde_json::from_str(&text(&Json, &runs::failed())).unwrap();
    assert_eq!(read, summary);
    let schema = serde_json::to_value(schemars::schema_for!(Summary)).unwrap();
    assert!(schema["properties"]["verdict"].is_object());
}

#[test]
fn a_run_can_report_on_itself() {
    let summary = Summary::of(&runs::failing().record());
    assert_eq!(summary.verdict.status, RunVerdict::Running);
    let phase = summary.phases.last().unwrap();
    assert_eq!(phase.status, PhaseStatus::Running);
    let own = summary.tasks().last().unwrap();
    assert_eq!(own.status, TaskStatus::Running);
    assert_eq!(own.ended.why(), Some("it has not ended"));
    assert_eq!(own.reason.as_deref(), Some("it was under way at the last record of this report"));
    assert_eq!(summary.ended.why(), Some("the run is not over"));
}

#[test]
fn phases_say_how_they_stand() {
    let of = |record| Summary::of(&record).phases.iter().map(|phase| phase.status).collect::<Vec<_>>();
    assert_eq!(of(runs::passed()), [Passed; 6]);
    assert_eq!(of(runs::failed()), [Passed, Passed, Failed, NotRun, NotRun, Passed]);
    assert_eq!(of(runs::dry()), [Withheld, Withheld]);
    assert_eq!(of(runs::waiting()), [Passed, Waiting]);
}

#[test]
fn figures_cite_the_record_that_holds_them() {
    let (record, summary) = (runs::passed(), Summary::of(&runs::passed()));
    for metric in &summary.metrics {
        let n = *metric.evidence.record.value().unwrap();
        assert!(n >= 1 && n <= record.upto);
        let task = summary.tasks().find(|task| task.id == metric.task).unwrap();
        assert_eq!(task.record.value(), Some(&n));
    }
}

#[test]
fn undo_comes_latest_first_and_names_what_cannot() {
    let undo = Summary::of(&runs::passed()).undo;
    let tasks: Vec<_> = undo.can.iter().map(|one| one.task.as_str()).collect();
    assert_eq!(
        tasks,
        ["production", "staging", "changelog", "tag", "merge", "render", "rollback-script", "backup"]
    );
    let cannot: Vec<_> = undo.cannot.iter().map(|one| one.task.as_str()).collect();
    assert_eq!(cannot, ["report", "push", "test", "build", "clippy"], "a repeated action counts once");
}
