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

/// Looks at files below a folder, with nothing remembered: how many there are, and the digest of all.
pub fn first_look(root: &std::path::Path, pattern: &str) -> std::io::Result<(usize, crate::path::Digest)> {
    let mut inventory =
        crate::inventory::Inventory::open(root, Vec::new(), crate::inventory::Tables::default())?;
    let patterns = crate::patterns::Patterns::parse([&pattern.to_owned()]).map_err(std::io::Error::other)?;
    let found = inventory.expand(&patterns, false).map_err(std::io::Error::other)?;
    Ok((found.files.len(), inventory.sum(&found.looked)))
}
