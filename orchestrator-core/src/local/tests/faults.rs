//! A journal that cannot be kept any more stops the run at once, and what is there can be resumed.

use super::survivors::left_over;
use super::*;
use crate::event::RunOutcome;
use crate::orchestrator::{OrchestratorError, RunOptions};
use crate::runner::RunError;
use crate::state::RunStatus;
use crate::store::Store;
use crate::testkit::Dying;

/// One that waits for the last of the others.
fn tasks() -> Pipeline {
    let long = shell("while [ ! -e .orchestrate/go ]; do sleep 0.02; done");
    let mut short = GroupSpec::new(GroupName::new("short").unwrap()).sequential();
    short.tasks = vec![
        acts("a", vec![write("a", "1").into(), shell("echo a >> log").into()]),
        acts("b", vec![shell("echo b >> log").into(), remove("a").into()]),
        acts("c", vec![shell("touch .orchestrate/go").into()]),
    ];
    let long = GroupSpec::new(GroupName::new("long").unwrap()).task(acts("long", vec![long.into()]));
    Pipeline::new("test").phase(PhaseSpec::new(PhaseName::new("only").unwrap()).group(long).group(short))
}

#[tokio::test]
async fn a_full_disk_at_any_append_leaves_nothing_running_and_a_run_to_resume() {
    let mut faults = 0;
    for n in 0.. {
        let bench = Bench::new();
        let full = Dying::full_after(n, bench.store());
        let orchestrator = Orchestrator::new(bench.local(), full).agent(Acts);
        let plan = orchestrator.plan(&tasks()).unwrap();
        let error = match orchestrator.run(&plan, Effect::Writes).await {
            Ok(record) => {
                assert_eq!(record.state.count(Outcome::Passed), 4);
                break;
            }
            Err(error) => error,
        };
        faults += 1;
        let run = bench.store().list().await.unwrap().remove(0);
        assert_eq!(error.to_string(), format!("the journal of run `{run}` could not be kept"), "append {n}");
        let OrchestratorError::Run(RunError::Store { source, .. }) = error else { panic!("{error:?}") };
        assert!(source.to_string().contains("journal.jsonl"));
        assert!(left_over(&bench).await.is_empty(), "append {n}");
        drop(orchestrator);
        let resumed = bench.orchestrator().resume(&run, RunOptions::new(Effect::Reads)).await;
        if n == 0 {
            assert!(resumed.unwrap_err().to_string().contains("never began"));
            continue;
        }
        match resumed {
            Ok(record) => {
                assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed), "append {n}");
                assert_eq!(record.state.count(Outcome::Passed), 4);
            }
            // All was recorded; only that it is safe on the disk was not.
            Err(OrchestratorError::Over(_)) => {}
            Err(error) => panic!("append {n}: {error:?}"),
        }
        assert!(!bench.root().join("a").exists() && bench.read("log").contains("a\nb\n"), "append {n}");
    }
    assert!(faults > 8, "{faults}");
}
