//! `command`: runs a command line.

use std::collections::BTreeMap;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, CommandLine, EnvValue, Run};
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::order::{Artifact, Artifacts, Receipt, Status};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ended::ended;

/// The most bytes of text that become an output.
const TEXT: usize = 64 << 10;
/// The most bytes of JSON that become an output.
const JSON: u64 = 1 << 20;

/// Config of `command`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandConfig {
    /// What to run: a list is argv, a string is a shell line.
    pub run: CommandLine,
    /// How far it reaches.
    #[serde(default)]
    pub effect: Effect,
    /// Environment variables besides the allow-list; `{secret: NAME}` for a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
    /// Where to run it, relative to the root.
    #[serde(default, skip_serializing_if = "RelPath::is_root")]
    pub cwd: RelPath,
    /// Files (paths or globs, relative to the root) to keep as artifacts afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collect: Vec<String>,
    /// What would reverse it, for rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// What of its standard output becomes the task's output.
    #[serde(default)]
    pub output: Take,
}

/// A command that reverses another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// What to run.
    pub run: CommandLine,
    /// Environment variables; by default those of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, EnvValue>>,
    /// How far it reaches; by default as far as the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Where to run it; by default where the command ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<RelPath>,
}

/// What of its standard output becomes a task's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// Nothing.
    #[default]
    None,
    /// All of it, read as JSON; at most 1 MiB.
    Json,
    /// The first 64 KiB as text, without the last line break.
    Text,
}

/// What `command` gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandOutput {
    /// How it ended.
    pub exit_code: i32,
    /// What `output` took of its standard output.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub stdout: Value,
    /// The files that `collect` named.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
}

/// Runs a command line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Command;

impl CommandConfig {
    /// A command that reaches as far as `effect` says.
    pub fn new(run: CommandLine, effect: Effect) -> Self {
        let (env, cwd, collect) = (BTreeMap::new(), RelPath::root(), Vec::new());
        Self { run, effect, env, cwd, collect, undo: None, output: Take::None }
    }
}

impl Agent for Command {
    const NAME: &'static str = "command";
    const ABOUT: &'static str = "Runs a command line";
    type Config = CommandConfig;
    type Output = CommandOutput;

    async fn plan(&self, task: &Task<CommandConfig>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let CommandConfig { run: line, effect, env, cwd, collect, undo, output: _ } = &task.config;
        let empty = match line {
            CommandLine::Argv(argv) => argv.first().is_none_or(String::is_empty),
            CommandLine::Shell(line) => line.trim().is_empty(),
        };
        if empty {
            return Err("`run` is empty: there is nothing to run".into());
        }
        let mut run = Run::line(*effect, line.clone());
        run.env.clone_from(env);
        run.cwd = cwd.clone();
        run.collect.clone_from(collect);
        if let Some(Undo { run: line, env: own, effect: reach, cwd: at }) = undo {
            let mut undo = Run::line(reach.unwrap_or(*effect), line.clone());
            undo.env = own.clone().unwrap_or_else(|| env.clone());
            undo.cwd = at.clone().unwrap_or_else(|| cwd.clone());
            run.undo.push(undo.into());
        }
        Ok(vec![run.into()])
    }

    fn conclude(
        &self,
        task: &Task<CommandConfig>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<CommandOutput>, BoxError> {
        let command = task.config.run.to_string();
        let Some(receipt) = receipts.first() else {
            return Ok(Verdict::failed(format!("`{command}` was not run")));
        };
        if !receipt.ok() {
            return Ok(Verdict::failed(ended(&command, &receipt.status)));
        }
        let stdout = match take(task.config.output, receipt, artifacts)? {
            Ok(stdout) => stdout,
            Err(why) => return Ok(Verdict::failed(format!("`{command}` {why}"))),
        };
        let exit_code = match receipt.status {
            Status::Exited(code) => code,
            _ => 0,
        };
        let output = CommandOutput { exit_code, stdout, artifacts: receipt.artifacts.clone() };
        Ok(Verdict::passed("", output))
    }
}

/// What becomes the output, or why it cannot.
fn take(what: Take, receipt: &Receipt, artifacts: &Artifacts<'_>) -> Result<Result<Value, String>, BoxError> {
    let stdout = receipt.stdout.as_ref();
    Ok(match what {
        Take::None => Ok(Value::Null),
        Take::Text => {
            let mut text = artifacts.text(stdout)?;
            text.truncate(text.floor_char_boundary(TEXT));
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Ok(Value::String(text.to_owned()))
        }
        Take::Json => match stdout.map_or(0, |stdout| stdout.bytes) {
            0 => Err("printed nothing, so its output is not JSON".into()),
            bytes if bytes > JSON => {
                Err(format!("printed {bytes} bytes of JSON; an output has at most {JSON}"))
            }
            _ => serde_json::from_str(&artifacts.text(stdout)?)
                .map_err(|error| format!("printed what is not JSON: {error}")),
        },
    })
}

#[cfg(test)]
mod tests;
