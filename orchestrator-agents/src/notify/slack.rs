//! `slack_message`: tells a channel something through an incoming webhook.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt, Status};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ops::{PostInput, PostMessage, Posted};
use super::text::{MOST, escaped, filled};
use crate::said;
use crate::secret::SecretName;

/// Config of `slack_message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// The secret that holds the webhook's URL: `{secret: NAME}`.
    pub webhook: SecretName,
    /// What to say. `{run}`, `{phase}`, `{group}` and `{task}` are filled in; `&`, `<` and `>` are shown as they are.
    pub text: String,
    /// Who says it; by default whom the webhook was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

/// Posts a message to Slack.
#[derive(Debug, Clone, Copy, Default)]
pub struct SlackMessage;

impl Agent for SlackMessage {
    const NAME: &'static str = "slack_message";
    const ABOUT: &'static str = "Posts a message to Slack through an incoming webhook";
    type Config = SlackConfig;
    type Output = Posted;

    async fn plan(&self, task: &Task<SlackConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let SlackConfig { webhook, text, username } = &task.config;
        let run = look.run().map_or("", |run| run.as_str());
        let known = [
            ("run", run),
            ("phase", task.phase.as_str()),
            ("group", task.group.as_str()),
            ("task", task.id.as_str()),
        ];
        let text = filled(text, &known);
        if text.trim().is_empty() {
            return Err("`text` is empty: there is nothing to say".into());
        }
        let text = escaped(&text);
        let characters = text.chars().count();
        if characters > MOST {
            return Err(format!(
                "the message has {characters} characters; Slack takes {MOST}: shorten `text`"
            )
            .into());
        }
        let input = PostInput { webhook: webhook.secret.clone(), text, username: username.clone() };
        Ok(vec![PostMessage::action(&input)?])
    }

    fn conclude(
        &self,
        task: &Task<SlackConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Posted>, BoxError> {
        if receipts.first().is_some_and(|receipt| receipt.status == Status::AssumedDone) {
            return Ok(Verdict::passed("posted, as a person said", Posted::default()));
        }
        Ok(match said::output::<Posted>(receipts)? {
            Ok(posted) => {
                let secret = &task.config.webhook.secret;
                Verdict::passed(format!("posted to the webhook of `{secret}`"), posted)
            }
            Err(why) => Verdict::failed(why),
        })
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(PostMessage)?])
    }
}
