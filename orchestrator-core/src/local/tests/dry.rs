//! Dry runs: nothing changes, and what is shown is what the real run does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::BoxError;
use crate::agent::{Agent, Task, Verdict};
use crate::event::Event;
use crate::orchestrator::RunOptions;
use crate::order::Artifacts;
use crate::store::Store;
use crate::workspace::Workspace;

/// Appends a line to a file.
struct Appends;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Line {
    file: RelPath,
    line: String,
}

impl Agent for Appends {
    const NAME: &'static str = "appends";
    type Config = Line;
    type Output = ();

    async fn plan(&self, task: &Task<Line>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let Line { file, line } = &task.config;
        let there = look.read(file)?;
        let mut content = there.clone().unwrap_or_default();
        content.extend(format!("{line}\n").bytes());
        let expects = Expects::exactly(there.as_deref());
        let content = Content::new(content);
        Ok(vec![Write { path: file.clone(), content, mode: None, expects }.into()])
    }

    fn conclude(
        &self,
        _task: &Task<Line>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<()>, BoxError> {
        Ok(if receipts.iter().all(Receipt::ok) { Verdict::passed("", ()) } else { Verdict::failed("no") })
    }
}

fn appends(id: &str, file: &str, line: &str) -> TaskSpec {
    let with = json!({ "file": file, "line": line });
    TaskSpec::new(TaskId::new(id).unwrap(), AgentName::new("appends").unwrap(), with)
}

fn checkout() -> Bench {
    let bench = Bench::new();
    bench.put("log", "0\n");
    bench.put("gone", "x");
    bench.put("same", "same");
    bench.put("tool", "#!");
    std::os::unix::fs::symlink("same", bench.root().join("link")).unwrap();
    bench
}

fn edits() -> Vec<TaskSpec> {
    vec![
        acts("looks", vec![look("cat log").into()]),
        appends("first", "log", "1"),
        appends("second", "log", "2"),
        appends("fresh", "new/file", &"long ".repeat(2000)),
        appends("again", "new/file", "more"),
        acts("removes", vec![remove("gone").into()]),
        appends("anew", "gone", "from nothing"),
        acts("same", vec![write("same", "same").into(), remove("never").into()]),
        acts("mode", vec![Write { mode: Some(0o755), ..write("tool", "#!") }.into()]),
        acts("commands", vec![look("true").into(), shell("touch made").into(), look("ls").into()]),
    ]
}

fn planned(records: &[crate::event::Record]) -> Vec<String> {
    let events = records.iter().filter_map(|record| match &record.event {
        Event::TaskPlanned { task, round, actions, carried: _ } => {
            Some(format!("{task} {round} {}", serde_json::to_string(actions).unwrap()))
        }
        _ => None,
    });
    events.collect()
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_shows_what_the_real_one_does() {
    let bench = checkout();
    let orchestrator = bench.orchestrator().agent(Appends);
    let plan = orchestrator.plan(&pipeline(edits())).unwrap();
    let before = bench.tree();
    let dry = orchestrator.run(&plan, Effect::Reads).await.unwrap();
    assert_eq!(bench.tree(), before);
    assert_eq!(
        outcomes(&dry),
        "looks: passed, first: withheld, second: withheld, fresh: withheld, again: withheld, removes: withheld, \
         anew: withheld, same: passed, mode: withheld, commands: withheld"
    );
    let withheld: Vec<_> = dry
        .withheld()
        .tasks()
        .flat_map(|(ix, actions)| {
            actions.into_iter().map(move |action| (ix, serde_json::to_string(action).unwrap()))
        })
        .collect();
    let real = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    assert_eq!(real.state.count(Outcome::Passed), 10, "{}", outcomes(&real));
    let [dry_journal, real_journal] = [&dry, &real].map(|record| record.run.clone());
    let dry_records = bench.store().load(&dry_journal).await.unwrap().records;
    let real_records = bench.store().load(&real_journal).await.unwrap().records;
    assert_eq!(planned(&dry_records), planned(&real_records));
    for (ix, action) in withheld {
        let did = real.state.task(ix).receipts();
        let did: Vec<_> = did.map(|(action, _)| serde_json::to_string(action).unwrap()).collect();
        assert!(did.contains(&action), "{action} was shown; done were {did:?}");
    }
    assert_eq!(bench.read("log"), "0\n1\n2\n");
    assert!(bench.read("new/file").ends_with("long \nmore\n"));
    assert_eq!(bench.read("gone"), "from nothing\n");
}

/// Writes a file, and then another one.
struct Follows;

fn then(task: &Task<Line>) -> Action {
    write("then", task.config.line.as_str()).into()
}

impl Agent for Follows {
    const NAME: &'static str = "follows";
    type Config = Line;
    type Output = ();

    async fn plan(&self, task: &Task<Line>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(vec![write(task.config.file.as_str(), "x").into()])
    }

    fn conclude(
        &self,
        task: &Task<Line>,
        _receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<()>, BoxError> {
        if task.carried.is_null() {
            return Ok(Verdict::More { actions: vec![then(task)], carried: json!(1).into() });
        }
        Ok(Verdict::passed("", ()))
    }

    fn foreseen(&self, task: &Task<Line>) -> Result<Vec<Action>, BoxError> {
        match task.config.line.as_str() {
            "error" => Err("it cannot tell".into()),
            "panic" => panic!("it cannot tell"),
            _ => Ok(vec![then(task)]),
        }
    }
}

/// What follows is shown, seen by later plans, and is what the real run does; an agent that cannot say it fails as it would in earnest.
#[tokio::test]
async fn what_follows_a_withheld_round_is_shown_as_far_as_it_is_known() {
    let bench = checkout();
    let orchestrator = bench.orchestrator().agent(Follows).agent(Appends);
    let follows = |id: &str, line: &str| {
        let with = json!({ "file": "first", "line": line });
        TaskSpec::new(TaskId::new(id).unwrap(), AgentName::new("follows").unwrap(), with)
    };
    let long = "long ".repeat(2000);
    let plan =
        orchestrator.plan(&pipeline(vec![follows("t", &long), appends("after", "then", "1")])).unwrap();
    let dry = orchestrator.run(&plan, Effect::Reads).await.unwrap();
    assert_eq!(outcomes(&dry), "t: withheld, after: withheld");
    let shown: Vec<Vec<String>> = dry
        .withheld()
        .tasks()
        .map(|(_, all)| all.iter().map(|one| serde_json::to_string(one).unwrap()).collect())
        .collect();
    assert_eq!(shown.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    assert!(!bench.root().join("first").exists() && !bench.root().join("then").exists());
    let real = orchestrator.run(&plan, Effect::Writes).await.unwrap();
    assert_eq!(outcomes(&real), "t: passed, after: passed");
    for (all, id) in shown.iter().zip(["t", "after"]) {
        let did: Vec<_> =
            task(&real, id).receipts().map(|(one, _)| serde_json::to_string(one).unwrap()).collect();
        assert_eq!(*all, did);
    }
    std::fs::remove_file(bench.root().join("first")).unwrap();
    for word in ["error", "panic"] {
        let plan = orchestrator.plan(&pipeline(vec![follows("t", word)])).unwrap();
        let dry = orchestrator.run(&plan, Effect::Reads).await.unwrap();
        assert_eq!(outcomes(&dry), "t: failed", "{word}");
    }
}

#[tokio::test]
async fn what_is_so_already_counts_as_that_in_a_dry_run_too() {
    let bench = checkout();
    let actions = || -> Vec<Action> {
        vec![write("same", "same").into(), Write { mode: Some(0o644), ..write("same", "same") }.into()]
    };
    let dry = bench.run(vec![acts("t", actions())], Effect::Reads).await;
    assert_eq!(outcomes(&dry), "t: passed");
    assert!(dry.withheld().is_empty());
    let real = bench.run(vec![acts("t", actions())], Effect::Writes).await;
    assert_eq!(receipts(&dry, "t"), receipts(&real, "t"));
    // A real run refuses to go through a link, so a dry run does not call it done.
    let through = || vec![acts("t", vec![write("link", "same").into()])];
    assert_eq!(outcomes(&bench.run(through(), Effect::Reads).await), "t: withheld");
    assert_eq!(outcomes(&bench.run(through(), Effect::Writes).await), "t: failed");
    // What an earlier task of the same run makes so is so for a later one.
    let twice = |id| acts(id, vec![Write { mode: Some(0o755), ..write("script", "#!") }.into()]);
    let dry = bench.run(vec![twice("a"), twice("b")], Effect::Reads).await;
    assert_eq!(outcomes(&dry), "a: withheld, b: passed");
}

#[tokio::test]
async fn a_command_that_only_says_it_reads_is_caught() {
    let bench = checkout();
    let tasks = vec![
        acts("touches", vec![look("echo x > sneaky; rm gone").into()]),
        acts("fine", vec![look("cat sneaky; mkdir -p target").into()]),
    ];
    let dry = bench.run(tasks, Effect::Reads).await;
    assert_eq!(outcomes(&dry), "touches: failed, fine: passed");
    let said = task(&dry, "touches").end.clone().unwrap().failure.unwrap().message;
    assert_eq!(said, "the tree changed while it ran, although its effect is `reads`: gone, sneaky");
}

/// The journal of a dry run cut after each record, as a crash would: it is resumed to the same end.
#[tokio::test]
async fn a_dry_run_is_resumed_after_a_cut_at_every_boundary() {
    let bench = checkout();
    let orchestrator = bench.orchestrator().agent(Appends);
    let plan = orchestrator.plan(&pipeline(edits())).unwrap();
    let whole = orchestrator.run(&plan, Effect::Reads).await.unwrap();
    let journal = bench.store().load(&whole.run).await.unwrap();
    for cut in 1..journal.records.len() {
        let again = checkout();
        let store = again.store();
        store.create(&whole.run, &journal.plan).await.unwrap();
        store.append(&whole.run, &journal.records[..cut]).await.unwrap();
        store.close(&whole.run).await;
        // What was kept by digest was kept before it was recorded.
        let (from, to) = (bench.store().layout().clone(), store.layout().clone());
        std::fs::create_dir_all(to.artifacts(&whole.run)).unwrap();
        for entry in std::fs::read_dir(from.artifacts(&whole.run)).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), to.artifacts(&whole.run).join(entry.file_name())).unwrap();
        }
        let before = again.tree();
        let resumed = again.orchestrator().agent(Appends);
        let resumed = resumed.resume(&whole.run, RunOptions::new(Effect::Reads)).await;
        let resumed = resumed.unwrap_or_else(|error| panic!("cut after record {cut}: {error:?}"));
        assert_eq!(outcomes(&resumed), outcomes(&whole), "cut after record {cut}");
        assert_eq!(resumed.withheld().to_string(), whole.withheld().to_string(), "cut after record {cut}");
        assert_eq!(again.tree(), before, "cut after record {cut}");
    }
}
