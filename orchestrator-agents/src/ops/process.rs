//! Runs a program in its own process group, with bounded output, until it ends, its time is up, or the run stops.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use orchestrator_core::executor;
use orchestrator_core::stop::StopLevel;
use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process_group};

use super::here::{Here, Stopped};

/// The most bytes that are kept of each output.
const MOST: usize = 64 << 20;
/// How long a program gets between the request to end and the kill.
const GRACE: Duration = Duration::from_secs(3);
/// How often the clock and the stop are looked at.
const TICK: Duration = Duration::from_millis(20);
/// What a pipe takes without a reader.
const AT_ONCE: usize = 4 << 10;

/// How a program ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Output {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// Standard output.
    pub(crate) stdout: Vec<u8>,
    /// Standard error, as text.
    pub(crate) stderr: String,
}

/// Why there is no exit status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("`{program}` could not be run")]
    Io { program: String, source: io::Error },
    #[error("`{program}` was ended after {seconds} s")]
    TimedOut { program: String, seconds: u64 },
    #[error("`{program}` printed more than {} MiB", MOST >> 20)]
    TooMuch { program: String },
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A command with the environment of the site and nothing else.
pub(crate) fn command(here: &Here, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(here.env.iter().map(|(name, value)| (name, value))).current_dir(&here.root);
    command
}

/// The same for a program that is started often: named by its place on the site's `PATH`, it is started without a copy of this process.
/// What is not found here is left to the system to look for.
pub(crate) fn placed(here: &Here, program: &str) -> Command {
    let mut command = command(here, place(here, program.as_ref()).unwrap_or_else(|| program.into()));
    command.arg0(program);
    command
}

fn place(here: &Here, program: &OsStr) -> Option<PathBuf> {
    let path = here.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, path)| path)?;
    if program.as_bytes().contains(&b'/') {
        return None;
    }
    for folder in std::env::split_paths(path) {
        // A relative one counts from where the command runs.
        if !folder.is_absolute() {
            return None;
        }
        let place = folder.join(program);
        if place.is_file() && access(&place, Access::EXEC_OK).is_ok() {
            return Some(place);
        }
    }
    None
}

/// Runs a command to its end.
pub(crate) fn run(
    here: &Here,
    command: Command,
    stdin: Option<Vec<u8>>,
    limit: Option<Duration>,
) -> Result<Output, ProcessError> {
    start(here, command, if stdin.is_some() { Stdio::piped() } else { Stdio::null() })?.finish(stdin, limit)
}

/// Starts a command whose input comes later, so that it gets ready meanwhile.
pub(crate) fn ready(here: &Here, command: Command) -> Result<Started<'_>, ProcessError> {
    start(here, command, Stdio::piped())
}

fn start(here: &Here, mut command: Command, stdin: Stdio) -> Result<Started<'_>, ProcessError> {
    here.go_on()?;
    let program = Path::new(command.get_program()).file_name().unwrap_or_else(|| command.get_program());
    let program = program.to_string_lossy().into_owned();
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    match executor::start(&mut command) {
        Ok(child) => Ok(Started { here, program, child, has_ended: false }),
        Err(source) => Err(ProcessError::Io { program, source }),
    }
}

/// A program that runs. One that nobody saw to its end is ended.
pub(crate) struct Started<'a> {
    here: &'a Here,
    program: String,
    child: Child,
    has_ended: bool,
}

impl Started<'_> {
    /// Gives it its input, all of it.
    pub(crate) fn give(&mut self, bytes: Vec<u8>) {
        let Some(mut pipe) = self.child.stdin.take() else { return };
        // A program that does not read all of its input says so by its exit status.
        if bytes.len() <= AT_ONCE {
            let _ = pipe.write_all(&bytes);
        } else {
            std::thread::spawn(move || pipe.write_all(&bytes));
        }
    }

    /// Gives it its input, where it got none yet, and waits for its end.
    pub(crate) fn finish(
        mut self,
        stdin: Option<Vec<u8>>,
        limit: Option<Duration>,
    ) -> Result<Output, ProcessError> {
        self.give(stdin.unwrap_or_default());
        let child = &mut self.child;
        let (ended, readers) = channel();
        let stdout = collect(child.stdout.take(), ended.clone());
        let stderr = collect(child.stderr.take(), ended);
        let status = wait(self.here, child, &readers, limit, &self.program)?;
        self.has_ended = true;
        let (stdout, stderr) = (taken(&stdout), taken(&stderr));
        if stdout.len() > MOST {
            return Err(ProcessError::TooMuch { program: self.program.clone() });
        }
        Ok(Output { status, stdout, stderr: String::from_utf8_lossy(&stderr).trim().to_owned() })
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            end(&mut self.child);
        }
    }
}

/// Waits for the end of the program; then a second more for those of its children that still hold its output.
fn wait(
    here: &Here,
    child: &mut Child,
    readers: &Receiver<()>,
    limit: Option<Duration>,
    program: &str,
) -> Result<ExitStatus, ProcessError> {
    let start = Instant::now();
    let (mut open, mut ended) = (2, None::<(ExitStatus, Instant)>);
    // Outputs are closed a moment before the end can be seen.
    let mut nap = TICK / 1000;
    loop {
        match readers.recv_timeout(TICK) {
            Ok(()) => open -= 1,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(nap);
                nap = (nap * 2).min(TICK / 4);
            }
        }
        if ended.is_none() {
            let status = child.try_wait();
            let status = status.map_err(|source| ProcessError::Io { program: program.to_owned(), source })?;
            ended = status.map(|status| (status, Instant::now()));
        }
        match ended {
            Some((status, at)) if open <= 0 || at.elapsed() > Duration::from_secs(1) => return Ok(status),
            Some(_) => {}
            None => {
                here.go_on()?;
                if limit.is_some_and(|limit| start.elapsed() > limit) {
                    let seconds = limit.unwrap_or_default().as_secs();
                    return Err(ProcessError::TimedOut { program: program.to_owned(), seconds });
                }
            }
        }
        if here.stop.level() == StopLevel::Kill {
            return Err(Stopped.into());
        }
    }
}

/// Ends the whole group: a request first, then by force.
pub(crate) fn end(child: &mut Child) {
    let Ok(id) = i32::try_from(child.id()) else { return };
    let Some(group) = Pid::from_raw(id) else { return };
    // Errors here mean that there is nobody left to end.
    let _ = kill_process_group(group, Signal::TERM);
    let (start, mut nap) = (Instant::now(), TICK / 64);
    while start.elapsed() < GRACE && !matches!(child.try_wait(), Ok(Some(_))) {
        std::thread::sleep(nap);
        nap = (nap * 2).min(TICK);
    }
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

type Shared = Arc<Mutex<Vec<u8>>>;

fn collect(pipe: Option<impl Read + Send + 'static>, ended: Sender<()>) -> Shared {
    let kept = Shared::default();
    let into = Arc::clone(&kept);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        if let Some(mut pipe) = pipe {
            while let Ok(read) = pipe.read(&mut buffer) {
                if read == 0 {
                    break;
                }
                let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
                // One byte over the limit tells that there was more; the rest is read and dropped.
                let room = (MOST + 1).saturating_sub(kept.len()).min(read);
                kept.extend_from_slice(&buffer[..room]);
            }
        }
        // Nobody listens any more once the program was ended.
        let _ = ended.send(());
    });
    kept
}

fn taken(kept: &Shared) -> Vec<u8> {
    std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner))
}
