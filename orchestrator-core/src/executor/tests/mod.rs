//! Real processes, by way of `sh`.

mod alone;
mod ends;
mod failures;
mod outputs;

use std::path::Path;
use std::time::Duration;

use super::{Exit, ExitState, Processes, Spawn, SpawnError};
use crate::stop::Stop;

const LONG: Duration = Duration::from_mins(1);

fn command(dir: &Path, program: &str, args: &[&str]) -> Spawn {
    Spawn {
        program: program.to_owned(),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        cwd: dir.to_owned(),
        env: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
        stdin: None,
        stdout: dir.join("logs/out"),
        stderr: dir.join("logs/err"),
        mask: None,
        grace: LONG,
        lines: None,
        give_up_after_exit: Duration::from_millis(300),
    }
}

fn sh(dir: &Path, script: &str) -> Spawn {
    command(dir, "sh", &["-c", script])
}

async fn run(spawn: Spawn) -> Result<Exit, SpawnError> {
    Processes::new().run(spawn, &Stop::new()).await
}

/// Whether the process is there, and more than a zombie.
fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Waits for something that happens soon, and fails if it does not.
async fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen");
}
