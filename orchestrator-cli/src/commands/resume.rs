//! `resume`: goes on with a run.

use std::collections::BTreeMap;

use orchestrator_core::effect::Effect;
use orchestrator_core::id::TaskId;
use orchestrator_core::orchestrator::{Assume, Orchestrator, RunOptions};
use orchestrator_core::plan::Plan;
use orchestrator_core::problem::unknown;

use super::drive::drive;
use crate::args::ResumeArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::runs::{self, Latest};

pub(super) async fn resume(front: Front, args: ResumeArgs) -> Result<Exit, CliError> {
    let ResumeArgs { run, assume, wait, output } = args;
    let look = front.look()?;
    let run = runs::find(&look, run.as_deref(), Latest::Open).await?;
    let record = look.status(&run).await?;
    let assume = assumptions(&assume, record.plan())?;
    let mut orchestrator = front.orchestrator(record.plan().rules().grace)?;
    // A pipeline file that is broken by now must not keep a run from going on.
    if let Ok(settings) = front.own_settings() {
        orchestrator = orchestrator.settings(settings);
    }
    let options = RunOptions { wait, assume, ..RunOptions::new(Effect::Reads) };
    let work = |orchestrator: Orchestrator, options| async move { orchestrator.resume(&run, options).await };
    drive(&front, orchestrator, output, options, work).await
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
