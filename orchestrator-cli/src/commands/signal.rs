//! `signal`: gives a run what it waits for.

use orchestrator_core::id::SignalName;
use orchestrator_core::json::Json;
use orchestrator_core::order::Signal;

use crate::args::SignalArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::out::say;
use crate::runs::{self, Latest};

pub(super) async fn signal(front: Front, args: SignalArgs) -> Result<Exit, CliError> {
    let SignalArgs { run, name, payload } = args;
    let orchestrator = front.look()?;
    let run = runs::find(&orchestrator, Some(&run), Latest::Open).await?;
    let payload = match payload {
        None => Json::null(),
        Some(text) => serde_json::from_str::<serde_json::Value>(&text)
            .map_err(|error| CliError::usage(format!("`--payload` is no JSON: {error}")))?
            .into(),
    };
    let record = orchestrator.status(&run).await?;
    if crate::console::is_over(&record.state) {
        return Err(CliError::usage(format!("run `{run}` is over; it waits for nothing")));
    }
    let from = std::env::var("USER").unwrap_or_default();
    let name = SignalName::new(name)?;
    orchestrator.signal(&run, Signal { name: name.clone(), payload, from }).await?;
    say(&format!("Signal {name} is in the inbox of run {run}."));
    if !orchestrator.is_live(&run) {
        say(&format!("No process runs it now. Go on with: orchestrate resume {run}"));
    }
    Ok(Exit::Passed)
}
