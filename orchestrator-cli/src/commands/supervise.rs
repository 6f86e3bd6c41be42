//! `supervise`: keeps the services of an environment running. Deployments start it; people rarely do.

use std::fmt::Write as _;

use orchestrator_agents::deployment::Environment;
use orchestrator_agents::deployment::ops::{Over, supervise as keep, supervised as standing};
use orchestrator_agents::deployment::supervise::{Kept, Standing};
use orchestrator_core::baseline;
use orchestrator_core::units;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Format, SuperviseArgs};
use crate::console::clean;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json::answer;
use crate::out::{note, say};

pub(super) fn supervise(front: &Front, args: &SuperviseArgs) -> Result<Exit, CliError> {
    let environment =
        Environment::new(&args.environment).map_err(|error| CliError::usage(error.to_string()))?;
    let state = front.here.layout.state();
    if args.status {
        let found = standing(state, &environment);
        match args.show.format {
            Format::Json => say(&answer(&json!({ "standing": found }))),
            Format::Human => say(&text(&environment, found.as_ref())),
        }
        return Ok(Exit::Passed);
    }
    let over =
        keep(state, &environment, baseline::environment(std::env::vars_os()), told).map_err(|error| {
            CliError::io("the environment cannot be supervised", std::io::Error::other(error))
        })?;
    note(&match &over {
        Over::Stopped => "stopped; what runs goes on".to_owned(),
        Over::Quit => "ended, with all that it kept".to_owned(),
        Over::Lost => "ended: its folder is gone; what runs goes on, and nobody starts it again".to_owned(),
        Over::Idle => "ended: there was nothing to keep".to_owned(),
        Over::Another(owner) => format!("{environment} is supervised already: {}", clean(owner)),
    });
    Ok(if over == Over::Lost { Exit::Failed } else { Exit::Passed })
}

/// Returns when the process is told to stop.
fn told() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = signals else { return };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    });
}

fn text(environment: &Environment, found: Option<&Standing>) -> String {
    let Some(Standing { roster, resident, proxy_resident, own_resident }) = found else {
        return format!("{environment} is not supervised");
    };
    let mut text = format!("{environment} is supervised ({})\n", units::bytes(*own_resident));
    for (release, kept) in &roster.services {
        let memory = resident.get(release).copied().unwrap_or(0);
        let _ = writeln!(text, "  {}", line(release, kept, memory));
    }
    if let Some(proxy) = &roster.proxy {
        let listens: Vec<_> = proxy.listens.iter().map(ToString::to_string).collect();
        let pid =
            proxy.process.as_ref().map(|process| format!(", process {}", process.pid)).unwrap_or_default();
        let memory = units::bytes(proxy_resident.unwrap_or(0));
        let why = proxy.why.as_deref().map(|why| format!("; {}", clean(why))).unwrap_or_default();
        let _ = writeln!(text, "  proxy on {}: {}{pid}, {memory}{why}", listens.join(", "), proxy.state);
    }
    text.trim_end().to_owned()
}

fn line(release: &str, kept: &Kept, memory: u64) -> String {
    let Kept { tag: _, port, state, process, since, restarts, last_exit, why } = kept;
    let pid = process.as_ref().map(|process| format!(", process {}", process.pid)).unwrap_or_default();
    let mut line = format!(
        "{} on port {port}: {state}{pid}, since {since:.0}, {}, started again {restarts} times",
        clean(release),
        units::bytes(memory)
    );
    for more in last_exit.iter().chain(why) {
        let _ = write!(line, "; {}", clean(more));
    }
    line
}
