//! The process dies at boundaries of the journal of a deployment, watch included: resumed, or taken over by another deployment, one
//! healthy version has the traffic all the time.

use orchestrator_core::effect::Effect;
use orchestrator_core::event::RunOutcome;
use orchestrator_core::id::{GroupName, PhaseName, SignalName};
use orchestrator_core::local::Local;
use orchestrator_core::orchestrator::{Orchestrator, OrchestratorError, RunOptions};
use orchestrator_core::order::Signal;
use orchestrator_core::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use orchestrator_core::plan::Plan;
use orchestrator_core::settings::Settings;
use orchestrator_core::state::RunStatus;
use orchestrator_core::store::Store;
use orchestrator_core::store::jsonl::JsonlStore;
use orchestrator_core::testkit::Dying;

use super::standin::{LISTEN, Standin};
use super::*;
use crate::rig::Rig;

/// How a deployment that died goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Resumed,
    TakenOver,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_dies_at_some_boundaries_leaves_one_version_serving() {
    // Every seventh boundary; where it begins moves with the day, so that in time all are met.
    let begin = jiff::Timestamp::now().as_second() / 86_400 % 7;
    dies(u64::try_from(begin).unwrap(), 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: `tests/run --long`"]
async fn long_a_deployment_that_dies_at_any_boundary_leaves_one_version_serving() {
    dies(0, 1).await;
}

async fn dies(begin: u64, step: usize) {
    let mut met = 0;
    for appends in (begin..).step_by(step) {
        let mut over = false;
        for (told, proxied, after) in [
            (true, true, After::Resumed),
            (false, true, After::TakenOver),
            (true, false, After::TakenOver),
            (false, false, After::Resumed),
        ] {
            println!("after {appends} appends, told: {told}, proxied: {proxied}, {after:?}");
            over |= !died_at(appends, told, proxied, after).await;
            met += 1;
        }
        if over {
            break;
        }
    }
    assert!(met >= 8, "a deployment has more boundaries than these {met}");
}

fn store(rig: &Rig) -> JsonlStore {
    JsonlStore::open(rig.root.join(".orchestrate")).unwrap()
}

fn planned(rig: &Rig, store: impl Store + 'static, version: &str, proxied: bool) -> (Orchestrator, Plan) {
    let mut config = config(version, "");
    config["watch"] = json!({ "seconds": 600, "canary": [10], "warm_up": 0 });
    if proxied {
        config["proxy"] = json!({ "listen": LISTEN });
    }
    let config: super::super::DeployConfig = serde_json::from_value(config).unwrap();
    let task = TaskSpec::of::<Deploy>("deploy", &config).unwrap();
    let group = GroupSpec::new(GroupName::new("production").unwrap()).task(task);
    let phase = PhaseSpec::new(PhaseName::new("deployment").unwrap()).group(group);
    let local = Local::new(&rig.root).state(rig.root.join(".orchestrate")).environment(rig.env.clone());
    let orchestrator = Orchestrator::new(local, store)
        .settings(Settings { min_free_disk: 1, ..Settings::default() })
        .agents(crate::standard());
    let plan = orchestrator.plan(&Pipeline::new("delivery").phase(phase)).unwrap();
    (orchestrator, plan)
}

/// Says `promote` once to each run.
async fn promotes(root: PathBuf) {
    let store = JsonlStore::open(root.join(".orchestrate")).unwrap();
    let mut told = std::collections::BTreeSet::new();
    loop {
        for run in store.list().await.unwrap_or_default() {
            if !told.contains(&run) {
                let name = SignalName::new("watch.deploy").unwrap();
                let signal = Signal { name, payload: json!("promote").into(), from: "ada".into() };
                if store.signal(&run, &signal).await.is_ok() {
                    told.insert(run);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Dies there; whether it died at all.
async fn died_at(appends: u64, told: bool, proxied: bool, after: After) -> bool {
    let rig = Rig::new();
    let _ended = Ended(rig.root.clone());
    rig.write(".gitignore", "target/\n");
    std::fs::create_dir_all(rig.root.join("target/release")).unwrap();
    assert!(
        Command::new("cp")
            .arg(service_binary())
            .arg(rig.root.join("target/release/app"))
            .status()
            .unwrap()
            .success()
    );
    let state = rig.root.join(".orchestrate");
    let proxy = proxied.then(|| Standin::at(&state));
    let served = || match &proxy {
        Some(proxy) => proxy.served(),
        None => {
            let url = std::fs::read_to_string(state.join("deploy/production/url")).unwrap();
            vec![get(&format!("{}/hello", url.trim()))]
        }
    };
    let promoting = tokio::spawn(promotes(rig.root.clone()));
    let (first, plan) = planned(&rig, store(&rig), "0.1.0", proxied);
    let record = first.run(&plan, Effect::Publishes).await.unwrap();
    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed));
    drop(first);
    let before = store(&rig).list().await.unwrap();

    let (second, plan) = planned(&rig, Dying::after(appends, told, store(&rig)), "0.2.0", proxied);
    let died = second.run(&plan, Effect::Publishes).await.is_err();
    drop(second);
    let now = served();
    assert!(!now.is_empty() && now.iter().all(|answer| answer.starts_with("hello from 0.")), "{now:?}");

    let version = if after == After::Resumed || !died { "0.2.0" } else { "0.3.0" };
    let (third, plan) = planned(&rig, store(&rig), version, proxied);
    let run = third.runs().await.unwrap().into_iter().find(|run| !before.contains(run));
    if died {
        let record = match run.filter(|_| after == After::Resumed) {
            None => third.run(&plan, Effect::Publishes).await.unwrap(),
            Some(run) => match third.resume(&run, RunOptions::new(Effect::Publishes)).await {
                Err(OrchestratorError::Over(_)) => third.status(&run).await.unwrap(),
                // It died before its first record: there is nothing to go on with.
                Err(error) if error.to_string().contains("never began") => {
                    third.run(&plan, Effect::Publishes).await.unwrap()
                }
                resumed => resumed.unwrap(),
            },
        };
        let status = record.state.status();
        let said = record.state.tasks()[0].end.as_ref().and_then(|end| end.conclusion.clone());
        assert_eq!(status, RunStatus::Finished(RunOutcome::Passed), "{said:?}");
    }
    promoting.abort();
    assert_eq!(served(), [format!("hello from {version}")]);
    let alive: Vec<String> = ops::deployments(&state)
        .unwrap()
        .into_iter()
        .filter(|found| found.alive)
        .map(|found| found.version.to_string())
        .collect();
    assert_eq!(alive, [version]);
    assert!(!state.join("deploy/production/claim.json").exists());
    let stopped = ops::stop_all(&state).unwrap();
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    died
}
