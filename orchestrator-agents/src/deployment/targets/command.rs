//! Wherever the project's own commands bring a version: the proofs around them are the same.

use std::collections::BTreeMap;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, CommandLine, EnvValue, Run};
use orchestrator_core::effect::Effect;
use orchestrator_core::id::RunId;
use orchestrator_core::order::Receipt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Now, Started, Target};
use crate::deployment::hosts::quoted;
use crate::deployment::{DeployConfig, Version};

/// The project's own commands. Words and lines may hold `{version}`, `{artifact}`, `{environment}` and `{release}`; in a shell line
/// their values are quoted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandTarget {
    /// Deploys the version and sends it the traffic.
    pub deploy: CommandLine,
    /// Brings back the version before; also the undo of `deploy`, and run where `deploy` fails.
    pub rollback: CommandLine,
    /// Fails where the version does not run; asked in the watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<CommandLine>,
    /// Where the deployed version is asked: health, smoke tests, watch.
    pub url: String,
}

/// The commands for one version.
pub(in crate::deployment) struct Commands<'c> {
    given: &'c CommandTarget,
    env: &'c BTreeMap<String, EnvValue>,
    version: Version,
    release: String,
    values: [(&'static str, String); 4],
}

impl<'c> Commands<'c> {
    pub(in crate::deployment) fn new(
        config: &'c DeployConfig,
        commands: &'c CommandTarget,
        run: Option<&RunId>,
    ) -> Result<Self, BoxError> {
        let version = config.version.value()?.clone();
        let release = run.map_or_else(|| version.to_string(), |run| format!("{version}-{run}"));
        let values = [
            ("{version}", version.to_string()),
            ("{artifact}", config.artifact.value()?.clone()),
            ("{environment}", config.environment.to_string()),
            ("{release}", release.clone()),
        ];
        if !["http://", "https://"].iter().any(|scheme| commands.url.starts_with(scheme)) {
            return Err(format!(
                "`target.url` must start with http:// or https://, and is `{}`",
                commands.url
            )
            .into());
        }
        Ok(Self { given: commands, env: &config.env, version, release, values })
    }

    fn run(&self, line: &CommandLine, effect: Effect) -> Run {
        let line = match line {
            CommandLine::Argv(argv) => {
                CommandLine::Argv(argv.iter().map(|word| self.filled(word, str::to_owned)).collect())
            }
            CommandLine::Shell(line) => CommandLine::Shell(self.filled(line, quoted)),
        };
        Run { env: self.env.clone(), ..Run::line(effect, line) }
    }

    /// The text with all values in it, each filled in once.
    fn filled(&self, text: &str, shown: impl Fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            match self.values.iter().find(|(name, _)| rest.starts_with(name)) {
                Some((name, value)) => {
                    filled.push_str(&shown(value));
                    rest = &rest[name.len()..];
                }
                None => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled + rest
    }

    fn rollback(&self) -> Action {
        self.run(&self.given.rollback, Effect::Publishes).into()
    }
}

impl Target for Commands<'_> {
    fn starts_serving(&self) -> bool {
        true
    }

    fn has_shares(&self) -> bool {
        false
    }

    fn ahead(&self, _: bool) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }

    fn start(&self) -> Result<Vec<Action>, BoxError> {
        let undo = vec![self.rollback()];
        Ok(vec![Run { undo, ..self.run(&self.given.deploy, Effect::Publishes) }.into()])
    }

    fn started(&self, receipts: &[&Receipt]) -> Result<Started, String> {
        let receipt = receipts.last().ok_or("it was not performed")?;
        if !receipt.ok() {
            let last = receipt.tail.lines().rfind(|line| !line.trim().is_empty());
            let said = last.map_or_else(String::new, |line| format!(": {}", line.trim()));
            return Err(format!("its command failed, {}{said}", receipt.status));
        }
        let url = self.given.url.trim_end_matches('/').to_owned();
        let took_ms = (receipt.took_ms > 0.0).then_some(receipt.took_ms);
        Ok(Started {
            version: self.version.clone(),
            release: self.release.clone(),
            url,
            process: None,
            took_ms,
        })
    }

    fn shift(&self, _: &Started, _: Option<&str>, _: u32) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }

    fn finish(&self, _: &Started) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }

    fn finished(&self, started: &Started, _: &[&Receipt]) -> Result<Now, String> {
        let url = started.url.clone();
        Ok(Now { url, process: None, previous: None, problems: Vec::new(), traffic: None })
    }

    fn revert(&self, _: &Started, _: Option<&str>) -> Result<Vec<Action>, BoxError> {
        Ok(vec![self.rollback()])
    }

    fn abandon(&self, _: Option<&Started>) -> Result<Vec<Action>, BoxError> {
        // A command that failed may have done half of it.
        Ok(vec![self.rollback()])
    }

    fn probe(&self) -> Result<Vec<Action>, BoxError> {
        Ok(self.given.status.iter().map(|line| self.run(line, Effect::Reads).into()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(target: serde_json::Value) -> DeployConfig {
        let config = json!({ "environment": "production", "version": "1.0.0", "artifact": "it's; rm -rf /", "target": target });
        serde_json::from_value(config).unwrap()
    }

    #[test]
    fn values_are_filled_in_and_never_become_commands() {
        let config =
            config(json!({ "kind": "command", "deploy": "ship {artifact} {version} ${HOME} {other}",
            "rollback": ["unship", "--of={artifact}", "{release}"], "url": "http://127.0.0.1:1/" }));
        let run = RunId::new("20261120234433-00ff00ff").unwrap();
        let target = super::super::TargetConfig::of(&config, Some(&run), true).unwrap();
        let start = target.start().unwrap();
        insta::assert_snapshot!(start[0], @r"run ship 'it'\''s; rm -rf /' 1.0.0 ${HOME} {other} (undo: run unship '--of=it'\''s; rm -rf /' 1.0.0-20261120234433-00ff00ff [publishes]) [publishes]");
        let Action::Run(Run { command: CommandLine::Shell(line), .. }) = &start[0] else {
            panic!("{start:?}")
        };
        assert!(line.contains(r"'it'\''s; rm -rf /'"), "{line}");
        let Action::Run(Run { command: CommandLine::Argv(argv), .. }) = &target.abandon(None).unwrap()[0]
        else {
            panic!()
        };
        assert_eq!(argv[1], "--of=it's; rm -rf /");
    }

    #[test]
    fn a_target_is_checked() {
        let wrong = json!({ "environment": "a", "version": "1", "target": { "kind": "command", "deploy": "x", "rollback": "y", "url": "ftp://x" } });
        let config: DeployConfig = serde_json::from_value(wrong).unwrap();
        assert!(super::super::TargetConfig::of(&config, None, true).is_err());
        for bad in [
            json!({ "kind": "ssh" }),
            json!({ "kind": "command", "deploy": "x" }),
            json!({ "kind": "local", "x": 1 }),
        ] {
            let config = json!({ "environment": "a", "version": "1", "artifact": "x", "target": bad });
            assert!(serde_json::from_value::<DeployConfig>(config).is_err(), "{bad}");
        }
    }
}
