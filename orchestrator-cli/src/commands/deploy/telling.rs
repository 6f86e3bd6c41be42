//! `deploy rollback` while a run watches: the run is told, waited for, and what came of it is said.

use std::time::{Duration, Instant};

use orchestrator_agents::deployment::{
    Claim, Deploy, Ending, Environment, Happening, STUCK_FINDING, What, hears_of_rollback, watch_signal,
};
use orchestrator_core::agent::{Agent as _, Conclusion};
use orchestrator_core::json::Json;
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::order::Signal;
use orchestrator_core::outcome::Outcome;
use orchestrator_core::state::TaskState;
use serde_json::json;

use super::hosts;
use crate::args::{DeployHow, Format};
use crate::console::clean;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json::answer;
use crate::out::{note, say};

/// How long the run is waited for, where `--wait` does not say.
const PATIENCE: Duration = Duration::from_mins(10);
/// How often it is looked at, and after how long it is said that it goes on.
const PAUSE: Duration = Duration::from_millis(300);
const NEWS: Duration = Duration::from_secs(10);

/// How the run ended that was told to go back.
enum Came {
    /// The version before has the traffic, or never lost it.
    Back(Ending, String),
    /// It did not hear in time, or died before it could: what is wanted is still to be done.
    Not(String),
    /// It could not be done.
    Failed(String),
    /// It goes on.
    Under(Duration),
}

/// Tells a deployment that is under way and watches to go back, and waits for that; none where there is none, or where it ended without:
/// then the rollback is an ordinary one. A deployment that does not watch would never hear of it.
pub(super) async fn told_to_go_back(
    front: &Front,
    environment: &Environment,
    how: &DeployHow,
) -> Result<Option<Exit>, CliError> {
    let found = hosts::stand(front, Some(environment))?;
    let Some(claim) = found.into_iter().find_map(|standing| standing.claim) else { return Ok(None) };
    let orchestrator = front.look()?;
    if !orchestrator.is_live(&claim.run) || !hears(&orchestrator, &claim).await? {
        return Ok(None);
    }
    let from = std::env::var("USER").unwrap_or_default();
    let name = watch_signal(&claim.task)?;
    let payload = json!({ "decision": "rollback", "by": from }).into();
    orchestrator.signal(&claim.run, Signal { name, payload, from }).await?;
    let (run, version) = (&claim.run, &claim.version);
    note(&format!("Run {run} deploys {version} to {environment} right now; it is told to go back."));
    let most = how.wait.map_or(PATIENCE, |wait| Duration::from_secs(wait.seconds()));
    let came = followed(front, &orchestrator, environment, &claim, most).await?;
    let (exit, verdict, text) = match came {
        Came::Not(why) => {
            note(&format!("{why}; the rollback is done here."));
            return Ok(None);
        }
        Came::Back(ending, text) => (Exit::Passed, ending.as_str(), text),
        Came::Failed(text) => (Exit::Failed, "failed", text),
        Came::Under(time) => {
            let text = format!(
                "{environment}: run {run} is told and has not gone back within {} s; see: orchestrate status {run}",
                time.as_secs()
            );
            (Exit::Failed, "under way", text)
        }
    };
    say(&match how.output.format {
        Format::Json => answer(
            &json!({ "environment": environment, "run": run, "told": "rollback", "verdict": verdict, "why": text }),
        ),
        Format::Human => clean(&text),
    });
    Ok(Some(exit))
}

/// Whether the task that has the claim watches its version, or will.
async fn hears(orchestrator: &Orchestrator, claim: &Claim) -> Result<bool, CliError> {
    let record = orchestrator.status(&claim.run).await?;
    let (plan, states) = (record.state.plan(), record.state.tasks());
    let task = plan.tasks().iter().zip(states).find(|(task, _)| task.id == claim.task);
    Ok(task.is_some_and(|(task, state)| {
        let carried = state.rounds.last().map(|round| &round.carried);
        task.agent.as_str() == Deploy::NAME && hears_of_rollback(&task.config, carried)
    }))
}

/// Waits until the task is over, or its run, or the time is.
async fn followed(
    front: &Front,
    orchestrator: &Orchestrator,
    environment: &Environment,
    claim: &Claim,
    most: Duration,
) -> Result<Came, CliError> {
    let begun = Instant::now();
    let mut news = NEWS;
    loop {
        // Asked first: what a run wrote before it ended is there when it has ended.
        let lives = orchestrator.is_live(&claim.run);
        let record = orchestrator.status(&claim.run).await?;
        let all = record.state.plan().tasks().iter().zip(record.state.tasks());
        let task = all.into_iter().find(|(task, _)| task.id == claim.task).map(|(_, state)| state);
        if let Some(outcome) = task.and_then(TaskState::outcome) {
            let said = task.and_then(|task| task.end.as_ref()?.conclusion.as_ref());
            let told = hosts::happened(front, environment)?;
            return Ok(came(&told, environment, claim, outcome, said));
        }
        if !lives {
            return Ok(Came::Not(format!("Run {} ended before it went back", claim.run)));
        }
        if begun.elapsed() >= most {
            return Ok(Came::Under(most));
        }
        if begun.elapsed() >= news {
            note(&format!("{environment}: going back since {} s", news.as_secs()));
            news += NEWS;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What the history says of it, which is where every deployment tells its end; without, what the task says. Of several hosts not all may
/// have gone back: what the task says of them counts, and one that was begun must have told its end.
fn came(
    told: &[hosts::There<Vec<Happening>>],
    environment: &Environment,
    claim: &Claim,
    outcome: Outcome,
    said: Option<&Conclusion<Json>>,
) -> Came {
    let text = said.map_or_else(
        || format!("{environment}: the deployment of {} is over", claim.version),
        |said| said.summary.clone(),
    );
    if said.is_some_and(|said| said.findings.iter().any(|finding| finding.rule == STUCK_FINDING)) {
        return Came::Failed(text);
    }
    let answered = || told.iter().filter_map(|there| there.said.as_ref().ok());
    let ends: Vec<Ending> = answered().filter_map(|lines| end_of(lines, claim)).collect();
    // One whose end is not told was taken over by somebody else.
    let left =
        told.len() > 1 && answered().any(|lines| was_begun(lines, claim) && end_of(lines, claim).is_none());
    // Where several hosts tell of it, the one that could not go back counts most.
    let end = ends.iter().copied().find(|end| *end == Ending::Stuck).or_else(|| ends.first().copied());
    let late = || Came::Not(format!("{} had been promoted when it was told", claim.version));
    match end {
        Some(Ending::Promoted | Ending::Reinstated) => late(),
        None if outcome == Outcome::Passed => late(),
        Some(ending @ (Ending::RolledBack | Ending::Failed | Ending::Skipped)) if !left => {
            Came::Back(ending, text)
        }
        Some(_) | None => Came::Failed(text),
    }
}

/// How a host tells that it ended.
fn end_of(lines: &[Happening], claim: &Claim) -> Option<Ending> {
    let ours = |line: &&Happening| {
        line.what == What::Ended && line.run.as_ref() == Some(&claim.run) && line.version == claim.version
    };
    lines.iter().rev().find(ours)?.verdict
}

/// Whether the version was started there by that task.
fn was_begun(lines: &[Happening], claim: &Claim) -> bool {
    let task = format!("{}/{}#", claim.run, claim.task);
    let by = |line: &Happening| line.order.as_ref().is_some_and(|order| order.starts_with(&task));
    lines.iter().any(|line| line.what == What::Started && line.version == claim.version && by(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use orchestrator_core::evidence::{Finding, Severity};

    const RUN: &str = "20261121234433-00ff00ff";

    fn claim() -> Claim {
        let process = json!({ "pid": 1, "started": 1, "boot": "b" });
        let claim = json!({ "run": RUN, "task": "deploy", "owner": "ada@x", "process": process, "since": "2026-11-21T23:44:33Z", "version": "2.0.0" });
        serde_json::from_value(claim).unwrap()
    }

    /// A host on which it was begun, and how it ended there.
    fn host(verdict: Option<&str>) -> hosts::There<Vec<Happening>> {
        let line = |what: &str| {
            json!({ "at": "2026-11-21T23:44:33Z", "what": what, "version": "2.0.0", "release": "2.0.0-a",
            "order": format!("{RUN}/deploy#1.0.0"), "run": RUN, "verdict": verdict })
        };
        let mut lines = vec![line("started")];
        lines.extend(verdict.map(|_| line("ended")));
        hosts::There { on: None, said: Ok(serde_json::from_value(lines.into()).unwrap()) }
    }

    fn silent() -> hosts::There<Vec<Happening>> {
        hosts::There { on: None, said: Err("it does not answer".into()) }
    }

    fn exit(told: &[hosts::There<Vec<Happening>>], findings: Vec<Finding>) -> &'static str {
        let said = Conclusion::new("production: it went back", Json::null()).findings(findings);
        match came(told, &Environment::new("production").unwrap(), &claim(), Outcome::Failed, Some(&said)) {
            Came::Back(..) => "back",
            Came::Not(_) => "late",
            Came::Failed(_) => "failed",
            Came::Under(_) => "under way",
        }
    }

    #[test]
    fn a_fleet_went_back_where_each_host_that_was_begun_did() {
        let back = || host(Some("rolled_back"));
        let stuck = || vec![Finding::new(STUCK_FINDING, Severity::Error, "web1: it could not go back")];
        let untouched = || hosts::There { on: None, said: Ok(Vec::new()) };
        assert_eq!(exit(&[back(), back(), untouched()], Vec::new()), "back");
        assert_eq!(exit(&[back(), host(None)], Vec::new()), "failed", "somebody else has it");
        assert_eq!(exit(&[back(), host(Some("stuck"))], Vec::new()), "failed");
        assert_eq!(exit(&[host(Some("promoted")), host(Some("promoted"))], Vec::new()), "late");
        // One that is not asked is told of by the task.
        assert_eq!(exit(&[back(), silent()], Vec::new()), "back");
        assert_eq!(exit(&[back(), silent()], stuck()), "failed");
        assert_eq!(exit(&[silent(), silent()], Vec::new()), "failed");
    }
}
