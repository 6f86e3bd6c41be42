//! What is said of a deployment when it is over: summary, figures with their evidence, findings. Pure.

use std::collections::BTreeMap;

use orchestrator_core::agent::{Conclusion, Verdict};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};

use super::known::{Figures, Known, Part, Watch};
use super::loading;
use super::{DeployConfig, DeployOutput, WatchSummary};
use crate::deployment::analysis::Decision;
use crate::deployment::ops::{MOVED, SmokeResult};
use crate::deployment::targets::Now;
use crate::deployment::{Ending, TargetConfig, Version};

/// `3 smoke tests passed`.
pub(super) fn tests(known: &Known) -> String {
    match known.smoke.as_ref().map(|smoke| smoke.passed) {
        None => "no smoke tests declared".to_owned(),
        Some(1) => "1 smoke test passed".to_owned(),
        Some(passed) => format!("{passed} smoke tests passed"),
    }
}

pub(super) fn passed(config: &DeployConfig, known: &Known, now: Now) -> Verdict<DeployOutput> {
    let Now { url, process, previous, problems, traffic: _ } = now;
    let Some(started) = &known.started else {
        return Verdict::failed("the journal does not say what was started");
    };
    let watched = known.watch.as_ref().map_or(String::new(), |watch| format!("; watched: {}", why(watch)));
    let on = match &config.target {
        TargetConfig::Ssh(target) => target.hosts.first().map_or(String::new(), |host| format!(" on {host}")),
        _ => String::new(),
    };
    let summary = format!(
        "{}: {} answers at {url}{on} ({}{watched}{})",
        config.environment,
        started.version,
        tests(known),
        loading::said(known)
    );
    let mut findings = findings(config, known);
    let unfinished = |problem: &String| Finding::new("deploy/unfinished", Severity::Warning, problem.clone());
    findings.extend(problems.iter().map(unfinished));
    let output = DeployOutput {
        environment: config.environment.clone(),
        version: started.version.clone(),
        release: started.release.clone(),
        url,
        pid: process.map(|(pid, _)| pid),
        port: process.map(|(_, port)| port),
        previous: previous.or_else(|| other(known).cloned()),
        watch: known.watch.as_ref().map(summed),
        load: known.load.as_ref().and_then(|load| load.summary.clone()),
        hosts: Vec::new(),
    };
    Verdict::Passed(Conclusion::new(summary, output).metrics(metrics(known)).findings(findings))
}

/// The version before, where it is another release.
fn other(known: &Known) -> Option<&Version> {
    let before = known.before.as_ref()?;
    let same = known.started.as_ref().is_some_and(|started| started.release == before.release);
    (!same).then_some(&before.version)
}

fn summed(watch: &Watch) -> WatchSummary {
    let Watch { watcher, last, by, .. } = watch;
    WatchSummary {
        looks: watcher.looks(),
        verdict: last.as_ref().map_or_else(|| "none".into(), |last| last.verdict.to_string()),
        why: why(watch),
        numbers: last.as_ref().map_or_else(BTreeMap::new, |last| last.numbers.clone()),
        by: by.clone(),
    }
}

fn why(watch: &Watch) -> String {
    match (&watch.by, &watch.last) {
        (Some(by), _) => format!("{by} ended it"),
        (None, Some(last)) => last.why.clone(),
        (None, None) => "never looked at".into(),
    }
}

/// What serves now, where this version does not.
fn stays(known: &Known) -> String {
    match (&known.before, known.claimed) {
        (Some(before), _) => format!("{} goes on serving", before.version),
        (None, true) => "nothing serves".to_owned(),
        (None, false) => "the version before it stays".to_owned(),
    }
}

/// It never counted, and what ran of it was ended.
pub(super) fn given_up(
    config: &DeployConfig,
    known: &Known,
    why: &str,
    failure: Option<(Part, String)>,
) -> Verdict<DeployOutput> {
    let end = match (failure, &known.started) {
        (Some((Part::Abandon | Part::Confirm, error)), _) => {
            format!("{}, and it could not be ended: {error}", stays(known))
        }
        (_, Some(_)) => format!("it was ended and {}", stays(known)),
        (_, None) => stays(known),
    };
    let version = config.version.value().map(Version::as_str).unwrap_or_default();
    let summary = format!("{}: {version} {why}; {end}", config.environment);
    if known.ending == Some(Ending::Skipped) {
        return Verdict::Skipped(Conclusion::new(summary, ()).metrics(metrics(known)));
    }
    failed(config, known, summary)
}

/// It had traffic, and what was before it has that again.
pub(super) fn rolled_back(config: &DeployConfig, known: &Known, why: &str) -> Verdict<DeployOutput> {
    let version = config.version.value().map(Version::as_str).unwrap_or_default();
    let took = known.figures.back_ms.map_or(String::new(), |ms| format!(" in {}", crate::said::duration(ms)));
    let now = match (&known.before, &known.started) {
        (Some(before), _) => format!("{} has all traffic again{took}", before.version),
        (None, Some(started)) if started.process.is_none() => "the rollback command was run".to_owned(),
        (None, _) => "nothing serves: there was no version before".to_owned(),
    };
    let load = loading::said(known);
    failed(config, known, format!("{}: {version} was rolled back: {why}; {now}{load}", config.environment))
}

/// It counts, and something that belongs to it failed.
pub(super) fn unfinished(config: &DeployConfig, known: &Known, why: &str) -> Verdict<DeployOutput> {
    let version = config.version.value().map(Version::as_str).unwrap_or_default();
    failed(config, known, format!("{}: {version} serves now, but {why}", config.environment))
}

/// It could neither stay nor go.
pub(super) fn stuck(config: &DeployConfig, known: &Known, why: &str) -> Verdict<DeployOutput> {
    let version = config.version.value().map(Version::as_str).unwrap_or_default();
    let environment = &config.environment;
    let still = if why.contains(MOVED) { "" } else { "what had the traffic has it still and " };
    failed(
        config,
        known,
        format!(
            "{environment}: {version} was to be rolled back: {why}; {still}no version was ended: see \
             `orchestrate deploy status --environment {environment}`, then `orchestrate deploy rollback --environment {environment}`"
        ),
    )
}

/// It was to count, and whose the environment is cannot be told.
pub(super) fn undecided(config: &DeployConfig, known: &Known, why: &str) -> Verdict<DeployOutput> {
    let version = config.version.value().map(Version::as_str).unwrap_or_default();
    let environment = &config.environment;
    failed(
        config,
        known,
        format!(
            "{environment}: {version} could not be made current: {why}; what had the traffic has it still and no version was ended: see \
             `orchestrate deploy status --environment {environment}`; whoever deploys next puts it right"
        ),
    )
}

fn failed(config: &DeployConfig, known: &Known, summary: String) -> Verdict<DeployOutput> {
    let conclusion = Conclusion::new(summary, ()).metrics(metrics(known));
    Verdict::Failed(conclusion.findings(findings(config, known)))
}

fn findings(config: &DeployConfig, known: &Known) -> Vec<Finding> {
    let note = |note: &String| Finding::new("deploy/note", Severity::Note, note.clone());
    let mut findings: Vec<Finding> = known.notes.iter().map(note).collect();
    findings.extend(known.remarks.iter().cloned());
    findings.extend(loading::findings(config, known));
    let smoke = known.smoke.iter().flat_map(|smoke| &smoke.results);
    findings.extend(smoke.flat_map(SmokeResult::findings));
    if let Some(watch) = &known.watch {
        let has_shares = config.proxy.is_some() && !matches!(config.target, TargetConfig::Command(_));
        if known.started.is_some() && !has_shares {
            let message = "no proxy stands before this environment: it was watched by health checks alone";
            findings.push(Finding::new("watch/health-only", Severity::Note, message));
        }
        findings.extend(watch.trace.iter().map(decision));
        findings.extend(leak(watch));
        findings.extend(
            watch.told.iter().map(|told| Finding::new("watch/told", Severity::Warning, told.clone())),
        );
    }
    for drained in known.figures.drained.iter().filter(|drained| drained.cuts > 0) {
        let some: Vec<&str> = drained.cut.iter().take(10).map(String::as_str).collect();
        let message =
            format!("{} requests to {} were cut: {}", drained.cuts, drained.release, some.join(", "));
        findings.push(Finding::new("deploy/cut", Severity::Warning, message));
    }
    findings
}

/// How fast its memory grew, where it did until the end.
fn leak(watch: &Watch) -> Option<Finding> {
    let numbers = &watch.last.as_ref()?.numbers;
    let (slope, least) = (numbers.get("leak_mib_per_hour")?, numbers.get("leak_mib_per_hour.at_least")?);
    let message =
        format!("its memory grew by {slope:.0} MiB an hour, at least by {least:.0}, until the watch ended");
    Some(Finding::new("watch/leak", Severity::Warning, message))
}

fn decision(decision: &Decision) -> Finding {
    let Decision { verdict, why, numbers: _, would, told: _ } = decision;
    let numbers: Vec<String> = decision.figures().map(|(name, value)| format!("{name} {value}")).collect();
    let would = would.map_or(String::new(), |would| format!(" (would: {would})"));
    let severity = match verdict {
        crate::deployment::analysis::Verdict::RollBack => Severity::Error,
        crate::deployment::analysis::Verdict::Inconclusive => Severity::Warning,
        _ => Severity::Note,
    };
    let rule = format!("watch/{}", verdict.to_string().replace(' ', "-"));
    Finding::new(rule, severity, format!("{why}{would} [{}]", numbers.join(", ")))
}

/// What was measured, and nothing else.
fn metrics(known: &Known) -> Vec<Metric> {
    let Known { started, health, smoke, watch, figures, .. } = known;
    let mut metrics = known.migrated.clone();
    if let Some(took) = started.as_ref().and_then(|started| started.took_ms) {
        metrics.push(Metric::new("deploy.start", took, "ms", Evidence::of("start-service")));
    }
    if let Some(health) = health {
        let evidence = Evidence::of("check-health").command(format!("GET {}", health.url));
        metrics.push(Metric::new("deploy.health.latency", health.latency_ms, "ms", evidence.clone()));
        metrics.push(Metric::new("deploy.health.probes", f64::from(health.probes), "count", evidence));
    }
    if let (Some(smoke), Some(started)) = (smoke, started) {
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
    if let Some(watch) = watch {
        metrics.push(Metric::new(
            "deploy.watch.looks",
            watch.watcher.looks() as f64,
            "count",
            Evidence::of("observe"),
        ));
    }
    metrics.extend(switched(figures));
    metrics.extend(loading::metrics(known));
    metrics
}

fn switched(figures: &Figures) -> Vec<Metric> {
    let Figures { switch_ms, first_answer_us, back_ms, drained } = figures;
    let metric = |name: &str, value: f64, tool: &str| Metric::new(name, value, "ms", Evidence::of(tool));
    let mut metrics = Vec::new();
    metrics.extend(switch_ms.map(|ms| metric("deploy.switch", ms, "switch-traffic")));
    let first = first_answer_us.map(|us| us as f64 / 1e3);
    metrics.extend(first.map(|ms| metric("deploy.switch.first_answer", ms, "read-traffic")));
    metrics.extend(back_ms.map(|ms| metric("deploy.rollback", ms, "switch-traffic")));
    let drain = drained.iter().filter_map(|drained| drained.took_ms).max();
    metrics.extend(drain.map(|ms| metric("deploy.drain", ms as f64, "switch-traffic")));
    if !drained.is_empty() {
        let cuts: u64 = drained.iter().map(|drained| drained.cuts).sum();
        metrics.push(Metric::new("deploy.drain.cut", cuts as f64, "count", Evidence::of("switch-traffic")));
    }
    metrics
}
