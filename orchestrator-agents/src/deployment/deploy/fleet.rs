//! A deployment to several hosts, one after the other: the rounds of one host, for each of them. Pure.
//!
//! ```text
//! gather ─► turn of the first ─► turn of the next .. ─► settle
//!    │        └────────────────────┴► back, the last one first ─► leave
//!    └► leave
//! ```
//!
//! All hosts are looked at and claimed before anything changes on one, and stay claimed until all are done: only then is the version said
//! to be promoted, and what no version before it bears is applied. A host's turn is a deployment to one host ([`rounds`](super::rounds)),
//! which knows little of the others ([`Among`]). Where one fails it goes back by itself, and those that were done go back by the very round
//! that would have taken them back in their own watch.

mod gather;
mod hold;
mod settle;
mod told;
mod turn;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Conclusion, Task, Verdict};
use orchestrator_core::id::RunId;
use orchestrator_core::json::Json;
use orchestrator_core::order::Receipt;
use serde::{Deserialize, Serialize};

use super::known::{Known, Step as Inner};
use super::rounds::Concluded;
use super::{DeployConfig, DeployOutput};
use crate::deployment::migrations::MigrationFiles;
use crate::deployment::targets::{Local, Ssh, Target as _};
use crate::deployment::{HostName, SshTarget, TargetConfig};

pub use told::STUCK;

/// What one of several hosts must know of the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Among {
    /// Which one it is.
    pub(super) host: HostName,
    /// Whether a version before runs on any of them, with the same database.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) old: bool,
    /// Questions about migrations that a person was asked, here or on a host before it: a deployment where one was not agreed to is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    agreed: Vec<String>,
    /// Whether others were watched before it: what a person said then was about those.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) later: bool,
}

impl Known {
    /// Whether a person agreed to that on another host.
    pub(super) fn is_agreed(&self, question: &str) -> bool {
        self.among.as_ref().is_some_and(|among| among.agreed.iter().any(|known| known == question))
    }

    /// A person is asked that, once for all hosts.
    pub(super) fn asks(&mut self, question: &str) {
        if let Some(among) = &mut self.among {
            among.agreed.push(question.to_owned());
        }
    }
}

/// What is known of a deployment to several hosts: carried from round to round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Fleet {
    step: Step,
    /// What the first receipts of the round are about, and which host; those of a host's own round follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<(Part, usize)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    /// Seconds that another deployment was waited for.
    #[serde(default)]
    waited: u64,
    /// The migrations, as they lay in the checkout when this was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    migrations: Option<MigrationFiles>,
    /// Whether there was a version before on any of them.
    #[serde(default)]
    old: bool,
    /// How often the end was put off because a claim could not be read.
    #[serde(default)]
    unread: u32,
    /// Milliseconds since the hosts whose turn it is not heard of it, and whether one did not.
    #[serde(default)]
    quiet_ms: u64,
    #[serde(default)]
    unheard: bool,
    hosts: Vec<Member>,
}

/// The step whose receipts come next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// All are looked at, prepared and claimed.
    Gather,
    /// The turn of that one.
    Turn(usize),
    /// That one goes back, for that reason.
    Back(usize, String),
    /// All serve it.
    Settle,
    /// All serve it, and something that belongs to it failed for that reason.
    Unfinished(String),
    /// Claims are released; why nothing was begun, where that is so.
    Leave(Option<String>),
}

/// What a receipt of the fleet's own is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Check,
    Prepare,
    Pending,
    Claim,
    Wait,
    Confirm,
    Contract,
    Release,
    Prune,
    Hold,
}

/// One of the hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Member {
    host: HostName,
    state: State,
    /// Its own deployment; none before its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known: Option<Known>,
    /// What is said of it.
    said: Conclusion<DeployOutput>,
}

/// How a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// Its turn has not come, or is under way.
    Waits,
    /// The new version counts.
    Serves,
    /// It failed there, and is as one host that failed.
    Failed,
    /// It failed there, and may serve it still.
    Stays,
    /// A person left it out.
    LeftOut,
    /// It serves again what it served before.
    Back,
    /// It could not go back.
    Stuck,
}

/// Whether a deployment is one to several hosts.
pub(super) fn is_of(config: &DeployConfig) -> bool {
    target(config).is_some_and(|target| target.hosts.len() > 1)
}

fn target(config: &DeployConfig) -> Option<&SshTarget> {
    match &config.target {
        TargetConfig::Ssh(target) => Some(target),
        _ => None,
    }
}

/// The first round, and what is known before it; `known` is what a deployment to one host would know.
pub(super) fn first(config: &DeployConfig, known: Known) -> Result<(Vec<Action>, Json), BoxError> {
    let target = target(config).ok_or("the target has no hosts")?;
    if let Some(problem) = target.problem() {
        return Err(problem.into());
    }
    let member = |host: &HostName| {
        let said =
            Conclusion { output: None, summary: String::new(), metrics: Vec::new(), findings: Vec::new() };
        Member { host: host.clone(), state: State::Waits, known: None, said }
    };
    let fleet = Fleet {
        step: Step::Gather,
        parts: Vec::new(),
        run: known.run,
        waited: 0,
        migrations: known.migrations,
        old: false,
        unread: 0,
        quiet_ms: 0,
        unheard: false,
        hosts: target.hosts.iter().map(member).collect(),
    };
    let mut round = gather::first(config, &fleet)?;
    let fleet = Fleet { parts: round.parts, ..fleet };
    let (fleet, own) = gather::opened(config, fleet)?;
    round.actions.extend(own);
    Ok((round.actions, Json::of(&fleet)?))
}

/// What follows the first round where that is withheld: the turns of the hosts that it does not begin, each as it begins.
pub(super) fn foreseen(config: &DeployConfig, carried: &Json) -> Result<Vec<Action>, BoxError> {
    let mut fleet: Fleet = carried.parse()?;
    let next = match fleet.step {
        Step::Gather => fleet.hosts.iter().filter(|member| member.known.is_some()).count(),
        Step::Turn(at) => at + 1,
        Step::Back(..) | Step::Settle | Step::Unfinished(_) | Step::Leave(_) => return Ok(Vec::new()),
    };
    let mut follows = Vec::new();
    for at in next..fleet.hosts.len() {
        follows.extend(gather::foreseen(config, &mut fleet, at)?);
    }
    Ok(follows)
}

/// What the receipts of a round mean.
pub(super) fn conclude(task: &Task<DeployConfig>, receipts: &[Receipt]) -> Concluded {
    let fleet: Fleet = task.carried.parse()?;
    let (own, inner) = receipts.split_at(fleet.parts.len().min(receipts.len()));
    let mut course = Course { task, config: &task.config, fleet, own, inner };
    course.read_held();
    match course.fleet.step.clone() {
        Step::Gather => course.gathered(),
        Step::Turn(at) => course.turned(at),
        Step::Back(at, why) => course.returned(at, &why),
        Step::Settle => course.settled(),
        Step::Unfinished(why) => Ok(told::unfinished(&course, &why)),
        Step::Leave(why) => Ok(told::left(&course, why.as_deref())),
    }
}

/// Whether a fleet may yet hear a person who wants it to go back: none where that is not known of what is carried.
pub(super) fn hears(carried: &Json) -> Option<bool> {
    let fleet: Fleet = carried.parse().ok()?;
    Some(match fleet.step {
        Step::Gather => true,
        Step::Turn(at) => {
            let step = fleet.hosts.get(at).and_then(|member| member.known.as_ref()).map(|known| &known.step);
            match step {
                Some(Inner::Promote) => at + 1 < fleet.hosts.len(),
                Some(
                    Inner::RollBack(_)
                    | Inner::GiveUp(_)
                    | Inner::Unfinished(_)
                    | Inner::Stuck(_)
                    | Inner::Undecided(_),
                ) => false,
                _ => true,
            }
        }
        Step::Back(..) | Step::Settle | Step::Unfinished(_) | Step::Leave(_) => false,
    })
}

/// A deployment to several hosts on its way.
struct Course<'a> {
    task: &'a Task<DeployConfig>,
    config: &'a DeployConfig,
    fleet: Fleet,
    /// Receipts of its own actions, which come first, and of the host whose turn it is.
    own: &'a [Receipt],
    inner: &'a [Receipt],
}

/// Its own actions, and what each is about.
#[derive(Debug, Default)]
struct Round {
    parts: Vec<(Part, usize)>,
    actions: Vec<Action>,
}

impl Round {
    fn push(&mut self, part: Part, at: usize, action: Action) {
        self.parts.push((part, at));
        self.actions.push(action);
    }
}

/// The deployment as it is on one of the hosts. A person is asked once, and whoever else deploys was waited for before.
fn config_of(config: &DeployConfig, fleet: &Fleet, at: usize) -> Result<DeployConfig, BoxError> {
    let (member, target) = (fleet.hosts.get(at), target(config));
    let (member, target) = member.zip(target).ok_or("the journal tells of a host that is not named")?;
    let own = TargetConfig::Ssh(target.only(&member.host));
    Ok(DeployConfig { target: own, approve: config.approve && at == 0, wait: None, ..config.clone() })
}

/// The action as it is performed on that host.
fn on(config: &DeployConfig, fleet: &Fleet, at: usize, action: Action) -> Result<Action, BoxError> {
    let own = config_of(config, fleet, at)?;
    let target = target(&own).ok_or("the target has no hosts")?;
    Ssh::new(Local { config: &own, claimed: true }, target)?.placed(action)
}

impl Course<'_> {
    fn about(&self, part: Part) -> impl Iterator<Item = (usize, &Receipt)> {
        let all = self.fleet.parts.iter().zip(self.own);
        all.filter(move |((known, _), _)| *known == part).map(|((_, at), receipt)| (*at, receipt))
    }

    fn name(&self, at: usize) -> &HostName {
        &self.fleet.hosts[at].host
    }

    /// What failed first of its own, on which host, and why. What only releases claims, or removes old releases, fails nothing.
    fn failure(&self) -> Option<(Part, usize, &Receipt)> {
        let mut all = self.fleet.parts.iter().zip(self.own);
        let failed = all.find(|((part, _), receipt)| {
            !matches!(part, Part::Release | Part::Prune | Part::Hold) && !receipt.ok()
        })?;
        let ((part, at), receipt) = failed;
        Some((*part, *at, receipt))
    }

    fn more(mut self, step: Step, round: Round) -> Concluded {
        (self.fleet.step, self.fleet.parts) = (step, round.parts);
        Ok(Verdict::More { actions: round.actions, carried: Json::of(&self.fleet)? })
    }
}

#[cfg(test)]
mod tests;
