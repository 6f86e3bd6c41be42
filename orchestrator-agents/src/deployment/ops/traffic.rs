//! Traffic of an environment that has a proxy: `serve-traffic` sees that it answers, `switch-traffic` says who gets how much, and
//! `read-traffic` asks what came of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_traffic::control::ask;
use orchestrator_traffic::protocol::{Request, Response, Status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::claim::confirm;
use super::error::DeployError;
use super::halt::{Halt, blocking, looking};
use super::place::Place;
use super::reinstate::{Reinstate, ReinstateInput};
use super::stop::GRACE;
use super::supervise;
use crate::deployment::supervise::{Order, Supervisor};
use crate::deployment::traffic::{Shares, shares};
use crate::deployment::{Environment, ProxyConfig, Service};

mod draining;
mod keeping;
mod proxy;

pub(super) use keeping::Keeping;
use proxy::Proxy;

/// How long one answer of the proxy may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much longer than the drain itself its end is waited for.
const MARGIN: Duration = Duration::from_secs(5);

/// What stands in front of which environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServeInput {
    /// Where.
    pub environment: Environment,
    /// The proxy.
    pub proxy: ProxyConfig,
    /// Whether a version is tried, or watched: then the shares stay as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trying: bool,
}

/// What answers there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServeOutput {
    /// What clients ask.
    pub url: String,
    /// The proxy's process.
    pub pid: u32,
    /// Who gets how much.
    pub shares: Shares,
}

/// Sees that the proxy of an environment answers, and that the current version has its traffic where nobody else has.
#[derive(Debug, Clone, Default)]
pub struct ServeTraffic {
    /// The program that keeps a proxy running; without one it must be there already.
    pub supervisor: Option<Supervisor>,
}

#[async_trait]
impl Operation for ServeTraffic {
    const NAME: &'static str = "serve-traffic";
    const EFFECT: Effect = Effect::Publishes;
    type Input = ServeInput;
    type Output = ServeOutput;

    async fn call(
        &self,
        input: ServeInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<ServeOutput, BoxError> {
        let place = Place::new(site.state, &input.environment);
        let (order, keeping) = (order.clone(), Keeping::new(self.supervisor.as_ref(), site)?);
        site.progress.step(format!("asking the proxy of {}", input.environment), None);
        blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            confirm(&place, &order)?;
            let ServeInput { environment: _, proxy, trying } = input;
            let front = Proxy { place: &place, config: &proxy, halt };
            // One that a supervisor keeps is kept as it is wanted now; the same order again changes nothing.
            let kept = place.roster().ok().flatten().is_some_and(|roster| roster.proxy.is_some());
            if kept || !front.answers() {
                keeping.order(&front)?;
            }
            let status = front.listening()?;
            place.set_fronted(&proxy)?;
            let current = place.current()?.map(|current| supervise::stands(&place, current.service));
            let mut now = shares(&status.table, &place.environment);
            // Where nothing is tried yet, what a proxy kept from before a crash may name what is about to end.
            if let Some(service) = current.transpose()?.flatten()
                && (if trying { now.is_empty() } else { !now.keys().eq([&service.release]) })
            {
                only(&place, &service, halt)?;
                now = [(service.release, 1)].into();
            }
            Ok(ServeOutput { url: proxy.url(), pid: status.pid, shares: now })
        })
        .await
    }

    fn advice(&self, input: &ServeInput) -> Option<String> {
        Some(format!("`orchestrate deploy stop --environment {}` ends what serves", input.environment))
    }

    async fn already(&self, _: &ServeInput, _: &OrderKey, _: &Site<'_>) -> Already<ServeOutput> {
        Already::NotDone
    }
}

/// Who gets how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchInput {
    /// Where.
    pub environment: Environment,
    /// The share of each release; 0 keeps it known without giving it any. One that is not here is left out, and drained.
    pub shares: Shares,
    /// The release that is tried: canary requests go to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<String>,
    /// The generation of the table that it must replace; whatever is there by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<u64>,
    /// Whether the environment must be claimed by the task that orders it.
    #[serde(default)]
    pub claimed: bool,
}

/// What the proxy does now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Switched {
    /// The generation of its table.
    pub generation: u64,
    /// Whether it did something else before.
    pub changed: bool,
    /// The shares before.
    pub before: Shares,
    /// Milliseconds until the proxy had acknowledged the new table; none where it was found done after a crash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
    /// How those that were left out were drained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drained: Vec<Drained>,
    /// What did not go as wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// How a release that was left out was drained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drained {
    /// Which.
    pub release: String,
    /// Milliseconds that it took; none where it was not over in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// How many requests were cut.
    pub cuts: u64,
    /// Which: method, path and milliseconds under way; at most a hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
}

/// Tells the proxy who gets how much, in one step, and waits until what was left out is drained.
#[derive(Debug, Clone, Default)]
pub struct SwitchTraffic {
    /// The program that keeps a proxy running: what undoes a run has it started again where it is gone.
    pub supervisor: Option<Supervisor>,
}

#[async_trait]
impl Operation for SwitchTraffic {
    const NAME: &'static str = "switch-traffic";
    const EFFECT: Effect = Effect::Publishes;
    type Input = SwitchInput;
    type Output = Switched;

    async fn call(
        &self,
        input: SwitchInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Switched, BoxError> {
        let place = Place::new(site.state, &input.environment);
        let (order, keeping) = (order.clone(), Keeping::new(self.supervisor.as_ref(), site)?);
        site.progress.step(format!("switching the traffic of {}", input.environment), None);
        blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            if input.claimed {
                confirm(&place, &order)?;
            } else {
                keeping.revive(&place, halt)?;
            }
            let config = place.fronted()?.ok_or_else(|| no_record(&place))?;
            Proxy { place: &place, config: &config, halt }.switch(&input)
        })
        .await
    }

    /// All traffic to the version that counts, as it runs or started anew: who had a share before may have ended since, and the whole
    /// machine with it.
    async fn undo(&self, input: &SwitchInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let place = Place::new(site.state, &input.environment);
        let Some(status) = status(&place) else { return Ok(Vec::new()) };
        let before = shares(&status.table, &input.environment);
        let current = place.current()?.map(|current| current.service.release);
        let current = current.filter(|current| before.contains_key(current));
        if input.shares.keys().eq(&current) {
            return Ok(Vec::new());
        }
        let environment = input.environment.clone();
        Ok(vec![match current {
            Some(release) => {
                Reinstate::action(&ReinstateInput { environment, release, grace: GRACE, claimed: false })?
            }
            None => {
                let (shares, tried, expect) = (Shares::new(), None, None);
                Self::action(&SwitchInput { environment, shares, tried, expect, claimed: false })?
            }
        }])
    }

    fn advice(&self, input: &SwitchInput) -> Option<String> {
        Some(format!("`orchestrate deploy rollback --environment {}`", input.environment))
    }

    async fn already(&self, _: &SwitchInput, _: &OrderKey, _: &Site<'_>) -> Already<Switched> {
        // The same table again changes nothing, and says so.
        Already::NotDone
    }
}

fn no_record(place: &Place) -> DeployError {
    let why = "no proxy was ever set up there".to_owned();
    DeployError::Refused { environment: place.environment.clone(), why }
}

/// What to ask about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadInput {
    /// Where.
    pub environment: Environment,
}

/// What the proxy says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Traffic {
    /// The generation of its table.
    pub generation: u64,
    /// Who gets how much.
    pub shares: Shares,
    /// How each release stands; one that was left out more than once is there for each time.
    pub releases: Vec<ReleaseTraffic>,
}

/// How a release stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseTraffic {
    /// Which.
    pub release: String,
    /// Requests under way.
    pub in_flight: u64,
    /// Microseconds from the change that brought it traffic until the first byte of its first answer; none before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_answer_us: Option<u64>,
    /// How it was or is drained; none where it is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<Drained>,
}

/// Asks the proxy of an environment how it stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadTraffic;

#[async_trait]
impl Operation for ReadTraffic {
    const NAME: &'static str = "read-traffic";
    const EFFECT: Effect = Effect::Reads;
    type Input = ReadInput;
    type Output = Traffic;

    async fn call(&self, input: ReadInput, _: &OrderKey, site: &Site<'_>) -> Result<Traffic, BoxError> {
        let place = Place::new(site.state, &input.environment);
        looking(site, move |halt| {
            let config = place.fronted()?.ok_or_else(|| no_record(&place))?;
            Ok(Traffic::of(&Proxy { place: &place, config: &config, halt }.status()?, &place.environment))
        })
        .await
    }

    async fn already(&self, _: &ReadInput, _: &OrderKey, _: &Site<'_>) -> Already<Traffic> {
        Already::NotDone
    }
}

impl ReleaseTraffic {
    /// Whether it is served, or drains yet.
    pub(super) fn is_open(&self) -> bool {
        self.drained.as_ref().is_none_or(|drained| drained.took_ms.is_none())
    }
}

impl Traffic {
    /// How a release stands: one that was left out more than once is told of each time, the last time at the end.
    pub(in crate::deployment) fn latest(&self, release: &str) -> Option<&ReleaseTraffic> {
        let own = self.releases.iter().rev().filter(|known| known.release == release);
        own.min_by_key(|known| known.drained.is_some())
    }

    fn of(status: &Status, environment: &Environment) -> Self {
        let own = status.versions.iter().filter(|version| version.route == environment.as_str());
        let releases = own.map(|version| {
            let drained = version.drain.as_ref().map(|drain| Drained {
                release: version.version.clone(),
                took_ms: drain.took_ms,
                cuts: drain.cuts,
                cut: drain.cut.clone(),
            });
            let (release, in_flight) = (version.version.clone(), version.in_flight);
            ReleaseTraffic { release, in_flight, first_answer_us: version.first_answer_us, drained }
        });
        let shares = shares(&status.table, environment);
        Self { generation: status.generation, shares, releases: releases.collect() }
    }
}

/// What the proxy of an environment says right now; none where there is none, or none answers.
pub(super) fn traffic(place: &Place) -> Option<Traffic> {
    Some(Traffic::of(&status(place)?, &place.environment))
}

fn status(place: &Place) -> Option<Status> {
    place.fronted().ok()??;
    match ask(&place.proxy().join("control.sock"), &Request::Status, PATIENCE).ok()? {
        Response::Status(status) => Some(status),
        _ => None,
    }
}

/// What clients ask: the proxy where there is one, else the service itself.
pub(super) fn public(place: &Place, service: &Service) -> Result<String, DeployError> {
    Ok(place.fronted()?.map_or_else(|| service.url.clone(), |proxy| proxy.url()))
}

/// Whether nobody but that service has traffic. True where there is no proxy; a proxy that does not answer is told nothing here.
pub(super) fn is_on(place: &Place, service: Option<&Service>) -> Result<bool, DeployError> {
    if place.fronted()?.is_none() {
        return Ok(true);
    }
    let Some(status) = status(place) else { return Ok(true) };
    let now = shares(&status.table, &place.environment);
    Ok(now.is_empty() || now.keys().eq(service.map(|service| &service.release)))
}

/// Gives all traffic to one service and waits until the others are drained; none where there is no proxy.
pub(super) fn only(place: &Place, service: &Service, halt: &Halt) -> Result<Option<Switched>, DeployError> {
    let Some(config) = place.fronted()? else { return Ok(None) };
    let wanted = [(service.release.clone(), address(service), 1)];
    Proxy { place, config: &config, halt }.apply(&wanted, None, None).map(Some)
}

/// Forgets a proxy that nobody answers for and nobody keeps: a deployment that wants none is not bound to one of old.
pub(super) fn forget(place: &Place) -> Result<(), DeployError> {
    let kept = place.roster()?.is_some_and(|roster| roster.proxy.is_some());
    if kept || place.fronted()?.is_none() || status(place).is_some() {
        return Ok(());
    }
    place.forget_fronted()
}

/// Drains and ends the proxy of an environment, where one answers. One that does not end in time stays, and is told by nobody but itself.
pub(super) fn stop(place: &Place, halt: &Halt) -> Result<(), DeployError> {
    let (Some(config), Some(_)) = (place.fronted()?, status(place)) else { return Ok(()) };
    let until = Instant::now() + config.drain.duration() + MARGIN;
    // Who keeps it would take its end for a crash, and start it again.
    let kept = place.roster().ok().flatten().is_some_and(|roster| roster.proxy.is_some());
    let order = Order::EndProxy { grace_ms: config.drain_ms() };
    if kept && supervise::ask(place, &order, config.drain.duration() + MARGIN).is_ok() {
        return Ok(());
    }
    let socket = place.proxy().join("control.sock");
    // Whether it was told shows below.
    let _ = ask(&socket, &Request::Stop { drain_ms: config.drain_ms() }, PATIENCE);
    while Instant::now() < until && ask(&socket, &Request::Status, PATIENCE).is_ok() {
        halt.pause(Duration::from_millis(20))?;
    }
    Ok(())
}

fn address(service: &Service) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, service.port))
}
