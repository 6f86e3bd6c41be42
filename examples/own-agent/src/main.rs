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
    type Output = usize;

    /// Looks at the files as they will be: in a dry run, withheld edits lie over the tree.
    async fn survey(&self, task: &Task<Config>, look: &Workspace) -> Result<Json, BoxError> {
        let (mut checked, mut broken) = (0, Vec::new());
        for file in look.files(&task.config.folder).iter().filter(|file| file.as_str().ends_with(".md")) {
            for (line, text) in (1..).zip(look.read_text(file)?.unwrap_or_default().lines()) {
                let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
                for target in targets.filter(|target| !target.is_empty() && !target.contains(':')) {
                    checked += 1;
                    if !leads_to(file, target).is_some_and(|path| look.exists(&path)) {
                        let finding =
                            Finding::new("link", Severity::Error, format!("there is no `{target}`"));
                        broken.push(finding.at(file.as_str(), Some(line)));
                    }
                }
            }
        }
        Ok(Json::of(&(checked, broken))?)
    }

    async fn plan(&self, _: &Task<Config>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new()) // To look was enough.
    }

    fn conclude(
        &self,
        task: &Task<Config>,
        _: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<usize>, BoxError> {
        let (checked, broken): (usize, Vec<Finding>) = task.carried.parse()?;
        if broken.is_empty() {
            return Ok(Verdict::passed(format!("{checked} links lead to files"), checked));
        }
        let summary = format!("{} of {checked} links lead nowhere", broken.len());
        Ok(Verdict::Failed(Conclusion::new(summary, ()).findings(broken)))
    }
}

/// Where a link in a file leads; none where that is outside the checkout.
fn leads_to(file: &RelPath, target: &str) -> Option<RelPath> {
    let mut parts: Vec<&str> = file.as_str().split('/').collect();
    parts.pop();
    for part in target.split('/') {
        if part == ".." { parts.pop().map(drop)? } else { parts.push(part) }
    }
    RelPath::new(format!("./{}", parts.join("/"))).ok()
}

fn main() -> std::process::ExitCode {
    orchestrator_cli::Cli::standard().agent(LinkCheck).run()
}
