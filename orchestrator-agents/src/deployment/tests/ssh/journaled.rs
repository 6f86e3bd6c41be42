//! A checkout whose deployments are runs with a journal, by whoever may die at any append.

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

use super::*;
use crate::rig::Rig;

/// A checkout with the built service in it.
pub(super) struct Checkout(Rig);

impl Checkout {
    pub(super) fn new() -> Self {
        let rig = Rig::new();
        rig.write(".gitignore", "target/\n");
        std::fs::create_dir_all(rig.root.join("target/release")).unwrap();
        std::fs::copy(service_binary(), rig.root.join("target/release/app")).unwrap();
        Self(rig)
    }

    fn store(&self) -> JsonlStore {
        JsonlStore::open(self.0.root.join(".orchestrate")).unwrap()
    }

    fn planned(&self, store: impl Store + 'static, config: &Value) -> (Orchestrator, Plan) {
        let config: crate::deployment::DeployConfig = serde_json::from_value(config.clone()).unwrap();
        let task = TaskSpec::of::<Deploy>("deploy", &config).unwrap();
        let group = GroupSpec::new(GroupName::new("production").unwrap()).task(task);
        let phase = PhaseSpec::new(PhaseName::new("deployment").unwrap()).group(group);
        let Rig { root, env, .. } = &self.0;
        let local = Local::new(root).state(root.join(".orchestrate")).environment(env.clone());
        let orchestrator = Orchestrator::new(local, store)
            .settings(Settings { min_free_disk: 1, ..Settings::default() })
            .agents(crate::standard());
        let plan = orchestrator.plan(&Pipeline::new("delivery").phase(phase)).unwrap();
        (orchestrator, plan)
    }

    /// Deploys, which passes.
    pub(super) async fn deploy(&self, config: &Value) {
        let (orchestrator, plan) = self.planned(self.store(), config);
        ended(&orchestrator.run(&plan, Effect::Publishes).await.unwrap(), RunOutcome::Passed);
    }

    /// Deploys and dies at that append, `told` or not that it is on record; none where it did not die. `config` is what it deployed with.
    pub(super) async fn dies_at<'c>(
        &'c self,
        appends: u64,
        told: bool,
        config: &'c Value,
    ) -> Option<Dead<'c>> {
        let before = self.store().list().await.unwrap();
        let (first, plan) = self.planned(Dying::after(appends, told, self.store()), config);
        let died = first.run(&plan, Effect::Publishes).await.is_err();
        died.then_some(Dead { checkout: self, config, before })
    }

    /// Takes the newest run back.
    pub(super) async fn roll_back(&self, config: &Value) {
        let (orchestrator, _) = self.planned(self.store(), config);
        let run = orchestrator.runs().await.unwrap().into_iter().max().unwrap();
        let back = orchestrator.rollback(&run).await.unwrap().plan.unwrap();
        let options = RunOptions { parent: Some(run), ..RunOptions::new(Effect::Publishes) };
        ended(&orchestrator.run_with(&back, options).await.unwrap(), RunOutcome::Passed);
    }
}

/// A deployment that died.
pub(super) struct Dead<'c> {
    checkout: &'c Checkout,
    config: &'c Value,
    before: Vec<RunId>,
}

impl Dead<'_> {
    /// Resumes it, or begins anew where it never began; it ends like that.
    pub(super) async fn goes_on(self, ends: RunOutcome) {
        let (again, plan) = self.checkout.planned(self.checkout.store(), self.config);
        let run = again.runs().await.unwrap().into_iter().find(|run| !self.before.contains(run));
        let record = match run {
            None => again.run(&plan, Effect::Publishes).await.unwrap(),
            Some(run) => match again.resume(&run, RunOptions::new(Effect::Publishes)).await {
                Err(OrchestratorError::Over(_)) => again.status(&run).await.unwrap(),
                Err(error) if error.to_string().contains("never began") => {
                    again.run(&plan, Effect::Publishes).await.unwrap()
                }
                resumed => resumed.unwrap(),
            },
        };
        ended(&record, ends);
    }
}

fn ended(record: &RunRecord, ends: RunOutcome) {
    let said = record.state.tasks()[0].end.as_ref().and_then(|end| end.conclusion.clone());
    assert_eq!(record.state.status(), RunStatus::Finished(ends), "{said:?}");
}
