//! The page: well formed, everything escaped, of bearable size.

use orchestrator_core::agent::Conclusion;
use orchestrator_core::effect::Effect;
use orchestrator_core::event::{RunOutcome, Stopped};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::order::{Receipt, Status};
use orchestrator_core::outcome::Outcome;
use orchestrator_core::report::{ReportGenerator, RunRecord};
use serde_json::json;

use super::hostile::hostile;
use super::runs;
use crate::sample::{Journal, exited, plan};
use crate::{Html, Json, Markdown};

pub(super) fn page(record: &RunRecord) -> String {
    let report = Html::default().generate(record).unwrap();
    assert_eq!(report, Html::default().generate(record).unwrap(), "same record, same bytes");
    let page = String::from_utf8(report.files.into_iter().next().unwrap().1).unwrap();
    well_formed(&page);
    page
}

/// Checks that tags are closed in order, attributes quoted, ids unique, and links to places in the page lead somewhere.
fn well_formed(page: &str) {
    const VOID: [&str; 3] = ["meta", "!DOCTYPE", "br"];
    let mut open = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[..end];
        assert!(!tag.contains('<'), "a tag in a tag: {tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "a quote in an attribute: {tag}");
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
        } else {
            let name = tag.split_whitespace().next().unwrap();
            assert!(name == "!DOCTYPE" || name.chars().all(char::is_alphanumeric), "not a tag: {tag}");
            if name == "style" {
                rest = &rest[rest.find("</style>").unwrap()..];
            }
            if !VOID.contains(&name) {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    let values = |key: &str| {
        page.split(&format!(" {key}=\""))
            .skip(1)
            .map(|part| part.split('"').next().unwrap())
            .collect::<Vec<_>>()
    };
    let ids = values("id");
    let unique: std::collections::HashSet<_> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "an id is used twice");
    for link in values("href") {
        match link.strip_prefix('#') {
            Some(id) => assert!(unique.contains(id), "`{link}` leads nowhere"),
            None => assert!(link.starts_with("../"), "`{link}` leaves the run"),
        }
    }
}

#[test]
fn pages_are_well_formed_and_self_contained() {
    for record in [runs::passed(), runs::failed(), runs::dry(), runs::waiting(), runs::failing().record()] {
        let page = page(&record);
        for bad in ["<script", "http://", "https://", "<link", "@import", "url("] {
            let found = page.match_indices(bad).all(|(at, _)| page[at..].starts_with("http://127.0.0.1"));
            assert!(found, "{bad}");
        }
        assert!(page.contains(&format!("records 1–{}", record.upto)));
    }
}

#[test]
fn logs_are_linked_relative_to_the_folder_of_the_run() {
    let record = runs::failed();
    assert!(page(&record).contains("href=\"../logs/test-1.0.0.stdout\""));
    let copy = Html::with_base(Some("../../.orchestrate/runs/x/")).generate(&record).unwrap();
    assert!(
        String::from_utf8_lossy(&copy.files[0].1)
            .contains("href=\"../../.orchestrate/runs/x/logs/test-1.0.0.stdout\"")
    );
    let alone = Html::with_base(None).generate(&record).unwrap();
    assert!(!String::from_utf8_lossy(&alone.files[0].1).contains("../logs"));
}

#[test]
fn what_was_not_measured_says_so() {
    let page = page(&runs::failed());
    assert!(page.contains("<span class=\"nm\">version not asked for</span>"));
    assert!(page.contains("(something it needs did not pass)"));
    let running = self::page(&runs::failing().record());
    assert!(running.contains("not measured<span class=\"why\">: the run is not over</span>"));
    assert!(page.contains("coverage: cargo-llvm-cov is not installed"));
}

fn many(count: usize, tail: &str) -> RunRecord {
    let ids: Vec<String> = (0..count).map(|n| format!("task-number-{n:05}-of-a-large-pipeline")).collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut journal = Journal::begin(
        plan(&[("first", "FIRST", &names[..count / 2]), ("second", "SECOND", &names[count / 2..])]),
        Effect::Writes,
    );
    for (n, task) in ids.iter().enumerate() {
        let words = ["cargo", "test", "--package", "one-of-the-crates-of-this-workspace", task];
        journal
            .start(task, 1, vec![runs::run(Effect::Writes, &words)])
            .act(task, 0, vec![runs::remove(task)])
            .wait(3);
        let failed = !tail.is_empty() || n % 1000 == 7;
        journal.did(task, 0, exited(task, i32::from(failed), 2.5, tail));
        let said =
            Conclusion::new("everything that this task looked at was found to be in order", json!({}).into())
                .metrics([Metric::new("tests.passed", 12.0, "count", Evidence::of("cargo test"))])
                .findings([Finding::new("rule", Severity::Note, "a remark").at("src/main.rs", Some(1))]);
        journal.end(task, if failed { Outcome::Failed } else { Outcome::Passed }, None, Some(said));
    }
    journal.finish(RunOutcome::Failed).record()
}

#[test]
fn ten_thousand_tasks_fit_on_a_page() {
    let record = many(10_000, "");
    let page = page(&record);
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert!(page.contains("more tasks left out of this page"), "the timeline says what it leaves out");
    assert!(Markdown.generate(&record).unwrap().files[0].1.len() < 100_000);
}

#[test]
fn ten_thousand_loud_failures_fit_on_a_page() {
    let page = page(&many(10_000, &"<&> a line of output of a task that failed\n".repeat(90)));
    assert!(page.len() < 6_000_000, "{} bytes", page.len());
}

#[test]
fn a_run_that_did_nothing_has_a_page() {
    let empty =
        Journal::begin(plan(&[("none", "NONE", &[])]), Effect::Reads).finish(RunOutcome::Passed).record();
    assert!(page(&empty).contains("No task was started."));
    let status = Receipt::new(Status::AssumedDone);
    let mut journal = Journal::begin(plan(&[("p", "P", &["a"])]), Effect::Publishes);
    journal.start("a", 1, vec![runs::run(Effect::Publishes, &["x"])]).act("a", 0, vec![]).did("a", 0, status);
    assert!(page(&journal.passed("a", "").finish(RunOutcome::Passed).record()).contains("a person said"));
}

#[test]
fn a_run_that_stopped_while_publishing_says_what_to_do() {
    let mut journal = Journal::begin(plan(&[("p", "P", &["push"])]), Effect::Publishes);
    journal.start("push", 1, vec![runs::run(Effect::Publishes, &["git", "push"])]).act("push", 0, vec![]);
    let page = page(&journal.stop(Stopped::Unsure).record());
    assert!(page.contains("--assume done push"));
}

/// Writes pages to look at: `cargo test -p orchestrator-reports -- --ignored pages_to_look_at`.
#[test]
#[ignore = "writes files for people to look at"]
fn pages_to_look_at() {
    let folder = std::env::temp_dir().join("orchestrate-pages");
    let pages = [
        ("passed", runs::passed()),
        ("failed", runs::failed()),
        ("dry", runs::dry()),
        ("waiting", runs::waiting()),
        ("running", runs::failing().record()),
        ("hostile", hostile()),
        ("many", many(10_000, "")),
    ];
    for (name, record) in pages {
        let generators: Vec<Box<dyn ReportGenerator>> =
            vec![Box::new(Html::default()), Box::new(Json), Box::new(Markdown)];
        crate::write_reports(&record, &generators, &folder.join(name)).unwrap();
    }
}
