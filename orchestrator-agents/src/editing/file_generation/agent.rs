//! `file_generation`: files from templates, merged with what stands.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Content, Run};
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::{Evidence, Metric};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::FileGenerationConfig;
use super::draft::Drafts;
use super::merging::settle;
use crate::ended::ended;
use crate::said::count;

/// What `file_generation` gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Generated {
    /// Every file of the task, in the order of its templates.
    pub files: Vec<GeneratedFile>,
    /// What the files leave out because nothing is known of it.
    pub needs_person: Vec<String>,
}

/// A generated file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratedFile {
    /// Where it is.
    pub path: RelPath,
    /// Whether it was written.
    pub changed: bool,
    /// Whether it holds edits by hand.
    pub edited: bool,
}

/// Makes files from templates and merges them with what stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileGeneration;

/// What is carried to the conclusions.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Seen {
    /// The receipts are those of formatters; what they print is still to be merged.
    Formatting(Drafts),
    /// The receipts are those of the writes that make this so.
    Writing(Generated),
}

impl Agent for FileGeneration {
    const NAME: &'static str = "file_generation";
    const ABOUT: &'static str = "Makes files from templates; merges them with what a person wrote";
    const PLANS_LONG: bool = true;
    type Config = FileGenerationConfig;
    type Output = Generated;

    async fn survey(&self, task: &Task<FileGenerationConfig>, look: &Workspace) -> Result<Json, BoxError> {
        Ok(drafted(&task.config, look)?.0)
    }

    async fn plan(
        &self,
        task: &Task<FileGenerationConfig>,
        look: &Workspace,
    ) -> Result<Vec<Action>, BoxError> {
        Ok(drafted(&task.config, look)?.1)
    }

    async fn prepare(
        &self,
        task: &Task<FileGenerationConfig>,
        look: &Workspace,
    ) -> Result<Option<(Json, Vec<Action>)>, BoxError> {
        drafted(&task.config, look).map(Some)
    }

    fn touches(&self, config: &FileGenerationConfig) -> Vec<RelPath> {
        vec![config.target.clone()]
    }

    fn conclude(
        &self,
        task: &Task<FileGenerationConfig>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<Generated>, BoxError> {
        let seen: Option<Seen> = task.carried.parse()?;
        let generated = match seen.ok_or("what the survey saw was not carried")? {
            Seen::Writing(generated) => generated,
            Seen::Formatting(mut drafts) => {
                if let Err(why) = formatted(&mut drafts, receipts, artifacts)? {
                    return Ok(Verdict::failed(why));
                }
                let (actions, files) = match settle(&drafts.files)? {
                    Ok(settled) => settled,
                    Err(all) => return Ok(Verdict::failed(conflicts(all))),
                };
                let generated = Generated { files, needs_person: drafts.needs_person };
                if actions.is_empty() {
                    return Ok(passed(generated));
                }
                return Ok(Verdict::More { actions, carried: Json::of(&Seen::Writing(generated))? });
            }
        };
        if let Some(failed) = receipts.iter().find(|receipt| !receipt.ok()) {
            return Ok(Verdict::failed(format!("a file could not be written: {}", failed.status)));
        }
        Ok(passed(generated))
    }
}

/// Replaces each text by what its formatter printed, or says why that cannot be.
fn formatted(
    drafts: &mut Drafts,
    receipts: &[Receipt],
    artifacts: &Artifacts<'_>,
) -> Result<Result<(), String>, BoxError> {
    let mut receipts = receipts.iter();
    for draft in &mut drafts.files {
        let Some(argv) = draft.format.take() else { continue };
        let (path, command) = (&draft.path, argv.join(" "));
        let Some(receipt) = receipts.next() else { return Ok(Err(format!("`{path}` was not formatted"))) };
        if !receipt.ok() {
            let said = receipt.tail.trim().lines().next().unwrap_or_default();
            return Ok(Err(format!("`{path}`: {}: {said}", ended(&command, &receipt.status))));
        }
        let Some(stdout) = receipt.stdout.as_ref().filter(|stdout| stdout.bytes <= Artifacts::LIMIT) else {
            return Ok(Err(format!(
                "`{path}`: `{command}` printed nothing, or too much, instead of the formatted text"
            )));
        };
        match String::from_utf8(artifacts.bytes(stdout)?) {
            Ok(text) => draft.now = text,
            Err(_) => return Ok(Err(format!("`{path}`: what `{command}` printed is not UTF-8"))),
        }
    }
    Ok(Ok(()))
}

/// What was seen, and the writes, or the runs of formatters before them.
fn drafted(config: &FileGenerationConfig, look: &Workspace) -> Result<(Json, Vec<Action>), BoxError> {
    let drafts = Drafts::of(config, look)?;
    if !drafts.unformatted() {
        let (actions, files) = settle(&drafts.files)?.map_err(conflicts)?;
        let seen = Seen::Writing(Generated { files, needs_person: drafts.needs_person });
        return Ok((Json::of(&seen)?, actions));
    }
    let runs = drafts.files.iter().filter_map(|draft| {
        let mut run = Run::new(Effect::Reads, draft.format.clone()?);
        run.stdin = Some(Content::new(draft.now.clone()));
        Some(run.into())
    });
    let runs = runs.collect();
    Ok((Json::of(&Seen::Formatting(drafts))?, runs))
}

fn conflicts(all: Vec<String>) -> String {
    format!("nothing was written; {}", all.join("; "))
}

fn passed(generated: Generated) -> Verdict<Generated> {
    let count_of =
        |wanted: fn(&GeneratedFile) -> bool| generated.files.iter().filter(|file| wanted(file)).count();
    let (written, merged) = (count_of(|file| file.changed), count_of(|file| file.changed && file.edited));
    let (already, edited) = (count_of(|file| !file.changed), count_of(|file| !file.changed && file.edited));
    let with =
        |edited: usize| if edited == 0 { String::new() } else { format!(" ({edited} with edits by hand)") };
    let files = |n: usize| match &generated.files[..] {
        [alone] => format!("`{}`", alone.path),
        _ => count(n as u64, "file"),
    };
    let mut summary = match (written, already) {
        (0, _) => format!("already so: {}{}", files(already), with(edited)),
        (_, 0) => format!("wrote {}{}", files(written), with(merged)),
        _ => format!(
            "wrote {}{}, {already} already so{}",
            count(written as u64, "file"),
            with(merged),
            with(edited)
        ),
    };
    if !generated.needs_person.is_empty() {
        summary = format!("{summary}; needs a person: {}", generated.needs_person.join("; "));
    }
    let metric =
        |name: &str, n: usize| Metric::new(name, n as f64, "count", Evidence::of(FileGeneration::NAME));
    let metrics = [metric("generated.written", written), metric("generated.already_so", already)];
    Verdict::Passed(Conclusion::new(summary, generated).metrics(metrics))
}
