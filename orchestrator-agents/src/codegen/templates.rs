//! `render-templates`: renders files and writes those that differ.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Content, Expects, Run, Write};
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::{Evidence, Metric};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::RenderConfig;
use super::render::{Target, render};
use crate::ended::ended;

/// What `render-templates` gives: every target is in one of the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rendered {
    /// Files that were written.
    pub written: Vec<RelPath>,
    /// Files that had the content already.
    pub unchanged: Vec<RelPath>,
}

/// Renders files of templates and a spec, and writes those that differ.
#[derive(Debug, Clone, Copy, Default)]
pub struct RenderTemplates;

/// What is carried from the survey to the conclusions.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    /// In the order in which they are rendered.
    targets: Vec<Seeing>,
    /// The receipts are those of the formatters.
    formatting: bool,
}

/// A target, and what is there now.
#[derive(Debug, Serialize, Deserialize)]
struct Seeing {
    path: RelPath,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<u32>,
    /// What is there now.
    #[serde(default)]
    was: Expects,
    fate: Fate,
}

/// What becomes of a target.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    /// It is there already.
    Unchanged,
    /// It is to be written with that; empty where the action that says so is planned already.
    Written(Option<Content>),
    /// This command says what it is to hold.
    Formatted(Vec<String>),
}

impl Seen {
    fn of(targets: &[Target], look: &Workspace) -> Result<Self, BoxError> {
        let formatting = targets.iter().any(|target| target.format.is_some());
        let targets = targets.iter().map(|target| Seeing::of(target, formatting, look));
        Ok(Self { targets: targets.collect::<Result<_, _>>()?, formatting })
    }

    /// What the second round is to do, once it is known what the formatters print.
    fn writes(&mut self) -> Vec<Action> {
        let writes = self.targets.iter_mut().filter_map(|seeing| {
            let Fate::Written(content) = &mut seeing.fate else { return None };
            let (path, mode, expects) = (seeing.path.clone(), seeing.mode, seeing.was);
            Some(Write { path, content: content.take()?, mode, expects }.into())
        });
        writes.collect()
    }

    fn rendered(self) -> Rendered {
        let mut rendered = Rendered::default();
        for Seeing { path, fate, .. } in self.targets {
            match fate {
                Fate::Unchanged => rendered.unchanged.push(path),
                Fate::Written(_) | Fate::Formatted(_) => rendered.written.push(path),
            }
        }
        rendered
    }
}

impl Seeing {
    fn of(target: &Target, formatting: bool, look: &Workspace) -> Result<Self, BoxError> {
        let Target { path, text, mode, format } = target;
        let there = look.read(path)?;
        let fate = match format {
            Some(argv) => Fate::Formatted(argv.clone()),
            None if there.as_deref() == Some(text.as_bytes()) => Fate::Unchanged,
            None => Fate::Written(formatting.then(|| Content::new(text.as_str()))),
        };
        let was = Expects::exactly(there.as_deref());
        Ok(Self { path: path.clone(), mode: *mode, was, fate })
    }
}

impl Agent for RenderTemplates {
    const NAME: &'static str = "render-templates";
    const ABOUT: &'static str = "Renders files of templates and a spec, and writes those that differ";
    type Config = RenderConfig;
    type Output = Rendered;

    async fn survey(&self, task: &Task<RenderConfig>, look: &Workspace) -> Result<Json, BoxError> {
        Ok(Json::of(&Seen::of(&render(&task.config, look)?, look)?)?)
    }

    async fn plan(&self, task: &Task<RenderConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let targets = render(&task.config, look)?;
        let mut actions = Vec::new();
        for Target { text, format, .. } in &targets {
            let Some(argv) = format else { continue };
            let program = &argv[0];
            if look.tool_version(program).is_none() {
                return Err(format!("the formatter `{program}` is not installed").into());
            }
            let mut run = Run::new(Effect::Reads, argv);
            run.stdin = Some(Content::new(text.as_str()));
            actions.push(run.into());
        }
        if actions.is_empty() {
            for Target { path, text, mode, .. } in targets {
                let there = look.read(&path)?;
                if there.as_deref() != Some(text.as_bytes()) {
                    let expects = Expects::exactly(there.as_deref());
                    actions.push(Write { path, content: Content::new(text), mode, expects }.into());
                }
            }
        }
        Ok(actions)
    }

    fn conclude(
        &self,
        task: &Task<RenderConfig>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<Rendered>, BoxError> {
        let seen: Option<Seen> = task.carried.parse()?;
        let mut seen = seen.ok_or("what the survey saw was not carried")?;
        if seen.formatting {
            if let Err(why) = formatted(&mut seen, receipts, artifacts)? {
                return Ok(Verdict::failed(why));
            }
            seen.formatting = false;
            let actions = seen.writes();
            if !actions.is_empty() {
                return Ok(Verdict::More { actions, carried: Json::of(&seen)? });
            }
        } else if let Some(failed) = receipts.iter().find(|receipt| !receipt.ok()) {
            return Ok(Verdict::failed(format!("a file could not be written: {}", failed.status)));
        }
        let rendered = seen.rendered();
        let (written, unchanged) = (rendered.written.len(), rendered.unchanged.len());
        let metric = |name: &str, n: usize| Metric::new(name, n as f64, "count", Evidence::of(Self::NAME));
        let metrics = [metric("codegen.written", written), metric("codegen.unchanged", unchanged)];
        let summary = format!("{written} written, {unchanged} unchanged");
        Ok(Verdict::Passed(Conclusion::new(summary, rendered).metrics(metrics)))
    }
}

/// Replaces the fate of what was formatted by what the formatters printed, or says why that cannot be.
fn formatted(
    seen: &mut Seen,
    receipts: &[Receipt],
    artifacts: &Artifacts<'_>,
) -> Result<Result<(), String>, BoxError> {
    let mut receipts = receipts.iter();
    for seeing in &mut seen.targets {
        let Fate::Formatted(argv) = &seeing.fate else { continue };
        let (path, command) = (&seeing.path, argv.join(" "));
        let Some(receipt) = receipts.next() else {
            return Ok(Err(format!("`{path}` was not formatted")));
        };
        if !receipt.ok() {
            let said = receipt.tail.trim().lines().next().unwrap_or_default();
            return Ok(Err(format!("`{path}`: {}: {said}", ended(&command, &receipt.status))));
        }
        let Some(stdout) = &receipt.stdout else {
            return Ok(Err(format!(
                "`{path}`: `{command}` printed nothing; a formatter reads standard input and prints"
            )));
        };
        if stdout.bytes > Artifacts::LIMIT {
            return Ok(Err(format!(
                "`{path}`: `{command}` printed {} bytes, which is too much",
                stdout.bytes
            )));
        }
        let bytes = artifacts.bytes(stdout)?;
        seeing.fate = if seeing.was == Expects::Digest(Digest::of(&bytes)) {
            Fate::Unchanged
        } else {
            Fate::Written(Some(Content::new(bytes)))
        };
    }
    Ok(Ok(()))
}
