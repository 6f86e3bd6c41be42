//! The first process of a command, which leads its process group.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{io, thread};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::leash::Leash;
use super::{Spawn, SpawnError, program};

/// How often a program that is just being written is tried again, at twice the interval each time.
const BUSY_TRIES: u32 = 10;

/// A leader that was started and not reaped yet. Dropping it kills its group and reaps it.
pub(super) struct Leader<'a> {
    pub(super) child: Child,
    group: Pid,
    leash: &'a Leash,
    reaped: bool,
}

impl<'a> Leader<'a> {
    /// Spawns the command and puts it on the leash.
    pub(super) fn start(spawn: &Spawn, leash: &'a Leash) -> Result<Self, SpawnError> {
        let program = program::find(spawn)?;
        let mut command = Command::new(&program);
        // No hook before exec, a whole path, an own group: with these the standard library takes `posix_spawn`.
        command
            .args(&spawn.args)
            .current_dir(&spawn.cwd)
            .env_clear()
            .envs(spawn.env.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(if spawn.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = start(&mut command).map_err(|source| program::explain(spawn, program, source))?;
        let group = Pid::from_child(&child);
        leash.attach(group);
        Ok(Self { child, group, leash, reaped: false })
    }

    /// Something to poll for the leader's end, where the system has it.
    pub(super) fn watch(&self) -> Option<OwnedFd> {
        #[cfg(target_os = "linux")]
        return rustix::process::pidfd_open(self.group, rustix::process::PidfdFlags::empty()).ok();
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Whether it has ended; it stays a zombie, so that its id stays ours.
    pub(super) fn has_ended(&self) -> io::Result<bool> {
        self.wait(WaitIdOptions::NOHANG)
    }

    /// Waits until it has ended, and leaves the zombie.
    pub(super) fn await_end(&self) -> io::Result<()> {
        self.wait(WaitIdOptions::empty()).map(drop)
    }

    /// Whether the group was asked to end.
    pub(super) fn signalled(&self) -> bool {
        self.leash.signalled()
    }

    /// Kills what is left of the group.
    pub(super) fn end_group(&self) {
        // Fails when nobody is left but the zombie on some systems; there is nothing to do about it on any.
        _ = kill_process_group(self.group, Signal::KILL);
    }

    #[cfg(target_os = "linux")]
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes the leader off the leash and out of the process table; returns how it ended and whether it was signalled.
    pub(super) fn reap(mut self) -> io::Result<(ExitStatus, bool)> {
        let signalled = self.leash.release();
        self.reaped = true;
        Ok((self.child.wait()?, signalled))
    }

    fn wait(&self, options: WaitIdOptions) -> io::Result<bool> {
        let options = options | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let ended = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(self.group), options))?;
        Ok(ended.is_some())
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        if !self.reaped {
            self.end_group();
            self.leash.release();
            _ = self.child.wait();
        }
    }
}

/// Spawns, and tries again while the program's file is still open for writing: another thread that spawns right after somebody
/// wrote the file holds it open until its own exec.
pub fn start(command: &mut Command) -> io::Result<Child> {
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES => {
                thread::sleep(Duration::from_millis(1 << tries));
                tries += 1;
            }
            spawned => return spawned,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_program_that_is_just_being_written_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::copy("/bin/true", &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let open = OpenOptions::new().append(true).open(&path).unwrap();
        let busy = Command::new(&path).spawn().unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::ExecutableFileBusy);
        let closing = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            drop(open);
        });
        assert!(start(&mut Command::new(&path)).unwrap().wait().unwrap().success());
        closing.join().unwrap();
    }
}
