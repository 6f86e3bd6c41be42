//! The socket of a supervisor: whoever has the same user may ask, one line each way.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use orchestrator_traffic::control::short;

use super::run::Event;
use crate::deployment::supervise::{Answer, Order};

/// Its name in the folder of the environment.
pub(super) const SOCKET: &str = "supervise.sock";
/// The most bytes of an order.
const LONGEST: usize = 4 << 20;
/// How long a question may take to come, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many may ask at once.
const MOST: usize = 32;

/// The open door; closing it removes the socket, unless another's lies there by now.
pub(super) struct Door {
    path: PathBuf,
    socket: u64,
}

impl Drop for Door {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.socket) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Door {
    /// Binds the socket and takes questions from then on.
    pub(super) fn open(folder: &Path, events: Sender<Event>) -> io::Result<Self> {
        let handle = File::open(folder)?;
        let fresh = format!("{SOCKET}.new");
        let _ = fs::remove_file(folder.join(&fresh));
        let listener = UnixListener::bind(short(&handle, &fresh))?;
        // Nobody can connect before it has its name, so nobody can before it is closed to others.
        fs::set_permissions(folder.join(&fresh), fs::Permissions::from_mode(0o600))?;
        let socket = fs::symlink_metadata(folder.join(&fresh))?.ino();
        fs::rename(folder.join(&fresh), folder.join(SOCKET))?;
        let asking = Arc::new(AtomicUsize::new(0));
        std::thread::Builder::new().name("door".into()).spawn(move || {
            loop {
                match listener.accept() {
                    Ok((stream, _)) => let_in(stream, &events, &asking),
                    // Out of descriptors, for instance.
                    Err(_) => std::thread::sleep(Duration::from_millis(100)),
                }
            }
        })?;
        Ok(Self { path: folder.join(SOCKET), socket })
    }
}

fn let_in(stream: UnixStream, events: &Sender<Event>, asking: &Arc<AtomicUsize>) {
    if asking.fetch_add(1, Ordering::SeqCst) >= MOST {
        asking.fetch_sub(1, Ordering::SeqCst);
        return;
    }
    let (events, count) = (events.clone(), asking.clone());
    let served = std::thread::Builder::new().name("asked".into()).spawn(move || {
        // Who asks and goes away is not waited for.
        let _ = serve(stream, &events);
        count.fetch_sub(1, Ordering::SeqCst);
    });
    if served.is_err() {
        asking.fetch_sub(1, Ordering::SeqCst);
    }
}

fn serve(mut stream: UnixStream, events: &Sender<Event>) -> io::Result<()> {
    let who = rustix::net::sockopt::socket_peercred(&stream)?;
    if who.uid != rustix::process::geteuid() {
        return Ok(());
    }
    stream.set_write_timeout(Some(PATIENCE))?;
    let answer = match question(&mut stream) {
        Ok(order) => {
            let (reply, answer) = mpsc::channel();
            if events.send(Event::Asked(order, reply)).is_err() {
                return Ok(());
            }
            // Without an answer the supervisor is ending: the next one is asked again.
            let Ok(answer) = answer.recv() else { return Ok(()) };
            answer
        }
        Err(why) => Answer::Refused { why },
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    stream.write_all(&line)
}

fn question(stream: &mut UnixStream) -> Result<Order, String> {
    let until = Instant::now() + PATIENCE;
    let (mut line, mut chunk) = (Vec::new(), [0; 16 << 10]);
    while !line.contains(&b'\n') {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return Err("the order did not come in time".into());
        }
        match stream.read(&mut chunk) {
            Ok(0) => return Err("the order has no end".into()),
            Ok(count) => line.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(format!("the order could not be read: {error}")),
        }
        if line.len() > LONGEST {
            return Err(format!("an order has at most {LONGEST} bytes"));
        }
    }
    // What is wrong with it is said without its text: it may hold secrets.
    serde_json::from_slice(&line)
        .map_err(|error| format!("no order: {:?} error in column {}", error.classify(), error.column()))
}
