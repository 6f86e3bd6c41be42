//! What is asked of a proxy, and what it answers. Everything here may wait: it is called on threads that do.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::sync::{Semaphore, mpsc, watch};

use super::elder;
use super::elder::{Elder, Order as Follow};
use super::folder::{CONTROL, Folder};
use super::life::{Life, Standing};
use super::run::Remark;
use super::state::{Kept, State};
use super::upgrade::Successor;
use super::{Proxy, Stage, Stop};
use crate::control::ask;
use crate::protocol::{Request, Response, Status, Table};
use crate::sockets::{Channel, Said, Sockets};

/// How long a successor may take for a question that was passed on to it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether the process before this one has ended.
const LOOK: Duration = Duration::from_millis(200);

/// What the process is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// End, and cut what is left after that time.
    End(Duration),
    /// That process serves now: let go.
    Replaced(u32),
}

/// An answer, and what becomes of the connection.
#[derive(Debug)]
pub(super) enum Reply {
    /// Another question may follow.
    Answer(Response),
    /// The connection ends.
    Last(Response),
    /// The connection becomes the channel of a keeper.
    Lend,
}

/// Answers.
pub(super) struct Desk {
    pub(super) proxy: Arc<Proxy>,
    pub(super) folder: Folder,
    pub(super) state: State,
    pub(super) life: Life,
    /// What a successor is given, without the keeper.
    pub(super) sockets: Mutex<Sockets>,
    pub(super) keeper: Mutex<Option<Channel>>,
    /// The process before this one, while it has somebody to answer.
    pub(super) elder: Mutex<Option<Elder>>,
    /// The process after this one, to tell it something; held by whoever does.
    pub(super) heir: Mutex<Option<Channel>>,
    pub(super) successor: Option<Successor>,
    pub(super) remark: Remark,
    pub(super) orders: mpsc::UnboundedSender<Order>,
    /// The places of clients that are asking.
    pub(super) clients: Arc<Semaphore>,
    /// Whether new clients are taken.
    pub(super) open: watch::Sender<bool>,
}

impl Desk {
    /// Answers a line.
    pub(super) fn answer(self: &Arc<Self>, line: &[u8]) -> Reply {
        let request: Request = match serde_json::from_slice(line) {
            Ok(request) => request,
            Err(error) => {
                let why = format!("this is no question that a proxy knows: {error}");
                return Reply::Last(Response::Refused { why });
            }
        };
        if let Standing::Replaced(_) = self.life.standing() {
            return Reply::Last(self.pass_on(&request));
        }
        match request {
            Request::Status => Reply::Answer(Response::Status(self.status())),
            Request::Counts => Reply::Answer(Response::Counts(self.proxy.live.counts())),
            Request::Apply { expect, ref table, drain_ms } => {
                let drain = Duration::from_millis(drain_ms);
                Reply::Answer(
                    self.apply(expect, table, drain)
                        .unwrap_or_else(|standing| self.not_now(standing, &request)),
                )
            }
            Request::Upgrade { ref program } => {
                let program = program.as_ref().map(PathBuf::from);
                Reply::Last(self.upgrade(program).unwrap_or_else(|standing| self.not_now(standing, &request)))
            }
            Request::Stop { drain_ms } => {
                let stopped = self.stop(Duration::from_millis(drain_ms));
                Reply::Last(stopped.unwrap_or_else(|standing| self.not_now(standing, &request)))
            }
            Request::Lend => Reply::Lend,
        }
    }

    pub(super) fn status(&self) -> Status {
        let mut elder = self.elder.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked first: at its end it leaves word of whom it cut, and that is part of how this process stands from then on.
        let there = self.ask(&mut elder, Elder::status);
        let (generation, table, mut versions) = self.proxy.live.status();
        drop(elder);
        let mut connections = self.proxy.connections.load(Relaxed);
        let mut before = Vec::new();
        if let Some(standing) = there {
            standing.join(&mut versions, &mut connections, &mut before);
        }
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        Status {
            pid: process::id(),
            program: env!("CARGO_PKG_VERSION").into(),
            listens: sockets.serve.iter().filter_map(|listener| listener.local_addr().ok()).collect(),
            generation,
            table,
            connections,
            before,
            versions,
        }
    }

    fn apply(&self, expect: Option<u64>, table: &Table, drain: Duration) -> Result<Response, Standing> {
        let _serving = self.life.serving()?;
        let response = self.proxy.live.apply(expect, table.clone(), drain, |generation, table| {
            self.keep(&Kept { generation, table: table.clone() })
        });
        if let Response::Applied { generation, changed: true } = response {
            self.ask_elder(|elder| elder.apply(generation, table, drain));
        }
        Ok(response)
    }

    fn keep(&self, kept: &Kept) -> Result<(), String> {
        let unsynced = self.state.keep(kept).map_err(|error| error.to_string())?;
        if let Some(error) = unsynced {
            (self.remark)(&format!("the table is kept, but may not survive the machine: {error}"));
        }
        Ok(())
    }

    /// Asks the process before this one. One that has ended is asked no more.
    fn ask_elder<T>(&self, question: impl FnOnce(&mut Elder) -> io::Result<T>) -> Option<T> {
        self.ask(&mut self.elder.lock().unwrap_or_else(PoisonError::into_inner), question)
    }

    fn ask<T>(
        &self,
        place: &mut Option<Elder>,
        question: impl FnOnce(&mut Elder) -> io::Result<T>,
    ) -> Option<T> {
        let answer = question(place.as_mut()?).ok();
        if answer.is_none()
            && let Some(last) = place.take().and_then(Elder::last)
        {
            // Whom it cut is asked for later as well.
            self.proxy.live.remember(&last.versions);
        }
        answer
    }

    /// Tells the process after this one whom this one cut: soon nobody can ask it.
    pub(super) fn take_leave(&self) {
        let last = elder::Answer::Last(self.standing());
        if let Some(heir) = &mut *self.heir.lock().unwrap_or_else(PoisonError::into_inner) {
            // One that is gone needs to know nothing.
            let _ = heir.line(&last);
        }
    }

    fn standing(&self) -> elder::Standing {
        let Status { pid, connections, mut before, versions, .. } = self.status();
        before.insert(0, pid);
        elder::Standing { connections, before, versions, silent: false }
    }

    /// Waits until the process before this one has ended, or this one cuts what is left. Should it end first, nobody would know of the other.
    pub(super) fn outlive_elder(&self, stop: &Stop) {
        while stop.stage() < Stage::Cut && self.ask_elder(Elder::status).is_some() {
            thread::sleep(LOOK);
        }
    }

    /// What the successor of this process wants of it, while this one still has somebody to answer.
    pub(super) fn follow(&self, order: &Follow) -> elder::Answer {
        match order {
            Follow::Apply { generation, table, drain_ms } => {
                let drain = Duration::from_millis(*drain_ms);
                // It is as good as it was for the successor.
                let _ = self.proxy.live.follow(*generation, table.clone(), drain);
                self.ask_elder(|elder| elder.apply(*generation, table, drain));
                elder::Answer::Applied { generation: *generation }
            }
            Follow::Status => elder::Answer::Status(self.standing()),
            Follow::Stop { drain_ms } => {
                let drain = Duration::from_millis(*drain_ms);
                self.ask_elder(|elder| elder.stop(drain));
                let _ = self.orders.send(Order::End(drain));
                elder::Answer::Stops
            }
        }
    }

    fn upgrade(self: &Arc<Self>, program: Option<PathBuf>) -> Result<Response, Standing> {
        let Some(mut successor) = self.successor.clone() else {
            return Ok(refused(
                "this proxy does not know how it was started, so it cannot start a successor",
            ));
        };
        successor.program = program.unwrap_or(successor.program);
        self.life.hand_over()?;
        // Whoever comes now is served by the successor, or by this process if that fails.
        self.open.send_replace(false);
        let started = self
            .bequeath()
            .and_then(|()| self.everything().map_err(|error| error.to_string()))
            .and_then(|all| successor.start(&all));
        match started {
            Ok((pid, channel)) => {
                self.life.handed_over(Some(pid));
                self.after(channel);
                // From now on the successor speaks to the keeper, and holds the lock.
                self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
                *self.sockets.lock().unwrap_or_else(PoisonError::into_inner) = Sockets::default();
                // The process may be ending already.
                let _ = self.orders.send(Order::Replaced(pid));
                Ok(Response::Done { pid: Some(pid) })
            }
            Err(why) => {
                self.life.handed_over(None);
                self.open.send_replace(true);
                Ok(refused(&why))
            }
        }
    }

    /// Sees to it that the successor finds what this process serves, whatever has become of the file.
    fn bequeath(&self) -> Result<(), String> {
        let (generation, table, _) = self.proxy.live.status();
        let kept = Kept { generation, table };
        if self.state.peek().as_ref() == Some(&kept) {
            return Ok(());
        }
        self.keep(&kept).map_err(|why| format!("the table could not be kept for a successor: {why}"))
    }

    /// Follows the successor on a thread of its own, for as long as the process lives.
    fn after(self: &Arc<Self>, channel: Channel) {
        let desk = Arc::downgrade(self);
        let heir = channel.stream().try_clone().map(Channel::of).ok();
        *self.heir.lock().unwrap_or_else(PoisonError::into_inner) = heir;
        let followed =
            thread::Builder::new().name("follow".into()).spawn(move || elder::follow(&desk, channel));
        if let Err(error) = followed {
            (self.remark)(&format!("connections of this process get no new table: {error}"));
        }
    }

    fn everything(&self) -> io::Result<Sockets> {
        let mut all = self.sockets.lock().unwrap_or_else(PoisonError::into_inner).try_clone()?;
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        all.keeper = keeper.as_ref().map(|channel| channel.stream().try_clone()).transpose()?;
        Ok(all)
    }

    pub(super) fn stop(&self, drain: Duration) -> Result<Response, Standing> {
        match self.life.end() {
            // Asked again: the time that is left may be shorter now.
            Ok(()) | Err(Standing::Ending) => {}
            Err(standing) => return Err(standing),
        }
        self.ask_elder(|elder| elder.stop(drain));
        let _ = self.orders.send(Order::End(drain));
        Ok(Response::Done { pid: None })
    }

    /// The same at a signal. One that comes while a successor starts means that one as well, should it serve by then.
    pub(super) fn stop_at_signal(&self, drain: Duration) {
        if let Err(Standing::Replaced(_)) = self.stop(drain) {
            let drain_ms = u64::try_from(drain.as_millis()).unwrap_or(u64::MAX);
            if let Response::Refused { why } = self.pass_on(&Request::Stop { drain_ms }) {
                (self.remark)(&format!("the successor was not told to end: {why}"));
            }
            let _ = self.orders.send(Order::End(drain));
        }
    }

    /// Lends the sockets to the next keeper. One that is alive is not replaced.
    pub(super) fn lend(&self, stream: UnixStream) -> io::Result<()> {
        let mut channel = Channel::of(stream);
        let serving = match self.life.serving() {
            Ok(serving) => serving,
            Err(standing) => {
                return channel.refuse(&format!("the proxy is not there to be kept: {standing:?}"));
            }
        };
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if keeper.as_ref().is_some_and(|keeper| is_alive(keeper.stream())) {
            return channel.refuse("the proxy has a keeper that is alive");
        }
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let Sockets { serve, metrics, .. } = sockets.try_clone()?;
        channel.hand(&Sockets { serve, metrics, ..Sockets::default() })?;
        channel.say(&Said::Ready { pid: process::id() })?;
        *keeper = Some(channel);
        drop(serving);
        Ok(())
    }

    /// Whether it had a keeper that is gone, and its folder is gone too.
    pub(super) fn is_left(&self) -> bool {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.as_ref().is_some_and(|keeper| !is_alive(keeper.stream())) && !self.folder.is_there()
    }

    /// An answer to what changes something, where this process does not serve.
    fn not_now(&self, standing: Standing, request: &Request) -> Response {
        match standing {
            Standing::Replaced(_) => self.pass_on(request),
            _ => refused("the proxy is ending; start it again first"),
        }
    }

    /// The successor answers at the same place.
    fn pass_on(&self, request: &Request) -> Response {
        if matches!(request, Request::Lend) {
            // Only the connection itself could be a channel to it.
            return refused("another process serves now; connect again to keep that one");
        }
        ask(&self.folder.path().join(CONTROL), request, PATIENCE)
            .unwrap_or_else(|error| refused(&format!("the successor of this proxy does not answer: {error}")))
    }
}

fn refused(why: &str) -> Response {
    Response::Refused { why: why.into() }
}

/// Whether somebody has the other end. Keepers say nothing, so there is nothing to read while they live.
fn is_alive(stream: &UnixStream) -> bool {
    let mut byte = [0; 1];
    let looked = recv(stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT);
    !matches!(looked, Ok((_, 0)) | Err(rustix::io::Errno::CONNRESET))
}
