//! What is said of a deployment to several hosts when it is over: of each by its name. Pure.

use orchestrator_core::agent::{Conclusion, Verdict};
use orchestrator_core::evidence::{Finding, Metric, Severity};
use orchestrator_core::order::Receipt;

use super::super::known::Step as Inner;
use super::super::{DeployOutput, DeployedHost};
use super::{Course, Member, Part, State, Step};
use crate::deployment::ops::ReleaseOutput;
use crate::deployment::{HostName, Version};

/// The rule of the finding that a host could not go back.
pub const STUCK: &str = "deploy/stuck";
/// The rule of the finding that a host was taken over by another run before all of them were done.
const LOST: &str = "deploy/lost";

/// All serve it.
pub(super) fn passed(course: &Course<'_>) -> Verdict<DeployOutput> {
    let (environment, version) = (&course.config.environment, version(course));
    let each: Vec<String> = course
        .fleet
        .hosts
        .iter()
        .map(|member| short(course, member).trim_start_matches(&format!("{version} answers ")).to_owned())
        .collect();
    let Some(output) = output(course) else {
        return Verdict::failed("the journal does not say what serves on the hosts");
    };
    let summary = format!("{environment}: {version} answers {}", each.join("; "));
    Verdict::Passed(Conclusion::new(summary, output).metrics(metrics(course)).findings(findings(course)))
}

fn output(course: &Course<'_>) -> Option<DeployOutput> {
    let each = course.fleet.hosts.iter().map(|member| {
        let DeployOutput { release, url, previous, watch, .. } = member.said.output.clone()?;
        Some(DeployedHost { host: member.host.clone(), release, url, previous, watch })
    });
    let hosts = each.collect::<Option<Vec<_>>>()?;
    let first = course.fleet.hosts.first()?.said.output.clone()?;
    // A process or port says nothing where there are several.
    Some(DeployOutput { pid: None, port: None, hosts, ..first })
}

/// All serve it, and something that belongs to it failed.
pub(super) fn unfinished(course: &Course<'_>, why: &str) -> Verdict<DeployOutput> {
    let environment = &course.config.environment;
    failed(course, format!("{environment}: {} serves on all hosts now, but {why}", version(course)))
}

/// It was promoted on all, and somebody else took one of them over meanwhile.
pub(super) fn lost(course: &Course<'_>, why: &str) -> Verdict<DeployOutput> {
    let environment = &course.config.environment;
    failed(course, format!("{environment}: {} was promoted on all hosts, but {why}", version(course)))
}

/// The hosts whose claims were not there any more to be released when all of them served it, and who has them.
pub(super) fn taken_over(course: &Course<'_>) -> Vec<String> {
    let taken = |(at, receipt): (usize, &Receipt)| {
        let ReleaseOutput { released, holder, .. } = receipt.output.parse().ok()?;
        let now = holder.map_or_else(
            || "another run took it over and has released it".to_owned(),
            |claim| format!("it is claimed by {claim} now"),
        );
        (receipt.ok() && !released).then(|| format!("{}: {now}", course.name(at)))
    };
    let settles = course.fleet.step == Step::Settle;
    course.about(Part::Release).filter(|_| settles).filter_map(taken).collect()
}

/// It was begun on none, for that reason; or it failed on one, and the others went back.
pub(super) fn left(course: &Course<'_>, why: Option<&str>) -> Verdict<DeployOutput> {
    let (environment, version) = (&course.config.environment, version(course));
    if let Some(why) = why {
        return failed(course, format!("{environment}: {version} was not deployed to any host: {why}"));
    }
    let of = |state: &[State]| -> Vec<&Member> {
        course.fleet.hosts.iter().filter(|member| state.contains(&member.state)).collect()
    };
    let mut parts: Vec<String> = of(&[State::Failed, State::Stays, State::LeftOut])
        .into_iter()
        .map(|member| format!("{}: {}", member.host, short(course, member)))
        .collect();
    let back = of(&[State::Back]);
    if !back.is_empty() {
        let each: Vec<String> = back.into_iter().map(went_back).collect();
        parts.push(format!("back: {}", each.join(", ")));
    }
    for member in of(&[State::Stuck]) {
        parts.push(format!("{} could not go back: {}", member.host, stuck(course, member)));
    }
    let untouched = names(&course.untouched());
    if !untouched.is_empty() {
        parts.push(format!("untouched: {untouched}"));
    }
    if !of(&[State::Stuck, State::Stays]).is_empty() {
        parts.push(format!(
            "not all hosts serve one version: see `orchestrate deploy status --environment {environment}`"
        ));
    }
    let summary = format!("{environment}: {}", parts.join("; "));
    let only_left_out = of(&[State::Failed, State::Stays, State::Back, State::Stuck]).is_empty();
    if only_left_out && !of(&[State::LeftOut]).is_empty() {
        return Verdict::Skipped(Conclusion::new(summary, ()).metrics(metrics(course)));
    }
    failed(course, summary)
}

/// `web1 (0.1.0)`.
fn went_back(member: &Member) -> String {
    let before = member.known.as_ref().and_then(|known| known.before.as_ref());
    let to = before.map_or_else(|| "nothing".to_owned(), |before| before.version.to_string());
    format!("{} ({to})", member.host)
}

/// Why a host did not go back, without why it was to.
fn stuck<'m>(course: &Course<'_>, member: &'m Member) -> &'m str {
    match member.known.as_ref().map(|known| &known.step) {
        Some(Inner::Stuck(why)) => why.rsplit("going back failed: ").next().unwrap_or(why),
        _ => short(course, member),
    }
}

fn names(hosts: &[&HostName]) -> String {
    let names: Vec<&str> = hosts.iter().map(|host| host.as_str()).collect();
    names.join(", ")
}

/// What a host's own deployment said, without the environment.
fn short<'m>(course: &Course<'_>, member: &'m Member) -> &'m str {
    let summary = member.said.summary.as_str();
    summary.strip_prefix(&format!("{}: ", course.config.environment)).unwrap_or(summary)
}

fn version(course: &Course<'_>) -> String {
    course.config.version.value().map(Version::to_string).unwrap_or_default()
}

fn failed(course: &Course<'_>, summary: String) -> Verdict<DeployOutput> {
    let conclusion = Conclusion::new(summary, ()).metrics(metrics(course));
    Verdict::Failed(conclusion.findings(findings(course)))
}

/// What was measured on each: `deploy.web1.start`.
fn metrics(course: &Course<'_>) -> Vec<Metric> {
    let of = |member: &Member| -> Vec<Metric> {
        let named = |metric: &Metric| {
            let rest = metric.name.strip_prefix("deploy.").unwrap_or(&metric.name);
            Metric { name: format!("deploy.{}.{rest}", member.host), ..metric.clone() }
        };
        member.said.metrics.iter().map(named).collect()
    };
    course.fleet.hosts.iter().flat_map(of).collect()
}

fn findings(course: &Course<'_>) -> Vec<Finding> {
    let of = |member: &Member| -> Vec<Finding> {
        let named = |finding: &Finding| Finding {
            message: format!("{}: {}", member.host, finding.message),
            ..finding.clone()
        };
        member.said.findings.iter().map(named).collect()
    };
    let mut findings: Vec<Finding> = course.fleet.hosts.iter().flat_map(of).collect();
    let stays = |member: &&Member| matches!(member.state, State::Stuck | State::Stays);
    for member in course.fleet.hosts.iter().filter(stays) {
        let message = format!("{}: it could not go back: {}", member.host, stuck(course, member));
        findings.push(Finding::new(STUCK, Severity::Error, message));
    }
    findings.extend(course.about(Part::Release).filter_map(|(at, receipt)| {
        let (rule, why) = unreleased(course, receipt)?;
        Some(Finding::new(rule, Severity::Warning, format!("{}: {why}", course.name(at))))
    }));
    let lost = |why| Finding::new(LOST, Severity::Error, why);
    findings.extend(taken_over(course).into_iter().map(lost));
    findings
}

/// What did not become of the end on a host.
fn unreleased(course: &Course<'_>, receipt: &Receipt) -> Option<(&'static str, String)> {
    if !receipt.ok() {
        return Some(("deploy/unreleased", format!("its claim could not be released: {}", receipt.status)));
    }
    let why = receipt.output.parse::<ReleaseOutput>().ok()?.untold?;
    let environment = &course.config.environment;
    Some(("deploy/untold", format!("{environment}: how this deployment ended is not in the history: {why}")))
}
