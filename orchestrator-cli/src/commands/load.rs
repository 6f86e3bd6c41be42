//! `load`: sends requests to a server and says what came of them.

mod shown;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use orchestrator_traffic::load::{self, LoadError, Mix, Plan, Summary};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::LoadArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::out::say;

/// The most bytes of a mix.
const LONGEST: u64 = 64 * 1024;

pub(super) async fn load(args: LoadArgs) -> Result<Exit, CliError> {
    let plan = Plan { mix: mix(&args.mix)?, ..args.plan() };
    let heard = |source| CliError::io("signals cannot be heard", source);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(heard)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(heard)?;
    let mut stopped = None;
    let stop = async {
        stopped = Some(tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
        });
    };
    let summary = load::run(plan, stop).await.map_err(refused)?;
    let json = serde_json::to_string(&summary).map_err(|error| CliError::io("the summary", error.into()))?;
    if let Some(file) = &args.save {
        let wrong = |source| CliError::io(format!("`{}` could not be written", file.display()), source);
        std::fs::write(file, format!("{json}\n")).map_err(wrong)?;
    }
    say(&if args.is_json() { json } else { shown::text(&summary) });
    Ok(exit(&summary, stopped))
}

/// A mix by its name, or from a file.
fn mix(text: &str) -> Result<Mix, CliError> {
    if let Some(mix) = Mix::named(text) {
        return Ok(mix);
    }
    let wrong = |source| {
        CliError::io(format!("the mix `{text}` is no known kind, and no file that can be read"), source)
    };
    let mut json = String::new();
    File::open(Path::new(text))
        .and_then(|file| file.take(LONGEST).read_to_string(&mut json))
        .map_err(wrong)?;
    serde_json::from_str(&json)
        .map_err(|error| CliError::usage(format!("the mix in `{text}` cannot be read: {error}")))
}

fn refused(error: LoadError) -> CliError {
    match error {
        LoadError::Start(source) => CliError::io("the load client could not be started", source),
        LoadError::Unknown { host, source } => CliError::io(format!("`{host}` cannot be found"), source),
        error => CliError::usage(error.to_string()),
    }
}

/// A failure of the server before a limit of the client: what failed, failed. A client that was late says so, and no more: on a busy machine
/// that is common, and counts are none the worse for it.
fn exit(summary: &Summary, stopped: Option<Exit>) -> Exit {
    let Summary { failed, client, .. } = summary;
    match stopped {
        Some(exit) => exit,
        None if *failed > 0 || client.unsent > 0 => Exit::Failed,
        None if !client.limits.is_empty() => Exit::Broken,
        None => Exit::Passed,
    }
}
