//! Open files: how many this process may have, and how many of them are connections.
//!
//! Whoever has no file left can neither take a connection nor reach a version, nor answer at the control socket, nor keep a table. So
//! connections get no more than what leaves room for the rest. What is counted here belongs to the process, not to a proxy in it.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that connections do not get: of the process itself, of clients of the control socket, of a successor.
const RESERVE: u64 = 64;
/// The same for each thread that serves.
const RESERVE_OF_THREAD: u64 = 8;
/// With fewer for connections it is not worth it.
const LEAST: u64 = 16;
/// More are not asked for: the system may keep a table of as many.
const MOST: u64 = 1 << 20;

static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// The place of a connection, until this is dropped.
#[derive(Debug)]
pub(super) struct Place(());

impl Place {
    /// One, where there are fewer than that.
    pub(super) fn take(most: u64) -> Option<Self> {
        // Made first, so that it is given back where there was none.
        let place = Self(());
        (CONNECTIONS.fetch_add(1, SeqCst) < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        CONNECTIONS.fetch_sub(1, SeqCst);
    }
}

/// Raises the limit of open files as far as this user may, and says how many of them connections get with so many threads.
pub(super) fn raise(threads: usize) -> io::Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(MOST).min(MOST);
    let mut limit = current.unwrap_or(u64::MAX);
    if limit < wanted && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok() {
        limit = wanted;
    }
    let reserve = RESERVE + RESERVE_OF_THREAD * u64::try_from(threads.max(1)).unwrap_or(u64::MAX >> 8);
    if limit < reserve + LEAST {
        let needed = reserve + LEAST;
        let why = format!("{limit} open files are too few, it needs {needed}; raise the limit (`ulimit -n`)");
        return Err(io::Error::other(why));
    }
    Ok(limit - reserve)
}

/// What whoever has no place gets: the same as where the system has none.
pub(super) fn none_left() -> io::Error {
    Errno::MFILE.into()
}

/// Whether a connection failed for want of something of this machine's, so that nobody else is to blame.
pub(super) fn is_own(error: &io::Error) -> bool {
    let own = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| own.contains(&errno))
}
