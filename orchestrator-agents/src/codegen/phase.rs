//! The phase CODE GENERATION. It drafts what `with` names; there is nothing to guess.

use orchestrator_core::BoxError;
use orchestrator_core::id::PhaseName;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::pipeline::TaskSpec;
use orchestrator_core::project::Project;
use serde::Deserialize;

use super::config::{Filter, RenderConfig, Spec, TemplateConfig};
use super::templates::RenderTemplates;

/// The phase CODE GENERATION.
#[derive(Debug, Clone, Copy, Default)]
pub struct CodeGeneration;

/// What `with` may hold: the config of `render-templates`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct With {
    spec: Option<Spec>,
    templates: Vec<TemplateConfig>,
    format: Option<Filter>,
}

impl Phase for CodeGeneration {
    fn name(&self) -> PhaseName {
        PhaseName::new("code_generation").expect("a valid name")
    }

    fn title(&self) -> &'static str {
        "CODE GENERATION"
    }

    fn draft(&self, _project: &Project, draft: &mut Draft<'_>) -> Result<(), BoxError> {
        let With { spec, templates, format } = draft.with()?;
        if templates.is_empty() {
            let missing = if spec.is_none() { "no spec and no templates" } else { "no templates" };
            draft.note(format!("code generation: {missing} given (`with: {{spec, templates}}`)"));
            return Ok(());
        }
        let config = RenderConfig { spec: spec.unwrap_or_default(), templates, format };
        let task = TaskSpec::of::<RenderTemplates>("render", &config)?;
        draft.task("render", task.describe("Render the templates of the spec"))
    }
}
