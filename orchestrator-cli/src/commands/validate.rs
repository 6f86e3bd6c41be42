//! `validate`: makes the plan and says whether it holds.

use serde_json::{Value, json};

use crate::args::{Format, ShowArgs};
use crate::console::plural;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::here::shown;
use crate::json::answer;
use crate::out::say;

pub(super) fn validate(front: &mut Front, args: ShowArgs) -> Result<Exit, CliError> {
    let Some(file) = front.here.file.clone() else {
        let root = front.here.root.display();
        return Err(CliError::usage(format!(
            "there is no pipeline file in `{root}`; write one with `orchestrate init`, or name one with `--config FILE`"
        )));
    };
    let pipeline = front.pipeline()?;
    let settings = settings(&pipeline.settings, &Value::Null)?;
    let plan = front.with(settings)?.plan(&pipeline)?;
    let (phases, tasks) = (plan.phases().len(), plan.tasks().len());
    match args.format {
        Format::Human => {
            let (phases, tasks) = (plural(phases, "phase"), plural(tasks, "task"));
            say(&format!("{} is valid: {phases}, {tasks}", shown(&file)));
        }
        Format::Json => {
            let digest = plan.digest();
            let result =
                json!({ "valid": true, "file": file, "phases": phases, "tasks": tasks, "plan": digest });
            say(&answer(&result));
        }
    }
    Ok(Exit::Passed)
}
