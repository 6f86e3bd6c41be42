//! A connection to a host: one `ssh` with the program at its other end, asked one thing at a time.
//!
//! A process and not a library: the user's configuration, agent, keys, jump hosts and known hosts count, whatever they are. It is kept
//! between questions, so a look costs one round trip and no login. When this process ends its input closes, and so does all of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::HostError;
use super::reach::Reach;
use crate::deployment::hosts::wire::{Answer, LONGEST, Request};
use crate::deployment::ops::DeployError;
use crate::deployment::ops::halt::Halt;
use crate::ops::process::end;

/// How often it is said that somebody is here.
const BEAT: Duration = Duration::from_secs(10);
/// After how long a silence the host counts as gone. It says something every two seconds.
const SILENCE: Duration = Duration::from_secs(20);
/// How long a login may take, name lookup and all.
const LOGIN: Duration = Duration::from_secs(30);
/// How long what is under way gets to end when this side stops.
const GRACE: Duration = Duration::from_secs(15);
/// How often it is looked whether anybody waits still.
const TICK: Duration = Duration::from_millis(10);
/// The most that is kept of what ssh says.
const MOST_SAID: usize = 16 << 10;
/// Lines that a login may print before the program says hello.
const BANNER: usize = 1000;

/// What goes over.
enum Item {
    Line(Vec<u8>),
    File(File, u64),
}

/// A connection.
pub(super) struct Session {
    host: String,
    child: Child,
    to: Option<Sender<Item>>,
    from: Receiver<String>,
    ears: Ears,
    /// Whether the program there has said hello.
    greeted: bool,
}

/// What is heard on other threads.
#[derive(Clone)]
struct Ears {
    began: Instant,
    /// Milliseconds from the beginning until something was heard last, or taken.
    last: Arc<AtomicU64>,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Ears {
    fn new() -> Self {
        Self { began: Instant::now(), last: Arc::default(), said: Arc::default() }
    }

    fn hear(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }

    /// What ssh said, once it has ended or a moment has passed.
    fn said(&self, child: &mut Child) -> String {
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until && !matches!(child.try_wait(), Ok(Some(_))) {
            std::thread::sleep(TICK);
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&said).into_owned()
    }

    fn listen(&self, stderr: Option<impl Read + Send + 'static>) {
        let (own, mut bytes) = (self.said.clone(), [0; 4096]);
        std::thread::spawn(move || {
            let Some(mut stderr) = stderr else { return };
            while let Ok(read @ 1..) = stderr.read(&mut bytes) {
                let mut said = own.lock().unwrap_or_else(PoisonError::into_inner);
                said.extend_from_slice(&bytes[..read]);
                let over = said.len().saturating_sub(MOST_SAID);
                said.drain(..over);
            }
        });
    }
}

/// ssh, on its way to that host with that script for its shell.
pub(super) fn ssh(reach: &Reach, script: &str) -> Result<Child, HostError> {
    let mut command = Command::new("ssh");
    command.env_clear().envs(reach.env.iter().map(|(name, value)| (name, value))).current_dir(&reach.root);
    // A run ends what its orders leave behind by that name; a connection outlives the order that opened it, and ends by itself.
    command.env_remove(orchestrator_core::local::ORDER_VARIABLE);
    if let Some(config) = &reach.host.config {
        command.arg("-F").arg(reach.root.join(config.as_str()));
    }
    command.args([
        "-T",
        "-oBatchMode=yes",
        "-oConnectTimeout=10",
        "-oServerAliveInterval=5",
        "-oServerAliveCountMax=3",
    ]);
    // A master of the user's is used where there is one; this one never becomes one, since that would outlive us.
    command.args(["-oControlMaster=no", "-oClearAllForwardings=yes", "-oForwardAgent=no"]);
    // A command of the user's configuration and ours are one too many for ssh.
    command.args(["-oRemoteCommand=none", "--"]);
    command.arg(reach.host.name.as_str()).arg(format!("sh -c {}", crate::deployment::hosts::quoted(script)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command.spawn().map_err(HostError::NoSsh)
}

impl Session {
    /// Connects, and says hello.
    pub(super) fn open(reach: &Reach, halt: &Halt) -> Result<Self, HostError> {
        let mut child = ssh(reach, &reach.starts())?;
        let ears = Ears::new();
        ears.listen(child.stderr.take());
        let (to, items) = channel();
        // One answer is waited for at a time: a host that says more has to wait itself.
        let (lines, from) = sync_channel(1);
        if let Some(stdin) = child.stdin.take() {
            let ears = ears.clone();
            std::thread::spawn(move || send(stdin, &items, &ears));
        }
        if let Some(stdout) = child.stdout.take() {
            let ears = ears.clone();
            std::thread::spawn(move || receive(stdout, &lines, &ears));
        }
        let host = reach.host.name.to_string();
        let mut session = Self { host, child, to: Some(to), from, ears, greeted: false };
        session.greet(reach, halt)?;
        Ok(session)
    }

    fn greet(&mut self, reach: &Reach, halt: &Halt) -> Result<(), HostError> {
        self.say(&Request::Hello { folder: reach.host.folder.clone(), owner: reach.owner.clone() })?;
        for _ in 0..BANNER {
            let line = self.line(halt, LOGIN)?;
            match serde_json::from_str(line.trim()) {
                Ok(Answer::Hello { protocol, version }) => {
                    self.greeted = true;
                    return reach.fits(protocol, &version);
                }
                Ok(Answer::Absent(system)) => return Err(reach.absent(&system)),
                // A login may print what it likes.
                _ => {}
            }
        }
        Err(HostError::Nonsense { host: self.host.clone(), said: "its login prints and prints".into() })
    }

    /// Whether it can be asked something more: a line that nobody asked for would be taken for the answer.
    pub(super) fn is_fresh(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
            && self.ears.silence() < SILENCE
            && matches!(self.from.try_recv(), Err(TryRecvError::Empty))
    }

    /// Asks, and waits for the answer. A failure that the other side told is an answer too, as an error.
    pub(super) fn ask(&mut self, request: &Request, halt: &Halt) -> Result<Answer, HostError> {
        self.say(request)?;
        self.answer(halt)
    }

    /// The same with a file behind the question.
    pub(super) fn give(
        &mut self,
        request: &Request,
        (file, bytes): (File, u64),
        halt: &Halt,
    ) -> Result<Answer, HostError> {
        self.say(request)?;
        self.item(Item::File(file, bytes))?;
        self.answer(halt)
    }

    fn say(&mut self, request: &Request) -> Result<(), HostError> {
        let nonsense = |error: serde_json::Error| HostError::Nonsense {
            host: self.host.clone(),
            said: error.to_string(),
        };
        let mut line = serde_json::to_vec(request).map_err(nonsense)?;
        line.push(b'\n');
        self.item(Item::Line(line))
    }

    fn item(&mut self, item: Item) -> Result<(), HostError> {
        match self.to.as_ref().map(|to| to.send(item)) {
            Some(Ok(())) => Ok(()),
            _ => Err(self.lost()),
        }
    }

    fn answer(&mut self, halt: &Halt) -> Result<Answer, HostError> {
        let line = self.line(halt, SILENCE)?;
        match serde_json::from_str(&line) {
            Ok(Answer::Failed { failure, transient }) => {
                Err(HostError::Said { host: self.host.clone(), failure, transient })
            }
            Ok(answer) => Ok(answer),
            Err(error) => {
                let start: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
                Err(HostError::Nonsense { host: self.host.clone(), said: format!("`{start}`: {error}") })
            }
        }
    }

    fn line(&mut self, halt: &Halt, silence: Duration) -> Result<String, HostError> {
        loop {
            match self.from.recv_timeout(TICK) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => return Err(self.lost()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Err(stopped) = halt.check() {
                self.stop();
                return Err(stopped.into());
            }
            if self.ears.silence() > silence {
                end(&mut self.child);
                return Err(HostError::Silent { host: self.host.clone(), seconds: silence.as_secs() });
            }
        }
    }

    /// Closes the input, which stops what is under way there, and waits for a while until it has ended.
    fn stop(&mut self) {
        self.to = None;
        let until = Instant::now() + GRACE;
        while Instant::now() < until && self.ears.silence() < SILENCE {
            if matches!(self.from.recv_timeout(TICK), Err(RecvTimeoutError::Disconnected)) {
                break;
            }
        }
    }

    /// Until it was said hello ssh says why; what a login or a program prints is no reason not to connect again.
    fn lost(&mut self) -> HostError {
        let said = self.ears.said(&mut self.child);
        if self.greeted { HostError::cut(&self.host, &said) } else { HostError::of_ssh(&self.host, &said) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.to = None;
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(TICK);
        }
        end(&mut self.child);
    }
}

/// Passes on what is to be said, and says that somebody is here where there is nothing. Ends with its session or its ssh.
fn send(mut stdin: ChildStdin, items: &Receiver<Item>, ears: &Ears) {
    loop {
        let sent = match items.recv_timeout(BEAT) {
            Ok(Item::Line(line)) => stdin.write_all(&line),
            Ok(Item::File(file, bytes)) => copy(file, bytes, &mut stdin, ears),
            Err(RecvTimeoutError::Timeout) => stdin.write_all(b"{\"alive\":{}}\n"),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// As many bytes as were promised. A file that became shorter ends the connection: what follows would be taken for the rest.
pub(super) fn copy_bytes(
    file: File,
    bytes: u64,
    to: &mut impl Write,
    mut went: impl FnMut(),
) -> io::Result<()> {
    let (mut file, mut piece, mut left) = (file.take(bytes), vec![0; 256 << 10], bytes);
    while left > 0 {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(&piece[..read])?;
        left -= read as u64;
        went();
    }
    Ok(())
}

fn copy(file: File, bytes: u64, to: &mut impl Write, ears: &Ears) -> io::Result<()> {
    copy_bytes(file, bytes, to, || ears.hear())
}

/// Hears lines. What only says that somebody is there goes no further.
fn receive(stdout: impl Read, lines: &SyncSender<String>, ears: &Ears) {
    let mut input = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let read = (&mut input).take(LONGEST as u64).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) || line.pop() != Some(b'\n') {
            return;
        }
        ears.hear();
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.trim() != "{\"alive\":{}}" && lines.send(line).is_err() {
            return;
        }
    }
}

/// Who stopped, as an error of a host.
pub(super) fn check(halt: &Halt) -> Result<(), HostError> {
    halt.check().map_err(DeployError::into)
}
