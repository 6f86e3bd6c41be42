//! The rounds of a deployment: what the receipts of each mean, and what is next. Pure.

use orchestrator_core::BoxError;
use orchestrator_core::agent::{Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::json::Json;
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Receipt;
use serde::{Deserialize, Serialize};

use super::{DeployConfig, DeployOutput};
use crate::deployment::ops::{
    CheckHealth, CheckHealthInput, CheckHealthOutput, Promote, PromoteInput, PromoteOutput, SmokeInput,
    SmokeOutput, SmokeResult, StartOutput, StopInput, StopService, Watched, Which,
};

/// What is known so far; carried from round to round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Known {
    step: Step,
    started: StartOutput,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health: Option<CheckHealthOutput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    smoke: Option<SmokeOutput>,
}

/// The step whose receipts come next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Prove,
    Promote,
    /// Ends the candidate, for that reason.
    GiveUp(String),
}

type Concluded = Result<Verdict<DeployOutput>, BoxError>;

pub(super) fn conclude(task: &Task<DeployConfig>, receipts: &[Receipt]) -> Concluded {
    let config = &task.config;
    if task.carried.is_null() {
        return started(config, receipts);
    }
    let known: Known = task.carried.parse()?;
    match known.step.clone() {
        Step::Prove => proved(config, known, receipts),
        Step::Promote => promoted(config, known, receipts),
        Step::GiveUp(why) => Ok(given_up(config, &known, &why, receipts)),
    }
}

/// What a call gave, or why it gave nothing.
fn outcome<T: serde::de::DeserializeOwned>(receipt: Option<&Receipt>) -> Result<T, String> {
    let receipt = receipt.ok_or("it was not performed")?;
    if !receipt.ok() {
        return Err(receipt.status.to_string());
    }
    receipt.output.parse().map_err(|error| format!("what it gave is not known ({}): {error}", receipt.status))
}

fn started(config: &DeployConfig, receipts: &[Receipt]) -> Concluded {
    let started: StartOutput = match outcome(receipts.first()) {
        Ok(started) => started,
        Err(why) => {
            let version = config.version.value()?;
            return Ok(Verdict::failed(format!("{}: {version} did not start: {why}", config.environment)));
        }
    };
    let StartOutput { environment, version, release, process, url, .. } = started.clone();
    let service = Some(Watched { environment, release, process });
    let health =
        CheckHealthInput { url: url.clone(), health: config.health.clone(), version: Some(version), service };
    let mut actions = vec![CheckHealth::action(&health)?];
    if !config.smoke.is_empty() {
        actions.push(SmokeInput { url, tests: config.smoke.clone() }.action()?);
    }
    let known = Known { step: Step::Prove, started, health: None, smoke: None };
    Ok(Verdict::More { actions, carried: Json::of(&known)? })
}

fn proved(config: &DeployConfig, mut known: Known, receipts: &[Receipt]) -> Concluded {
    match outcome(receipts.first()) {
        Ok(health) => known.health = Some(health),
        Err(why) => return give_up(config, known, format!("it is not healthy: {why}")),
    }
    if !config.smoke.is_empty() {
        let smoke: SmokeOutput = match outcome(receipts.get(1)) {
            Ok(smoke) => smoke,
            Err(why) => return give_up(config, known, format!("its smoke tests were not run: {why}")),
        };
        let (failed, all) = (smoke.failed, smoke.results.len());
        known.smoke = Some(smoke);
        if failed > 0 {
            return give_up(config, known, format!("{failed} of {all} smoke tests failed"));
        }
    }
    let (environment, release) = (config.environment.clone(), known.started.release.clone());
    let promote = Promote::action(&PromoteInput { environment, release, grace: config.grace })?;
    Ok(Verdict::More { actions: vec![promote], carried: Json::of(&Known { step: Step::Promote, ..known })? })
}

fn give_up(config: &DeployConfig, known: Known, why: String) -> Concluded {
    // Never what is current: no failure of this run takes down what answers.
    let which = Which::Candidate { version: known.started.version.clone() };
    let stop = StopInput { environment: Some(config.environment.clone()), which, grace: config.grace };
    let carried = Json::of(&Known { step: Step::GiveUp(why), ..known })?;
    Ok(Verdict::More { actions: vec![StopService::action(&stop)?], carried })
}

fn promoted(config: &DeployConfig, known: Known, receipts: &[Receipt]) -> Concluded {
    let now: PromoteOutput = match outcome(receipts.first()) {
        Ok(now) => now,
        Err(why) => return give_up(config, known, format!("it could not be made current: {why}")),
    };
    let tests = match known.smoke.as_ref().map(|smoke| smoke.passed) {
        None => "no smoke tests declared".to_owned(),
        Some(1) => "1 smoke test passed".to_owned(),
        Some(passed) => format!("{passed} smoke tests passed"),
    };
    let summary = format!("{}: {} answers at {} ({tests})", now.environment, now.version, now.url);
    let unfinished = |problem: &String| Finding::new("deploy/unfinished", Severity::Warning, problem.clone());
    let smoke = known.smoke.iter().flat_map(|smoke| &smoke.results).flat_map(SmokeResult::findings);
    let findings: Vec<Finding> = now.problems.iter().map(unfinished).chain(smoke).collect();
    let PromoteOutput { environment, version, url, process, port, previous, .. } = now;
    let output = DeployOutput { environment, version, url, pid: process.pid, port, previous };
    let conclusion = Conclusion::new(summary, output).metrics(metrics(&known)).findings(findings);
    Ok(Verdict::Passed(conclusion))
}

fn given_up(config: &DeployConfig, known: &Known, why: &str, receipts: &[Receipt]) -> Verdict<DeployOutput> {
    let end = match outcome::<Json>(receipts.first()) {
        Ok(_) => "it was ended and the version before it stays".to_owned(),
        Err(error) => format!("the version before it stays, and it could not be ended: {error}"),
    };
    let summary = format!("{}: {} was not deployed: {why}; {end}", config.environment, known.started.version);
    let findings = known.smoke.iter().flat_map(|smoke| &smoke.results).flat_map(SmokeResult::findings);
    Verdict::Failed(Conclusion::new(summary, ()).metrics(metrics(known)).findings(findings))
}

/// What was measured, and nothing else.
fn metrics(known: &Known) -> Vec<Metric> {
    let Known { step: _, started, health, smoke } = known;
    let mut metrics = Vec::new();
    if let Some(took) = started.took_ms {
        metrics.push(Metric::new("deploy.start", took, "ms", Evidence::of("start-service")));
    }
    if let Some(health) = health {
        let evidence = Evidence::of("check-health").command(format!("GET {}", health.url));
        metrics.push(Metric::new("deploy.health.latency", health.latency_ms, "ms", evidence.clone()));
        metrics.push(Metric::new("deploy.health.probes", f64::from(health.probes), "count", evidence));
    }
    if let Some(smoke) = smoke {
        let evidence = Evidence::of("smoke-test").command(&started.url);
        metrics.push(Metric::new("deploy.smoke.passed", f64::from(smoke.passed), "count", evidence.clone()));
        metrics.push(Metric::new("deploy.smoke.failed", f64::from(smoke.failed), "count", evidence.clone()));
        let mut latencies: Vec<f64> = smoke.results.iter().filter_map(|result| result.latency_ms).collect();
        latencies.sort_by(f64::total_cmp);
        // Nearest rank: the smallest latency that at least half of the answers did not exceed.
        if let (Some(p50), Some(max)) =
            (latencies.get(latencies.len().saturating_sub(1) / 2), latencies.last())
        {
            metrics.push(Metric::new("deploy.smoke.p50", *p50, "ms", evidence.clone()));
            metrics.push(Metric::new("deploy.smoke.max", *max, "ms", evidence));
        }
    }
    metrics
}
