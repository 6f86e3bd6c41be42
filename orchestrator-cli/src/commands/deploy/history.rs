//! `deploy history`: which version, when, who, how it ended.

use std::fmt::Write as _;

use orchestrator_agents::deployment::ops::{history as told, standing};
use orchestrator_agents::deployment::{Ending, Environment, Happening, What};
use serde_json::{Value, json};

use super::cannot;
use crate::args::{DeployShow, Format};
use crate::console::clean;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json::answer;
use crate::out::say;

pub(super) fn history(front: &Front, args: &DeployShow) -> Result<Exit, CliError> {
    let state = front.here.layout.state();
    let all = standing(state, args.environment.as_ref()).map_err(|error| cannot(&error))?;
    let mut lists = Vec::new();
    for environment in all.into_iter().map(|standing| standing.environment) {
        let lines = told(state, &environment).map_err(|error| cannot(&error))?;
        lists.push((environment, deployments(lines)));
    }
    say(&match args.show.format {
        Format::Human => text(&lists),
        Format::Json => answer(&value(&lists)),
    });
    Ok(Exit::Passed)
}

/// One line for each deployment, the newest first: how it ended, or that it became current where nobody wrote that down.
fn deployments(lines: Vec<Happening>) -> Vec<Happening> {
    let task = |line: &Happening| Some(line.order.as_ref()?.split('#').next()?.to_owned());
    let ended: Vec<Option<String>> = lines.iter().filter(|line| line.what == What::Ended).map(task).collect();
    let counts = |line: &Happening| match line.what {
        What::Ended => true,
        What::Promoted | What::Reinstated => !ended.contains(&task(line)),
        What::Started | What::FailedToStart | What::Stopped => false,
    };
    let mut list: Vec<Happening> = lines.iter().filter(|line| counts(line)).cloned().collect();
    list.reverse();
    list
}

fn verdict(line: &Happening) -> &'static str {
    match (line.verdict, line.what) {
        (Some(verdict), _) => verdict.as_str(),
        (None, What::Reinstated) => Ending::Reinstated.as_str(),
        (None, _) => Ending::Promoted.as_str(),
    }
}

fn run(line: &Happening) -> Option<String> {
    let order = line.order.as_ref().and_then(|order| order.split('/').next()).map(str::to_owned);
    line.run.as_ref().map(ToString::to_string).or(order)
}

fn text(lists: &[(Environment, Vec<Happening>)]) -> String {
    let mut text = String::new();
    if lists.iter().all(|(_, list)| list.is_empty()) {
        return "Nothing was deployed from here.\n".into();
    }
    for (environment, list) in lists {
        let _ = writeln!(text, "{environment}");
        for line in list {
            let at = line.at.strftime("%Y-%m-%d %H:%M:%S");
            let who = line.who.as_deref().map_or(String::new(), |who| format!("  by {}", clean(who)));
            let run = run(line).map_or(String::new(), |run| format!("  run {}", clean(&run)));
            let _ = write!(text, "  {at}  {:<12}  {:<12}{who}{run}", line.version, verdict(line));
            let _ = if line.why.is_empty() {
                writeln!(text)
            } else {
                writeln!(text, "\n      {}", clean(&line.why))
            };
        }
    }
    text
}

fn value(lists: &[(Environment, Vec<Happening>)]) -> Value {
    let one = |line: &Happening| {
        json!({
            "at": line.at, "version": line.version, "release": line.release, "who": line.who, "run": run(line),
            "verdict": verdict(line), "why": line.why,
        })
    };
    let list = |(environment, list): &(Environment, Vec<Happening>)| json!({ "environment": environment, "deployments": list.iter().map(one).collect::<Value>() });
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
        let lines = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let list = [(Environment::new("production").unwrap(), deployments(lines))];
        let shown = "production\n  2026-11-21 23:45:34  2.0.0         rolled back   by ada@example  run 20261121234433-00ff00ff\n      \
                     3 health checks failed\n  2026-11-20 23:44:34  1.0.0         promoted      run 20261120234433-00ff00ff\n";
        assert_eq!(text(&list), shown);
        assert_eq!(value(&list)["environments"][0]["deployments"][0]["verdict"], "rolled back");
    }
}
