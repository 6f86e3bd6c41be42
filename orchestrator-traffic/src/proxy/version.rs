//! One version of a route as requests meet it: how many are under way, when it got its traffic, and how it is drained.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::tally::Tally;
use crate::protocol::{Backend, Drain, VersionStatus};

/// The most requests that are named as cut.
const NAMED: usize = 100;
/// Requests of different threads wait at different places, so that they do not meet.
const SHARDS: usize = 8;
/// Stands for "not yet" in times.
const NEVER: u64 = u64::MAX;

static IDS: AtomicU64 = AtomicU64::new(0);
static THREADS: AtomicUsize = AtomicUsize::new(0);
thread_local! {
    static SHARD: usize = THREADS.fetch_add(1, Relaxed) % SHARDS;
    static RANDOM: Cell<u64> = Cell::new(seed());
}

fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish() | 1
}

/// An even number below that, from a generator (xorshift64*, Vigna 2016) of this thread: cheap, and good enough for shares.
pub(super) fn below(total: u64) -> u64 {
    RANDOM.with(|state| {
        let mut x = state.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        state.set(x);
        let even = u128::from(x.wrapping_mul(0x2545_F491_4F6C_DD1D)) * u128::from(total);
        (even >> 64) as u64
    })
}

/// A version of a route at an address.
#[derive(Debug)]
pub struct Version {
    /// No other one has it.
    pub id: u64,
    /// The route.
    pub route: Arc<str>,
    /// What it is called.
    pub name: Arc<str>,
    /// Where it answers.
    pub address: SocketAddr,
    /// Whether in HTTP/2 without TLS.
    pub h2c: bool,
    /// What came of its requests; shared with other addresses of the same version.
    pub tally: Arc<Tally>,
    in_flight: AtomicU64,
    born: Instant,
    /// Microseconds after `born` at which it got traffic.
    brought: AtomicU64,
    /// Microseconds from then until its first answer.
    first: AtomicU64,
    /// Microseconds after `born` at which it was left out.
    left: AtomicU64,
    /// Milliseconds from then until nobody was under way.
    drained: AtomicU64,
    cut: AtomicBool,
    cuts: AtomicU64,
    named: Mutex<Vec<String>>,
    cutting: [Notify; SHARDS],
}

impl Version {
    pub(super) fn new(route: &str, backend: &Backend, tally: Arc<Tally>) -> Self {
        Self {
            id: IDS.fetch_add(1, Relaxed),
            route: route.into(),
            name: backend.version.as_str().into(),
            address: backend.address,
            h2c: backend.h2c,
            tally,
            in_flight: AtomicU64::new(0),
            born: Instant::now(),
            brought: AtomicU64::new(NEVER),
            first: AtomicU64::new(NEVER),
            left: AtomicU64::new(NEVER),
            drained: AtomicU64::new(NEVER),
            cut: AtomicBool::new(false),
            cuts: AtomicU64::new(0),
            named: Mutex::default(),
            cutting: Default::default(),
        }
    }

    fn age(&self) -> u64 {
        micros(self.born.elapsed())
    }

    /// It gets traffic from now on.
    pub(super) fn bring(&self) {
        self.first.store(NEVER, SeqCst);
        self.brought.store(self.age(), SeqCst);
    }

    /// It is left out from now on. True where nobody is under way.
    pub(super) fn leave(&self) -> bool {
        self.drained.store(NEVER, SeqCst);
        self.left.store(self.age(), SeqCst);
        self.in_flight.load(SeqCst) == 0 && self.settle()
    }

    /// It is back before its drain was over.
    pub(super) fn stay(&self) {
        self.left.store(NEVER, SeqCst);
    }

    /// Whether it was left out.
    pub fn has_left(&self) -> bool {
        self.left.load(SeqCst) != NEVER
    }

    /// Whether it was left out and nobody is under way any more.
    pub fn is_drained(&self) -> bool {
        self.has_left() && self.drained.load(SeqCst) != NEVER
    }

    fn settle(&self) -> bool {
        let left = self.left.load(SeqCst);
        if left != NEVER {
            let took = self.age().saturating_sub(left).div_ceil(1000);
            let _ = self.drained.compare_exchange(NEVER, took, SeqCst, SeqCst);
        }
        left != NEVER
    }

    /// Ends all requests that are under way.
    pub(super) fn cut(&self) {
        self.cut.store(true, SeqCst);
        for shard in &self.cutting {
            shard.notify_waiters();
        }
    }

    /// Whether it was cut.
    pub fn is_cut(&self) -> bool {
        self.cut.load(SeqCst)
    }

    /// Waits until it is cut.
    pub(super) async fn until_cut(&self) {
        let cut = SHARD.with(|shard| self.cutting[*shard].notified());
        if !self.is_cut() {
            cut.await;
        }
    }

    /// Takes on whom another process has cut.
    pub(super) fn remember(&self, drain: &Drain) {
        self.cuts.fetch_add(drain.cuts, SeqCst);
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.extend(drain.cut.iter().cloned());
        named.truncate(NAMED);
    }

    /// A request begins. Only under the lock of the table that it was found in, so that a drain knows of it.
    pub(super) fn take(self: &Arc<Self>, started: Instant) -> Flight {
        self.in_flight.fetch_add(1, SeqCst);
        Flight { version: Arc::clone(self), started }
    }

    /// How it stands.
    pub fn status(&self) -> VersionStatus {
        let known = |value: &AtomicU64| Some(value.load(SeqCst)).filter(|value| *value != NEVER);
        VersionStatus {
            route: self.route.to_string(),
            version: self.name.to_string(),
            address: self.address,
            in_flight: self.in_flight.load(SeqCst),
            first_answer_us: known(&self.first),
            drain: self.has_left().then(|| Drain {
                took_ms: known(&self.drained),
                cut: self.named.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                cuts: self.cuts.load(SeqCst),
            }),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(NEVER - 1)
}

/// A request that is under way at a version, until this is dropped.
#[derive(Debug)]
pub struct Flight {
    /// The version.
    pub version: Arc<Version>,
    /// When it began.
    pub started: Instant,
}

impl Flight {
    /// The head of its answer came.
    pub(super) fn answered(&self, status: u16, took: Duration) {
        let version = &self.version;
        version.tally.answered(status, took);
        if version.first.load(Relaxed) == NEVER {
            let brought = version.brought.load(SeqCst);
            let began = micros(self.started.saturating_duration_since(version.born));
            if brought != NEVER && began >= brought {
                let took = version.age().saturating_sub(brought);
                let _ = version.first.compare_exchange(NEVER, took, SeqCst, SeqCst);
            }
        }
    }

    /// It was cut: who it was is kept for whoever asks.
    pub(super) fn was_cut(&self, method: &str, path: &str) {
        self.version.cuts.fetch_add(1, SeqCst);
        let mut named = self.version.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < NAMED {
            let path: String = path.chars().filter(|char| !char.is_control()).take(200).collect();
            named.push(format!("{method} {path} after {} ms", self.started.elapsed().as_millis()));
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.version.in_flight.fetch_sub(1, SeqCst) == 1 {
            self.version.settle();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_speaks_to_the_terminal_of_whoever_looks() {
        let address = ([127, 0, 0, 1], 9).into();
        let backend = Backend { version: "1".into(), address, weight: 1, h2c: false };
        let version = Arc::new(Version::new("web", &backend, Arc::default()));
        version.leave();
        version.take(Instant::now()).was_cut("GET", "/a\u{9b}2J\u{85}b");
        let cut = version.status().drain.unwrap().cut;
        assert!(cut[0].starts_with("GET /a2Jb after "), "{cut:?}");
    }
}
