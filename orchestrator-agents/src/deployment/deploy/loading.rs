//! The load that runs through the switch: when it begins, when it ends, and what is said of it. Pure.

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::operation::Operation;
use serde::{Deserialize, Serialize};

use super::DeployConfig;
use super::known::{Known, Part};
use super::rounds::{Concluded, Course, Round};
use crate::deployment::load::{LoadConfig, LoadSummary};
use crate::deployment::ops::{EndLoad, EndLoadInput, StartLoad, StartLoadInput};
use crate::deployment::{Ending, ProxyConfig};
use crate::said::outcome;

/// A load that was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Load {
    /// The release that its figures are kept by.
    pub(super) release: String,
    /// What came of it, once it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<LoadSummary>,
    /// Why nothing is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

/// Whether the load that is wanted can be had: the error says why not.
pub(in crate::deployment) fn check(config: &DeployConfig) -> Result<(), BoxError> {
    let Some(load) = &config.load else { return Ok(()) };
    let problem = load.problem().or_else(|| match &config.proxy {
        _ if !config.target.is_local() => {
            Some("`load` is for `target: local`: other switches are not ours".into())
        }
        None => Some("`load` needs `proxy`: requests are sent to it, before and after the switch".into()),
        Some(ProxyConfig { tls: Some(_), .. }) => {
            Some("`load` speaks HTTP without TLS, and `proxy.tls` is set".into())
        }
        Some(ProxyConfig { host: Some(host), .. }) => {
            Some(format!("`load` asks by address, and `proxy.host` answers for `{host}` alone"))
        }
        Some(_) => None,
    });
    problem.map_or(Ok(()), |problem| Err(problem.into()))
}

impl Course<'_> {
    /// Begins the load, once, where one is wanted.
    pub(super) fn load(&mut self) -> Result<Option<Round>, BoxError> {
        let (Some(load), Some(proxy), None) = (&self.config.load, &self.config.proxy, &self.known.load)
        else {
            return Ok(None);
        };
        let LoadConfig { lead, .. } = load;
        let release = self.started()?.release.clone();
        let environment = self.config.environment.clone();
        let input =
            StartLoadInput { environment, release: release.clone(), url: proxy.url(), load: load.clone() };
        let mut round = self.confirm()?;
        round.push((Part::Load, StartLoad::action(&input)?));
        let message = format!("requests to {} before the switch", self.config.environment);
        let wait: Action = Await { signal: None, seconds: Some(u64::from(*lead)), message }.into();
        round.push((Part::Wait, wait));
        self.known.load = Some(Load { release, summary: None, problem: None });
        Ok(Some(round))
    }

    /// It runs, so the traffic may be switched; or it does not.
    pub(super) fn loaded(mut self) -> Concluded {
        match self.failure() {
            Some((Part::Health, why)) => {
                self.give_up(format!("was not deployed: it is not healthy: {why}"), Ending::Failed)
            }
            Some((Part::Confirm, why)) if !self.is_unread() => self.lost(&why),
            // The first version of an environment: its traffic came first.
            Some((part, why)) if self.known.had_traffic => {
                if part == Part::Load {
                    self.known.notes.push(format!("no load was sent: {why}"));
                }
                self.tick()
            }
            Some((Part::Confirm, why)) => self.give_up(
                format!("was not deployed: its claim could not be confirmed: {why}"),
                Ending::Failed,
            ),
            Some((_, why)) => self
                .give_up(format!("was not deployed: its load could not be started: {why}"), Ending::Failed),
            None if self.known.had_traffic => self.tick(),
            None => self.go(Vec::new()),
        }
    }

    /// Ends the load, a moment after the traffic was switched for the last time.
    pub(super) fn unload(&self, ending: Ending) -> Result<Round, BoxError> {
        let (Some(config), Some(load)) = (&self.config.load, &self.known.load) else { return Ok(Vec::new()) };
        if load.summary.is_some() {
            return Ok(Vec::new());
        }
        let mut round = Vec::new();
        if matches!(ending, Ending::Promoted | Ending::RolledBack) {
            let message = format!("requests to {} after the switch", self.config.environment);
            let wait = Await { signal: None, seconds: Some(u64::from(config.tail)), message };
            round.push((Part::Wait, Action::from(wait)));
        }
        let input = EndLoadInput {
            environment: self.config.environment.clone(),
            release: load.release.clone(),
            unread: false,
        };
        round.push((Part::EndLoad, EndLoad::action(&input)?.keep_going()));
        Ok(round)
    }

    /// What came of it, where the round ended it.
    pub(super) fn read_load(&mut self) {
        let Some(receipt) = self.about(Part::EndLoad).first().copied() else { return };
        let read = outcome::<LoadSummary>(Some(receipt));
        let Some(load) = &mut self.known.load else { return };
        match read {
            Ok(summary) => load.summary = Some(summary),
            Err(why) => load.problem = Some(why),
        }
    }
}

/// `; 0 of 750 requests failed`; nothing where there was no load.
pub(super) fn said(known: &Known) -> String {
    known
        .load
        .as_ref()
        .and_then(|load| load.summary.as_ref())
        .map_or(String::new(), |summary| format!("; {}", summary.line()))
}

/// What was measured.
pub(super) fn metrics(known: &Known) -> Vec<Metric> {
    let Some(load) = known.load.as_ref().and_then(|load| load.summary.as_ref()) else { return Vec::new() };
    let count = |name: &str, value: u64| ("count", name.to_owned(), value as f64);
    let time = |name: &str, value: f64| ("ms", name.to_owned(), value);
    let mut all =
        vec![count("sent", load.sent), count("failed", load.failed), count("dropped", load.dropped)];
    all.push(("ratio", "failed.bound".to_owned(), load.failure_bound));
    all.extend([
        time("p50", load.p50_ms),
        time("p95", load.p95_ms),
        time("p99", load.p99_ms),
        time("p999", load.p999_ms),
        time("max", load.max_ms),
    ]);
    all.extend(load.overlap_ms.map(|overlap| time("overlap", overlap)));
    let evidence = Evidence::of("orchestrate load");
    all.into_iter()
        .map(|(unit, name, value)| Metric::new(format!("deploy.load.{name}"), value, unit, evidence.clone()))
        .collect()
}

/// What people should know of it.
pub(super) fn findings(config: &DeployConfig, known: &Known) -> Vec<Finding> {
    let Some(load) = &known.load else { return Vec::new() };
    let finding = |severity, what: String| Finding::new("deploy/load", severity, what);
    let Some(summary) = &load.summary else {
        let why = load.problem.as_deref().unwrap_or("it was not ended by this deployment");
        return vec![finding(Severity::Warning, format!("what came of the load is not known: {why}"))];
    };
    let mut findings = Vec::new();
    if summary.failed > 0 {
        let severity = if summary.dropped > 0 { Severity::Error } else { Severity::Warning };
        let examples = summary.examples.join("; ");
        findings.push(finding(severity, format!("{}: {examples}", summary.line())));
    }
    if !summary.over {
        let why = "the load client died before it was ended: its figures are those until then";
        findings.push(finding(Severity::Warning, why.to_owned()));
    } else if summary.early {
        let seconds = summary.took_ms as f64 / 1e3;
        let limit = config.load.as_ref().map_or(0.0, |load| load.max_seconds.duration().as_secs_f64());
        let why = format!(
            "the load ended before the deployment did, after {seconds:.1} s, by `load.max_seconds` ({limit} s) or by a signal: it says \
             nothing of what was switched later"
        );
        findings.push(finding(Severity::Warning, why));
    }
    findings.extend(summary.remarks.iter().map(|remark| finding(Severity::Note, remark.clone())));
    findings
}
