//! Checkpoints against real files, real processes and servers on loopback.

mod ci;
mod coverage;
mod critical;
pub(crate) mod servers;
mod working;

use orchestrator_core::action::{Action, Call, CommandLine, EnvValue};
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::operation::Operation;
use orchestrator_core::order::{Artifacts, Receipt, Status};
use orchestrator_core::outcome::Failure;
use orchestrator_core::testkit::{Kept, done, task};
use serde_json::Value;

use super::ops::{AskCi, AskUrl, MeasureCoverage};
use crate::rig::Rig;

/// Performs actions as an executor would, in the rig's environment, until one fails.
pub(super) async fn perform(rig: &Rig, actions: &[Action], kept: &mut Kept) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for action in actions {
        let (receipt, keep_going) = match action {
            Action::Run(run) => {
                let (program, args) = match &run.command {
                    CommandLine::Argv(argv) => (argv[0].clone(), argv[1..].to_vec()),
                    CommandLine::Shell(line) => ("sh".to_owned(), vec!["-c".to_owned(), line.clone()]),
                };
                let folder = run.cwd.under(&rig.root);
                let program = if program.contains('/') {
                    folder.join(program).into_os_string()
                } else {
                    program.into()
                };
                let mut command = std::process::Command::new(program);
                command
                    .args(args)
                    .current_dir(folder)
                    .env_clear()
                    .envs(rig.env.iter().map(|(name, value)| (name, value)));
                for (name, value) in &run.env {
                    let value = match value {
                        EnvValue::Plain(value) => value.clone(),
                        EnvValue::Secret { secret } => rig.secrets[secret].clone(),
                    };
                    command.env(name, value);
                }
                let receipt = match command.output() {
                    Ok(output) => {
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        kept.exited(
                            output.status.code().unwrap(),
                            &text(&output.stdout),
                            &text(&output.stderr),
                        )
                    }
                    Err(error) => Receipt::failed(Failure::new(error.to_string()), false),
                };
                (receipt, run.keep_going)
            }
            Action::Call(call) => (called(rig, call).await, call.keep_going),
            other => panic!("{other} is not for checkpoints"),
        };
        let ends = !receipt.ok() && !keep_going;
        receipts.push(receipt);
        if ends {
            break;
        }
    }
    receipts
}

async fn called(rig: &Rig, call: &Call) -> Receipt {
    async fn of<O: Operation>(rig: &Rig, operation: O, call: &Call) -> Receipt {
        match rig.call(operation, call.input.parse().unwrap()).await {
            Ok(output) => done(output),
            Err(error) => Receipt::failed(Failure::from_error(&*error), false),
        }
    }
    match call.operation.as_str() {
        "measure-coverage" => of(rig, MeasureCoverage, call).await,
        "ask-url" => of(rig, AskUrl, call).await,
        "ask-ci" => of(rig, AskCi, call).await,
        other => panic!("`{other}` is not for checkpoints"),
    }
}

/// Runs a task to its end.
pub(super) async fn ended<A: Agent>(
    agent: A,
    config: Value,
    rig: &Rig,
) -> Result<Verdict<A::Output>, String> {
    let config: A::Config = serde_json::from_value(config).map_err(|error| error.to_string())?;
    let mut task: Task<A::Config> = task(config);
    let (look, mut kept) = (rig.look(), Kept::default());
    task.carried = agent.survey(&task, &look).await.map_err(|error| error.to_string())?;
    let mut actions = agent.plan(&task, &look).await.map_err(|error| error.to_string())?;
    for _ in 0..10 {
        let receipts = perform(rig, &actions, &mut kept).await;
        match agent.conclude(&task, &receipts, &Artifacts::new(&kept)).map_err(|error| error.to_string())? {
            Verdict::More { actions: more, carried } => (actions, task.carried) = (more, carried),
            end => return Ok(end),
        }
    }
    panic!("it never ends");
}

/// `passed: ..` or `failed: ..`; an error is told as one.
pub(super) async fn said<A: Agent>(agent: A, config: Value, rig: &Rig) -> String {
    match ended(agent, config, rig).await {
        Ok(Verdict::Passed(conclusion)) => format!("passed: {}", conclusion.summary),
        Ok(Verdict::Failed(conclusion)) => format!("failed: {}", conclusion.summary),
        Ok(Verdict::More { .. } | Verdict::Skipped(_)) => unreachable!("it runs once and asks nobody"),
        Err(error) => format!("error: {error}"),
    }
}

/// A receipt of a command that was not run to its end is no pass.
#[test]
fn no_receipt_is_no_pass() {
    let kept = Kept::default();
    let config = serde_json::json!({ "target": "./e2e.sh" });
    let task = task(serde_json::from_value(config).unwrap());
    for receipts in [vec![], vec![Receipt::new(Status::TimedOut)], vec![Receipt::new(Status::Signaled(9))]] {
        let verdict = super::E2ePassing.conclude(&task, &receipts, &Artifacts::new(&kept)).unwrap();
        assert!(matches!(verdict, Verdict::Failed(_)), "{receipts:?}");
    }
}
