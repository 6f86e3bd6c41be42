//! `read-signatures`: error lines of a release's log since the last look, or what is new in it beside the log of another one.

mod known;
mod reading;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::containers;
use super::error::DeployError;
use super::halt::looking;
use super::launch::Given;
use super::observe::clock;
use super::place::Place;
use crate::deployment::{Environment, Fresh, LogWatch, Signatures};

/// Which log, and from where on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadSignaturesInput {
    /// Where.
    pub environment: Environment,
    /// Which release.
    pub release: String,
    /// What counts as an error.
    #[serde(default)]
    pub watch: LogWatch,
    /// The release before: what is told are kinds of errors that its log never had, all since the first such look; error lines of this
    /// look without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// Where the last look ended; the last 16 MiB of the log and its earlier parts without one. With `beside` that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<LogCursor>,
}

/// How far a log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogCursor {
    /// The number of the file, which stays with it when it is renamed.
    pub file: u64,
    /// The bytes of it that were read, up to the end of a line.
    pub offset: u64,
    /// Of the bytes before that: tells whether they were taken out of the file since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u64>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReadSignaturesOutput {
    /// Error lines of this look; none with `beside`.
    pub signatures: Signatures,
    /// With `beside`, what is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<Fresh>,
    /// Where the next look goes on; none where there is no log yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<LogCursor>,
    /// Bytes that were read.
    pub bytes: u64,
    /// Why lines may be missing; empty where all were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
}

/// Reads error lines of a release's log. Secrets that the release was given are masked; where one is not known here, lines are only counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadSignatures;

#[async_trait]
impl Operation for ReadSignatures {
    const NAME: &'static str = "read-signatures";
    const EFFECT: Effect = Effect::Reads;
    type Input = ReadSignaturesInput;
    type Output = ReadSignaturesOutput;

    async fn call(
        &self,
        input: ReadSignaturesInput,
        _order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<ReadSignaturesOutput, BoxError> {
        let place = Place::new(site.state, &input.environment);
        let mut given = Given::to(&place, &input.release, site);
        let before = input.beside.as_deref().map(|before| Given::to(&place, before, site));
        let mut given_before = before.unwrap_or_default();
        // What is told of one log only by its kind is compared with the same of the other.
        let unknown = given.unknown.or(given_before.unknown);
        (given.unknown, given_before.unknown) = (unknown.clone(), unknown);
        looking(site, move |halt| {
            let ReadSignaturesInput { environment, release, watch, beside, from } = input;
            if place.release(&release)?.is_none() {
                return Err(DeployError::NoRelease { environment, release });
            }
            if watch.file.is_none() {
                // Of both, the one before last: what it logged and nobody has brought would be new.
                for release in std::iter::once(&release).chain(&beside) {
                    containers::brought(&place, release)?;
                }
            }
            let log = |release: &str| match &watch.file {
                Some(file) => file.under(&place.release_folder(release)),
                None => place.log(release),
            };
            let new = |from| reading::read(&log(&release), from, &watch, &given, halt);
            let Some(before) = beside.filter(|before| *before != release) else { return new(from) };
            let old = |from| reading::read(&log(&before), from, &watch, &given_before, halt);
            known::compared(&place, (&release, &new), (&before, &old), given.unknown.is_some(), &clock())
        })
        .await
    }

    async fn already(
        &self,
        _: &ReadSignaturesInput,
        _: &OrderKey,
        _: &Site<'_>,
    ) -> Already<ReadSignaturesOutput> {
        Already::NotDone
    }
}
