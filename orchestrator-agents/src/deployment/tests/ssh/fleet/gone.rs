//! One of several hosts is gone for good: it is forgotten, the others go on, and nothing of it serves unseen when it comes back.

use orchestrator_core::effect::Effect;
use orchestrator_core::event::RunOutcome;
use orchestrator_core::id::{GroupName, PhaseName};
use orchestrator_core::local::Local;
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use orchestrator_core::settings::Settings;
use orchestrator_core::state::RunStatus;
use orchestrator_core::store::jsonl::JsonlStore;

use super::*;
use crate::deployment::ops::{gone_hosts, standing_on_gone};
use crate::rig::Rig;

impl Fleet {
    /// What `deploy stop` is told for that host.
    fn stop(&self, at: usize, forget: bool) -> Value {
        let host = json!({ "name": self.hosts[at].name, "folder": "srv/shop", "config": self.config() });
        json!({ "environment": "production", "on": host, "forget": forget })
    }

    /// The host is off: nobody listens, and connections are dead.
    fn goes(&mut self, at: usize) {
        ops::closed(&self.config());
        self.hosts[at].ends();
    }
}

fn on_list(desk: &Desk) -> Vec<String> {
    hosts(&desk.state()).unwrap().into_iter().map(|(_, record)| record.host.name.to_string()).collect()
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_host_that_is_gone_is_forgotten_and_the_others_go_on() {
    let mut fleet = Fleet::new(&["web1", "web2", "web3"]);
    let desk = fleet.desk();
    desk.deploy(1, fleet.to("0.1.0", "")).unwrap();
    fleet.goes(1);
    let said = desk.deploy(2, fleet.to("0.2.0", "")).unwrap_err().summary;
    assert!(
        said.contains("was not deployed to any host: web2: ")
            && said.contains("`orchestrate deploy stop --environment production --host web2 --forget`"),
        "{said}"
    );
    let mut fewer = fleet.to("0.2.0", "");
    fewer["target"]["hosts"] = json!(["web1", "web3"]);
    let said = desk.deploy(3, fewer.clone()).unwrap_err().summary;
    assert!(said.contains("is deployed to host `web2` too"), "{said}");

    let forgot = desk.runs(StopDeployment, 4, fleet.stop(1, true)).unwrap();
    assert_eq!(forgot.summary, "forgot web2, and ended nothing");
    assert!(forgot.findings[0].message.contains("0.1.0, in `srv/shop`, may run still"), "{forgot:?}");
    assert_eq!(on_list(&desk), ["web1", "web3"]);
    desk.deploy(5, fewer).unwrap();
    assert_eq!(fleet.served(), ["0.2.0", "0.1.0", "0.2.0"], "what was not reached goes on");

    // It is back: what serves there is told, and the next deployment to all of them takes it along.
    fleet.hosts[1].starts();
    let environment = Environment::new("production").unwrap();
    let open = || {
        let all = gone_hosts(&desk.state(), &environment).unwrap();
        all.into_iter().filter(|gone| !gone.over).collect::<Vec<_>>()
    };
    let back = standing_on_gone(&fleet.hosts[0].asking(&desk), &environment, &open()[0]);
    assert!(back.forgotten.unwrap().answers && back.services[0].version.as_str() == "0.1.0");
    desk.deploy(6, fleet.to("0.3.0", "")).unwrap();
    assert_eq!(fleet.served(), ["0.3.0"; 3]);
    fleet.is_settled();
    assert!(open().is_empty() && fleet.hosts[1].alive() == ["0.3.0"]);
    assert_eq!(on_list(&desk), ["web1", "web3", "web2"]);

    // One that is there is ended, whatever is allowed.
    desk.runs(StopDeployment, 7, fleet.stop(1, true)).unwrap();
    assert_eq!((fleet.served()[1].as_str(), fleet.hosts[1].alive().len()), ("nothing", 0));
}

/// A cut at the question what would undo it, longer than that is waited for: the next attempt asks again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs sshd; tests/run has it"]
async fn needs_sshd_a_cut_at_the_question_what_would_undo_it_is_cured_by_a_retry() {
    let mut fleet = Fleet::new(&["web1"]);
    let rig = Rig::new();
    let mut config = fleet.stop(0, false);
    config["on"]["program"] = json!(fleet.hosts[0].at("program").display().to_string());
    let config = serde_json::from_value(config).unwrap();
    let task = TaskSpec::of::<StopDeployment>("stop", &config).unwrap().retry(2, Duration::from_secs(1));
    let group = GroupSpec::new(GroupName::new("production").unwrap()).task(task);
    let phase = PhaseSpec::new(PhaseName::new("deployment").unwrap()).group(group);
    let local = Local::new(&rig.root).state(rig.root.join(".orchestrate")).environment(rig.env.clone());
    let store = JsonlStore::open(rig.root.join(".orchestrate")).unwrap();
    let orchestrator = Orchestrator::new(local, store)
        .settings(Settings { min_free_disk: 1, ..Settings::default() })
        .agents(crate::standard());
    let plan = orchestrator.plan(&Pipeline::new("stop").phase(phase)).unwrap();
    fleet.goes(0);
    let running = tokio::spawn(async move { orchestrator.run(&plan, Effect::Publishes).await });
    // Longer than an operation tries by itself.
    tokio::time::sleep(Duration::from_secs(50)).await;
    fleet.hosts[0].starts();
    let record = running.await.unwrap().unwrap();
    let task = &record.state.tasks()[0];
    assert_eq!(record.state.status(), RunStatus::Finished(RunOutcome::Passed), "{task:?}");
    let refused = task.past[0].rounds[0].steps[0].receipt.clone().unwrap();
    assert!(task.attempt == 2 && refused.unbegun, "{refused:?}");
    assert!(refused.status.to_string().contains("what would undo"), "{refused:?}");
}
