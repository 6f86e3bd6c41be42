//! Rendering: templates and values in, targets and their text out. Same tree, same result.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use minijinja::{Environment, Value as Shown, context};
use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use serde_json::Value;

use super::config::{RenderConfig, TemplateConfig};
use super::spec;
use crate::rendering::{environment, said, split, within};

/// A file to be, before it is formatted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Where it goes.
    pub(super) path: RelPath,
    /// What the template gave.
    pub(super) text: String,
    /// Permission bits.
    pub(super) mode: Option<u32>,
    /// The formatter to pipe it through.
    pub(super) format: Option<Vec<String>>,
}

/// Renders every template, in order.
pub(super) fn render(config: &RenderConfig, look: &Workspace) -> Result<Vec<Target>, BoxError> {
    let spec = spec::read(&config.spec, look)?;
    let mut targets = Vec::new();
    let mut from: BTreeMap<RelPath, &RelPath> = BTreeMap::new();
    for template in &config.templates {
        let filter = template.format.as_ref().or(config.format.as_ref());
        let environment = environment(within(split(&template.template).0, look))?;
        let items = match &template.for_each {
            None => vec![None],
            Some(way) => spec::items(&spec, way)?.into_iter().map(Some).collect(),
        };
        for item in items {
            let (path, text) = one(&environment, template, &spec, item.as_ref())?;
            if let Some(other) = from.insert(path.clone(), &template.template) {
                let template = &template.template;
                return Err(format!("`{path}` is made twice: of `{other}` and of `{template}`").into());
            }
            let format = filter.and_then(|filter| filter.argv(&path));
            targets.push(Target { path, text, mode: template.mode, format });
        }
    }
    Ok(targets)
}

fn one(
    environment: &Environment<'_>,
    template: &TemplateConfig,
    spec: &Value,
    item: Option<&Value>,
) -> Result<(RelPath, String), BoxError> {
    let TemplateConfig { template, to, .. } = template;
    let spec = Shown::from(Serde(spec));
    let values = match item {
        None => context! { spec },
        Some(item) => context! { spec, item => Shown::from(Serde(item)) },
    };
    let path = environment.render_named_str("to", to, values.clone());
    let path = path.map_err(|error| format!("`to` of `{template}`: {}", said(&error)))?;
    let path = RelPath::new(path.trim()).map_err(|error| format!("`to` of `{template}`: {error}"))?;
    let (_, name) = split(template);
    let rendered = environment.get_template(name).and_then(|found| found.render(values));
    let text = rendered.map_err(|error| {
        let of = if item.is_some() { format!(" for `{path}`") } else { String::new() };
        format!("`{template}` could not be rendered{of}: {}", said(&error))
    })?;
    Ok((path, text))
}
