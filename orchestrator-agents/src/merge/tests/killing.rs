//! The world stops at every boundary of the journal of a release: resumed, or begun anew, it ends as exactly one release.

use orchestrator_core::effect::Effect;
use orchestrator_core::orchestrator::{OrchestratorError, RunOptions};
use orchestrator_core::store::Store;
use orchestrator_core::store::jsonl::JsonlStore;
use serde_json::json;

use super::delivery::outcomes;
use super::going_out::{Project, Said};
use super::*;
use orchestrator_core::testkit::Dying;

#[tokio::test]
async fn a_release_that_stops_at_some_boundaries_ends_as_one() {
    // Every thirteenth boundary; where it begins moves with the day, so that in time all are met.
    let begin = jiff::Timestamp::now().as_second() / 86_400 % 13;
    stopped(u64::try_from(begin).unwrap(), 13).await;
}

#[tokio::test]
#[ignore = "long: `tests/run --long`"]
async fn long_a_release_that_stops_at_any_boundary_ends_as_one() {
    stopped(0, 1).await;
}

/// Stops at every `step`th boundary, before and after a record is made; goes on by the same run or by a new one.
async fn stopped(begin: u64, step: usize) {
    let mut met = 0;
    for appends in (begin..).step_by(step) {
        let mut over = false;
        for (told, resumed) in [(true, true), (true, false), (false, true), (false, false)] {
            println!("after {appends} appends, told: {told}, resumed: {resumed}");
            over |= !stopped_at(appends, told, resumed).await;
            met += 1;
        }
        if over {
            break;
        }
    }
    assert!(met > 8, "a release has more boundaries than these {met}");
}

/// One of them; whether the run was stopped at all.
async fn stopped_at(appends: u64, told: bool, resumed: bool) -> bool {
    let project = Project::new();
    let rig = &project.rig;
    rig.branch("a", "a.txt", "a\n", "feat: a");
    rig.branch("b", "b.txt", "b\n", "fix: b");
    let with =
        || json!({ "branches": ["a", "b"], "bump": true, "validate": ["test -f a.txt", "test -f b.txt"] });
    let store = || JsonlStore::open(rig.root.join(".orchestrate")).unwrap();
    let (orchestrator, plan) = project.planned(with(), Dying::after(appends, told, store()));
    let stopped = orchestrator.run(&plan, Effect::Publishes).await.is_err();
    drop(orchestrator);
    let (orchestrator, plan) = project.planned(with(), store());
    let run = store().list().await.unwrap().pop();
    let begun = match &run {
        Some(run) => !store().load(run).await.map_or(true, |journal| journal.records.is_empty()),
        None => false,
    };
    let record = match run.filter(|_| stopped && resumed && begun) {
        Some(run) => match orchestrator.resume(&run, RunOptions::new(Effect::Publishes)).await {
            // Its end was the last that came on record.
            Err(OrchestratorError::Over(_)) => orchestrator.status(&run).await.unwrap(),
            resumed => resumed.unwrap(),
        },
        None => orchestrator.run(&plan, Effect::Publishes).await.unwrap(),
    };
    Said(outcomes(&record)).all_passed();
    one_release(&project);
    stopped
}

/// Exactly one release: at the remote, here, and nothing left of how it came about.
fn one_release(project: &Project) {
    let rig = &project.rig;
    let (main, tags) = project.out();
    assert_eq!((tags.len(), tags[0].as_str()), (2, "v0.1.0"), "{tags:?}");
    assert!(tags[1].starts_with("v0.1.0-20"), "{tags:?}");
    for tag in &tags {
        assert_eq!(project.at_remote(&["rev-parse", &format!("{tag}^{{commit}}")]), main);
    }
    assert_eq!((rig.git(&["rev-parse", "main"]), rig.git(&["tag"])), (main, tags.join("\n")));
    let log = project.at_remote(&["log", "--first-parent", "--format=%s", "main"]);
    assert_eq!(log, "chore(release): v0.1.0\nMerge branch 'b'\nMerge branch 'a'\nfeat: first");
    assert_eq!(project.at_remote(&["show", "main:CHANGELOG.md"]).matches("\n## [0.1.0]").count(), 1);
    assert_eq!((rig.git(&["status", "--porcelain"]).as_str(), worktrees(rig)), ("", 1));
    assert_eq!(candidate(rig, "main"), None);
}
