//! The processes of plug-ins: found, started, asked one thing at a time, and ended with all that they started.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use orchestrator_core::BoxError;
use orchestrator_core::executor;
use orchestrator_core::path::Digest;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde_json::{Map, Value};

use super::answers;
use super::error::{PluginError, Said, Why};

/// The longest line of an answer.
pub(super) const MOST_LINE: usize = 8 << 20;
/// The most actions of an answer.
pub(super) const MOST_ACTIONS: usize = 10_000;
/// How much of standard error is kept.
const MOST_SAID: usize = 4 << 10;
/// How often a wait looks whether anybody waits still.
const TICK: Duration = Duration::from_millis(20);
/// How long a process gets to end once its input is closed.
const GRACE: Duration = Duration::from_millis(500);

/// What is needed to start a program.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program.
    pub path: PathBuf,
    /// Where it runs: the root of the checkout.
    pub root: PathBuf,
    /// All of its environment.
    pub env: Vec<(OsString, OsString)>,
}

/// The program of that name in the folders of a `PATH`; those that are not absolute are passed over, since they depend on where
/// one stands.
pub fn find(program: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    let is_program = |file: &PathBuf| {
        file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(program)).find(is_program)
}

/// One process, started when it is needed, again after it broke, asked one thing at a time.
pub(super) struct Session {
    program: String,
    launch: Launch,
    process: Mutex<Option<Process>>,
    asked: AtomicU64,
}

impl Session {
    pub(super) fn new(program: String, launch: Launch) -> Self {
        Self { program, launch, process: Mutex::default(), asked: AtomicU64::new(0) }
    }

    /// The digest of the program; none where it cannot be read.
    pub(super) fn digest(&self) -> Option<Digest> {
        std::fs::read(&self.launch.path).ok().map(|bytes| Digest::of(&bytes))
    }

    /// Asks, and waits for the answer. Whatever goes wrong ends the process; the next question starts another.
    pub(super) fn ask(
        &self,
        what: &'static str,
        mut body: Map<String, Value>,
        limit: Duration,
        gone: &AtomicBool,
    ) -> Result<Value, PluginError> {
        let mut held = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if gone.load(Ordering::Relaxed) {
            return Err(self.error(what, Why::Gone, None));
        }
        let id = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        body.insert("id".into(), id.into());
        body.insert("ask".into(), what.into());
        let mut line = Value::Object(body).to_string().into_bytes();
        line.push(b'\n');
        let kept = match held.take() {
            Some(process) => match process.is_idle() {
                Ok(true) => Some(process),
                // It ended between two questions: another takes its place.
                Ok(false) => None,
                Err(why) => return Err(self.failed(what, why, process)),
            },
            None => None,
        };
        let mut process = match kept {
            Some(process) => process,
            None => Process::start(&self.launch).map_err(|error| self.error(what, error.into(), None))?,
        };
        let answer = process.ask(line, limit, gone).and_then(|line| answers::of(&line, id));
        match answer {
            Ok(answer) => {
                *held = Some(process);
                Ok(answer)
            }
            // It said so itself, and in good form.
            Err(why @ Why::Error(_)) => {
                let said = process.said();
                *held = Some(process);
                Err(self.error(what, why, said))
            }
            Err(why) => Err(self.failed(what, why, process)),
        }
    }

    /// An answer that came in good form makes no sense: what the process says next would make none either.
    pub(super) fn broken(&self, what: &'static str, why: Why) -> PluginError {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        match process {
            Some(process) => self.failed(what, why, process),
            None => self.error(what, why, None),
        }
    }

    fn failed(&self, what: &'static str, why: Why, mut process: Process) -> PluginError {
        let why = match why {
            Why::Ended(_) => Why::Ended(process.end(GRACE)),
            why => {
                process.end(Duration::ZERO);
                why
            }
        };
        let said = process.said();
        self.error(what, why, said)
    }

    fn error(&self, asked: &'static str, why: Why, said: Option<String>) -> PluginError {
        PluginError { program: self.program.clone(), asked, why, said: said.map(Said) }
    }
}

type Tail = Arc<Mutex<Vec<u8>>>;

/// A running process.
struct Process {
    child: Child,
    /// None once its input is closed.
    requests: Option<Sender<Vec<u8>>>,
    lines: Receiver<Result<Vec<u8>, Why>>,
    tail: Tail,
    /// Told when standard error is closed.
    quiet: Receiver<()>,
    /// Whether it was waited for: from then on its id may be another's.
    reaped: bool,
}

impl Process {
    fn start(launch: &Launch) -> io::Result<Self> {
        let mut command = Command::new(&launch.path);
        command.env_clear().envs(launch.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(&launch.root).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = executor::start(&mut command)?;
        let (requests, to_write) = channel::<Vec<u8>>();
        let (answered, lines) = sync_channel(1);
        let (silent, quiet) = channel();
        if let Some(mut stdin) = child.stdin.take() {
            // A process that does not read must not hold up who asks.
            std::thread::spawn(
                move || while to_write.recv().is_ok_and(|line| stdin.write_all(&line).is_ok()) {},
            );
        }
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stdout);
                loop {
                    let line = next_line(&mut reader);
                    let last = line.is_err();
                    if answered.send(line).is_err() || last {
                        return;
                    }
                }
            });
        }
        let tail = Tail::default();
        if let Some(stderr) = child.stderr.take() {
            let into = Arc::clone(&tail);
            std::thread::spawn(move || {
                keep_tail(stderr, &into);
                let _ = silent.send(());
            });
        }
        Ok(Self { child, requests: Some(requests), lines, tail, quiet, reaped: false })
    }

    /// Whether it ended by itself. It is not reaped by that, so that the group's id stays its own.
    fn has_ended(&self) -> bool {
        let Some(group) = self.group() else { return true };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let ended = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(group), options));
        ended.map_or(true, |ended| ended.is_some())
    }

    /// Whether it waits for a question: false where it has ended, an error where it said something unasked.
    fn is_idle(&self) -> Result<bool, Why> {
        match self.lines.try_recv() {
            Ok(Ok(_)) => Err(Why::Unasked),
            Ok(Err(Why::Ended(_))) | Err(TryRecvError::Disconnected) => Ok(false),
            Ok(Err(why)) => Err(why),
            Err(TryRecvError::Empty) => Ok(!self.has_ended()),
        }
    }

    fn group(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    fn ask(&mut self, line: Vec<u8>, limit: Duration, gone: &AtomicBool) -> Result<Vec<u8>, Why> {
        if let Some(requests) = &self.requests {
            // Where nobody writes any more, the pipe is broken; the end of the output says so as well.
            let _ = requests.send(line);
        }
        let (start, mut ended) = (Instant::now(), false);
        loop {
            match self.lines.recv_timeout(TICK) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Disconnected) => return Err(Why::Ended(String::new())),
                Err(RecvTimeoutError::Timeout) if gone.load(Ordering::Relaxed) => return Err(Why::Gone),
                Err(RecvTimeoutError::Timeout) if start.elapsed() > limit => {
                    return Err(Why::Late(limit.as_secs()));
                }
                // What it started may hold its output open: nobody is left who would answer.
                Err(RecvTimeoutError::Timeout) if ended => return Err(Why::Ended(String::new())),
                Err(RecvTimeoutError::Timeout) => ended = self.has_ended(),
            }
        }
    }

    /// Ends it and all that is in its group, after it had some time to end by itself. Says how it ended.
    fn end(&mut self, grace: Duration) -> String {
        self.requests = None;
        let start = Instant::now();
        while !self.has_ended() && start.elapsed() < grace {
            std::thread::sleep(Duration::from_millis(2));
        }
        if let Some(group) = self.group().filter(|_| !self.reaped) {
            // It can only fail because the group is gone, which is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let status = self.child.wait().ok();
        self.reaped = true;
        // What it printed last may still be on its way.
        let _ = self.quiet.recv_timeout(Duration::from_millis(200));
        status.map_or_else(String::new, |status| status.to_string())
    }

    /// The end of what it printed on standard error; none where it printed nothing.
    fn said(&self) -> Option<String> {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&tail);
        let plain = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
        let text: String = text.trim().chars().map(plain).collect();
        (!text.is_empty()).then_some(text)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.reaped {
            self.end(GRACE);
        }
    }
}

/// The next line; the end of the output, or a line that is too long, is an error.
fn next_line(reader: &mut impl BufRead) -> Result<Vec<u8>, Why> {
    let mut line = Vec::new();
    reader.by_ref().take(MOST_LINE as u64 + 1).read_until(b'\n', &mut line)?;
    match line.last() {
        Some(b'\n') => Ok(line),
        _ if line.len() > MOST_LINE => Err(Why::Long),
        // A line that is cut off is none.
        _ => Err(Why::Ended(String::new())),
    }
}

/// Reads to the end and keeps the last bytes.
fn keep_tail(mut from: impl Read, tail: &Tail) {
    let mut buffer = [0; 4 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(&buffer[..read]);
        let over = tail.len().saturating_sub(MOST_SAID);
        tail.drain(..over);
    }
}

/// For questions that nobody takes back.
pub(super) fn never() -> AtomicBool {
    AtomicBool::new(false)
}

/// Does work that blocks, away from the runtime. Where nobody waits for it any more it is told, and has a moment to clean up: the
/// program may be about to end.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce(&AtomicBool) -> T + Send + 'static,
) -> Result<T, BoxError> {
    struct Tells(Arc<AtomicBool>, Receiver<()>);
    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
            // An error says that the work is over, which is what is waited for.
            let _ = self.1.recv_timeout(GRACE);
        }
    }
    let (working, over) = channel::<()>();
    let tells = Tells(Arc::default(), over);
    let gone = Arc::clone(&tells.0);
    let done = tokio::task::spawn_blocking(move || {
        let _working = working;
        work(&gone)
    });
    Ok(done.await?)
}

/// Does work that blocks on this thread; a runtime with more than one is told, so that its other tasks go on.
pub(super) fn in_place<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
