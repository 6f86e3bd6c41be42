//! The loop: takes requests as they become due, gives each a connection and a task, counts what came of it.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;

use super::pacer;
use super::plan::{LoadError, Plan};
use super::pool::{Pool, STREAMS};
use super::random::Random;
use super::schedule::Schedule;
use super::sender::{Seen, Sender};
use super::summary::Summary;
use super::tally::{Done, Loop, Tally};
use super::target::Target;

/// Files that the process has open or may need beside connections.
const SPARE: u64 = 64;
/// From the start of the pacer to the first request.
const AHEAD: Duration = Duration::from_millis(5);
/// How often the figures so far are told.
const EVERY: Duration = Duration::from_secs(1);

/// Loads a server as planned, until the plan's end or until `stop` is ready: then it ends at once, with the figures so far.
///
/// It ends when all requests that were due are over. One that waits for a free connection waits as long as a request may take; then
/// it counts as not sent.
pub async fn run(plan: Plan, stop: impl Future<Output = ()>) -> Result<Summary, LoadError> {
    run_watched(plan, stop, std::future::pending(), |_| {}).await
}

/// The same, told the figures so far as it begins and each second; when `enough` is ready nothing more is sent, and what is under way
/// is waited for.
pub async fn run_watched(
    plan: Plan,
    stop: impl Future<Output = ()>,
    enough: impl Future<Output = ()>,
    told: impl FnMut(Summary),
) -> Result<Summary, LoadError> {
    plan.check()?;
    check_files(plan.connections)?;
    let mut stop = pin!(stop);
    // Names that are looked up and connections that are opened beforehand may take long.
    let sender = tokio::select! {
        biased;
        () = &mut stop => return Ok(nothing(plan)),
        sender = prepared(&plan) => sender?,
    };
    let mut driver = Driver::new(&plan, sender)?;
    driver.drive(stop, pin!(enough), told).await;
    driver.end.over = true;
    Ok(driver.tally.sum(plan, driver.end))
}

/// All that has to be there before the first request is due.
async fn prepared(plan: &Plan) -> Result<Sender, LoadError> {
    let target = Target::find(plan).await?;
    let sender = Sender::new(plan, Pool::new(plan, target))?;
    if plan.preconnect {
        sender.pool().fill().await?;
    }
    Ok(sender)
}

/// What comes of a load that was stopped before it began.
fn nothing(plan: Plan) -> Summary {
    let started = jiff::Timestamp::now().to_string();
    let end = Loop { started, stopped: true, over: true, ..Loop::default() };
    Tally::new(&plan).sum(plan, end)
}

/// A process that may open fewer files than connections are wanted is told so before anything is sent.
fn check_files(connections: u32) -> Result<(), LoadError> {
    let need = u64::from(connections) + SPARE;
    match getrlimit(Resource::Nofile).current {
        Some(have) if have < need => Err(LoadError::Files { connections, need, have }),
        _ => Ok(()),
    }
}

/// What comes of waiting for a free connection.
enum Place {
    Free(OwnedSemaphorePermit),
    /// None was free for as long as a request may take.
    Never,
    Stopped,
}

/// The only owner of a load's state.
struct Driver {
    plan: Plan,
    sender: Arc<Sender>,
    tally: Tally,
    due: mpsc::Receiver<Instant>,
    places: Arc<Semaphore>,
    most: usize,
    random: Random,
    start: Instant,
    /// Since when the loop does not wait for a connection.
    free: Instant,
    tasks: JoinSet<Done>,
    end: Loop,
}

impl Driver {
    fn new(plan: &Plan, sender: Sender) -> Result<Self, LoadError> {
        // So many share a connection, where none of them opens one of its own.
        let shared = plan.http2 && !plan.mix.shapes.iter().any(|shape| shape.kind.is_apart());
        let most = plan.connections as usize * if shared { STREAMS } else { 1 };
        let start = Instant::now() + AHEAD;
        let started = (jiff::Timestamp::now() + AHEAD).to_string();
        Ok(Self {
            plan: plan.clone(),
            sender: Arc::new(sender),
            tally: Tally::new(plan),
            due: pacer::start(Schedule::new(plan), start).map_err(LoadError::Start)?,
            places: Arc::new(Semaphore::new(most)),
            most,
            random: Random::new(!plan.seed),
            start,
            free: start,
            tasks: JoinSet::new(),
            end: Loop { started, ..Loop::default() },
        })
    }

    async fn drive(
        &mut self,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        mut enough: Pin<&mut impl Future<Output = ()>>,
        mut told: impl FnMut(Summary),
    ) {
        // Timers go by whole milliseconds: the first tick of an interval may come after the first request.
        told(self.so_far());
        let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + EVERY, EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return self.abandon().await,
                () = &mut enough => break self.end.stopped = true,
                _ = tick.tick() => told(self.so_far()),
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => self.count(done),
                due = self.due.recv() => {
                    let Some(due) = due else { break };
                    self.end.due += 1;
                    match self.place(due, stop.as_mut()).await {
                        Place::Free(place) => self.spawn(due, place),
                        Place::Never => self.tally.unsent(due.elapsed()),
                        Place::Stopped => {
                            self.waits_too();
                            return self.abandon().await;
                        }
                    }
                }
            }
        }
        self.due.close();
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return self.abandon().await,
                _ = tick.tick() => told(self.so_far()),
                done = self.tasks.join_next() => match done {
                    Some(done) => self.count(done),
                    None => break,
                }
            }
        }
        self.close();
    }

    /// Waits for a free connection where none is.
    async fn place(&mut self, due: Instant, stop: Pin<&mut impl Future<Output = ()>>) -> Place {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Place::Free(place);
        }
        self.end.waited += 1;
        let patience = due + Duration::from_millis(self.plan.timeout_ms);
        let place = tokio::select! {
            biased;
            () = stop => Place::Stopped,
            place = tokio::time::timeout_at(patience.into(), self.places.clone().acquire_owned()) => match place {
                Ok(place) => Place::Free(place.expect("it is never closed")),
                Err(_) => Place::Never,
            },
        };
        self.free = Instant::now();
        place
    }

    fn spawn(&mut self, due: Instant, place: OwnedSemaphorePermit) {
        let (sender, start) = (self.sender.clone(), self.start);
        let shape = self.plan.mix.pick(self.random.number());
        let busy = self.most - self.places.available_permits();
        let (number, should) = (self.end.due, due.max(self.free));
        self.tasks.spawn(async move {
            let mut seen = Seen::default();
            let sent = Instant::now();
            let result = sender.send(shape, number, busy, &mut seen).await;
            let ended = Instant::now();
            drop(place);
            let since = |at: Instant| at.saturating_duration_since(start);
            Done {
                shape,
                due: since(due),
                lag: sent.saturating_duration_since(should),
                sent: since(sent),
                ended: since(ended),
                head: seen.head.map(since),
                version: seen.version,
                reused: seen.reused,
                moved: seen.moved,
                bytes: seen.bytes,
                result,
            }
        });
    }

    fn count(&mut self, done: Result<Done, JoinError>) {
        match done {
            Ok(done) => self.tally.count(done),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => self.end.abandoned += 1,
        }
    }

    /// What was due while one waited for a connection waited for one too. What was due a moment ago, and was not looked at for another reason, did not.
    fn waits_too(&mut self) {
        let now = Instant::now();
        while self.due.try_recv().is_ok_and(|due| due <= now) {
            self.end.due += 1;
        }
    }

    /// Ends at once: what is over counts, what is under way is told apart.
    async fn abandon(&mut self) {
        self.end.stopped = true;
        self.due.close();
        self.tasks.abort_all();
        while let Some(done) = self.tasks.join_next().await {
            self.count(done);
        }
        self.close();
    }

    fn so_far(&self) -> Summary {
        let mut end = self.end.clone();
        (end.took, end.connections) = (self.start.elapsed(), self.sender.pool().opened());
        // What is under way is neither unsent nor failed.
        end.busy = self.tasks.len() as u64;
        self.tally.sum(self.plan.clone(), end)
    }

    fn close(&mut self) {
        self.end.took = self.start.elapsed();
        self.end.connections = self.sender.pool().opened();
    }
}
