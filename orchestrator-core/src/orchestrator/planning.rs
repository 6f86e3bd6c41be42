//! From pipelines to plans: whole, of what was selected, of what failed.

use super::{Orchestrator, OrchestratorError, earlier};
use crate::id::RunId;
use crate::pipeline::Pipeline;
use crate::plan::Plan;
use crate::planner::{Earlier, Nothing, Planner, Selector};
use crate::problem::{Problem, Problems};
use crate::settings::Settings;

impl Orchestrator {
    /// The plan of a whole pipeline. Finds every problem at once; starts nothing.
    pub fn plan(&self, pipeline: &Pipeline) -> Result<Plan, OrchestratorError> {
        self.make(pipeline, &Selector::default(), &Nothing)
    }

    /// The plan of what was selected; what it needs besides may have passed in earlier runs.
    pub async fn plan_selected(
        &self,
        pipeline: &Pipeline,
        selector: &Selector,
    ) -> Result<Plan, OrchestratorError> {
        let plan = if selector.is_simple() && !pipeline.looks_back() {
            Some(self.make(pipeline, selector, &Nothing))
        } else {
            None
        };
        let plan = match plan {
            Some(Ok(plan)) => plan,
            // What was left out may be needed, and may have passed earlier.
            Some(Err(_)) | None => {
                let name = self.name(pipeline)?;
                let earlier = earlier::Passed::in_runs(self, &name).await?;
                self.make(pipeline, selector, &earlier)?
            }
        };
        match &selector.affected {
            Some(base) => self.affected(&plan, base),
            None => Ok(plan),
        }
    }

    /// The plan of what failed in a run, and of what waited for it; of the selector, how many at once counts.
    pub async fn plan_failed(
        &self,
        pipeline: &Pipeline,
        run: &RunId,
        selector: &Selector,
    ) -> Result<Plan, OrchestratorError> {
        let earlier = earlier::Passed::in_run(self, run).await?;
        let selector = Selector { carry: true, sequential: selector.sequential, ..Selector::default() };
        self.make(pipeline, &selector, &earlier)
    }

    fn name(&self, pipeline: &Pipeline) -> Result<String, OrchestratorError> {
        match &pipeline.name {
            Some(name) => Ok(name.clone()),
            None => Ok(self.project()?.name),
        }
    }

    fn make(
        &self,
        pipeline: &Pipeline,
        selector: &Selector,
        earlier: &dyn Earlier,
    ) -> Result<Plan, OrchestratorError> {
        let settings = match &self.settings {
            Some(settings) => settings.clone(),
            None => {
                Settings::layered(&pipeline.settings, &[], &serde_json::Value::Null).map_err(|error| {
                    Problems::new(pipeline.file.clone(), vec![Problem::new("settings", error.to_string())])
                })?
            }
        };
        let (registry, project) = (&self.registry, &self.project()?);
        let planner = Planner { registry, settings: &settings, project, selector, earlier };
        Ok(planner.plan(pipeline)?)
    }
}
