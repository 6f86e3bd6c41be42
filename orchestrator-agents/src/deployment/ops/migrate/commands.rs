//! Migrations by a tool of the user: one command applies, one looks.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use orchestrator_core::BoxError;
use orchestrator_core::operation::Site;

use super::super::hidden::Hidden;
use super::super::launch::resolve;
use super::MigrateInput;
use crate::deployment::answer::shortened;
use crate::deployment::migrations::Commands;
use crate::ops::here::Here;
use crate::ops::process::{self, Output};

/// The most characters that are kept of what a tool says.
const MOST_SAID: usize = 4000;

/// What lies between two looks.
const AGAIN: Duration = Duration::from_secs(1);

/// The user's commands with their variables. It has no `Debug`, so that no secret gets into a message.
pub(super) struct Tool {
    commands: Commands,
    env: BTreeMap<String, String>,
    secrets: Vec<String>,
}

impl Tool {
    /// The tool, its secrets resolved.
    pub(super) fn of(commands: &Commands, site: &Site<'_>) -> Result<Self, BoxError> {
        let mut tool = Self { commands: commands.clone(), env: BTreeMap::new(), secrets: Vec::new() };
        for (name, value) in &commands.env {
            let (value, secret) = resolve(value, site.secrets)?;
            tool.secrets.extend((secret && !value.is_empty()).then(|| value.clone()));
            tool.env.insert(name.clone(), value);
        }
        Ok(tool)
    }

    /// Applies what is pending, and gives what the command printed.
    pub(super) fn apply(&self, here: &Here, input: &MigrateInput) -> Result<String, BoxError> {
        let output = self.run(here, input, &self.commands.apply, "apply")?;
        if !output.status.success() {
            return Err(format!(
                "`{}` failed ({}): {}",
                self.commands.apply[0],
                output.status,
                self.said(&output)
            )
            .into());
        }
        Ok(self.said(&output))
    }

    /// What is pending; none where nothing is.
    pub(super) fn check(&self, here: &Here, input: &MigrateInput) -> Result<Option<String>, BoxError> {
        let output = self.run(here, input, &self.commands.check, "check")?;
        if output.status.success() {
            return Ok(None);
        }
        // The shell's own codes say that the command could not be run, not that something is pending.
        if matches!(output.status.code(), None | Some(126 | 127)) {
            return Err(format!(
                "`{}` failed ({}): {}",
                self.commands.check[0],
                output.status,
                self.said(&output)
            )
            .into());
        }
        let said = self.said(&output);
        Ok(Some(if said.is_empty() { format!("{}{})", self.wordless(), output.status) } else { said }))
    }

    /// What it is about to take away: what its look says before; none where nothing is pending. It is asked twice, since a database
    /// that is out of reach for a moment fails a look as well.
    pub(super) fn takes_away(&self, here: &Here, input: &MigrateInput) -> Result<Option<String>, BoxError> {
        if self.check(here, input)?.is_none() {
            return Ok(None);
        }
        std::thread::sleep(AGAIN);
        self.check(here, input)
    }

    /// Whether a look after that says that nothing of it was taken away. One that has no words for it cannot tell.
    pub(super) fn left_all(&self, taken: &str, left: &str) -> bool {
        taken == left && !taken.starts_with(&self.wordless())
    }

    /// How a look begins that failed without a word.
    fn wordless(&self) -> String {
        format!("`{}` says so (", self.commands.check[0])
    }

    fn run(
        &self,
        here: &Here,
        input: &MigrateInput,
        argv: &[String],
        what: &str,
    ) -> Result<Output, BoxError> {
        let stage = input.stage.to_string();
        let fill = |word: &String| word.replace("{stage}", &stage);
        let (program, arguments) =
            argv.split_first().ok_or_else(|| format!("`migrations.database.command.{what}` is empty"))?;
        let mut command: Command = process::command(here, fill(program));
        command.args(arguments.iter().map(fill)).envs(&self.env);
        let ran = process::run(here, command, None, Some(input.timeout.duration()));
        Ok(ran.map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })?)
    }

    /// Both outputs, without secrets, and not all of a long one.
    fn said(&self, output: &Output) -> String {
        let text = format!("{}\n{}", String::from_utf8_lossy(&output.stdout).trim(), output.stderr);
        Hidden::new(&self.secrets).hide(&text).trim().chars().take(MOST_SAID).collect()
    }
}

/// What a look said, shortened, in one line.
pub(super) fn in_one_line(said: &str) -> String {
    let words = said.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    shortened(&words.collect::<Vec<_>>().join(" "))
}
