//! The operation, the agent and the phase.

use std::fs;
use std::io::Write as _;

use orchestrator_core::action::{Action, Content};
use orchestrator_core::agent::{Agent, Verdict};
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::order::Artifacts;
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::pipeline::When;
use orchestrator_core::progress::ProgressSink;
use orchestrator_core::project::Project;
use orchestrator_core::settings::Settings;
use orchestrator_core::stop::Stop;
use orchestrator_core::testkit;
use serde_json::json;

use super::runs;
use crate::sample::{Journal, id, run_id};
use crate::summary::RunVerdict;
use crate::{
    Generator, RenderReport, Reports, RunReport, RunReportConfig, Summary, generators, load_run, standard,
    write_reports,
};

struct Place {
    root: tempfile::TempDir,
    progress: ProgressSink,
    stop: Stop,
    secrets: std::collections::BTreeMap<String, String>,
}

impl Place {
    /// A checkout with the journal of a run, its last line torn.
    fn of(journal: &Journal) -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(".orchestrate/runs").join(run_id().as_str());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("plan.json"), serde_json::to_vec(&*journal.plan).unwrap()).unwrap();
        let mut file = fs::File::create(folder.join("journal.jsonl")).unwrap();
        for record in &journal.records {
            serde_json::to_writer(&mut file, record).unwrap();
            file.write_all(b"\n").unwrap();
        }
        file.write_all(br#"{"n":999,"at":"2026-11"#).unwrap();
        let progress = ProgressSink::none(id("report"));
        Self { root, progress, stop: Stop::new(), secrets: std::collections::BTreeMap::new() }
    }

    fn run(&self) -> std::path::PathBuf {
        self.root.path().join(".orchestrate/runs").join(run_id().as_str())
    }

    async fn call(&self, config: RunReportConfig) -> Result<crate::Rendered, orchestrator_core::BoxError> {
        let state = self.root.path().join(".orchestrate");
        RenderReport.call(config, &key(), &self.site(&state)).await
    }

    fn site<'a>(&'a self, state: &'a std::path::Path) -> Site<'a> {
        let (progress, stop, secrets) = (&self.progress, &self.stop, &self.secrets);
        Site { root: self.root.path(), state, progress, stop, secrets, env: &[] }
    }
}

fn key() -> OrderKey {
    OrderKey { run: run_id(), task: id("report"), attempt: 1, round: 0, index: 0 }
}

#[tokio::test]
async fn a_run_renders_its_own_reports() {
    let journal = runs::failing();
    let place = Place::of(&journal);
    let rendered = place.call(RunReportConfig::default()).await.unwrap();
    assert_eq!(rendered.upto, journal.records.len() as u64);
    for file in &rendered.files {
        let bytes = fs::read(file.path.under(&place.run().join("reports"))).unwrap();
        assert_eq!((bytes.len() as u64, Digest::of(&bytes)), (file.bytes, file.digest));
    }
    let names: Vec<_> = rendered.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["summary.json", "index.html", "summary.md"]);
    assert_eq!(fs::read_dir(place.run().join("reports")).unwrap().count(), 3, "nothing else is left there");
    // When the run is over, the same call makes the pages complete.
    let record = load_run(&place.run(), run_id()).unwrap();
    write_reports(&record, &generators(), &place.run().join("reports")).unwrap();
    let text = fs::read(place.run().join("reports/summary.json")).unwrap();
    let summary: Summary = serde_json::from_slice(&text).unwrap();
    assert_eq!(summary.verdict.status, RunVerdict::Running);
}

#[tokio::test]
async fn a_copy_links_back_and_can_be_undone() {
    let place = Place::of(&runs::failing());
    let to = Some(RelPath::new("docs/report").unwrap());
    let config = RunReportConfig { generators: vec![Generator::Html, Generator::Json], to };
    fs::create_dir_all(place.root.path().join("docs/report")).unwrap();
    fs::write(place.root.path().join("docs/report/index.html"), "before").unwrap();
    let state = place.root.path().join(".orchestrate");
    let undo = RenderReport.undo(&config, &place.site(&state)).await.unwrap();
    let Action::Write(write) = &undo[0] else { panic!("{undo:?}") };
    assert_eq!((write.path.as_str(), &write.content), ("docs/report/index.html", &Content::new("before")));
    let Action::Remove(remove) = &undo[1] else { panic!("{undo:?}") };
    assert_eq!(remove.path.as_str(), "docs/report/summary.json");
    assert!(RenderReport.undo(&RunReportConfig::default(), &place.site(&state)).await.unwrap().is_empty());
    assert_eq!(RenderReport.already(&config, &key(), &place.site(&state)).await, Already::NotDone);

    place.call(config).await.unwrap();
    let page = fs::read_to_string(place.root.path().join("docs/report/index.html")).unwrap();
    assert!(page.contains(&format!("href=\"../../.orchestrate/runs/{}/logs/", run_id())));
}

#[tokio::test]
async fn damage_is_named() {
    let place = Place::of(&runs::failing());
    let journal = place.run().join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap().replace("\"n\":3,", "\"n\":4,");
    fs::write(&journal, text).unwrap();
    let error = place.call(RunReportConfig::default()).await.unwrap_err().to_string();
    assert_eq!(error, "record 4 of the journal does not fit: number 3 was expected");
    fs::write(&journal, "nonsense\n").unwrap();
    let error = place.call(RunReportConfig::default()).await.unwrap_err().to_string();
    assert_eq!(error, "line 1 of `journal.jsonl` is damaged");
    fs::remove_file(&journal).unwrap();
    let error = place.call(RunReportConfig::default()).await.unwrap_err().to_string();
    assert!(error.ends_with("journal.jsonl` could not be read"), "{error}");
}

#[test]
fn the_agent_says_what_was_rendered() {
    let kept = testkit::Kept::default();
    let task = testkit::task(RunReportConfig::default());
    let output = json!({"upto": 7, "files": [{"name": "html", "path": "index.html", "bytes": 1, "digest": Digest::of(b"")}]});
    let verdict = RunReport.conclude(&task, &[testkit::done(output)], &Artifacts::new(&kept)).unwrap();
    let Verdict::Passed(conclusion) = verdict else { panic!("{verdict:?}") };
    assert_eq!(conclusion.summary, "rendered index.html from records 1 to 7");
    let verdict = RunReport.conclude(&task, &[], &Artifacts::new(&kept)).unwrap();
    assert_eq!(verdict, Verdict::failed("no report was rendered"));
}

#[test]
fn the_phase_reports_whatever_came_before() {
    let (settings, with) = (Settings::default(), json!({"generators": ["html"], "to": "out"}));
    let mut draft = Draft::new(&settings, &with);
    Reports.draft(&Project::default(), &mut draft).unwrap();
    let (groups, _) = draft.finish();
    let task = &groups[0].tasks[0];
    assert_eq!((task.id.as_str(), task.agent.as_str(), &task.when), ("report", "run-report", &When::Always));
    assert_eq!(task.with, json!({"generators": ["html"], "to": "out"}));

    let wrong = json!({"generators": ["pdf"]});
    assert!(Reports.draft(&Project::default(), &mut Draft::new(&settings, &wrong)).is_err());
    let registry = standard();
    assert_eq!((registry.agents().len(), registry.phases().len()), (1, 1));
    assert_eq!(registry.operations().unwrap().len(), 1);
}
