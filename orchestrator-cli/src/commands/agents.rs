//! `agents` and `schema`: what pipelines may use.

use orchestrator_core::id::PhaseName;
use orchestrator_core::registry::Registry;
use serde_json::{Value, json};

use crate::args::{Format, ShowArgs};
use crate::console::Paint;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::out::{Out, say};

pub(super) fn agents(registry: &Registry, args: ShowArgs) -> Exit {
    let (mut out, paint) = (Out::stdout(), Paint::stdout());
    let agents = registry.agents();
    let width = agents.keys().map(|name| name.as_str().len()).max().unwrap_or(0);
    for (name, agent) in agents {
        match args.format {
            Format::Human => {
                let about = agent.about();
                out.line(format!("{}  {about}", paint.bold(&format!("{name:<width$}"))).trim_end());
            }
            Format::Json => {
                let (config, output) = (agent.config_schema(), agent.output_schema());
                let about = agent.about();
                let line =
                    json!({ "v": 1, "name": name, "about": about, "config": config, "output": output });
                out.line(&line.to_string());
            }
        }
    }
    if args.format == Format::Human && !registry.phases().is_empty() {
        let phases: Vec<&str> = registry.phases().keys().map(PhaseName::as_str).collect();
        out.line(&format!("\nPhases with `use: standard`: {}", phases.join(", ")));
    }
    Exit::Passed
}

pub(super) fn schema(registry: &Registry) -> Result<Exit, CliError> {
    let schema: Value = Front::schema(registry);
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| CliError::io("the schema could not be written", error.into()))?;
    say(&text);
    Ok(Exit::Passed)
}
