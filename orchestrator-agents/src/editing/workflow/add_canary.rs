//! `add_canary`: traffic moves in steps of percents, each asked before the next. Options: `deploy` and `shift` (commands; the
//! share is `$PERCENT`), `percentages` (10, 50, 100), `url`, `wait_seconds` (60), `rollback` (a command that is run where
//! one of them fails), and those of every deployment.

use orchestrator_core::BoxError;

use super::super::config_edit::edited::{ActionInput, EditResult};
use super::file::Workflow;
use super::node::Node;
use super::options::Options;
use super::{parts, spot};

const MARK: &str = "Deploy the canary";

pub(crate) fn apply(text: &str, with: &ActionInput<'_>) -> EditResult {
    let known: Vec<&str> = spot::OPTIONS
        .into_iter()
        .chain(["deploy", "shift", "percentages", "wait_seconds", "rollback"])
        .collect();
    let options = Options::read(with, &known)?;
    let file = Workflow::read(text)?;
    let missing = |key: &str, what: &str| -> BoxError { format!("option `{key}` is missing: {what}").into() };
    let deploy = options
        .command("deploy")?
        .ok_or_else(|| missing("deploy", "a command that deploys beside the old version"))?;
    let shift = options
        .command("shift")?
        .ok_or_else(|| missing("shift", "a command that sends `$PERCENT` of traffic to the new version"))?;
    let url =
        options.url("url")?.ok_or_else(|| missing("url", "the address that is asked after each step"))?;
    let percentages = percentages(&options)?;
    let wait = options.whole("wait_seconds", 0, 3600)?.unwrap_or(60);
    // Ten minutes for what deploys and shifts, besides the checks.
    let minutes = 10 + percentages.len() as u64 * minutes(wait);
    let env = options.env()?;
    let mut steps = vec![parts::command_step(MARK, &deploy, &env, None)];
    for percent in &percentages {
        let share = std::iter::once(("PERCENT".to_owned(), Node::text(percent.to_string())))
            .chain(env.clone())
            .collect::<Vec<_>>();
        steps.push(parts::command_step(
            &format!("Send {percent} percent to the canary"),
            &shift,
            &share,
            None,
        ));
        steps.push(check(*percent, url, wait));
    }
    if let Some(rollback) = options.command("rollback")? {
        let step =
            Node::map([("name", "Take the canary back".into()), ("if", "failure() || cancelled()".into())])
                .with_some("env", (!env.is_empty()).then(|| Node::Map(env.clone())))
                .with("run", parts::script(&rollback));
        steps.push(step);
    }
    let shown: Vec<String> = percentages.iter().map(|percent| format!("{percent} %")).collect();
    spot::deploy_by(file, &options, steps, minutes, MARK, &format!("a canary: {}", shown.join(", ")))
}

/// The most minutes of a check: the wait, and what asking may take.
fn minutes(wait: u64) -> u64 {
    5 + wait.div_ceil(60)
}

/// Waits, then asks.
fn check(percent: u64, url: &str, wait: u64) -> Node {
    let script = format!("sleep \"$WAIT_SECONDS\"\n{} \"$HEALTH_URL\"\n", parts::ASK);
    Node::map([
        ("name", Node::text(format!("Check at {percent} percent"))),
        ("timeout-minutes", Node::bare(minutes(wait))),
        ("env", Node::map([("HEALTH_URL", url.into()), ("WAIT_SECONDS", Node::text(wait.to_string()))])),
        ("run", Node::text(script)),
    ])
}

/// Rising, and all of it at the end.
fn percentages(options: &Options<'_>) -> Result<Vec<u64>, BoxError> {
    let Some(given) = options.list("percentages")? else { return Ok(vec![10, 50, 100]) };
    let numbers: Option<Vec<u64>> =
        given.iter().map(|text| text.trim_end_matches('%').trim().parse().ok()).collect();
    let rising = |numbers: &Vec<u64>| numbers.windows(2).all(|pair| pair[0] < pair[1]);
    let fits = numbers.filter(|numbers| {
        numbers.len() <= 20 && rising(numbers) && numbers.first() > Some(&0) && numbers.last() == Some(&100)
    });
    fits.ok_or_else(|| {
        format!("option `percentages`: {} do not rise from above 0 to 100", given.join(", ")).into()
    })
}
