//! Starts what a supervisor keeps, each in a session of its own.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::seen::Variables;
use crate::deployment::Process;
use crate::deployment::ops::process;

/// Where there is no `setsid`: the group that it was given is what it gets, and it does not mind that a terminal goes.
const WITHOUT_SESSION: &str = r#"trap '' HUP; exec "$@""#;

/// What is started.
pub(super) struct Start<'a> {
    pub(super) argv: Vec<&'a OsStr>,
    pub(super) folder: &'a Path,
    pub(super) env: &'a Variables,
    /// Its output goes to the end of it.
    pub(super) log: &'a Path,
}

impl Start<'_> {
    /// A child and who it is. It executes `setsid` first, which keeps its id.
    pub(super) fn spawn(&self, stdin: Option<&OwnedFd>) -> io::Result<(Child, Process)> {
        let input = || {
            Ok::<_, io::Error>(
                stdin.map(OwnedFd::try_clone).transpose()?.map_or_else(Stdio::null, Stdio::from),
            )
        };
        let mut command = Command::new("setsid");
        command.args(&self.argv).stdin(input()?);
        let child = match self.ready(&mut command)?.spawn() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.folder.is_dir() => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", WITHOUT_SESSION, "sh"]).args(&self.argv).stdin(input()?);
                std::os::unix::process::CommandExt::process_group(&mut command, 0);
                self.ready(&mut command)?.spawn()?
            }
            spawned => spawned?,
        };
        // Until somebody waits for it, it is there even when it has ended.
        let id = process::known(child.id());
        let process =
            id.ok_or_else(|| io::Error::other("`/proc` does not show the process that was started"))?;
        Ok((child, process))
    }

    fn ready<'c>(&self, command: &'c mut Command) -> io::Result<&'c mut Command> {
        let log = OpenOptions::new().create(true).append(true).open(self.log)?;
        let variables = self.env.iter().map(|(name, value)| (name, value));
        Ok(command.current_dir(self.folder).env_clear().envs(variables).stdout(log.try_clone()?).stderr(log))
    }
}

/// How a process ended, for people.
pub(super) fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(9)) => "killed by signal 9 (by the kernel, where memory ran out, or by somebody)".into(),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
