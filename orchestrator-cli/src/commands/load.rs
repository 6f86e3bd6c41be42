//! `load`: sends requests to a server and says what came of them.

mod held;
mod shown;

use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    // What took an hour is not to be lost because of a file that could never be written.
    let saved = args.save.as_deref().map(Saved::open).transpose()?;
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
    let enough = held::gone(&args.held_by);
    let kept = saved.clone().filter(|saved| saved.opened.is_none());
    // Where the figures so far cannot be written, those at the end may be.
    let told = |summary: Summary| {
        if let (Some(kept), Ok(json)) = (&kept, serde_json::to_string(&summary)) {
            let _ = kept.write(&json);
        }
    };
    let summary = load::run_watched(plan, stop, enough, told).await.map_err(refused)?;
    let json = serde_json::to_string(&summary).map_err(|error| CliError::io("the summary", error.into()))?;
    say(&if args.is_json() { json.clone() } else { shown::text(&summary) });
    if let Some(saved) = saved {
        saved.write(&json).map_err(|source| saved.wrong(source))?;
    }
    Ok(exit(&summary, stopped))
}

/// Where a summary is saved. What is there stays until it is, and whoever reads it meanwhile reads a whole one.
#[derive(Debug, Clone)]
struct Saved {
    path: PathBuf,
    /// What has no length, such as a pipe or a terminal, takes the text as it comes.
    opened: Option<Arc<File>>,
}

impl Saved {
    fn open(path: &Path) -> Result<Self, CliError> {
        let mut saved = Self { path: path.to_owned(), opened: None };
        let is_file = path.metadata().map_or(true, |there| there.is_file());
        let tried = if is_file {
            File::create(saved.beside()).and_then(|_| std::fs::remove_file(saved.beside()))
        } else {
            File::options().write(true).open(path).map(|file| saved.opened = Some(Arc::new(file)))
        };
        tried.map_err(|source| saved.wrong(source))?;
        Ok(saved)
    }

    fn beside(&self) -> PathBuf {
        let mut beside = self.path.as_os_str().to_owned();
        beside.push(".tmp");
        PathBuf::from(beside)
    }

    fn write(&self, json: &str) -> std::io::Result<()> {
        if let Some(opened) = &self.opened {
            return writeln!(&**opened, "{json}");
        }
        std::fs::write(self.beside(), format!("{json}\n"))?;
        std::fs::rename(self.beside(), &self.path)
    }

    fn wrong(&self, source: std::io::Error) -> CliError {
        CliError::io(format!("`{}` could not be written", self.path.display()), source)
    }
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
/// that is common, and counts are none the worse for it. Where no request came to its end, nothing was shown about the server: that is no pass.
fn exit(summary: &Summary, stopped: Option<Exit>) -> Exit {
    let Summary { answered, failed, client, .. } = summary;
    match stopped {
        Some(exit) => exit,
        None if *failed > 0 || client.unsent > 0 => Exit::Failed,
        None if !client.limits.is_empty() => Exit::Broken,
        None if *answered == 0 => Exit::Failed,
        None => Exit::Passed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_load_of_nothing_is_no_pass() {
        let plan = Plan { requests: Some(1), ..Plan::new("http://127.0.0.1:9/", 1.0) };
        let Ok(nothing) = load::run(plan, std::future::ready(())).await else { panic!("it begins") };
        assert_eq!((nothing.failed, exit(&nothing, None)), (0, Exit::Failed));
        assert_eq!(exit(&nothing, Some(Exit::Interrupted)), Exit::Interrupted);
        let some = Summary { answered: 1, sent: 1, due: 1, ..nothing };
        assert_eq!(exit(&some, None), Exit::Passed);
    }

    #[test]
    fn a_summary_takes_the_place_of_the_one_before_and_not_earlier() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("summary.json");
        std::fs::write(&file, "a longer one that was there before").unwrap();
        let saved = Saved::open(&file).unwrap_or_else(|_| panic!("it can be opened"));
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("a longer"));
        saved.write("{}").unwrap_or_else(|_| panic!("it can be written"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{}\n");
        assert!(Saved::open(&folder.path().join("nowhere/summary.json")).is_err(), "known before the load");
    }
}
