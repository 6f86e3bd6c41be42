//! A dry run of a deployment of containers: the real job, under a ceiling that lets it only read.

use orchestrator_core::effect::Effect;
use orchestrator_core::outcome::Outcome;

use super::dying::{planned, store};
use super::*;
use crate::rig::Rig;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the engine's published schema; tests/run has it"]
async fn needs_docker_schema_a_dry_run_asks_the_engine_and_makes_nothing() {
    let engine = Engine::new();
    let rig = Rig::new();
    let (dry, plan) = planned(&rig, &engine, store(&rig), "0.1.0");
    let record = dry.run(&plan, Effect::Reads).await.unwrap();
    let end = record.state.tasks()[0].end.clone().unwrap();
    assert!(matches!(end.outcome, Outcome::Withheld), "{end:?}");
    let mut asked = engine.asked();
    asked.sort();
    asked.dedup();
    assert_eq!(
        (asked, engine.containers()),
        (vec!["ImageInspect".into(), "SystemVersion".into()], Vec::new())
    );
    drop(dry);
    // What the real run would fail for fails the dry run, too.
    engine.dies();
    let (dry, plan) = planned(&rig, &engine, store(&rig), "0.1.0");
    let record = dry.run(&plan, Effect::Reads).await.unwrap();
    let end = format!("{:?}", record.state.tasks()[0].end);
    assert!(end.contains("no container engine answers"), "{end}");
    assert!(!rig.root.join(".orchestrate/deploy/production/claim.json").exists());
}
