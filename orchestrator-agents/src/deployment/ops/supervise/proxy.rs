//! How a supervisor keeps the proxy: it holds the listening sockets, so clients wait while there is no proxy instead of being refused.

mod ending;
mod starting;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Duration;

use jiff::Timestamp;
use orchestrator_traffic::sockets::{self, Said, Sockets};
use rustix::process::{Pid, Signal, kill_process};

use super::holder::holder;
use super::keeper::Keeper;
use super::run::Event;
use super::seen;
use super::service::LEFTOVERS;
use crate::deployment::Process;
use crate::deployment::ops::process;
use crate::deployment::supervise::{Answer, KeptProxy, Next, Pace, ProxyOrder, State};

/// How long a proxy may take until it serves.
const READY: Duration = Duration::from_secs(15);
/// How long one that is replaced may take to drain.
const DRAINED: Duration = Duration::from_mins(1);

/// What is known of the proxy besides what is recorded.
pub(super) struct LiveProxy {
    /// Where it listens; none where nobody could bind that yet.
    sockets: Option<Sockets>,
    pace: Pace,
    started: Duration,
    due: Option<Duration>,
    /// When it must serve.
    ready_by: Option<Duration>,
    /// Counts processes and channels: what an earlier one says late is not heard.
    turn: u64,
    /// Who waits until it serves.
    asking: Vec<Sender<Answer>>,
    /// Who waits until it has ended; none where it is not to end.
    ending: Option<Vec<Sender<Answer>>>,
}

impl LiveProxy {
    fn new(sockets: Option<Sockets>) -> Self {
        let (started, turn) = (Duration::ZERO, 0);
        Self {
            sockets,
            pace: Pace::proxy(),
            started,
            due: None,
            ready_by: None,
            turn,
            asking: Vec::new(),
            ending: None,
        }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        self.due.into_iter().chain(self.ready_by).min()
    }
}

impl Keeper {
    /// The folder of the proxy.
    pub(super) fn proxy_folder(&self) -> PathBuf {
        self.place.folder().join("proxy")
    }

    /// What the proxy carries in `ORCHESTRATE_SERVICE`: there may be one for each state folder.
    pub(super) fn proxy_tag(&self) -> String {
        self.place.proxy_tag()
    }

    pub(super) fn order_proxy(&mut self, order: ProxyOrder, reply: Sender<Answer>) {
        let refused = if let Some(why) = self.proxy_is_ending() {
            Some(why)
        } else if self.goes_on(&order) {
            None
        } else {
            self.set_proxy(order).err()
        };
        if let Some(why) = refused {
            let _ = reply.send(Answer::Refused { why });
            return;
        }
        if let Some(live) = &mut self.proxy {
            live.asking.push(reply);
        }
        if self.roster.proxy.as_ref().is_some_and(|kept| kept.state == State::Up) {
            self.tell_askers();
        }
    }

    /// Lets the proxy that is kept go on where it is the one that is ordered, and says whether it is. No program is worth somebody's
    /// connection: where that is all that differs, one that serves goes on, and its next start is of the other program.
    fn goes_on(&mut self, order: &ProxyOrder) -> bool {
        let Some(kept) = &mut self.roster.proxy else { return false };
        let ProxyOrder { program, args, listen, metrics } = &kept.order;
        if (args, listen, metrics) != (&order.args, &order.listen, &order.metrics) {
            return false;
        }
        if *program == order.program {
            return true;
        }
        if kept.state != State::Up || !kept.process.as_ref().is_some_and(process::is_alive) {
            return false;
        }
        let next = order.program.display();
        self.journal.note(format_args!("proxy: it serves on; its next start is of `{next}`"));
        kept.order.program.clone_from(&order.program);
        let _ = self.record();
        true
    }

    /// Makes it the proxy of the environment. Where it listens already the sockets stay. The one before drains first, since only one
    /// serves from a folder; who connects meanwhile waits.
    fn set_proxy(&mut self, order: ProxyOrder) -> Result<(), String> {
        let sockets = self.bound(&order.listen, order.metrics)?;
        let (listens, metrics) = addresses(&sockets).map_err(|error| error.to_string())?;
        let before = self.roster.proxy.take();
        let old = before.as_ref().and_then(|old| old.process.clone()).filter(process::is_alive);
        let (state, since, process) = (State::Starting, Timestamp::now(), old.clone());
        self.roster.proxy =
            Some(KeptProxy { order, listens, metrics, state, process, since, restarts: 0, why: None });
        if let Err(why) = self.record() {
            self.roster.proxy = before;
            return Err(why);
        }
        let turn = self.proxy.as_ref().map_or(0, |live| live.turn) + 1;
        let ready_by = old.is_some().then(|| self.now() + DRAINED);
        self.proxy = Some(LiveProxy { ready_by, turn, ..LiveProxy::new(Some(sockets)) });
        match old {
            Some(old) => self.replace(old, turn),
            None => self.start_proxy(),
        }
        Ok(())
    }

    /// Ends the one before; the next one is started when it has ended.
    fn replace(&mut self, old: Process, turn: u64) {
        if let Some(pid) = Pid::from_raw(old.pid.cast_signed()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let events = self.events.clone();
        let waiting = std::thread::Builder::new().name("drain".into()).spawn(move || {
            seen::wait_for(&old);
            let _ = events.send(Event::ProxyDrained { turn });
        });
        if waiting.is_err() {
            self.start_proxy();
        }
    }

    pub(super) fn proxy_drained(&mut self, turn: u64) {
        if self.proxy_is_ending().is_none() && self.proxy.as_ref().is_some_and(|live| live.turn == turn) {
            self.start_proxy();
        }
    }

    /// Sockets at these addresses: those that are open already, else new ones.
    fn bound(&self, listen: &[SocketAddr], metrics: Option<SocketAddr>) -> Result<Sockets, String> {
        let open = self.proxy.as_ref().and_then(|live| live.sockets.as_ref());
        let known = open.map_or_else(Vec::new, |open| open.serve.iter().chain(&open.metrics).collect());
        let at = |address: SocketAddr| {
            let same = known.iter().find(|socket| socket.local_addr().is_ok_and(|own| own == address));
            let bound = same.map_or_else(|| sockets::listen(address), |socket| socket.try_clone());
            bound.map_err(|error| {
                let taken = error.kind() == io::ErrorKind::AddrInUse;
                let who = if taken { holder(address) } else { None };
                let who = who.map_or_else(String::new, |who| format!(": {who}"));
                format!("{address} cannot be listened on: {error}{who}")
            })
        };
        if listen.is_empty() {
            return Err("a proxy needs an address to listen on".into());
        }
        let serve = listen.iter().map(|address| at(*address)).collect::<Result<_, _>>()?;
        Ok(Sockets { serve, metrics: metrics.map(at).transpose()?, ..Sockets::default() })
    }

    pub(super) fn proxy_said(&mut self, turn: u64, said: Said) {
        let Some((kept, live)) = self.roster.proxy.as_mut().zip(self.proxy.as_mut()) else { return };
        if live.turn != turn || kept.state == State::Ending {
            return;
        }
        match said {
            Said::Ready { pid } => {
                if kept.process.as_ref().is_none_or(|known| known.pid != pid) {
                    self.journal.note(format_args!("proxy: process {pid} serves now"));
                }
                (kept.process, kept.state, kept.why) = (process::identity(pid), State::Up, None);
                live.ready_by = None;
                let _ = self.record();
                self.tell_askers();
            }
            Said::Failed { why } => {
                self.journal.note(format_args!("proxy: {why}"));
                kept.why = Some(why);
            }
        }
    }

    fn tell_askers(&mut self) {
        let Some((kept, live)) = self.roster.proxy.as_ref().zip(self.proxy.as_mut()) else { return };
        let Some(process) = &kept.process else { return };
        let answer =
            Answer::Serving { pid: process.pid, listens: kept.listens.clone(), metrics: kept.metrics };
        for reply in live.asking.drain(..) {
            let _ = reply.send(answer.clone());
        }
    }

    pub(super) fn proxy_gone(&mut self, turn: u64, why: String) {
        let is_ending = self.proxy_is_ending().is_some();
        let now = self.now();
        let Some(live) = self.proxy.as_mut().filter(|live| live.turn == turn) else { return };
        if !is_ending {
            self.proxy_down(why, true);
        } else if live.ending.is_none() {
            // Could it not be ended before, it is now.
            live.due = Some(now);
        }
    }

    /// It does not serve: it is started again after a pause. Who waits for it is told why, and that it is tried again.
    fn proxy_down(&mut self, why: String, crashed: bool) {
        let now = self.now();
        let Some((kept, live)) = self.roster.proxy.as_mut().zip(self.proxy.as_mut()) else { return };
        let pause = if crashed {
            kept.restarts += 1;
            match live.pace.crashed(now, now.saturating_sub(live.started)) {
                Next::After(pause) => pause,
                Next::GiveUp => live.pace.blocked(),
            }
        } else {
            live.pace.blocked()
        };
        (live.due, live.ready_by) = (Some(now + pause), None);
        let was_up = kept.state == State::Up;
        let why = if was_up { why } else { kept.why.take().unwrap_or(why) };
        (kept.process, kept.state, kept.since) = (None, State::Waiting, Timestamp::now());
        kept.why = Some(why.clone());
        self.journal.note(format_args!("proxy: {why}; again in {pause:?}"));
        let asking = std::mem::take(&mut live.asking);
        let _ = self.record();
        for reply in asking {
            let why = format!("the proxy does not serve: {why}; it is tried again, see `proxy/proxy.log`");
            let _ = reply.send(Answer::Refused { why });
        }
    }

    pub(super) fn tick_proxy(&mut self) {
        let now = self.now();
        let Some(live) = &mut self.proxy else { return };
        if live.ready_by.is_some_and(|by| by <= now) {
            live.ready_by = None;
            let process = self.roster.proxy.as_ref().and_then(|kept| kept.process.clone());
            let why = format!("it did not serve within {READY:?}");
            live.turn += 1;
            if let Some(pid) =
                process.filter(process::is_alive).and_then(|old| Pid::from_raw(old.pid.cast_signed()))
            {
                let _ = kill_process(pid, Signal::KILL);
            }
            self.proxy_down(why, true);
        } else if live.ending.is_none() && live.due.is_some_and(|due| due <= now) {
            if self.proxy_is_ending().is_some() {
                self.end_proxy(LEFTOVERS, None);
            } else {
                self.start_proxy();
            }
        }
    }
}

fn addresses(sockets: &Sockets) -> io::Result<(Vec<SocketAddr>, Option<SocketAddr>)> {
    let listens = sockets.serve.iter().map(std::net::TcpListener::local_addr).collect::<io::Result<_>>()?;
    Ok((listens, sockets.metrics.as_ref().map(std::net::TcpListener::local_addr).transpose()?))
}
