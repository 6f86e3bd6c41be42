//! The process of a rollback that restores the run's own backup dies at the boundaries of its journal: resumed or begun anew,
//! the checkout ends as it was before the run.

use orchestrator_core::orchestrator::OrchestratorError;

use super::*;
use orchestrator_core::testkit::Dying;

/// Dies after so many appends, told of the last or not, and goes on. Whether it died.
async fn cut_off(appends: u64, told: bool, resumed: bool) -> bool {
    let how = format!("after {appends} appends, told: {told}, resumed: {resumed}");
    let rig = checkout();
    let before = rig.git(&["rev-parse", "main"]);
    let run = run(&rig, &WORK[..1]).await.run;
    let plan = planned(&rig, &run, None, false).await.plan.unwrap();
    let options = || RunOptions { parent: Some(run.clone()), ..RunOptions::new(Effect::Writes) };
    let store = JsonlStore::open(rig.root.join(".orchestrate")).unwrap();
    let dying = on(&rig, Dying::after(appends, told, store));
    let died = dying.run_with(&plan, options()).await.is_err();
    drop(dying);
    let begun = appends > 0;
    if died && resumed && begun {
        let last = orchestrator(&rig).runs().await.unwrap().remove(0);
        match orchestrator(&rig).resume(&last, RunOptions::new(Effect::Reads)).await {
            // Its end was the last that came on record.
            Err(OrchestratorError::Over(_)) => {}
            record => all_passed(&record.unwrap_or_else(|error| panic!("{how}: {error}"))),
        }
    } else if died {
        let rest = planned(&rig, &run, None, false).await;
        if let Some(restoration) = &rest.restoration {
            assert_eq!(restoration.newer, [""; 0], "{how}: what the rollback did is no work of people");
        }
        if rest.plan.is_some() {
            all_passed(&perform(&rig, &run, &rest).await);
        }
    }
    assert_eq!(
        (rig.read("a.txt"), rig.read("gone.txt")),
        ("a, not committed\n".into(), "gone\n".into()),
        "{how}"
    );
    assert_eq!(rig.git(&["status", "--porcelain"]), " M a.txt", "{how}");
    assert_eq!(rig.git(&["rev-parse", "main"]), before, "{how}");
    assert_eq!(rig.git(&["show", "refs/before-rollback/1/files:a.txt"]), "edited", "{how}");
    assert_eq!(rig.git(&["for-each-ref", "refs/before-rollback/2"]), "", "{how}");
    assert!(rig.root.join(".orchestrate/scratch").read_dir().unwrap().next().is_none(), "{how}");
    assert!(planned(&rig, &run, None, false).await.plan.is_none(), "{how}");
    died
}

#[tokio::test]
async fn a_restoration_cut_off_at_any_boundary_and_resumed_ends_the_same() {
    let mut appends = 0;
    while cut_off(appends, appends % 2 == 0, true).await {
        appends += 1;
    }
    assert!(appends > 8, "{appends} boundaries: that is not a whole rollback");
}

#[tokio::test]
async fn a_restoration_cut_off_at_some_boundaries_and_begun_anew_ends_the_same() {
    let mut appends = 0;
    while cut_off(appends, appends % 2 == 1, false).await {
        appends += 3;
    }
    assert!(appends > 8, "{appends} boundaries: that is not a whole rollback");
}
