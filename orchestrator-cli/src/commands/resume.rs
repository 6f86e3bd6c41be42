//! `resume`: goes on with a run.

use std::collections::BTreeMap;

use orchestrator_core::effect::Effect;
use orchestrator_core::id::{AgentName, RunId, TaskId};
use orchestrator_core::orchestrator::{Assume, Orchestrator, RunOptions};
use orchestrator_core::plan::Plan;
use orchestrator_core::problem::unknown;

use super::drive::drive;
use super::share::{self, Sharing};
use crate::args::ResumeArgs;
use crate::console::clean;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::out::note;
use crate::runs::Latest;
use crate::shared::SharedError;

pub(super) async fn resume(front: Front, args: ResumeArgs) -> Result<Exit, CliError> {
    let look = front.look()?;
    let team = front.team()?;
    let run = share::find(&look, team.as_ref(), args.run.as_deref(), Latest::Open).await?;
    let Some(team) = team else { return go_on(&front, &look, run, args, None).await };
    // Leased before it is brought here, so that what is brought is where the last machine left it.
    let lease = match share::lease(&team, &run, args.take_over).await {
        Err(CliError::Shared(error @ SharedError::Away { .. })) if args.take_over => {
            share::warn("the run goes on without a lease", &error.into());
            return go_on(&front, &look, run, args, None).await;
        }
        lease => lease?,
    };
    let sharing = Sharing { team, lease };
    let done = match share::bring(&front, &sharing.team, &run).await {
        Ok(()) => go_on(&front, &look, run, args, Some(&sharing)).await,
        Err(error) => Err(error),
    };
    if let Some(lease) = sharing.lease {
        share::blocking(move || lease.release()).await;
    }
    done
}

async fn go_on(
    front: &Front,
    look: &Orchestrator,
    run: RunId,
    args: ResumeArgs,
    sharing: Option<&Sharing>,
) -> Result<Exit, CliError> {
    let ResumeArgs { run: _, assume, wait, take_over: _, output } = args;
    let record = look.status(&run).await?;
    let mut front = front.clone();
    front.plug(record.plan().tasks().iter().map(|task| &task.agent));
    for (agent, why) in absent(&front, record.plan()) {
        note(&format!("`{agent}`: {why}"));
    }
    let front = &front;
    let assume = assumptions(&assume, record.plan())?;
    let mut orchestrator =
        front.orchestrator(record.plan().rules().grace, sharing.map(|sharing| &sharing.team))?;
    // A pipeline file that is broken by now must not keep a run from going on.
    if let Ok(settings) = front.own_settings() {
        orchestrator = orchestrator.settings(settings);
    }
    let options = RunOptions { wait, assume, ..RunOptions::new(Effect::Reads) };
    let lease = sharing.and_then(|sharing| sharing.lease.clone());
    let held = lease.map(|lease| tokio::spawn(share::hold(lease, options.stop.clone())));
    let work = |orchestrator: Orchestrator, options| async move { orchestrator.resume(&run, options).await };
    let done = drive(front, orchestrator, output, options, sharing, work).await;
    if let Some(held) = held {
        held.abort();
    }
    done
}

/// Agents of a plan that are not there any more, and why: their tasks will fail.
fn absent<'a>(front: &'a Front, plan: &'a Plan) -> BTreeMap<&'a AgentName, String> {
    let agents = plan.tasks().iter().map(|task| &task.agent);
    agents.filter_map(|agent| Some((agent, clean(front.registry.why_absent(agent)?)))).collect()
}

/// Pairs of `done|not-done` and a task of the plan.
fn assumptions(words: &[String], plan: &Plan) -> Result<BTreeMap<TaskId, Assume>, CliError> {
    let mut assumed = BTreeMap::new();
    for pair in words.chunks(2) {
        let [word, task] = pair else { continue };
        let assume = match word.as_str() {
            "done" => Assume::Done,
            "not-done" => Assume::NotDone,
            other => {
                return Err(CliError::usage(format!(
                    "`--assume {other} {task}`: say `done` or `not-done` first, then the task"
                )));
            }
        };
        let known = || plan.tasks().iter().map(|task| task.id.as_str());
        let id = TaskId::new(task)?;
        if plan.find(&id).is_none() {
            return Err(CliError::usage(unknown("task", task, known())));
        }
        assumed.insert(id, assume);
    }
    Ok(assumed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::plan;

    #[test]
    fn assumptions_name_tasks_of_the_run() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let assumed = assumptions(&words("done edit not-done release"), &plan()).unwrap();
        assert_eq!(assumed.len(), 2);
        let wrong = assumptions(&words("maybe edit"), &plan()).unwrap_err().to_string();
        assert!(wrong.contains("say `done` or `not-done`"), "{wrong}");
        let wrong = assumptions(&words("done relase"), &plan()).unwrap_err().to_string();
        assert_eq!(wrong, "unknown task `relase`; did you mean `release`?");
    }
}
