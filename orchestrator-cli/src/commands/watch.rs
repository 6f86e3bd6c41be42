//! `run --watch`: runs, and runs again as files change. Each run is an ordinary one; between them nothing is held.

use orchestrator_core::id::RunId;
use orchestrator_core::registry::Registry;
use orchestrator_core::report::RunRecord;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::run;
use crate::args::{Format, Global, RunArgs};
use crate::console::{clean, plural};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::here::shown;
use crate::out::note;
use crate::watch::{Changes, Made, Watch};

/// The most files that are named.
const NAMED: usize = 5;

pub(super) async fn watch(global: Global, registry: Registry, args: RunArgs) -> Result<Exit, CliError> {
    let front = Front::open(&global, registry.clone())?;
    if front.here.file.is_none() && !args.how.yes && !args.how.dry_run {
        return Err(CliError::usage(
            "there is no pipeline file, so `--watch` needs `--yes`; or write one with `orchestrate init`",
        ));
    }
    let json = args.output.format == Format::Json;
    let tell = |text: &str| {
        if !json {
            note(text);
        }
    };
    let mut ends = Ends::listen()?;
    let here = &front.here;
    let mut watch = Watch::new(&here.root, here.layout.state(), here.file.as_deref())?;
    let mut made = Made::new(&here.root);
    loop {
        let before = latest(&front).await;
        match run::run(Front::open(&global, registry.clone())?, args.clone()).await {
            Ok(exit @ (Exit::Interrupted | Exit::Terminated)) => return Ok(exit),
            Ok(_) => {}
            Err(error) if error.exit() == Exit::Interrupted => return Err(error),
            // A pipeline that is broken now is about to be mended.
            Err(error) => error.tell(json),
        }
        watch.quiet().await;
        let record = record(&front, before.as_ref()).await;
        let during = made.during(record.as_ref(), watch.changes());
        for path in &during.habit {
            tell(&format!(
                "`{}` changes with every run, so that is no reason for another; declare it under `outputs`",
                shown(path)
            ));
        }
        let mut changes = during.counts;
        if changes.is_empty() {
            tell(&format!("watching {}; Ctrl-C ends", plural(watch.folders(), "folder")));
        }
        while changes.is_empty() {
            tokio::select! {
                biased;
                () = ends.asked() => return Ok(Exit::Passed),
                () = watch.touched() => changes = made.while_waiting(watch.changes()),
            }
        }
        if ends.is_asked() {
            return Ok(Exit::Passed);
        }
        tell(&format!("\n{}", said(&changes)));
    }
}

/// What changed, in a line.
fn said(changes: &Changes) -> String {
    let files: Vec<String> =
        changes.files.iter().take(NAMED).map(|path| clean(&shown(path)).replace('\n', " ")).collect();
    let more = changes.files.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {}", plural(more, "more file")) } else { String::new() };
    match (changes.lost, files.is_empty()) {
        (true, _) => "changed: more than could be followed".to_owned(),
        (false, _) => format!("changed: {}{more}", files.join(", ")),
    }
}

async fn latest(front: &Front) -> Option<RunId> {
    front.look().ok()?.runs().await.ok()?.into_iter().next()
}

/// The run that there was not before.
async fn record(front: &Front, before: Option<&RunId>) -> Option<RunRecord> {
    let run = latest(front).await.filter(|run| Some(run) != before)?;
    front.look().ok()?.status(&run).await.ok()
}

/// Signals that end the watching. While a run is under way they stop the run, as always.
struct Ends([Signal; 3]);

impl Ends {
    fn listen() -> Result<Self, CliError> {
        let failed = |source| CliError::io("signals could not be listened to", source);
        let listen = |kind| signal(kind).map_err(failed);
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(listen);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    fn is_asked(&mut self) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        self.0.iter_mut().any(|signal| signal.poll_recv(&mut context).is_ready())
    }
}
