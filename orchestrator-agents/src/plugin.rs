//! Plug-ins: agents that are programs of their own, `orchestrate-agent-NAME`, asked over JSON lines on their standard input and
//! output. `docs/plugins.md` is their protocol. They decide as any other agent does: what they answer is actions, as data.

mod answers;
mod described;
mod error;
mod ops;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{ConfigError, Dependencies, DynAgent, Task, Verdict};
use orchestrator_core::id::{AgentName, NameError};
use orchestrator_core::input::references;
use orchestrator_core::json::Json;
use orchestrator_core::operation::DynOperation;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::Schema;
use serde_json::{Map, Value, json};

pub use error::{PluginError, Said, Why};
pub use ops::{Launch, find};

use described::Described;
use ops::Session;

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;
/// How long a plug-in has to describe itself.
const DESCRIBE: Duration = Duration::from_secs(10);
/// The most bytes of outputs, or of files that a dry run changed, that go with one request.
const MOST_TOLD: usize = 4 << 20;

/// The program of an agent.
pub fn program(name: &AgentName) -> String {
    format!("orchestrate-agent-{name}")
}

/// An agent that is a program. One process, started with the description and kept for all tasks.
pub struct Plugin {
    name: AgentName,
    version: String,
    described: Described,
    session: Arc<Session>,
}

impl Plugin {
    /// Starts the program, and asks what it is. Blocks until it has said so.
    pub fn open(name: AgentName, launch: Launch) -> Result<Self, PluginError> {
        let session = Session::new(program(&name), launch);
        let body = Map::from_iter([("protocol".to_owned(), PROTOCOL.into())]);
        let answer = session.ask("describe", body, DESCRIBE, &ops::never())?;
        let described = match Described::read(&name, answer) {
            Ok(described) => described,
            Err(why) => return Err(session.broken("describe", why)),
        };
        // What an edited program gives is not what was recorded of the one before.
        let version = match session.digest() {
            Some(digest) => format!("{}+{}", described.version, digest.short()),
            None => described.version.clone(),
        };
        Ok(Self { name, version, described, session: Arc::new(session) })
    }

    fn limit(&self) -> Duration {
        self.described.limit
    }
}

/// A task as plug-ins read it.
fn told(task: &Task<Json>) -> Value {
    let Task { id, phase, group, config, carried } = task;
    json!({ "id": id, "phase": phase, "group": group, "config": config.value(), "carried": carried.value() })
}

/// The files that differ from those on disk, since a dry run withheld edits of them: their text, or `null` where they go.
fn overlay(look: &Workspace) -> Result<Map<String, Value>, BoxError> {
    let (mut files, mut bytes) = (Map::new(), 0);
    for path in look.laid_over() {
        let text = look.read_text(&path)?;
        bytes += text.as_ref().map_or(0, String::len);
        if bytes > MOST_TOLD {
            return Err(format!(
                "the edits before it are more than {MOST_TOLD} bytes: no plug-in is told so many"
            )
            .into());
        }
        files.insert(path.to_string(), text.into());
    }
    Ok(files)
}

/// What the commands printed, a pair for each receipt; cut where it is too much.
fn outputs(receipts: &[Receipt], artifacts: &Artifacts<'_>) -> std::io::Result<Value> {
    let mut room = MOST_TOLD;
    let mut text = |artifact: Option<&_>| -> std::io::Result<String> {
        let mut text = if room == 0 { String::new() } else { artifacts.text(artifact)? };
        text.truncate(text.floor_char_boundary(room));
        room -= text.len();
        Ok(text)
    };
    receipts
        .iter()
        .map(|receipt| {
            let (stdout, stderr) = (text(receipt.stdout.as_ref())?, text(receipt.stderr.as_ref())?);
            Ok(json!({ "stdout": stdout, "stderr": stderr }))
        })
        .collect()
}

#[async_trait]
impl DynAgent for Plugin {
    fn name(&self) -> &AgentName {
        &self.name
    }

    fn about(&self) -> &str {
        &self.described.about
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn check(&self, config: &Json) -> Result<(), ConfigError> {
        let value = config.value();
        let given = references(&value);
        // What a reference gives is known only when the task starts; it is checked then.
        let is_given = |way: &[String]| given.iter().any(|(at, _)| way.starts_with(at));
        match self.described.config.wrong(&value).into_iter().find(|wrong| !is_given(&wrong.way)) {
            None => Ok(()),
            Some(wrong) => Err(wrong),
        }
    }

    fn config_schema(&self) -> Schema {
        self.described.config.schema()
    }

    fn output_schema(&self) -> Schema {
        self.described.output.schema()
    }

    async fn plan(&self, task: &Task<Json>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        self.check(&task.config)?;
        let body = json!({ "task": told(task), "root": look.root(), "overlay": overlay(look)? });
        let Value::Object(body) = body else { return Err("no request".into()) };
        let (session, limit) = (self.session.clone(), self.limit());
        let asked = ops::apart(move |gone| session.ask("plan", body, limit, gone)).await?;
        answers::planned(asked?, look).map_err(|why| self.session.broken("plan", why).into())
    }

    fn conclude(
        &self,
        task: &Task<Json>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<Json>, BoxError> {
        let outputs = outputs(receipts, artifacts)?;
        let body = json!({ "task": told(task), "receipts": receipts, "outputs": outputs });
        let Value::Object(body) = body else { return Err("no request".into()) };
        let ask = || self.session.ask("conclude", body, self.limit(), &ops::never());
        let asked = ops::in_place(ask)?;
        let concluded = answers::concluded(asked, &self.described.output);
        concluded.map_err(|why| self.session.broken("conclude", why).into())
    }

    fn depends_on(&self, _task: &Task<Json>) -> Option<Dependencies> {
        None
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests;
