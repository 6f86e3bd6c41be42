//! `ask-engines` says which containers nobody can tell of, since their engine does not answer. Changes nothing.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::containers;
use super::halt::looking;
use super::place::Place;
use crate::deployment::{Environment, Forgotten};

/// Which environment is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskEnginesInput {
    /// Where; everywhere by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskEnginesOutput {
    /// The containers of which nobody can tell, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<Forgotten>,
}

/// Asks each engine that has containers of an environment.
#[derive(Debug, Clone, Copy, Default)]
pub struct AskEngines;

#[async_trait]
impl Operation for AskEngines {
    const NAME: &'static str = "ask-engines";
    const EFFECT: Effect = Effect::Reads;
    type Input = AskEnginesInput;
    type Output = AskEnginesOutput;

    async fn call(
        &self,
        input: AskEnginesInput,
        _: &OrderKey,
        site: &Site<'_>,
    ) -> Result<AskEnginesOutput, BoxError> {
        let state = site.state.to_owned();
        looking(site, move |_| {
            let places = Place::meant(&state, input.environment.as_ref())?;
            let mut silent = Vec::new();
            for place in places {
                silent.extend(containers::silent(&place)?);
            }
            Ok(AskEnginesOutput { silent })
        })
        .await
    }

    async fn already(&self, _: &AskEnginesInput, _: &OrderKey, _: &Site<'_>) -> Already<AskEnginesOutput> {
        Already::NotDone
    }
}
