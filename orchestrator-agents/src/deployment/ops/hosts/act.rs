//! `act-on-host` and `look-on-host`: an operation of this program, performed on a host by the program there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Call};
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{OperationName, OrderKey};
use orchestrator_core::json::Json;
use orchestrator_core::operation::{Already, Operation, Site, Transient};
use orchestrator_core::stop::StopLevel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bring::Load;
use super::error::HostError;
use super::looks::Looks;
use super::reach::{PATIENT, Reach};
use super::records::goes_on;
use super::session::Session;
use crate::deployment::hosts::Host;
use crate::deployment::hosts::wire::{Answer, Ordered, Request};
use crate::deployment::ops::DeployError;
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::place::Place;
use crate::deployment::ops::stop::{StopInput, StopService, Which};
use crate::deployment::ops::{
    ClaimEnvironment, ConfirmClaim, Promote, PromoteOutput, Reinstate, StartService,
};
use crate::deployment::{Environment, Version};

/// What to perform where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnHostInput {
    /// The host.
    pub host: Host,
    /// The environment that it is about; its record says which program is there.
    pub environment: Environment,
    /// The operation.
    pub operation: String,
    /// What it is given.
    pub input: Json,
    /// Files of the checkout that it needs there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brings: Vec<Brought>,
    /// Names of the secrets that it may ask for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
}

/// A file or folder that is brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Brought {
    /// Where it lies in the checkout.
    pub path: String,
    /// The field of the input that says where, as a JSON pointer: it is told the place on the host.
    pub into: String,
    /// Whether it may lie elsewhere, as what Cargo built may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
}

impl OnHostInput {
    /// The action that performs it: one that looks where it only reads and brings nothing, so that a dry run performs it too.
    pub fn action(self, effect: Effect, keep_going: bool) -> Result<Action, BoxError> {
        let reads = effect == Effect::Reads && self.brings.is_empty();
        let (name, effect) =
            if reads { (LookOnHost::NAME, LookOnHost::EFFECT) } else { (ActOnHost::NAME, ActOnHost::EFFECT) };
        Ok(Call { operation: OperationName::new(name)?, input: Json::of(&self)?, effect, keep_going }.into())
    }

    /// The same host for another action. What a host answers is never done on this machine.
    fn placed(&self, action: Action) -> Result<Action, HostError> {
        let nonsense = |said: String| HostError::Nonsense { host: self.host.name.to_string(), said };
        let call = match action {
            Action::Call(call) => call,
            other => {
                let plain =
                    other.to_string().chars().filter(|c| !c.is_control()).take(200).collect::<String>();
                return Err(nonsense(format!("`{plain}` is nothing that is done on a host")));
            }
        };
        let Call { operation, input, effect, keep_going } = call;
        let Self { host, environment, secrets, .. } = self.clone();
        let operation = operation.as_str().to_owned();
        let placed = Self { host, environment, operation, input, brings: Vec::new(), secrets };
        placed.action(effect, keep_going).map_err(|error| nonsense(error.to_string()))
    }

    /// What undoes it, there as well.
    fn undone(&self, undo: Vec<Action>) -> Result<Vec<Action>, HostError> {
        if undo.len() > MOST_UNDO {
            let said = format!("{} actions that undo `{}`", undo.len(), self.operation);
            return Err(HostError::Nonsense { host: self.host.name.to_string(), said });
        }
        undo.into_iter().map(|action| self.placed(action)).collect()
    }

    /// With the secrets of earlier deployments too: a version of theirs that comes back needs its own.
    fn ordered(&self, key: Option<&OrderKey>, input: Json, site: &Site<'_>) -> Ordered {
        let value = |name: &String| Some((name.clone(), site.secrets.secret(name)?));
        // A record that cannot be read is told of where it says how the host is reached.
        let known = self.place(site).known(&self.host).ok().flatten().map(|record| record.secrets);
        let names = self.secrets.union(&known.unwrap_or_default()).cloned().collect::<BTreeSet<String>>();
        let secrets: BTreeMap<String, String> = names.iter().filter_map(value).collect();
        Ordered { key: key.cloned(), operation: self.operation.clone(), input, secrets }
    }

    fn place(&self, site: &Site<'_>) -> Place {
        Place::new(site.state, &self.environment)
    }

    pub(super) fn reach(&self, program: Option<&PathBuf>, site: &Site<'_>) -> Result<Reach, BoxError> {
        let record = self.place(site).known(&self.host)?;
        Reach::of(&self.host, program.map(PathBuf::as_path), record.as_ref(), site).map_err(HostError::boxed)
    }
}

/// Work with a connection, on a thread that may block. Only what looks does not keep a stop waiting.
pub(super) async fn connected<T: Send + 'static>(
    site: &Site<'_>,
    work: impl FnOnce(&Halt) -> Result<T, HostError> + Send + 'static,
) -> Result<T, BoxError> {
    let halt = Halt::of(site.stop);
    let _leaving = halt.leaving();
    tokio::task::spawn_blocking(move || work(&halt)).await?.map_err(HostError::boxed)
}

fn output(answer: Answer, reach: &Reach) -> Result<Json, HostError> {
    match answer {
        Answer::Output(output) | Answer::WasDone(output) => Ok(output),
        other => Err(nonsense(&other, reach)),
    }
}

fn nonsense(answer: &Answer, reach: &Reach) -> HostError {
    let said = format!("{answer:?}").chars().take(200).collect();
    HostError::Nonsense { host: reach.host.name.to_string(), said }
}

/// Performs an operation on a host that changes something there, or brings files.
#[derive(Debug, Clone, Default)]
pub struct ActOnHost {
    /// This program, which a deployment brings there.
    pub program: Option<PathBuf>,
}

#[async_trait]
impl Operation for ActOnHost {
    const NAME: &'static str = "act-on-host";
    const EFFECT: Effect = Effect::Publishes;
    type Input = OnHostInput;
    type Output = Json;

    async fn call(&self, input: OnHostInput, order: &OrderKey, site: &Site<'_>) -> Result<Json, BoxError> {
        let reach = input.reach(self.program.as_ref(), site)?;
        site.progress.step(format!("{} on {}", input.operation, input.host.name), None);
        let (root, state) = (site.root.to_owned(), site.state.to_owned());
        let ordered = input.ordered(Some(order), Json::null(), site);
        let (place, given) = (input.place(site), input.clone());
        let (there, unasked_key) = (place.clone(), unasked_key(&input, order));
        let not_asked = unasked().contains(&unasked_key);
        let looks = Looks::of(&input, order, site);
        let output = connected(site, move |halt| {
            let load = Load::of(&given.input, &given.brings, &root, &state)?;
            let ordered = Ordered { input: load.input.clone(), ..ordered };
            let begins = given.begins();
            if let Some(looks) = looks {
                let made = reach
                    .with(PATIENT, halt, |session, _| load.bring(session, halt))
                    .and_then(|_| looks.made(&ordered, &reach, halt));
                return made.map_err(|error| given.pinned(error));
            }
            reach
                .with(PATIENT, halt, |session, again| {
                    if begins {
                        // Before: a cut in between forgets nothing that runs.
                        goes_on(&there, &given.host, &given.secrets, halt)?;
                    }
                    load.bring(session, halt)?;
                    performed(session, &ordered, again || not_asked, &reach, halt)
                })
                .map_err(|error| given.pinned(error))
        })
        .await?;
        unasked().remove(&unasked_key);
        let counts = input.counted(&output);
        if input.ends_all() || counts.is_some() {
            let (host, halt) = (input.host.clone(), Halt::of(site.stop));
            tokio::task::spawn_blocking(move || -> Result<(), DeployError> {
                let _locked = place.lock(&halt)?;
                counts.map_or_else(|| place.host_ended(&host), |version| place.host_counts(&host, &version))
            })
            .await??;
        }
        Ok(output)
    }

    async fn undo(&self, input: &OnHostInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let reach = input.reach(self.program.as_ref(), site)?;
        let order = input.ordered(None, input.input.clone(), site);
        let given = input.clone();
        let undo = connected(site, move |halt| {
            match reach.ask(&Request::Undo { order }, PATIENT, halt).map_err(|error| given.pinned(error))? {
                Answer::Undo(undo) => Ok(undo),
                other => Err(nonsense(&other, &reach)),
            }
        })
        .await?;
        input.undone(undo).map_err(HostError::boxed)
    }

    fn advice(&self, input: &OnHostInput) -> Option<String> {
        let OnHostInput { host, environment, .. } = input;
        Some(format!(
            "it was done on host `{}`; `orchestrate deploy status --environment {environment}` shows what is there",
            host.name
        ))
    }

    async fn already(&self, input: &OnHostInput, order: &OrderKey, site: &Site<'_>) -> Already<Json> {
        let Ok(reach) = input.reach(self.program.as_ref(), site) else { return Already::Unknown };
        let ordered = input.ordered(Some(order), input.input.clone(), site);
        let asked =
            connected(site, move |halt| Ok(reach.ask(&Request::Already { order: ordered }, AT_ONCE, halt)));
        match asked.await {
            Ok(Ok(Answer::WasDone(output))) => Already::Done(output),
            Ok(Ok(Answer::NotDone {})) => Already::NotDone,
            Ok(Err(error)) if error.may_pass() => {
                unasked().insert(unasked_key(input, order));
                Already::NotDone
            }
            Ok(_) | Err(_) => Already::Unknown,
        }
    }
}

/// What a host could not be asked, since it was not reached: whoever calls that asks first, with patience, and says what is wrong.
static UNASKED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn unasked() -> MutexGuard<'static, BTreeSet<String>> {
    UNASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unasked_key(input: &OnHostInput, order: &OrderKey) -> String {
    format!("{order} {}", input.host.name)
}

impl OnHostInput {
    /// Whether something of the environment is there after it.
    fn begins(&self) -> bool {
        [ClaimEnvironment::NAME, StartService::NAME, Reinstate::NAME].contains(&self.operation.as_str())
    }

    /// Whether nothing of the environment is left there after it.
    fn ends_all(&self) -> bool {
        let all = || self.input.parse::<StopInput>().is_ok_and(|input| input.which == Which::All);
        self.operation == StopService::NAME && all()
    }

    /// The version that counts there after it.
    fn counted(&self, output: &Json) -> Option<Version> {
        let counts = [Promote::NAME, Reinstate::NAME].contains(&self.operation.as_str());
        counts.then(|| output.parse::<PromoteOutput>().ok()).flatten().map(|now| now.version)
    }

    /// What is to end there is on the list as long as the host is not reached.
    fn pinned(&self, error: HostError) -> HostError {
        if self.ends_all() { error.pinning(&self.environment, &self.host) } else { error }
    }
}

/// Calls it. Where the connection was cut while it was under way, it is asked first whether that was done, which waits for what the cut
/// left there (see `under_way`). What nobody can tell is not done a second time.
fn performed(
    session: &mut Session,
    order: &Ordered,
    again: bool,
    reach: &Reach,
    halt: &Halt,
) -> Result<Json, HostError> {
    if again {
        match session.ask(&Request::Already { order: order.clone() }, halt)? {
            done @ Answer::WasDone(_) => return output(done, reach),
            Answer::NotDone {} => {}
            Answer::Unknown {} => {
                let (host, operation) = (reach.host.name.to_string(), order.operation.clone());
                return Err(HostError::Unsure { host, operation });
            }
            other => return Err(nonsense(&other, reach)),
        }
    }
    output(session.ask(&Request::Call { order: order.clone(), reads: false }, halt)?, reach)
}

/// Performs an operation on a host that only reads.
#[derive(Debug, Clone, Default)]
pub struct LookOnHost {
    /// As in [`ActOnHost`].
    pub program: Option<PathBuf>,
}

#[async_trait]
impl Operation for LookOnHost {
    const NAME: &'static str = "look-on-host";
    const EFFECT: Effect = Effect::Reads;
    type Input = OnHostInput;
    type Output = Json;

    async fn call(&self, input: OnHostInput, order: &OrderKey, site: &Site<'_>) -> Result<Json, BoxError> {
        let confirms = input.operation == ConfirmClaim::NAME;
        let looked = self.looked(input, order, site).await;
        looked.map_err(|error| if confirms { unread(error) } else { error })
    }

    async fn already(&self, _: &OnHostInput, _: &OrderKey, _: &Site<'_>) -> Already<Json> {
        Already::NotDone
    }
}

impl LookOnHost {
    async fn looked(&self, input: OnHostInput, order: &OrderKey, site: &Site<'_>) -> Result<Json, BoxError> {
        let reach = input.reach(self.program.as_ref(), site)?;
        site.progress.step(format!("{} on {}", input.operation, input.host.name), None);
        let looks = Looks::of(&input, order, site);
        let order = input.ordered(Some(order), input.input.clone(), site);
        let looked = connected(site, move |halt| {
            if let Some(looks) = looks {
                return looks.made(&order, &reach, halt);
            }
            output(reach.ask(&Request::Call { order, reads: true }, PATIENT, halt)?, &reach)
        });
        tokio::select! {
            biased;
            () = site.stop.at_least(StopLevel::Graceful) => Err("stopped on request".into()),
            looked = looked => looked,
        }
    }
}

/// Only the host itself can say that a claim is lost: whatever keeps it from being asked says nothing of whose it is.
fn unread(error: BoxError) -> BoxError {
    match error.downcast_ref() {
        Some(HostError::Said { transient: false, .. }) => error,
        _ if error.is::<Transient>() => error,
        _ => Transient(error).into(),
    }
}

/// The most actions that undo one: those of a deployment are a few.
const MOST_UNDO: usize = 64;

/// How long a question of a command line may take to be answered by a host that is not reached at once.
pub(super) const AT_ONCE: Duration = Duration::ZERO;
