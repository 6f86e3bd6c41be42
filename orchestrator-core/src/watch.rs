//! Those who watch a run: on a thread of their own with a fold of their own, so that they can neither fail nor slow it.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::event::Record;
use crate::observer::Observer;
use crate::progress::Progress;
use crate::state::RunState;

/// Records that may wait for a slow observer; beyond them it reads on from the journal.
const BACKLOG: usize = 100_000;
/// Signs of life that may wait; beyond them they are lost.
const LIVELY: usize = 4096;
const TICK: Duration = Duration::from_millis(100);

pub(crate) type Observers = Vec<Box<dyn Observer>>;
type Sender = mpsc::Sender<Message>;
/// Reads the records from a number on; for an observer that fell behind.
pub(crate) type ReadOn = Box<dyn FnMut(u64) -> Vec<Record> + Send>;

enum Message {
    Records(Vec<Record>),
    Progress(Progress),
    Close(u64),
}

/// Hands records and signs of life to the observers.
pub(crate) struct Watch {
    send: Option<Arc<Mutex<Sender>>>,
    backlog: Arc<AtomicUsize>,
    lively: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Observers>>,
    behind: bool,
}

impl Watch {
    /// Starts the thread, unless nobody watches. `state` is the run so far.
    pub(crate) fn new(observers: Observers, state: RunState, read_on: ReadOn) -> Self {
        let (backlog, lively) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mut watch = Self {
            send: None,
            backlog: backlog.clone(),
            lively: lively.clone(),
            thread: None,
            behind: false,
        };
        if observers.is_empty() {
            return watch;
        }
        let (send, receive) = mpsc::channel();
        let mut seat = Seat { observers, state, read_on, backlog, lively, ticked: Instant::now() };
        let thread = std::thread::Builder::new().name("observers".into()).spawn(move || {
            seat.watch(&receive);
            seat.observers
        });
        watch.thread = thread.inspect_err(|error| tracing::warn!(%error, "nobody watches this run")).ok();
        watch.send = watch.thread.is_some().then(|| Arc::new(Mutex::new(send)));
        watch
    }

    /// Whether anybody watches.
    pub(crate) fn wants(&self) -> bool {
        self.send.is_some()
    }

    /// Hands records over; where too many wait already, they are left for the journal to tell.
    pub(crate) fn records(&mut self, records: Vec<Record>) {
        let Some(send) = &self.send else { return };
        if self.behind && self.backlog.load(Ordering::Relaxed) > BACKLOG / 2 {
            return;
        }
        self.behind = self.backlog.fetch_add(records.len(), Ordering::Relaxed) > BACKLOG;
        let _ = send.lock().unwrap_or_else(PoisonError::into_inner).send(Message::Records(records));
    }

    /// Where signs of life go; none where nobody watches.
    pub(crate) fn progress(&self) -> Option<Arc<dyn Fn(Progress) + Send + Sync>> {
        let (send, lively) = (self.send.clone()?, self.lively.clone());
        Some(Arc::new(move |progress| {
            if lively.fetch_add(1, Ordering::Relaxed) < LIVELY {
                let _ = send.lock().unwrap_or_else(PoisonError::into_inner).send(Message::Progress(progress));
            } else {
                lively.fetch_sub(1, Ordering::Relaxed);
            }
        }))
    }

    /// Says that record `last` was the last, and gives back the observers once they have seen it.
    pub(crate) fn close(&mut self, last: u64) {
        if let Some(send) = self.send.take() {
            let _ = send.lock().unwrap_or_else(PoisonError::into_inner).send(Message::Close(last));
        }
    }

    /// The observers, once they have seen everything.
    pub(crate) fn thread(&mut self) -> Option<JoinHandle<Observers>> {
        self.thread.take()
    }
}

struct Seat {
    observers: Observers,
    state: RunState,
    read_on: ReadOn,
    backlog: Arc<AtomicUsize>,
    lively: Arc<AtomicUsize>,
    ticked: Instant,
}

impl Seat {
    fn watch(&mut self, receive: &mpsc::Receiver<Message>) {
        loop {
            match receive.recv_timeout(TICK) {
                Ok(Message::Records(records)) => {
                    self.backlog.fetch_sub(records.len(), Ordering::Relaxed);
                    for record in records {
                        self.see(record);
                    }
                }
                Ok(Message::Progress(progress)) => {
                    self.lively.fetch_sub(1, Ordering::Relaxed);
                    self.each(|observer, _| observer.progress(&progress));
                }
                Ok(Message::Close(last)) => {
                    if last > self.state.records() {
                        self.catch_up(last);
                    }
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.ticked.elapsed() >= TICK {
                self.ticked = Instant::now();
                self.each(|observer, state| observer.tick(state));
            }
        }
    }

    fn see(&mut self, record: Record) {
        if record.n <= self.state.records() {
            return;
        }
        if record.n > self.state.records() + 1 {
            self.catch_up(record.n - 1);
        }
        self.show(record);
    }

    /// Reads what was left for the journal to tell.
    fn catch_up(&mut self, last: u64) {
        let missed = (self.read_on)(self.state.records() + 1);
        for record in missed.into_iter().take_while(|record| record.n <= last) {
            self.show(record);
        }
    }

    fn show(&mut self, record: Record) {
        let kept = record.clone();
        match self.state.apply(record) {
            Ok(()) => self.each(|observer, state| observer.event(&kept, state)),
            Err(error) => tracing::warn!(%error, "an observer lost track"),
        }
    }

    /// An observer that panics is dropped; the others and the run go on.
    fn each(&mut self, mut tell: impl FnMut(&mut dyn Observer, &RunState)) {
        let state = &self.state;
        self.observers.retain_mut(|observer| {
            let told = std::panic::catch_unwind(AssertUnwindSafe(|| tell(&mut **observer, state)));
            if told.is_err() {
                tracing::warn!("an observer panicked and is no longer told");
            }
            told.is_ok()
        });
    }
}
