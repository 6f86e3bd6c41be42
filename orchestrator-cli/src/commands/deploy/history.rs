//! `deploy history`: which version, when, who, how it ended.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use orchestrator_agents::deployment::ops::{Kept, environments};
use orchestrator_agents::deployment::{Ending, Environment, GoneHost, Happening, Version, What};
use serde_json::{Value, json};

use super::cannot;
use super::hosts::{There, all_gone, happened, keeps};
use super::status::exit;
use crate::args::{DeployShow, Format};
use crate::console::clean;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json::answer;
use crate::out::say;

/// What happened in one place.
struct Told {
    environment: Environment,
    /// The host; none where it is this machine.
    on: Option<String>,
    said: Result<Vec<Happening>, String>,
    /// Releases that are gone.
    pruned: BTreeSet<String>,
    /// How often the host was forgotten, the newest first.
    forgotten: Vec<GoneHost>,
}

pub(super) fn history(front: &Front, args: &DeployShow) -> Result<Exit, CliError> {
    let state = front.here.layout.state();
    let mut all = environments(state).map_err(|error| cannot(&error))?;
    all.retain(|environment| args.environment.as_ref().is_none_or(|wanted| wanted == environment));
    let mut lists = Vec::new();
    for environment in all {
        // Both ask the same places, in the same order.
        let kept = keeps(front, &environment)?;
        for (There { on, said }, kept) in happened(front, &environment)?.into_iter().zip(kept) {
            let on = on.map(|record| record.host.name.to_string());
            let gone = |(lines, kept): (&Vec<Happening>, Vec<Kept>)| {
                pruned(lines, &kept.into_iter().map(|kept| kept.release).collect())
            };
            let pruned = said.as_ref().ok().zip(kept.said.ok()).map(gone).unwrap_or_default();
            let (environment, forgotten) = (environment.clone(), Vec::new());
            lists.push(Told { environment, on, said: said.map(deployments), pruned, forgotten });
        }
        remember(&mut lists, &environment, all_gone(front, &environment)?);
    }
    say(&match args.show.format {
        Format::Human => text(&lists),
        Format::Json => answer(&value(&lists)),
    });
    Ok(exit(lists.iter().any(|told| told.said.is_err())))
}

/// Adds when hosts were forgotten, each to what its own history tells, where that is asked.
fn remember(lists: &mut Vec<Told>, environment: &Environment, gone: Vec<GoneHost>) {
    for gone in gone.into_iter().rev() {
        let on = Some(gone.record.host.name.to_string());
        match lists.iter_mut().find(|told| told.environment == *environment && told.on == on) {
            Some(told) => told.forgotten.push(gone),
            None => lists.push(Told {
                environment: environment.clone(),
                on,
                said: Ok(Vec::new()),
                pruned: BTreeSet::new(),
                forgotten: vec![gone],
            }),
        }
    }
}

/// Releases that were started and are not kept any more.
fn pruned(lines: &[Happening], kept: &BTreeSet<String>) -> BTreeSet<String> {
    let started = lines.iter().filter(|line| line.what == What::Started).map(|line| line.release.clone());
    started.filter(|release| !kept.contains(release)).collect()
}

/// One line for each deployment, the newest first: how it ended, or that it became current where nobody wrote that down.
fn deployments(lines: Vec<Happening>) -> Vec<Happening> {
    let task = |line: &Happening| Some(line.order.as_ref()?.split('#').next()?.to_owned());
    let ended: Vec<Option<String>> = lines.iter().filter(|line| line.what == What::Ended).map(task).collect();
    let counts = |line: &Happening| match line.what {
        What::Ended => true,
        What::Forgotten => true,
        What::Promoted | What::Reinstated => !ended.contains(&task(line)),
        What::Started | What::FailedToStart | What::Stopped => false,
    };
    let mut list: Vec<Happening> = lines.iter().filter(|line| counts(line)).cloned().collect();
    list.reverse();
    list
}

/// How the history calls what could not be asked and counts as ended.
const FORGOTTEN: &str = "forgotten";

fn verdict(line: &Happening) -> &'static str {
    match (line.verdict, line.what) {
        (Some(verdict), _) => verdict.as_str(),
        (None, What::Reinstated) => Ending::Reinstated.as_str(),
        (None, What::Forgotten) => FORGOTTEN,
        (None, _) => Ending::Promoted.as_str(),
    }
}

fn run(line: &Happening) -> Option<String> {
    let order = line.order.as_ref().and_then(|order| order.split('/').next()).map(str::to_owned);
    line.run.as_ref().map(ToString::to_string).or(order)
}

fn text(lists: &[Told]) -> String {
    let mut text = String::new();
    if lists.iter().all(|told| told.said.as_ref().is_ok_and(Vec::is_empty) && told.forgotten.is_empty()) {
        return "Nothing was deployed from here.\n".into();
    }
    for Told { environment, on, said, pruned, forgotten } in lists {
        let on = on.as_ref().map_or(String::new(), |host| format!("  on {}", clean(host)));
        let _ = writeln!(text, "{environment}{on}");
        text.extend(forgotten.iter().map(gone_row));
        match said {
            Err(why) => {
                let _ = writeln!(text, "  what happened there is not known: {}", clean(why));
            }
            Ok(list) => {
                for line in list {
                    text.push_str(&row(line, pruned.contains(&line.release)));
                }
            }
        }
    }
    text
}

fn row(line: &Happening, pruned: bool) -> String {
    let at = line.at.strftime("%Y-%m-%d %H:%M:%S");
    let who = line.who.as_deref().map_or(String::new(), |who| format!("  by {}", clean(who)));
    let run = run(line).map_or(String::new(), |run| format!("  run {}", clean(&run)));
    let gone = if pruned { "  (pruned)" } else { "" };
    let why = if line.why.is_empty() { String::new() } else { format!("\n      {}", clean(&line.why)) };
    format!("  {at}  {:<12}  {:<12}{who}{run}{gone}{why}\n", line.version, verdict(line))
}

fn gone_row(gone: &GoneHost) -> String {
    let GoneHost { record, at, who, run, why, over: _ } = gone;
    let at = at.strftime("%Y-%m-%d %H:%M:%S");
    let version = record.counts.as_ref().map_or("-", Version::as_str);
    let (who, why) = (clean(who), clean(why));
    format!("  {at}  {version:<12}  {FORGOTTEN:<12}  by {who}  run {run}\n      {why}\n")
}

fn value(lists: &[Told]) -> Value {
    let one = |line: &Happening, pruned: &BTreeSet<String>| {
        json!({
            "at": line.at, "version": line.version, "release": line.release, "who": line.who, "run": run(line),
            "verdict": verdict(line), "why": line.why,
            "pruned": pruned.contains(&line.release),
        })
    };
    let gone = |gone: &GoneHost| {
        json!({
            "at": gone.at, "version": gone.record.counts, "who": gone.who, "run": gone.run, "why": gone.why,
            "over": gone.over,
        })
    };
    let list = |Told { environment, on, said, pruned, forgotten }: &Told| {
        let lines = said.as_ref().map(|list| list.iter().map(|line| one(line, pruned)).collect::<Value>());
        let mut told =
            json!({ "environment": environment, "deployments": lines.unwrap_or_else(|_| json!([])) });
        if let Some(on) = on {
            told["on"] = json!(on);
        }
        if !forgotten.is_empty() {
            told["forgotten"] = forgotten.iter().map(gone).collect();
        }
        if let Err(why) = said {
            told["problem"] = json!(why);
        }
        told
    };
    json!({ "environments": lists.iter().map(list).collect::<Value>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployments_of_earlier_versions_are_listed_too() {
        let lines = [
            r#"{"at":"2026-11-20T23:44:33Z","what":"started","version":"1.0.0","release":"1.0.0-a","order":"20261120234433-00ff00ff/deploy#1.0.0"}"#,
            r#"{"at":"2026-11-20T23:44:34Z","what":"promoted","version":"1.0.0","release":"1.0.0-a","order":"20261120234433-00ff00ff/deploy#1.2.0"}"#,
            r#"{"at":"2026-11-21T23:44:34Z","what":"promoted","version":"2.0.0","release":"2.0.0-b","order":"20261121234433-00ff00ff/deploy#1.2.0"}"#,
            r#"{"at":"2026-11-21T23:45:34Z","what":"ended","version":"2.0.0","release":"2.0.0-b","order":"20261121234433-00ff00ff/deploy#1.9.3","who":"ada@example","run":"20261121234433-00ff00ff","verdict":"rolled_back","why":"3 health checks failed"}"#,
        ];
        let lines: Vec<Happening> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let pruned = pruned(&lines, &BTreeSet::from(["2.0.0-b".to_owned()]));
        let environment = Environment::new("production").unwrap();
        let list =
            [Told { environment, on: None, said: Ok(deployments(lines)), pruned, forgotten: Vec::new() }];
        let shown = "production\n  2026-11-21 23:45:34  2.0.0         rolled back   by ada@example  run 20261121234433-00ff00ff\n      \
                     3 health checks failed\n  2026-11-20 23:44:34  1.0.0         promoted      run 20261120234433-00ff00ff  (pruned)\n";
        assert_eq!(text(&list), shown);
        assert_eq!(value(&list)["environments"][0]["deployments"][0]["verdict"], "rolled back");
    }
}
