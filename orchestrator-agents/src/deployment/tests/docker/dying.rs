//! The process dies in the middle of a deployment of containers: what was done is known by its labels, and is not done twice.

use orchestrator_core::effect::Effect;
use orchestrator_core::event::RunOutcome;
use orchestrator_core::id::{GroupName, PhaseName};
use orchestrator_core::local::Local;
use orchestrator_core::orchestrator::{Orchestrator, OrchestratorError, RunOptions};
use orchestrator_core::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use orchestrator_core::plan::Plan;
use orchestrator_core::report::RunRecord;
use orchestrator_core::settings::Settings;
use orchestrator_core::state::RunStatus;
use orchestrator_core::store::Store;
use orchestrator_core::store::jsonl::JsonlStore;
use orchestrator_core::testkit::Dying;

use super::standin::Trouble;
use super::*;
use crate::deployment::ops::StartContainer;
use crate::rig::Rig;

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_a_start_is_known_after_a_crash() {
    let engine = Engine::new();
    let desk = Desk::new();
    let (input, order) = (start_contained(&engine.socket, "0.1.0", ""), key(1, 0, 0));
    let already = || desk.already(StartContainer, input.clone(), &order);
    assert_eq!(already(), Already::NotDone);
    let started = desk.call(StartContainer, input.clone(), &order).unwrap();
    let Already::Done(known) = already() else { panic!("{:?}", already()) };
    assert_eq!(
        (json!(known.release), json!(known.process)),
        (started["release"].clone(), started["process"].clone())
    );
    engine.dies();
    assert_eq!(already(), Already::Unknown, "nobody can be asked");
    engine.serve();
    assert!(matches!(already(), Already::Done(_)));
    // It was started, and not recorded: the order is repeated, and there is one container.
    let candidate = desk.state().join("deploy/production/candidate.json");
    std::fs::remove_file(&candidate).unwrap();
    assert_eq!(already(), Already::NotDone);
    desk.call(StartContainer, input.clone(), &order).unwrap();
    assert_eq!((engine.containers().len(), engine.running()), (1, vec!["0.1.0".into()]));
    // It was made, and not started.
    std::fs::remove_file(&candidate).unwrap();
    let name = engine.containers().remove(0);
    let mut inner = engine.lock();
    let mut child = inner.containers.get_mut(&name).unwrap().child.take().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(inner);
    desk.call(StartContainer, input.clone(), &order).unwrap();
    assert_eq!((engine.containers().len(), engine.running()), (1, vec!["0.1.0".into()]));
    // The connection breaks after it was done.
    for name in ["ContainerCreate", "ContainerStart"] {
        engine.trouble(name, 1, Trouble::Breaks);
        assert!(desk.call(StartContainer, input.clone(), &order).is_err());
        desk.call(StartContainer, input.clone(), &order).unwrap();
        assert_eq!(engine.containers().len(), 1, "{name}");
    }
}

pub(super) fn store(rig: &Rig) -> JsonlStore {
    JsonlStore::open(rig.root.join(".orchestrate")).unwrap()
}

pub(super) fn planned(
    rig: &Rig,
    engine: &Engine,
    store: impl Store + 'static,
    version: &str,
) -> (Orchestrator, Plan) {
    let config = serde_json::from_value(contained(&engine.socket, version, "")).unwrap();
    let task = TaskSpec::of::<Deploy>("deploy", &config).unwrap();
    let group = GroupSpec::new(GroupName::new("production").unwrap()).task(task);
    let phase = PhaseSpec::new(PhaseName::new("deployment").unwrap()).group(group);
    let local = Local::new(&rig.root).state(rig.root.join(".orchestrate")).environment(rig.env.clone());
    let settings = Settings { min_free_disk: 1, ..Settings::default() };
    let orchestrator = Orchestrator::new(local, store).settings(settings).agents(crate::standard());
    let plan = orchestrator.plan(&Pipeline::new("delivery").phase(phase)).unwrap();
    (orchestrator, plan)
}

/// At each boundary of the journal: resumed, it ends with the new version alone; until then one version answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the engine's published schema; tests/run has it"]
async fn needs_docker_schema_a_deployment_that_dies_at_any_boundary_ends_the_same() {
    let mut boundaries = 0;
    for appends in 0.. {
        let mut over = false;
        for told in [true, false] {
            over |= !died_at(appends, told).await;
        }
        boundaries += 1;
        if over {
            break;
        }
    }
    assert!(boundaries >= 6, "a deployment has more boundaries than {boundaries}");
}

async fn died_at(appends: u64, told: bool) -> bool {
    let engine = Engine::new();
    let rig = Rig::new();
    let state = rig.root.join(".orchestrate");
    let (first, plan) = planned(&rig, &engine, store(&rig), "0.1.0");
    let record = first.run(&plan, Effect::Publishes).await.unwrap();
    passed(&record, "the first");
    drop(first);
    let before = store(&rig).list().await.unwrap();
    let (second, plan) = planned(&rig, &engine, Dying::after(appends, told, store(&rig)), "0.2.0");
    let ran = second.run(&plan, Effect::Publishes).await;
    let died = ran.is_err();
    if let Ok(record) = ran {
        passed(&record, "the second, which did not die");
    }
    drop(second);
    let hello = || {
        let url = std::fs::read_to_string(state.join("deploy/production/url")).unwrap();
        get(&format!("{}/hello", url.trim()))
    };
    assert!(hello().starts_with("hello from 0."), "after {appends}");
    if died {
        let (third, plan) = planned(&rig, &engine, store(&rig), "0.2.0");
        let run = third.runs().await.unwrap().into_iter().find(|run| !before.contains(run));
        let record = match run {
            None => third.run(&plan, Effect::Publishes).await.unwrap(),
            Some(run) => match third.resume(&run, RunOptions::new(Effect::Publishes)).await {
                Err(OrchestratorError::Over(_)) => third.status(&run).await.unwrap(),
                Err(error) if error.to_string().contains("never began") => {
                    third.run(&plan, Effect::Publishes).await.unwrap()
                }
                resumed => resumed.unwrap(),
            },
        };
        passed(&record, &format!("after {appends}, told: {told}"));
    }
    assert_eq!(hello(), "hello from 0.2.0", "after {appends}, told: {told}, died: {died}");
    assert_eq!(
        (engine.running(), engine.containers().len()),
        (vec!["0.2.0".into()], 1),
        "after {appends}, told: {told}"
    );
    assert!(!state.join("deploy/production/claim.json").exists());
    assert_eq!(ops::stop_all(&state).unwrap().len(), 1);
    died
}

fn passed(record: &RunRecord, which: &str) {
    let (status, end) = (record.state.status(), &record.state.tasks()[0].end);
    assert_eq!(status, RunStatus::Finished(RunOutcome::Passed), "{which}: {end:?}");
}
