//! `check-host` looks whether a host can be deployed to, and changes nothing.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::act::connected;
use super::bring::found;
use super::error::HostError;
use super::reach::{PROGRAMS, Reach, here};
use super::script::run;
use crate::deployment::hosts::{Host, quoted};
use crate::deployment::ops::error::DeployError;
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::place::Place;
use crate::said::bytes;

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckHostInput {
    /// The host.
    pub host: Host,
    /// What is to be deployed, where that is a file of the checkout: there must be room for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact: String,
    /// Whether it may lie outside of the checkout.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckHostOutput {
    /// Which system it is: `Linux x86_64`.
    pub system: String,
    /// Whether the program is there.
    pub program: bool,
    /// Bytes that are free where the folder is, or will be.
    pub free: u64,
}

/// Looks whether a host answers, runs what is brought, lets us write, and has room.
#[derive(Debug, Clone, Default)]
pub struct CheckHost {
    /// This program.
    pub program: Option<PathBuf>,
}

#[async_trait]
impl Operation for CheckHost {
    const NAME: &'static str = "check-host";
    const EFFECT: Effect = Effect::Reads;
    type Input = CheckHostInput;
    type Output = CheckHostOutput;

    async fn call(
        &self,
        input: CheckHostInput,
        _: &OrderKey,
        site: &Site<'_>,
    ) -> Result<CheckHostOutput, BoxError> {
        let reach = Reach::of(&input.host, self.program.as_deref(), None, site).map_err(HostError::boxed)?;
        site.progress.step(format!("looking at {}", input.host.name), None);
        let artifact = site.root.join(&input.artifact);
        // One that is not there is told of by whoever needs it.
        if !input.artifact.is_empty()
            && let Err(error @ DeployError::Outside(_)) =
                found(&input.artifact, input.outside, site.root, site.state)
        {
            return Err(error.into());
        }
        let (host, state) = (input.host, site.state.to_owned());
        connected(site, move |halt| {
            looked(&reach, &artifact, halt).map_err(|error| pinned(error, &host, &state))
        })
        .await
    }

    async fn already(&self, _: &CheckHostInput, _: &OrderKey, _: &Site<'_>) -> Already<CheckHostOutput> {
        Already::NotDone
    }
}

/// Says what to do where something is recorded to be on a host that is not reached.
fn pinned(error: HostError, host: &Host, state: &Path) -> HostError {
    // Records that cannot be read are told of by whoever needs them.
    let is_there = |place: &Place| {
        let known = place.host(host).ok().flatten();
        known.is_some_and(|record| !record.ended)
    };
    let there = Place::all(state).unwrap_or_default().into_iter().find(is_there);
    match there {
        Some(place) => error.pinning(&place.environment, host),
        None => error,
    }
}

fn looked(reach: &Reach, artifact: &Path, halt: &Halt) -> Result<CheckHostOutput, HostError> {
    let host = reach.host.name.to_string();
    let folder = reach.host.folder.as_str();
    let place =
        if folder.starts_with('/') { quoted(folder) } else { format!("\"$HOME\"/{}", quoted(folder)) };
    let script = format!(
        "{}; echo \"is $(uname -s) $(uname -m)\"; if [ -x \"$p\" ]; then echo has program; fi; d={place}; \
         while [ ! -e \"$d\" ]; do d=$(dirname -- \"$d\"); done; \
         if [ -d \"$d\" ] && [ -w \"$d\" ]; then echo may write; else echo \"may not $d\"; fi; \
         df -Pk -- \"$d\" | awk \"END {{ print \\\"free \\\" \\$4 }}\"",
        program_of(reach)
    );
    let said = run(reach, &script, "looking at it", None, halt)?;
    let after = |word: &str| said.lines().find_map(|line| line.strip_prefix(word)).map(str::trim);
    let nonsense = || HostError::Nonsense { host: host.clone(), said: said.chars().take(200).collect() };
    let system: String =
        after("is ").ok_or_else(nonsense)?.chars().filter(|c| !c.is_control()).take(100).collect();
    let program = after("has ").is_some();
    if reach.host.program.is_some() && !program {
        let name = reach.host.program.as_ref().map(ToString::to_string).unwrap_or_default();
        return Err(HostError::Absent { host, program: name });
    }
    if reach.host.program.is_none() && system != here() {
        return Err(reach.absent(&system));
    }
    if let Some(place) = after("may not ") {
        let said = format!(
            "`{}` is no folder that this user may write to",
            place.chars().filter(|c| !c.is_control()).collect::<String>()
        );
        return Err(HostError::Step { host, what: "looking at it", said });
    }
    let free =
        after("free ").and_then(|free| free.parse::<u64>().ok()).ok_or_else(nonsense)?.saturating_mul(1024);
    let own = reach.program.as_ref().filter(|_| !program).map_or(0, |program| program.bytes);
    // It is brought, and then copied into its release.
    let wanted =
        own + 2 * artifact.metadata().ok().filter(std::fs::Metadata::is_file).map_or(0, |found| found.len());
    if free < wanted {
        let (free, wanted) = (bytes(free), bytes(wanted));
        return Err(HostError::Full { host, folder: folder.to_owned(), free, wanted });
    }
    Ok(CheckHostOutput { system, program, free })
}

/// What says to a shell where the program is, in `p`.
fn program_of(reach: &Reach) -> String {
    match (&reach.host.program, &reach.program) {
        (Some(installed), _) if installed.as_str().starts_with('/') => {
            format!("p={}", quoted(installed.as_str()))
        }
        (Some(installed), _) => format!("p=\"$HOME\"/{}", quoted(installed.as_str())),
        (None, Some(program)) => format!("p=\"$HOME/{PROGRAMS}/{}\"", program.name()),
        (None, None) => "p=".to_owned(),
    }
}
