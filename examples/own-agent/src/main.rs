//! `orchestrate` with one agent more: `link-check` finds links in Markdown files that lead to no file.

use orchestrator_core::json::Json;
use orchestrator_core::{Action, Agent, Artifacts, BoxError, Conclusion, Finding, Receipt, RelPath};
use orchestrator_core::{Severity, Task, Verdict, Workspace};

#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Config {
    folder: RelPath,
}

struct LinkCheck;

impl Agent for LinkCheck {
    const NAME: &'static str = "link-check";
    const ABOUT: &'static str = "Finds links in Markdown files that lead to no file";
    type Config = Config;
    type Output = u32;

    /// Looks once, before it plans; what it saw is recorded with the plan.
    async fn survey(&self, task: &Task<Config>, look: &Workspace) -> Result<Json, BoxError> {
        let (mut checked, mut broken) = (0_u32, Vec::new());
        for file in look.files(&task.config.folder).iter().filter(|file| file.as_str().ends_with(".md")) {
            for (line, text) in (1..).zip(look.read_text(file)?.unwrap_or_default().lines()) {
                let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
                for target in targets.filter(|target| !target.is_empty() && !target.contains(':')) {
                    checked += 1;
                    if !file.under(look.root()).with_file_name(target).exists() {
                        let said = format!("there is no `{target}`");
                        broken
                            .push(Finding::new("link", Severity::Error, said).at(file.as_str(), Some(line)));
                    }
                }
            }
        }
        Ok(Json::of(&(checked, broken))?)
    }

    async fn plan(&self, _: &Task<Config>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new()) // To look was enough.
    }

    fn conclude(&self, task: &Task<Config>, _: &[Receipt], _: &Artifacts) -> Result<Verdict<u32>, BoxError> {
        let (checked, broken): (u32, Vec<Finding>) = task.carried.parse()?;
        if broken.is_empty() {
            return Ok(Verdict::passed(format!("{checked} links lead to files"), checked));
        }
        let summary = format!("{} of {checked} links lead nowhere", broken.len());
        Ok(Verdict::Failed(Conclusion::new(summary, ()).findings(broken)))
    }
}

fn main() -> std::process::ExitCode {
    orchestrator_cli::Cli::standard().agent(LinkCheck).run()
}
