//! `deploy status`: versions, shares of the traffic, who deploys, and the watch under way.

use std::fmt::Write as _;

use orchestrator_agents::deployment::ops::{Deployment, Role, Standing, Watching, standing};
use orchestrator_agents::deployment::traffic::shown;
use serde_json::{Value, json};

use super::cannot;
use crate::args::{DeployShow, Format};
use crate::console::{clean, plural};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json::answer;
use crate::out::say;

pub(super) fn status(front: &Front, args: &DeployShow) -> Result<Exit, CliError> {
    let all =
        standing(front.here.layout.state(), args.environment.as_ref()).map_err(|error| cannot(&error))?;
    let orchestrator = front.look()?;
    let lives =
        |standing: &Standing| standing.claim.as_ref().is_some_and(|claim| orchestrator.is_live(&claim.run));
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
    Ok(Exit::Passed)
}

fn text(standing: &Standing, lives: bool) -> String {
    let Standing { environment, claim, services, url, proxied, traffic, watch } = standing;
    let mut text = String::new();
    let at = url.as_ref().map_or(String::new(), |url| format!("  {}", clean(url)));
    let _ = writeln!(text, "{environment}{at}");
    for service in services {
        let _ = writeln!(text, "  {}", line(service));
    }
    if services.is_empty() {
        let _ = writeln!(text, "  nothing is deployed");
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

fn line(service: &Deployment) -> String {
    let Deployment { role, version, release, pid, port, since, alive, .. } = service;
    let role = match role {
        Role::Current => "current",
        Role::Candidate => "candidate",
    };
    let state = if *alive { format!("process {pid}, port {port}") } else { "does not run".to_owned() };
    let since = since.strftime("%Y-%m-%d %H:%M:%S");
    format!("{role:<9}  {version:<12}  {state}, since {since}  {}", clean(release))
}
