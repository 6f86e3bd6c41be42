//! Processes of a host: what a local deployment does, done there.

use std::collections::BTreeSet;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Call};
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Receipt;
use serde_json::Value;

use super::{Local, Now, Started, Target};
use crate::deployment::hosts::{Host, SshTarget};
use crate::deployment::migrations::MigratedDatabase;
use crate::deployment::ops::{
    ApplyMigrations, Brought, CheckHost, CheckHostInput, Observe, OnHostInput, PendingMigrations,
    PrepareHost, PrepareHostInput, SmokeTests, StartService,
};
use crate::deployment::{DeployConfig, HostName};

/// Processes of a host.
pub(in crate::deployment) struct Ssh<'c> {
    local: Local<'c>,
    host: Host,
    secrets: BTreeSet<String>,
}

impl<'c> Ssh<'c> {
    pub(in crate::deployment) fn new(local: Local<'c>, target: &SshTarget) -> Result<Self, BoxError> {
        let secrets = secrets(local.config)?;
        Ok(Self { host: target.host()?, secrets, local })
    }

    /// Looks whether the host can be deployed to.
    pub(in crate::deployment) fn check(&self) -> Result<Action, BoxError> {
        let (artifact, outside) = (self.local.config.artifact.value()?.clone(), self.local.config.outside);
        CheckHost::action(&CheckHostInput { host: self.host.clone(), artifact, outside })
    }

    /// Brings the program, and records that the environment is there, and on the hosts `beside` it.
    pub(in crate::deployment) fn prepare(&self, beside: Vec<HostName>) -> Result<Action, BoxError> {
        let (host, environment) = (self.host.clone(), self.local.config.environment.clone());
        let secrets = self.secrets.clone();
        PrepareHost::action(&PrepareHostInput { host, environment, secrets, beside })
    }

    /// The files of the checkout that an operation needs, and which fields name them.
    fn brings(&self, operation: &str, input: &Value) -> Vec<Brought> {
        let tests = |field: &str| {
            let all = input.get(field).and_then(Value::as_array).into_iter().flatten().enumerate();
            let schema = all.filter_map(|(at, test)| {
                let path = test.pointer("/expect/schema_file")?.as_str()?.to_owned();
                Some(Brought { path, into: format!("/{field}/{at}/expect/schema_file"), outside: false })
            });
            schema.collect()
        };
        let named = |field: &str| {
            let path = input.get(field).and_then(Value::as_str).map(str::to_owned);
            let outside = input.get("outside").and_then(Value::as_bool).unwrap_or(false);
            path.map(|path| Brought { path, into: format!("/{field}"), outside }).into_iter().collect()
        };
        match operation {
            StartService::NAME => named("artifact"),
            // A tool of the user's own finds its files by itself.
            PendingMigrations::NAME | ApplyMigrations::NAME if !self.has_own_tool() => named("folder"),
            SmokeTests::NAME => tests("tests"),
            Observe::NAME => tests("probes"),
            _ => Vec::new(),
        }
    }

    fn has_own_tool(&self) -> bool {
        let migrations = self.local.config.migrations.as_ref();
        migrations.is_some_and(|migrations| matches!(migrations.database, MigratedDatabase::Command(_)))
    }
}

/// Names of all secrets that the deployment may use.
fn secrets(config: &DeployConfig) -> Result<BTreeSet<String>, BoxError> {
    let mut parts = vec![serde_json::to_value(&config.env)?];
    for test in &config.smoke {
        parts.push(serde_json::to_value(&test.headers)?);
    }
    if let Some(migrations) = &config.migrations {
        parts.push(serde_json::to_value(&migrations.database)?);
    }
    let mut names = BTreeSet::new();
    for part in &parts {
        collect(part, &mut names);
    }
    Ok(names)
}

/// Each `{secret: NAME}`.
fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => match fields.get("secret") {
            Some(Value::String(name)) if fields.len() == 1 => drop(names.insert(name.clone())),
            _ => fields.values().for_each(|value| collect(value, names)),
        },
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}

impl Target for Ssh<'_> {
    fn starts_serving(&self) -> bool {
        self.local.starts_serving()
    }

    fn has_shares(&self) -> bool {
        self.local.has_shares()
    }

    fn first(&self) -> Result<Vec<Action>, BoxError> {
        Ok(vec![self.check()?, self.prepare(Vec::new())?])
    }

    /// On the host; what is about the host stays here.
    fn placed(&self, action: Action) -> Result<Action, BoxError> {
        let call = match action {
            Action::Call(call) => call,
            Action::Await(_) => return Ok(action),
            other => return Err(format!("`{other}` is nothing that is done on a host").into()),
        };
        let Call { operation, input, effect, keep_going } = call;
        if [CheckHost::NAME, PrepareHost::NAME].contains(&operation.as_str()) {
            return Ok(Call { operation, input, effect, keep_going }.into());
        }
        let brings = self.brings(operation.as_str(), &input.value());
        let (host, environment) = (self.host.clone(), self.local.config.environment.clone());
        let (operation, secrets) = (operation.as_str().to_owned(), self.secrets.clone());
        OnHostInput { host, environment, operation, input, brings, secrets }.action(effect, keep_going)
    }

    fn ahead(&self, trying: bool) -> Result<Vec<Action>, BoxError> {
        self.local.ahead(trying)
    }

    fn start(&self) -> Result<Vec<Action>, BoxError> {
        self.local.start()
    }

    fn started(&self, receipts: &[&Receipt]) -> Result<Started, String> {
        self.local.started(receipts)
    }

    fn shift(&self, started: &Started, before: Option<&str>, percent: u32) -> Result<Vec<Action>, BoxError> {
        self.local.shift(started, before, percent)
    }

    fn finish(&self, started: &Started) -> Result<Vec<Action>, BoxError> {
        self.local.finish(started)
    }

    fn finished(&self, started: &Started, receipts: &[&Receipt]) -> Result<Now, String> {
        self.local.finished(started, receipts)
    }

    fn revert(&self, started: &Started, before: Option<&str>) -> Result<Vec<Action>, BoxError> {
        self.local.revert(started, before)
    }

    fn abandon(&self, started: Option<&Started>) -> Result<Vec<Action>, BoxError> {
        self.local.abandon(started)
    }

    fn probe(&self) -> Result<Vec<Action>, BoxError> {
        self.local.probe()
    }
}

/// What is brought back, or ended, where it is: on the host that a record names.
pub(in crate::deployment) fn on(host: &Host, of: &OnHostOf<'_>, action: Action) -> Result<Action, BoxError> {
    let call = match action {
        Action::Call(call) => call,
        Action::Await(_) => return Ok(action),
        other => return Err(format!("`{other}` is nothing that is done on a host").into()),
    };
    let Call { operation, input, effect, keep_going } = call;
    let OnHostOf { environment, secrets } = *of;
    let (host, environment, secrets) = (host.clone(), environment.clone(), secrets.clone());
    let operation = operation.as_str().to_owned();
    // Nothing of a kept release is brought.
    let brings = Vec::new();
    OnHostInput { host, environment, operation, input, brings, secrets }.action(effect, keep_going)
}

/// Of which environment, with which secrets.
pub(in crate::deployment) struct OnHostOf<'a> {
    pub(in crate::deployment) environment: &'a crate::deployment::Environment,
    pub(in crate::deployment) secrets: &'a BTreeSet<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(more: &Value) -> DeployConfig {
        let mut config = json!({
            "environment": "production", "version": "1.0.0", "artifact": "target/release/app",
            "env": { "API_KEY": { "secret": "API" } },
            "target": { "kind": "ssh", "hosts": ["web1"], "folder": "srv/shop" },
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(config).unwrap()
    }

    fn placed(config: &DeployConfig, actions: Vec<Action>) -> Vec<Value> {
        let target = super::super::TargetConfig::of(config, None, true).unwrap();
        let placed = actions.into_iter().map(|action| target.placed(action).unwrap());
        placed.map(|action| serde_json::to_value(action).unwrap()).collect()
    }

    #[test]
    fn what_is_started_is_brought_and_secrets_are_named() {
        let config = config(&json!({}));
        let target = super::super::TargetConfig::of(&config, None, true).unwrap();
        let shown = serde_json::to_string(&placed(&config, target.start().unwrap())).unwrap();
        for word in [
            "act-on-host",
            r#""operation":"start-service""#,
            r#""brings":[{"into":"/artifact","path":"target/release/app"}]"#,
            r#""secrets":["API"]"#,
        ] {
            assert!(shown.contains(word), "{word}: {shown}");
        }
        assert_eq!(target.first().unwrap().len(), 2);
    }

    #[test]
    fn what_only_reads_stays_a_look_unless_it_brings_files() {
        use crate::deployment::ops::{ConfirmClaim, ConfirmInput};
        let config = config(&json!({
            "smoke": [{ "name": "a", "path": "/", "headers": { "x": { "secret": "S" } }, "expect": { "schema_file": "a.json" } }],
        }));
        let confirm =
            ConfirmClaim::action(&ConfirmInput { environment: config.environment.clone() }).unwrap();
        let smoke =
            crate::deployment::ops::SmokeInput { url: "http://x".into(), tests: config.smoke.clone() };
        let shown = placed(&config, vec![confirm, smoke.action().unwrap()]);
        assert!(shown[0].to_string().contains("look-on-host"), "{shown:?}");
        let shown = shown[1].to_string();
        assert!(shown.contains("act-on-host") && shown.contains("/tests/0/expect/schema_file"), "{shown}");
        assert!(shown.contains(r#""secrets":["API","S"]"#), "{shown}");
    }
}
