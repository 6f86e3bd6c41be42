//! A script of a few lines for the shell of a host, where its program is not there yet or not asked.

use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::error::HostError;
use super::reach::Reach;
use super::session::{check, copy_bytes, ssh};
use crate::deployment::ops::halt::Halt;
use crate::ops::process::end;

/// How long a script of a few lines may take, login and all.
const SCRIPT: Duration = Duration::from_mins(1);
/// How long an upload may stand still.
const STILL: Duration = Duration::from_secs(30);
/// How long the rest of what was printed is waited for once ssh has ended: what it left in the background may hold its output for ever.
const REST: Duration = Duration::from_secs(1);
/// The most that a script may print.
const MOST: usize = 64 << 10;

/// Runs a script there; what it printed. With a file as its input where one is given.
pub(super) fn run(
    reach: &Reach,
    script: &str,
    what: &'static str,
    input: Option<(File, u64)>,
    halt: &Halt,
) -> Result<String, HostError> {
    let host = reach.host.name.to_string();
    let mut child = ssh(reach, script)?;
    let (went, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let (stdin, uploads) = (child.stdin.take(), input.is_some());
    let sign = went.clone();
    std::thread::spawn(move || {
        let (Some(mut stdin), Some((file, bytes))) = (stdin, input) else { return };
        // Whoever reads it says by how it ends that something was missing.
        let _ = copy_bytes(file, bytes, &mut stdin, || {
            sign.store(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        });
    });
    let (out, err) = (gather(child.stdout.take()), gather(child.stderr.take()));
    let status = loop {
        if let Some(status) = child.try_wait().map_err(HostError::NoSsh)? {
            break status;
        }
        if let Err(stopped) = check(halt) {
            end(&mut child);
            return Err(stopped);
        }
        let still = began.elapsed().saturating_sub(Duration::from_millis(went.load(Ordering::Relaxed)));
        let most = if uploads { STILL + SCRIPT } else { SCRIPT };
        if still > most {
            end(&mut child);
            return Err(HostError::Silent { host, seconds: most.as_secs() });
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let until = Instant::now() + REST;
    let (out, err) = (out.read(until), err.read(until));
    match status.code() {
        Some(0) => Ok(out),
        // ssh itself, or a script whose connection was cut.
        Some(255) | None => Err(HostError::of_ssh(&host, &err)),
        Some(code) => {
            let said: String =
                err.trim().chars().filter(|c| *c == '\n' || !c.is_control()).take(500).collect();
            let said = if said.is_empty() { format!("exit code {code}") } else { said };
            Err(HostError::Step { host, what, said })
        }
    }
}

/// What is read on another thread.
struct Gathered {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Gathered {
    /// All of it, or what was read until then.
    fn read(self, until: Instant) -> String {
        while !self.thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn gather(stream: Option<impl Read + Send + 'static>) -> Gathered {
    let bytes = Arc::<Mutex<Vec<u8>>>::default();
    let (own, mut piece) = (bytes.clone(), [0; 4096]);
    let thread = std::thread::spawn(move || {
        let Some(mut stream) = stream else { return };
        while let Ok(read @ 1..) = stream.read(&mut piece) {
            let mut bytes = own.lock().unwrap_or_else(PoisonError::into_inner);
            let room = MOST.saturating_sub(bytes.len());
            bytes.extend_from_slice(&piece[..read.min(room)]);
        }
    });
    Gathered { bytes, thread }
}
