//! `restore-outputs`: puts files that a reused task made back to where they belong.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::BoxError;
use crate::action::Action;
use crate::cache::{Cache, Made};
use crate::effect::Effect;
use crate::id::OrderKey;
use crate::operation::{Already, Operation, Site};
use crate::path::Digest;

/// Puts files that a reused task made back to where they belong.
pub(crate) struct Restore(pub(crate) Arc<Cache>);

/// Which files of which result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Outputs {
    /// The fingerprint of the result.
    pub(crate) key: Digest,
    /// The files.
    pub(crate) files: Vec<Made>,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Restored {
    /// How many files.
    pub(crate) files: u64,
}

#[async_trait]
impl Operation for Restore {
    const NAME: &'static str = "restore-outputs";
    const EFFECT: Effect = Effect::Writes;
    type Input = Outputs;
    type Output = Restored;

    fn advice(&self, _: &Outputs) -> Option<String> {
        Some("results of an earlier run: the task makes them anew when it runs".to_owned())
    }

    async fn call(&self, input: Outputs, _: &OrderKey, site: &Site<'_>) -> Result<Restored, BoxError> {
        let root = site.root.canonicalize()?;
        for made in &input.files {
            let full = made.path.under(&root);
            // No file is written through a link that leads out of the checkout.
            let mut near = full.parent();
            while let Some(folder) = near {
                match folder.canonicalize() {
                    Ok(real) if real.starts_with(&root) => break,
                    Ok(_) => return Err(format!("`{}` lies behind a link that leads out", made.path).into()),
                    Err(_) => near = folder.parent(),
                }
            }
            let restored = self.0.restore(made, &root);
            restored.map_err(|error| format!("`{}` could not be restored: {error}", made.path))?;
        }
        Ok(Restored { files: input.files.len() as u64 })
    }

    /// It may be repeated.
    async fn already(&self, _: &Outputs, _: &OrderKey, _: &Site<'_>) -> Already<Restored> {
        Already::NotDone
    }
}

/// The result that an action restores; none where it is another kind of action.
pub(crate) fn restores(action: &Action) -> Option<Digest> {
    match action {
        Action::Call(call) if call.operation.as_str() == Restore::NAME => {
            call.input.parse::<Outputs>().ok().map(|outputs| outputs.key)
        }
        _ => None,
    }
}
