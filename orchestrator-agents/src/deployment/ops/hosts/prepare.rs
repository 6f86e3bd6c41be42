//! `prepare-host` brings the program to a host, and records that an environment is there.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::act::{AT_ONCE, connected};
use super::error::HostError;
use super::reach::{PATIENT, PROGRAMS, Program, Reach};
use super::records::{added, free_for};
use super::script::run;
use super::session::Session;
use crate::deployment::hosts::wire::Request;
use crate::deployment::hosts::{Host, HostRecord};
use crate::deployment::ops::error::Tried;
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::place::Place;
use crate::deployment::{Environment, HostName};

/// Which host is prepared for which environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrepareHostInput {
    /// The host.
    pub host: Host,
    /// The environment.
    pub environment: Environment,
    /// Names of the secrets that deployments give to it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// The other hosts of the environment, with the same folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<HostName>,
}

/// What was brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrepareHostOutput {
    /// Bytes of the program that were brought; none where it was there.
    pub brought: u64,
}

/// Brings the program to a host, where it is not there yet, and records that the environment is on that host.
#[derive(Debug, Clone, Default)]
pub struct PrepareHost {
    /// This program.
    pub program: Option<PathBuf>,
}

#[async_trait]
impl Operation for PrepareHost {
    const NAME: &'static str = "prepare-host";
    const EFFECT: Effect = Effect::Publishes;
    type Input = PrepareHostInput;
    type Output = PrepareHostOutput;

    async fn call(
        &self,
        input: PrepareHostInput,
        _: &OrderKey,
        site: &Site<'_>,
    ) -> Result<PrepareHostOutput, BoxError> {
        let place = Place::new(site.state, &input.environment);
        let record = place.known(&input.host)?;
        let reach = Reach::of(&input.host, self.program.as_deref(), record.as_ref(), site)
            .map_err(HostError::boxed)?;
        site.progress.step(format!("preparing {}", input.host.name), None);
        connected(site, move |halt| {
            free_for(&place, &input, &place.hosts()?)?;
            // Nobody else waits for a host that takes long: not whoever deploys to the others, and not who takes them back.
            let brought = brought(&reach, halt)?;
            let _locked = place.lock(halt)?;
            let known = place.hosts()?;
            free_for(&place, &input, &known)?;
            let record = place.known(&input.host)?;
            let (mut secrets, counts) =
                record.map(|record| (record.secrets, record.counts)).unwrap_or_default();
            secrets.extend(input.secrets.clone());
            let program = reach.program.as_ref().map(Program::name);
            let own =
                HostRecord { host: input.host.clone(), secrets, brought: program, ended: false, counts };
            place.set_hosts(added(known, own, &input))?;
            place.seen_to(std::slice::from_ref(&input.host))?;
            Ok(PrepareHostOutput { brought })
        })
        .await
    }

    fn advice(&self, _: &PrepareHostInput) -> Option<String> {
        Some(format!(
            "nothing: a program in `~/{PROGRAMS}` of the host may be removed once nothing is deployed there"
        ))
    }

    async fn already(&self, _: &PrepareHostInput, _: &OrderKey, _: &Site<'_>) -> Already<PrepareHostOutput> {
        // What is there is not brought twice.
        Already::NotDone
    }
}

/// Brings the program, unless the one that is there can be talked to; how many bytes that were.
fn brought(reach: &Reach, halt: &Halt) -> Result<u64, HostError> {
    let own = Reach { brought: None, ..reach.clone() };
    let begun = Instant::now();
    let ready = |session: &mut Session, _| session.ask(&Request::Prepare {}, halt).map(drop);
    loop {
        match own.with(AT_ONCE, halt, ready) {
            Ok(()) => return Ok(0),
            Err(HostError::Absent { .. }) if reach.program.is_some() => {}
            // Something is there and says nothing, and the connection is good: a crash of the host may have left it empty.
            Err(error) if error.may_pass() && reach.program.is_some() && answers(reach, halt) => {}
            Err(error) if error.may_pass() && begun.elapsed() < PATIENT => {
                halt.pause(Duration::from_secs(1))?;
                continue;
            }
            Err(error) => return Err(error),
        }
        let Some(program) = &reach.program else { continue };
        match upload(reach, program, halt) {
            Ok(()) => {
                own.with(PATIENT, halt, ready)?;
                return Ok(program.bytes);
            }
            Err(error) if error.may_pass() && begun.elapsed() < PATIENT => {
                halt.pause(Duration::from_secs(1))?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether a shell there does what it is told.
fn answers(reach: &Reach, halt: &Halt) -> bool {
    run(reach, ":", "looking at it", None, halt).is_ok()
}

/// Brings the program under another name, lets it say that it is whole, and renames it: a cut leaves nothing that would be started.
fn upload(reach: &Reach, program: &Program, halt: &Halt) -> Result<(), HostError> {
    let (name, digest) = (program.name(), program.digest);
    let script = format!(
        "umask 077; d=\"$HOME/{PROGRAMS}\"; mkdir -p \"$d\" || exit 1; \
         find \"$d\" -name \".orchestrate-*\" -mmin +60 -exec rm -f {{}} +; t=\"$d/.{name}.$$\"; \
         cat > \"$t\" && chmod 700 \"$t\" && \"$t\" perform --is {digest} --file \"$t\" < /dev/null >&2 && mv -f \"$t\" \"$d/{name}\"; \
         r=$?; rm -f \"$t\"; exit $r"
    );
    let file = File::open(&program.path).tried("opened", &program.path)?;
    run(reach, &script, "bringing the program", Some((file, program.bytes)), halt).map(drop)
}
