//! A proxy that is told and asked over its control socket, again and again for a while where nobody answers.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use orchestrator_traffic::control::ask;
use orchestrator_traffic::protocol::{Request, Response, Status};

use super::draining::Draining;
use super::{Drained, MARGIN, PATIENCE, SwitchInput, Switched, Traffic, address};
use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::launch::Surroundings;
use crate::deployment::ops::place::Place;
use crate::deployment::ops::supervise::Hands;
use crate::deployment::supervise::{Order, ProxyOrder, Supervisor};
use crate::deployment::traffic::{Shares, shares, with_route};
use crate::deployment::{ProxyConfig, Service};

/// How long a proxy that does not answer is asked again: whoever keeps it running starts it anew meanwhile.
const GONE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

/// How long it may take until a proxy that was just started serves.
const STARTING: Duration = Duration::from_secs(30);

/// A proxy that is asked.
pub(super) struct Proxy<'a> {
    pub(super) place: &'a Place,
    pub(super) config: &'a ProxyConfig,
    pub(super) halt: &'a Halt,
}

impl Proxy<'_> {
    /// Whether one answers at all.
    pub(super) fn answers(&self) -> bool {
        ask(&self.place.proxy().join("control.sock"), &Request::Status, PATIENCE).is_ok()
    }

    /// Has the supervisor of the environment keep one running from now on.
    pub(super) fn kept_by(
        &self,
        supervisor: &Supervisor,
        surroundings: &Surroundings,
        root: &Path,
    ) -> Result<(), DeployError> {
        let Self { place, config, halt } = *self;
        let folder = std::path::absolute(place.proxy()).tried("found", &place.proxy())?;
        // Files of the checkout, for a process that is started elsewhere.
        let file = |name: &str| root.join(name).to_string_lossy().into_owned();
        let tls = config.tls.iter().flat_map(|tls| ["--tls".into(), file(&tls.certificate), file(&tls.key)]);
        let more: Vec<String> = tls.collect();
        let proxy = ProxyOrder::of(supervisor, &folder, vec![config.listen], None, &more);
        let hands = Hands { place, supervisor, surroundings, halt };
        hands.order(&Order::Proxy { proxy }, STARTING).map(drop)
    }

    /// Asks, again and again for a while where nobody answers.
    fn ask(&self, request: &Request) -> Result<Response, DeployError> {
        let socket = self.place.proxy().join("control.sock");
        let until = Instant::now() + GONE;
        loop {
            let error = match ask(&socket, request, PATIENCE) {
                Ok(Response::Refused { why }) => {
                    return Err(DeployError::Refused { environment: self.place.environment.clone(), why });
                }
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            if Instant::now() >= until {
                let (environment, folder) = (self.place.environment.clone(), self.place.proxy());
                let (listen, why) = (self.config.listen, error.to_string());
                return Err(DeployError::NoProxy { environment, folder, listen, why });
            }
            self.halt.pause(Duration::from_millis(50))?;
        }
    }

    pub(super) fn status(&self) -> Result<Status, DeployError> {
        match self.ask(&Request::Status)? {
            Response::Status(status) => Ok(status),
            other => Err(self.odd(&other)),
        }
    }

    /// The same of a proxy that listens where it should.
    pub(super) fn listening(&self) -> Result<Status, DeployError> {
        let status = self.status()?;
        let wanted = self.config.listen;
        let fits = |at: &SocketAddr| {
            at.port() == wanted.port() && (at.ip() == wanted.ip() || at.ip().is_unspecified())
        };
        if status.listens.iter().any(fits) {
            return Ok(status);
        }
        let listens: Vec<String> = status.listens.iter().map(ToString::to_string).collect();
        let why = format!(
            "it listens on {} and not on {wanted}; end it with `orchestrate deploy stop --environment {}`, or mend `proxy.listen`",
            listens.join(", "),
            self.place.environment
        );
        Err(DeployError::Refused { environment: self.place.environment.clone(), why })
    }

    fn odd(&self, response: &Response) -> DeployError {
        let why = format!("its answer makes no sense: {response:?}").chars().take(200).collect();
        DeployError::Refused { environment: self.place.environment.clone(), why }
    }

    pub(super) fn switch(&self, input: &SwitchInput) -> Result<Switched, DeployError> {
        let (current, candidate) = (self.place.current()?, self.place.candidate()?);
        let before = current.as_ref().and_then(|current| current.previous.as_ref());
        let known: Vec<&Service> = current
            .as_ref()
            .map(|current| &current.service)
            .into_iter()
            .chain(before)
            .chain(&candidate)
            .collect();
        let mut wanted = Vec::new();
        for (release, share) in &input.shares {
            let Some(service) = known.iter().find(|service| service.release == *release) else {
                let (environment, release) = (self.place.environment.clone(), release.clone());
                return Err(DeployError::NoRelease { environment, release });
            };
            wanted.push((release.clone(), address(service), *share));
        }
        self.apply(&wanted, input.tried.as_deref(), input.expect)
    }

    /// Replaces the route of the environment. The table may be changed by others meanwhile: then it is done again with theirs.
    pub(super) fn apply(
        &self,
        wanted: &[(String, SocketAddr, u32)],
        tried: Option<&str>,
        expect: Option<u64>,
    ) -> Result<Switched, DeployError> {
        let route = self.config.route(&self.place.environment, wanted, tried);
        let mut before = None;
        let mut chances = 20;
        loop {
            let status = self.status()?;
            let was = shares(&status.table, &self.place.environment);
            let before = before.get_or_insert(was).clone();
            let table = with_route(&status.table, route.clone());
            let expected = expect.unwrap_or(status.generation);
            let request = Request::Apply { expect: Some(expected), table, drain_ms: self.config.drain_ms() };
            let begun = Instant::now();
            match self.ask(&request) {
                Ok(Response::Applied { generation, changed }) => {
                    let took_ms = Some(begun.elapsed().as_secs_f64() * 1e3);
                    let (drained, problems) = match self.drained(wanted, &before) {
                        Err(DeployError::Stopped) => return Err(DeployError::Stopped),
                        // It was switched all the same.
                        Err(error) => {
                            (Vec::new(), vec![format!("how the others were drained is not known: {error}")])
                        }
                        Ok(drained) => drained,
                    };
                    return Ok(Switched { generation, changed, before, took_ms, drained, problems });
                }
                Ok(other) => return Err(self.odd(&other)),
                // The last answer may have been lost, or somebody else was faster.
                Err(DeployError::Refused { .. })
                    if expect.is_none() && chances > 0 && self.status()?.generation != expected =>
                {
                    chances -= 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until what was served before and is left out now is drained.
    fn drained(
        &self,
        wanted: &[(String, SocketAddr, u32)],
        before: &Shares,
    ) -> Result<(Vec<Drained>, Vec<String>), DeployError> {
        let mut draining = Draining::new(wanted.iter().map(|(release, ..)| release), before);
        let until = Instant::now() + self.config.drain.duration() + MARGIN;
        let mut pause = Duration::from_millis(2);
        loop {
            let (found, open) = draining.look(&Traffic::of(&self.status()?, &self.place.environment));
            if open.is_empty() {
                return Ok((found, Vec::new()));
            }
            if Instant::now() >= until {
                let problem = format!("{} not drained within {}", open.join(", "), self.config.drain);
                return Ok((found, vec![problem]));
            }
            self.halt.pause(pause)?;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }
}
