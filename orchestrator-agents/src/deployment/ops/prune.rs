//! `look-at-releases` says which releases of an environment would go, and `prune-releases` removes them, with the recordings of their
//! watches and the figures of their loads; on a host also programs that nobody uses any more.
//!
//! What goes is renamed within its folder while the lock of the environment is held, and deleted when it is not: a kill in between leaves
//! something hidden that the next pruning removes, and a tree of any size keeps nobody waiting. What cannot be told to be free stays.

mod away;
mod look;
mod needed;
mod programs;

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::DeployError;
use super::halt::{Halt, blocking, looking};
use super::place::Place;
use crate::deployment::Environment;
use crate::deployment::keep::{Because, Judged, KEEP, judge};

use look::Sight;

pub(super) use programs::{mark as mark_program, used as program_is_used};

/// What to keep where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneInput {
    /// Where.
    pub environment: Environment,
    /// How many releases that counted are kept, and as many that never did; 0 keeps all. What is in use is kept besides.
    #[serde(default = "keep")]
    pub keep: u32,
    /// The releases that were seen to be over that number: no others go. By default whatever is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<Vec<String>>,
}

pub(in crate::deployment) fn keep() -> u32 {
    KEEP
}

/// What went, or would go, and what stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PruneOutput {
    /// The releases that go.
    pub goes: Vec<Gone>,
    /// Those that are over the number and stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stays: Vec<Stays>,
    /// How many releases are kept in all.
    pub kept: usize,
    /// What a pruning that was cut off had left to remove.
    #[serde(default, skip_serializing_if = "is_none")]
    pub leftovers: usize,
    /// On a host: programs that nobody uses any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// Bytes that are freed.
    pub bytes: u64,
    /// What could not be removed, and why; the next pruning tries again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// A release that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gone {
    /// Its name.
    pub release: String,
    /// Whether it ever counted.
    pub counted: bool,
}

/// A release that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stays {
    /// Its name.
    pub release: String,
    /// Why.
    pub because: Because,
}

impl PruneOutput {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.goes.is_empty() && self.leftovers == 0 && self.programs.is_empty()
    }

    fn of(judged: Judged) -> Self {
        let goes = judged.goes.into_iter().map(|known| Gone { release: known.name, counted: known.counted });
        let stays = judged.stays.into_iter().map(|(release, because)| Stays { release, because });
        Self { goes: goes.collect(), stays: stays.collect(), kept: judged.kept, ..Self::default() }
    }
}

/// Looks which releases would go.
#[derive(Debug, Clone, Copy, Default)]
pub struct LookAtReleases;

#[async_trait]
impl Operation for LookAtReleases {
    const NAME: &'static str = "look-at-releases";
    const EFFECT: Effect = Effect::Reads;
    type Input = PruneInput;
    type Output = PruneOutput;

    async fn call(
        &self,
        input: PruneInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<PruneOutput, BoxError> {
        let place = Place::new(site.state, &input.environment);
        let judged = seen(&place, &input, site).await?;
        let needed = needed::by_runs(&place, &judged.goes, order, site).await?;
        let state = site.state.to_owned();
        looking(site, move |_| {
            let sight = Sight::of(&place)?;
            let mut output = PruneOutput::of(wanted(&sight, &input, &needed));
            output.bytes = output.goes.iter().map(|gone| sight.bytes(&gone.release)).sum();
            output.leftovers = away::leftovers(&place)?.len();
            output.programs = names(&programs::unused(&state)?);
            Ok(output)
        })
        .await
    }

    async fn already(&self, _: &PruneInput, _: &OrderKey, _: &Site<'_>) -> Already<PruneOutput> {
        Already::NotDone
    }
}

/// Removes releases that are over the number and that nobody needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct PruneReleases;

#[async_trait]
impl Operation for PruneReleases {
    const NAME: &'static str = "prune-releases";
    const EFFECT: Effect = Effect::Writes;
    type Input = PruneInput;
    type Output = PruneOutput;

    async fn call(
        &self,
        input: PruneInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<PruneOutput, BoxError> {
        let place = Place::new(site.state, &input.environment);
        if input.keep == 0 || !place.folder().is_dir() {
            return Ok(PruneOutput::default());
        }
        site.progress.step(format!("pruning releases of {}", input.environment), None);
        let mut judged = seen(&place, &input, site).await?;
        let needed = needed::by_runs(&place, &judged.goes, order, site).await?;
        let (state, seen) = (site.state.to_owned(), std::mem::take(&mut judged.goes));
        blocking(site, move |halt| {
            let cut_off = away::leftovers(&place)?.len();
            let mut output = PruneOutput::of(judged);
            if !seen.is_empty() {
                // Nothing goes that was not looked for in the journals.
                let only = seen.into_iter().map(|known| known.name).collect();
                output = aside(&place, &PruneInput { releases: Some(only), ..input }, &needed, halt)?;
            }
            let (removed, bytes, failed) = away::empty(&place, halt)?;
            output.leftovers = removed.min(cut_off);
            output.bytes += bytes;
            output.failed.extend(failed);
            let (programs, failed) = programs::remove(&programs::unused(&state)?);
            output.programs = names(&programs);
            output.failed.extend(failed);
            Ok(output)
        })
        .await
    }

    fn advice(&self, _: &PruneInput) -> Option<String> {
        Some("nothing: no release that serves, or that the last rollbacks go back to, was removed; deploy an older one again".to_owned())
    }

    async fn already(&self, _: &PruneInput, _: &OrderKey, _: &Site<'_>) -> Already<PruneOutput> {
        // What is gone does not go twice.
        Already::NotDone
    }
}

fn names(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
}

/// What would go if no run needed anything.
async fn seen(place: &Place, input: &PruneInput, site: &Site<'_>) -> Result<Judged, BoxError> {
    let (place, input) = (place.clone(), input.clone());
    looking(site, move |_| Ok(wanted(&Sight::of(&place)?, &input, &BTreeMap::new()))).await
}

fn wanted(sight: &Sight, input: &PruneInput, needed: &BTreeMap<String, Because>) -> Judged {
    let mut held = sight.held.clone();
    held.extend(needed.iter().map(|(release, because)| (release.clone(), because.clone())));
    let mut judged = judge(sight.known.clone(), input.keep, &held);
    if let Some(only) = &input.releases {
        let all = judged.goes.len();
        judged.goes.retain(|known| only.contains(&known.name));
        judged.kept += all - judged.goes.len();
    }
    judged
}

/// Looks again under the lock, and takes what goes out of the way.
fn aside(
    place: &Place,
    input: &PruneInput,
    needed: &BTreeMap<String, Because>,
    halt: &Halt,
) -> Result<PruneOutput, DeployError> {
    let _locked = place.lock(halt)?;
    let sight = Sight::of(place)?;
    let judged = wanted(&sight, input, needed);
    let mut output = PruneOutput { kept: judged.kept, ..PruneOutput::of(Judged::default()) };
    for (release, because) in judged.stays {
        output.stays.push(Stays { release, because });
    }
    for known in judged.goes {
        halt.check()?;
        match away::aside(place, &known.name, sight.files.get(&known.name)) {
            Ok(bytes) => {
                output.bytes += bytes;
                output.goes.push(Gone { release: known.name, counted: known.counted });
            }
            Err(error) => {
                output.kept += 1;
                output.failed.push(error.line());
            }
        }
    }
    Ok(output)
}
