//! What the examples measure; no part of the interface.

use std::path::PathBuf;
use std::time::Duration;

use crate::executor::{ExitState, Processes, Spawn};
use crate::stop::Stop;

/// Runs `true` over and over.
pub struct Commands {
    processes: Processes,
    stop: Stop,
    folder: PathBuf,
}

impl Commands {
    /// Logs, should there ever be any, go to the folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { processes: Processes::new(), stop: Stop::new(), folder }
    }

    /// Runs `true` once, captured; returns whether it succeeded.
    pub async fn run_true(&self) -> bool {
        let spawn = Spawn {
            program: "true".to_owned(),
            args: Vec::new(),
            cwd: self.folder.clone(),
            env: vec![("PATH".into(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into())],
            stdin: None,
            stdout: self.folder.join("out"),
            stderr: self.folder.join("err"),
            mask: None,
            grace: Duration::from_secs(1),
            lines: None,
            give_up_after_exit: Duration::from_secs(1),
        };
        self.processes.run(spawn, &self.stop).await.is_ok_and(|exit| exit.status == ExitState::Exited(0))
    }
}
