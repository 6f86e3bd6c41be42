//! Runs a tool of a database with its input and output as streams, so that a dump of any size takes little memory.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use orchestrator_core::BoxError;
use orchestrator_core::operation::Transient;

use crate::ops::here::Here;
use crate::ops::process;

/// How often the stop is looked at.
const TICK: Duration = Duration::from_millis(20);
/// The most that is kept of what a tool says of errors.
const MOST_SAID: u64 = 64 << 10;
/// The most that is taken as one answer.
const MOST: usize = 64 << 20;
/// Words of tools that mean: the server could not be talked to. Another try may do.
const PASSING: [&str; 9] = [
    "connection refused",
    "could not connect",
    "can't connect",
    "server closed the connection",
    "server has gone away",
    "lost connection",
    "terminating connection",
    "the database system is",
    "timeout expired",
];

/// What goes into a tool.
pub(super) type Source = Box<dyn Read + Send>;

/// A tool that runs; ended where nobody waits for it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            process::end(&mut self.0);
        }
    }
}

/// Runs a tool to its end. What it prints goes to `take` as it comes; an error says what the tool said.
pub(super) fn pipe(
    here: &Here,
    mut command: Command,
    stdin: Option<Source>,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), BoxError> {
    here.go_on()?;
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut running = Running(command.spawn().map_err(|error| missing(&program, &error))?);
    let feeding = feed(stdin, running.0.stdin.take());
    let said = collected(running.0.stderr.take());
    let chunks = chunks(running.0.stdout.take());
    loop {
        match chunks.recv_timeout(TICK) {
            Ok(chunk) => take(&chunk?)?,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        here.go_on()?;
    }
    let status = ended(here, &mut running)?;
    let said = joined(said);
    let fed = feeding.join().unwrap_or_else(|_| Err(io::Error::other("its input could not be read")));
    if !status.success() {
        return Err(failed(&program, status, &said));
    }
    Ok(fed.map_err(|error| format!("`{program}` did not get all of its input: {error}"))?)
}

/// What a tool prints, as text; bounded.
pub(super) fn text(here: &Here, command: Command, stdin: Option<String>) -> Result<String, BoxError> {
    let mut all = Vec::new();
    let stdin = stdin.map(|text| Box::new(io::Cursor::new(text.into_bytes())) as Source);
    pipe(here, command, stdin, |chunk| {
        all.extend_from_slice(chunk);
        if all.len() > MOST { Err(io::Error::other("it printed too much")) } else { Ok(()) }
    })?;
    Ok(String::from_utf8(all).map_err(|_| "a tool of the database printed what is no text")?)
}

/// The error of a tool that could not be started, with the next step where it is not there.
pub(super) fn missing(program: &str, error: &io::Error) -> BoxError {
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("`{program}` is not on PATH: install the tools of the database").into()
        }
        _ => format!("`{program}` could not be run: {error}").into(),
    }
}

/// The error of a tool that failed, in its own words; one that another try may cure says so.
pub(super) fn failed(program: &str, status: ExitStatus, said: &str) -> BoxError {
    let lower = said.to_lowercase();
    let error: BoxError = format!("`{program}` failed ({status}): {}", said.trim()).into();
    if PASSING.iter().any(|words| lower.contains(words)) { Transient(error).into() } else { error }
}

/// Adds what an error is about, and keeps that another try may cure it.
pub(super) fn with_context(error: &BoxError, about: &str) -> BoxError {
    reworded(error, format!("{about}: {error}"))
}

/// The same error in other words.
pub(super) fn reworded(error: &BoxError, text: String) -> BoxError {
    if is_transient(error) { Transient(text.into()).into() } else { text.into() }
}

/// Whether another try may do.
pub(super) fn is_transient(error: &BoxError) -> bool {
    error.is::<Transient>()
}

fn feed(from: Option<Source>, into: Option<impl Write + Send + 'static>) -> JoinHandle<io::Result<()>> {
    std::thread::spawn(move || {
        let (Some(mut from), Some(mut into)) = (from, into) else { return Ok(()) };
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            match into.write_all(&buffer[..read]) {
                // A tool that ended early says why by its exit status.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Err(io::Error::other("it ended before"));
                }
                written => written?,
            }
        }
    })
}

fn chunks(from: Option<impl Read + Send + 'static>) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(8);
    std::thread::spawn(move || {
        let Some(mut from) = from else { return };
        loop {
            let mut buffer = vec![0; 64 << 10];
            let chunk = match from.read(&mut buffer) {
                Ok(0) => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(read) => {
                    buffer.truncate(read);
                    Ok(buffer)
                }
                Err(error) => Err(error),
            };
            if sender.send(chunk).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Collects what is said of errors; the rest is read and dropped.
pub(super) fn collected(from: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut from) = from {
            // A pipe that breaks ends what was said.
            let _ = Read::by_ref(&mut from).take(MOST_SAID).read_to_end(&mut said);
            let _ = io::copy(&mut from, &mut io::sink());
        }
        said
    })
}

/// What was said, as text.
pub(super) fn joined(said: JoinHandle<Vec<u8>>) -> String {
    String::from_utf8_lossy(&said.join().unwrap_or_default()).into_owned()
}

fn ended(here: &Here, running: &mut Running) -> Result<ExitStatus, BoxError> {
    loop {
        if let Some(status) = running.0.try_wait()? {
            return Ok(status);
        }
        here.go_on()?;
        std::thread::sleep(TICK / 4);
    }
}
