//! Commands that are run on what is to land, in a checkout of it below the state folder: as actions, and what their receipts say.

use std::collections::BTreeMap;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, CommandLine, EnvValue, Run};
use orchestrator_core::effect::Effect;
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Receipt;
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ops::{CheckOut, CheckOutInput, CheckedOut, RecordChecked, RecordInput};
use crate::ended::ended;

/// A command that must succeed on what is to land.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Validate {
    /// A command line, run at the root.
    Line(CommandLine),
    /// A command line with more about it.
    Full(ValidateCommand),
}

/// A command with its folder and environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidateCommand {
    /// What to run: a list is argv, a string is a shell line.
    pub run: CommandLine,
    /// Where to run it, relative to the root of what is checked.
    #[serde(default, skip_serializing_if = "RelPath::is_root")]
    pub cwd: RelPath,
    /// Environment variables besides the allow-list; `{secret: NAME}` for a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
}

impl Validate {
    fn full(&self) -> ValidateCommand {
        match self {
            Self::Full(full) => full.clone(),
            Self::Line(run) => {
                ValidateCommand { run: run.clone(), cwd: RelPath::root(), env: BTreeMap::new() }
            }
        }
    }

    /// As people see it.
    pub(super) fn shown(&self) -> String {
        self.full().run.to_string()
    }

    /// The action that runs it in a checkout.
    fn action(&self, checkout: &CheckedOut) -> Result<Action, BoxError> {
        let ValidateCommand { run: line, cwd, env } = self.full();
        let mut run = match &checkout.below {
            Some(below) => {
                let mut run = Run::line(Effect::Writes, line);
                run.cwd = below.join(cwd.as_str())?;
                run
            }
            // A command's folder is relative to the root, which the state folder then is not below.
            None => {
                let folder = format!("{}/{cwd}", checkout.folder);
                let mut argv =
                    vec!["sh".to_owned(), "-c".to_owned(), INTO.to_owned(), "sh".to_owned(), folder];
                match line {
                    CommandLine::Argv(own) => argv.extend(own),
                    CommandLine::Shell(own) => argv.extend(["sh".to_owned(), "-c".to_owned(), own]),
                }
                Run::new(Effect::Writes, argv)
            }
        };
        run.env = env;
        Ok(run.into())
    }
}

/// Goes to the folder that it is given first, and becomes the rest.
const INTO: &str = "cd -- \"$1\" && shift && exec \"$@\"";

/// A command that was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ran {
    /// The command line.
    pub command: String,
    /// Milliseconds that it took.
    pub took_ms: f64,
}

/// The action that checks out a commit of a branch's candidate, its tip where none is named.
pub(super) fn check_out(
    branch: &str,
    commit: Option<String>,
    commands: &[Validate],
) -> Result<Action, BoxError> {
    let then = commands.iter().map(Validate::shown).collect();
    CheckOut::action(&CheckOutInput { branch: branch.to_owned(), commit, then })
}

/// The commands in a checkout.
pub(super) fn commands(commands: &[Validate], checkout: &CheckedOut) -> Result<Vec<Action>, BoxError> {
    commands.iter().map(|command| command.action(checkout)).collect()
}

/// The action that looks whether the commands left the checkout as it was, and records that what was checked is good.
pub(super) fn record(checkout: &CheckedOut) -> Result<Action, BoxError> {
    let CheckedOut { branch, commit, tree, dirty, .. } = checkout.clone();
    RecordChecked::action(&RecordInput { branch, commit, tree, dirty })
}

/// What the receipts of commands say: what ran, or what went wrong first.
pub(super) fn read(commands: &[Validate], receipts: &[Receipt]) -> Result<Vec<Ran>, Broken> {
    let mut ran = Vec::new();
    for (command, receipt) in commands.iter().zip(receipts) {
        if !receipt.ok() {
            let how = ended(&command.shown(), &receipt.status);
            return Err(Broken { how, tail: receipt.tail.clone() });
        }
        ran.push(Ran { command: command.shown(), took_ms: receipt.took_ms });
    }
    match commands.get(ran.len()) {
        Some(command) => {
            Err(Broken { how: format!("`{}` was not run", command.shown()), tail: String::new() })
        }
        None => Ok(ran),
    }
}

/// A command that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Broken {
    /// How it ended.
    pub(super) how: String,
    /// The last that it said.
    pub(super) tail: String,
}

impl Broken {
    /// On one line, with the last that it said.
    pub(super) fn shown(&self) -> String {
        let lines: Vec<&str> = self.tail.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = lines[lines.len().saturating_sub(3)..].join("; ");
        let last: String = last.chars().filter(|char| !char.is_control()).take(300).collect();
        if last.is_empty() { self.how.clone() } else { format!("{}: {last}", self.how) }
    }
}
