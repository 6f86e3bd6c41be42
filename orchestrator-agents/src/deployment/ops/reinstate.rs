//! `reinstate`: makes an earlier release current again, from its own folder.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_traffic::ports;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{self, CheckHealthInput};
use super::claim;
use super::contracted;
use super::error::DeployError;
use super::halt::{Halt, blocking};
use super::launch::{Launch, Surroundings};
use super::place::Place;
use super::promote::{Previous, PromoteOutput, back, forget_candidate, settle, switch};
use super::stop::GRACE;
use super::supervise;
use super::traffic::{self, Keeping, Switched};
use crate::deployment::supervise::Supervisor;
use crate::deployment::{Current, Environment, Release, Seconds, Service, What};

/// What becomes current again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReinstateInput {
    /// Where.
    pub environment: Environment,
    /// Which release.
    pub release: String,
    /// Seconds that the version which is current gets to end.
    #[serde(default = "grace")]
    pub grace: Seconds,
    /// Whether the environment must be claimed by the task that orders it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
}

fn grace() -> Seconds {
    GRACE
}

/// Gives all traffic to a release and makes it current: as it runs, or started from its folder and found healthy. The release that is
/// current is ended after that, and stays where it does not come to pass.
#[derive(Debug, Clone, Default)]
pub struct Reinstate {
    /// Who keeps it running; see [`StartService`](super::StartService).
    pub supervisor: Option<Supervisor>,
}

#[async_trait]
impl Operation for Reinstate {
    const NAME: &'static str = "reinstate";
    const EFFECT: Effect = Effect::Publishes;
    type Input = ReinstateInput;
    type Output = PromoteOutput;

    async fn call(
        &self,
        input: ReinstateInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<PromoteOutput, BoxError> {
        let place = Place::new(site.state, &input.environment);
        let ReinstateInput { environment, release, grace, claimed } = input;
        let Some(release) = place.release(&release)? else {
            return Err(DeployError::NoRelease { environment, release }.into());
        };
        // What it needs to be started matters only where it must be.
        let surroundings = Surroundings::new(&release.env, site);
        let (order, supervisor) = (order.clone(), self.supervisor.clone());
        let keeping = Keeping::new(self.supervisor.as_ref(), site)?;
        site.progress.step(format!("bringing back {} in {environment}", release.version), None);
        blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            if claimed {
                claim::confirm(&place, &order)?;
            }
            if !claimed {
                unless_behind(&place, &release)?;
            }
            let begun = Instant::now();
            let back = Back { place: &place, release: &release, halt, supervisor: supervisor.as_ref() };
            let service = back.running_or_started(surroundings)?;
            let ready_ms = Some(begun.elapsed().as_secs_f64() * 1e3);
            keeping.revive(&place, halt)?;
            let (traffic, current) = moved(&place, &service, &order.to_string(), halt)?;
            let ended = settle(&place, &current, Previous::Ends(grace), traffic);
            Ok(PromoteOutput { ready_ms, ..ended })
        })
        .await
    }

    async fn undo(&self, input: &ReinstateInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let place = Place::new(site.state, &input.environment);
        // What counts already takes nobody's place.
        let counts = place.current()?.is_some_and(|current| current.service.release == input.release);
        if counts { Ok(Vec::new()) } else { Ok(vec![back(&place, &input.release)?]) }
    }

    async fn already(&self, _: &ReinstateInput, _: &OrderKey, _: &Site<'_>) -> Already<PromoteOutput> {
        // All of it bears being done again.
        Already::NotDone
    }
}

/// What undoes a run names no release: it does not bring back what may need what contract migrations took away since.
fn unless_behind(place: &Place, release: &Release) -> Result<(), DeployError> {
    let files = contracted::since(&place.contracted()?, &release.name, &release.order);
    let counts = place.current()?.is_some_and(|current| current.service.release == release.name);
    if files.is_empty() || counts {
        return Ok(());
    }
    let (environment, version) = (release.environment.clone(), release.version.clone());
    Err(DeployError::Behind { environment, version, release: release.name.clone(), files: files.join(", ") })
}

/// Gives it all traffic and lets it count. Where it goes is on record before: whoever finds that it moved and does not count knows which
/// way was meant.
fn moved(
    place: &Place,
    service: &Service,
    order: &str,
    halt: &Halt,
) -> Result<(Option<Switched>, Current), DeployError> {
    supervise::keep(place, &service.release)?;
    if place.current()?.is_none_or(|current| current.service.release != service.release) {
        place.set_going(Some(service))?;
    }
    let traffic = traffic::only(place, service, halt)?;
    let current = counts(place, service, order).map_err(|error| {
        let Some(_) = &traffic else { return error };
        let source =
            std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
        DeployError::Moved { version: service.version.clone(), why: format!("{error}{source}") }
    })?;
    // One that stays on record is the current one, and says nothing.
    let _ = place.set_going(None);
    Ok((traffic, current))
}

/// The switch, unless it was made already.
fn counts(place: &Place, service: &Service, order: &str) -> Result<Current, DeployError> {
    match place.current()? {
        Some(current) if current.service.release == service.release => {
            let now = Current { service: service.clone(), on_watch: false, ..current.clone() };
            if now != current {
                place.set_current(Some(&now))?;
            }
            Ok(now)
        }
        current => {
            let before = current.map(|current| Current { on_watch: false, ..current });
            switch(place, service, before, What::Reinstated, order)
        }
    }
}

/// The pause before it is asked for again.
const AGAIN: Duration = Duration::from_millis(500);

/// A release that is to come back.
struct Back<'a> {
    place: &'a Place,
    release: &'a Release,
    halt: &'a Halt,
    supervisor: Option<&'a Supervisor>,
}

impl Back<'_> {
    /// The release as it runs, where it counts and can be asked; else found healthy, or started.
    fn running_or_started(
        &self,
        surroundings: Result<Surroundings, DeployError>,
    ) -> Result<Service, DeployError> {
        let Self { place, release, halt, .. } = *self;
        let (current, candidate) = (place.current()?, place.candidate()?);
        let (counts, previous) =
            current.map_or((None, None), |current| (Some(current.service), current.previous));
        let is_it = |service: &Service| service.release == release.name;
        let is_current = counts.as_ref().is_some_and(is_it);
        let known = counts.into_iter().chain(previous).chain(candidate).find(is_it);
        let running = self.as_it_runs(known.as_ref())?;
        if let Some(service) = running.clone().filter(|service| is_current && self.listens(service)) {
            return Ok(service);
        }
        let (service, ran) = match running {
            Some(service) => (service, true),
            None => (self.started(known.as_ref(), &surroundings?)?, false),
        };
        let (url, health, version) = (service.url.clone(), release.health.clone(), release.version.clone());
        let input = CheckHealthInput { url, health, version: Some(version), service: None };
        let checked = check::check(&input, None, halt);
        if checked.is_err() && !ran {
            // Only what was started here ends here.
            let Service { release, process, tag, .. } = &service;
            supervise::end(place, release, Some(process), tag, GRACE.duration())?;
            forget_candidate(place, release)?;
        }
        checked.map(|_| service)
    }

    /// Whether it can be asked. The port of a container is open whatever is inside.
    fn listens(&self, service: &Service) -> bool {
        if service.process.is_contained() {
            check::speaks(&service.url, &self.release.health)
        } else {
            ports::listens(service.port)
        }
    }

    /// The service as it runs; none where it is known that it does not. Where nobody can tell, it is asked for again, as long as a start may
    /// take: what was not shown to be down is not ended.
    fn as_it_runs(&self, known: Option<&Service>) -> Result<Option<Service>, DeployError> {
        let Some(known) = known else { return Ok(None) };
        let Release { start_timeout, health, .. } = self.release;
        let until = Instant::now() + start_timeout.duration() + health.timeout.duration();
        loop {
            match supervise::as_it_runs(self.place, known.clone()) {
                Err(DeployError::NoEngine { .. } | DeployError::Engine { .. }) if Instant::now() < until => {}
                told => return told,
            }
            self.halt.pause(AGAIN)?;
        }
    }

    /// Starts the release from its folder, on the port that it had where that is free. What is left of it ends first.
    fn started(&self, known: Option<&Service>, surroundings: &Surroundings) -> Result<Service, DeployError> {
        let Self { place, release, halt, supervisor } = *self;
        let process = known.map(|known| &known.process);
        supervise::end(place, &release.name, process, &release.tag(), GRACE.duration())?;
        let port = known.map(|service| service.port).filter(|port| ports::is_free(*port)).unwrap_or(0);
        let launch = Launch { place, release, surroundings, halt, supervisor };
        let started = launch.run(port, |service| record(place, service));
        if started.is_err() {
            forget_candidate(place, &release.name)?;
        }
        started
    }
}

/// Whoever goes on after a crash must find what was started: it may have traffic by then.
fn record(place: &Place, service: &Service) -> Result<(), DeployError> {
    let own = |known: &Service| known.release == service.release;
    match place.current()? {
        Some(current) if own(&current.service) => {
            place.set_current(Some(&Current { service: service.clone(), ..current }))
        }
        _ if place.candidate()?.as_ref().is_none_or(own) => place.set_candidate(Some(service)),
        _ => Ok(()),
    }
}
