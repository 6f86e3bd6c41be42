//! `deploy status`: versions, shares of the traffic, who deploys, and the watch under way.

use std::fmt::Write as _;

use orchestrator_agents::deployment::ops::{Deployment, Role, Standing, Supervised, Watching};
use orchestrator_agents::deployment::traffic::shown;
use orchestrator_agents::deployment::{Environment, Remembered};
use orchestrator_core::units;
use serde_json::{Value, json};

use super::hosts::stand;
use crate::args::{DeployShow, Format};
use crate::console::{clean, plural};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json::answer;
use crate::out::say;

pub(super) fn status(front: &Front, args: &DeployShow) -> Result<Exit, CliError> {
    let all = stand(front, args.environment.as_ref())?;
    let orchestrator = front.look()?;
    // On a host another machine may have claimed it: of its run nothing is known here.
    let there = |standing: &Standing| standing.on.is_some() && standing.claimant;
    let lives = |standing: &Standing| {
        standing.claim.as_ref().is_some_and(|claim| orchestrator.is_live(&claim.run) || there(standing))
    };
    say(&match args.show.format {
        Format::Human if all.is_empty() => "Nothing was deployed from here.\n".into(),
        Format::Human => all.iter().map(|standing| text(standing, lives(standing))).collect(),
        Format::Json => {
            let one = |standing: &Standing| {
                let mut one = json!(standing);
                if standing.claim.is_some() {
                    one["claim"]["live"] = lives(standing).into();
                }
                one
            };
            answer(&json!({ "environments": all.iter().map(one).collect::<Value>() }))
        }
    });
    Ok(exit(all.iter().any(|standing| standing.problem.is_some())))
}

/// Where one could not be asked the answer is not whole.
pub(super) fn exit(unanswered: bool) -> Exit {
    if unanswered { Exit::Failed } else { Exit::Passed }
}

fn text(standing: &Standing, lives: bool) -> String {
    let Standing {
        environment,
        on,
        problem,
        claim,
        claimant: _,
        services,
        url,
        proxied,
        traffic,
        proxy,
        watch,
        forgotten,
    } = standing;
    let mut text = String::new();
    let at = url.as_ref().map_or(String::new(), |url| format!("  {}", clean(url)));
    let on = on.as_ref().map_or(String::new(), |host| format!("  on {}", clean(host)));
    let _ = writeln!(text, "{environment}{on}{at}");
    if let Some(problem) = problem {
        let _ = writeln!(text, "  what is deployed is not known: {}", clean(problem));
        return text;
    }
    if let Some(forgotten) = forgotten {
        text.push_str(&was_forgotten(forgotten, environment, standing.on.as_deref(), services.is_empty()));
        if !forgotten.answers {
            return text;
        }
    }
    for service in services {
        let _ = writeln!(text, "  {}", line(service));
    }
    if services.is_empty() {
        let _ = writeln!(text, "  nothing is deployed");
    }
    if let Some(proxy) = proxy {
        let _ = writeln!(text, "  proxy      {}", supervised(proxy));
    }
    match (proxied, traffic) {
        (true, Some(traffic)) => {
            let _ = writeln!(
                text,
                "  traffic: {} (table {})",
                clean(&shown(&traffic.shares)),
                traffic.generation
            );
            for release in &traffic.releases {
                let drained =
                    release.drained.as_ref().map_or(String::new(), |drained| match drained.took_ms {
                        Some(ms) => format!(", drained in {ms} ms, {} cut", drained.cuts),
                        None => ", draining".to_owned(),
                    });
                let _ = writeln!(
                    text,
                    "    {}: {} under way{drained}",
                    clean(&release.release),
                    release.in_flight
                );
            }
        }
        // It was ended with the rest.
        (true, None) if services.is_empty() && proxy.is_none() => {}
        (true, None) => text.push_str("  traffic: the proxy does not answer\n"),
        (false, _) => {}
    }
    if let Some(claim) = claim {
        let lives = if lives {
            "deploys"
        } else {
            "has no process now: it waits or died; a new deployment takes over where it died"
        };
        let _ = writeln!(text, "  claimed by {}: {lives}", clean(&claim.to_string()));
    }
    if let Some(Watching { release, looks, decision }) = watch {
        let looks = plural(usize::try_from(*looks).unwrap_or(usize::MAX), "look");
        let _ = writeln!(
            text,
            "  watch of {}: {} after {looks}: {}",
            clean(release),
            decision.verdict,
            clean(&decision.why)
        );
        for (name, value) in decision.figures() {
            let _ = writeln!(text, "    {}: {value}", clean(name));
        }
    }
    text
}

/// What is told of a host that was taken off the list without having been reached.
fn was_forgotten(
    forgotten: &Remembered,
    environment: &Environment,
    on: Option<&str>,
    is_empty: bool,
) -> String {
    let Remembered { at, who, run, answers, .. } = forgotten;
    let at = at.strftime("%Y-%m-%d %H:%M:%S");
    let mut text = format!("  forgotten {at} by {} (run {run})\n", clean(who));
    let stop = format!(
        "`orchestrate deploy stop --environment {environment} --host {}`",
        clean(on.unwrap_or_default())
    );
    let _ = match (answers, is_empty) {
        (false, _) => writeln!(
            text,
            "  it does not answer: {}, may run there still; {stop} with `--forget` once more, and it is not mentioned again",
            clean(&forgotten.may_run())
        ),
        (true, false) => writeln!(
            text,
            "  it answers again, and what was deployed there is there: {stop} ends it, a deployment that names the host replaces it"
        ),
        (true, true) => writeln!(text, "  it answers again: name it in `target.hosts` and deploy, or {stop}"),
    };
    text
}

fn line(service: &Deployment) -> String {
    let Deployment { environment: _, role, version, release, pid, port, url: _, since, alive, kept } =
        service;
    let role = match role {
        Role::Current => "current",
        Role::Candidate => "candidate",
    };
    let state = if *alive { format!("process {pid}, port {port}") } else { "does not run".to_owned() };
    let since = since.strftime("%Y-%m-%d %H:%M:%S");
    let kept = kept.as_ref().map_or(String::new(), |kept| format!("; {}", supervised(kept)));
    format!("{role:<9}  {version:<12}  {state}, since {since}  {}{kept}", clean(release))
}

/// `up, 21.0 MiB, started again 2 times; exit code 5`.
fn supervised(kept: &Supervised) -> String {
    let Supervised { state, restarts, why, resident } = kept;
    let memory = resident.map_or(String::new(), |bytes| format!(", {}", units::bytes(bytes)));
    let why = why.as_ref().map_or(String::new(), |why| format!("; {}", clean(why)));
    let again = match restarts {
        0 => String::new(),
        1 => ", started again once".to_owned(),
        n => format!(", started again {n} times"),
    };
    format!("{state}{memory}{again}{why}")
}
