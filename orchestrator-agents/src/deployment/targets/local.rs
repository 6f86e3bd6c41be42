//! Processes of this machine, with or without a proxy in front.

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Receipt;

use super::{Now, Started, Target};
use crate::deployment::DeployConfig;
use crate::deployment::ops::{
    Promote, PromoteInput, PromoteOutput, Reinstate, ReinstateInput, ServeInput, ServeTraffic, StartInput,
    StartOutput, StartService, StopInput, StopService, SwitchInput, SwitchTraffic, Which,
};
use crate::deployment::traffic::Shares;
use crate::said;

/// Processes of this machine.
pub(in crate::deployment) struct Local<'c> {
    pub(in crate::deployment) config: &'c DeployConfig,
    /// Whether the environment is claimed: deployments of earlier versions claimed nothing.
    pub(in crate::deployment) claimed: bool,
}

impl Local<'_> {
    fn promote(&self, release: &str, keep_previous: bool) -> Result<Action, BoxError> {
        let DeployConfig { environment, grace, .. } = self.config;
        let (environment, release, grace) = (environment.clone(), release.to_owned(), *grace);
        Promote::action(&PromoteInput { environment, release, grace, keep_previous, claimed: self.claimed })
    }

    fn stop(&self, which: Which) -> Result<Action, BoxError> {
        let DeployConfig { environment, grace, .. } = self.config;
        let (environment, claimed) = (Some(environment.clone()), self.claimed);
        let stop = StopInput { grace: *grace, claimed, ..StopInput::new(environment, which) };
        StopService::action(&stop)
    }

    fn switch(&self, shares: Shares, tried: Option<&str>) -> Result<Action, BoxError> {
        let (environment, tried) = (self.config.environment.clone(), tried.map(str::to_owned));
        SwitchTraffic::action(&SwitchInput {
            environment,
            shares,
            tried,
            expect: None,
            claimed: self.claimed,
        })
    }
}

impl Target for Local<'_> {
    fn starts_serving(&self) -> bool {
        false
    }

    fn has_shares(&self) -> bool {
        self.config.proxy.is_some()
    }

    fn ahead(&self, trying: bool) -> Result<Vec<Action>, BoxError> {
        let Some(proxy) = self.config.proxy.clone() else { return Ok(Vec::new()) };
        let environment = self.config.environment.clone();
        Ok(vec![ServeTraffic::action(&ServeInput { environment, proxy, trying })?])
    }

    fn start(&self) -> Result<Vec<Action>, BoxError> {
        let config = self.config;
        let artifact = config.artifact.value()?.clone();
        if artifact.is_empty() {
            return Err("`artifact` is missing: name the executable that is deployed".into());
        }
        let start = StartInput {
            environment: config.environment.clone(),
            version: config.version.value()?.clone(),
            artifact,
            outside: config.outside,
            argv: config.argv.clone(),
            env: config.env.clone(),
            port: config.port,
            health: config.health.clone(),
            start_timeout: config.start_timeout,
            claimed: self.claimed,
        };
        Ok(vec![StartService::action(&start)?])
    }

    fn started(&self, receipts: &[&Receipt]) -> Result<Started, String> {
        let StartOutput { version, release, url, process, took_ms, .. } =
            said::outcome(receipts.last().copied())?;
        Ok(Started { version, release, url, process: Some(process), took_ms })
    }

    fn shift(&self, started: &Started, before: Option<&str>, percent: u32) -> Result<Vec<Action>, BoxError> {
        if !self.has_shares() {
            return Ok(vec![self.promote(&started.release, true)?]);
        }
        let percent = percent.min(100);
        let before = before.filter(|before| *before != started.release);
        // The first version has nobody to share with.
        let new = if before.is_some() { percent } else { 100 };
        let old = before.map(|before| (before.to_owned(), 100 - percent));
        let shares: Shares = old.into_iter().chain([(started.release.clone(), new)]).collect();
        Ok(vec![self.switch(shares, Some(&started.release))?])
    }

    fn finish(&self, started: &Started) -> Result<Vec<Action>, BoxError> {
        Ok(vec![self.promote(&started.release, false)?])
    }

    fn finished(&self, _: &Started, receipts: &[&Receipt]) -> Result<Now, String> {
        let now: PromoteOutput = said::outcome(receipts.last().copied())?;
        let PromoteOutput { url, process, port, previous, problems, traffic, .. } = now;
        Ok(Now { url, process: Some((process.pid, port)), previous, problems, traffic })
    }

    fn revert(&self, started: &Started, before: Option<&str>) -> Result<Vec<Action>, BoxError> {
        let DeployConfig { environment, grace, .. } = self.config;
        let before = before.filter(|before| *before != started.release);
        let stop = self.stop(Which::Release { release: started.release.clone() })?;
        let Some(before) = before else {
            let switch = if self.has_shares() { Some(self.switch(Shares::new(), None)?) } else { None };
            return Ok(switch.into_iter().chain([stop]).collect());
        };
        // It may have died or crashed meanwhile: only what runs gets the traffic, and only then this one ends.
        let back = ReinstateInput {
            environment: environment.clone(),
            release: before.to_owned(),
            grace: *grace,
            claimed: self.claimed,
        };
        Ok(vec![Reinstate::action(&back)?, stop])
    }

    fn abandon(&self, started: Option<&Started>) -> Result<Vec<Action>, BoxError> {
        // Never what is current: no failure of this run takes down what answers.
        let which = started.map(|started| Which::Candidate { version: started.version.clone() });
        which.map(|which| self.stop(which)).into_iter().collect()
    }

    fn probe(&self) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }
}
