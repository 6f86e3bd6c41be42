//! How a supervisor keeps the proxy: it holds the listening sockets, so clients wait while there is no proxy instead of being refused.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Duration;

use jiff::Timestamp;
use orchestrator_traffic::sockets::{self, Channel, Said, Sockets};
use rustix::process::{Pid, Signal, kill_process};

use super::child::{Start, how};
use super::keeper::Keeper;
use super::run::Event;
use super::seen;
use crate::deployment::Process;
use crate::deployment::ops::process::{self, TAG};
use crate::deployment::supervise::{Answer, KeptProxy, Next, Pace, ProxyOrder, State};

/// How long a proxy may take until it serves.
const READY: Duration = Duration::from_secs(15);
/// How long one that is replaced may take to drain.
const DRAINED: Duration = Duration::from_mins(1);
/// How long a proxy that runs may take to lend its sockets.
const LEND: Duration = Duration::from_secs(2);

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
        let is_ending = self.proxy.as_ref().is_some_and(|live| live.ending.is_some());
        let known = self.roster.proxy.as_ref();
        let same = known.is_some_and(|known| known.order == order);
        let refused = if is_ending {
            Some("the proxy is just being ended; order it again in a moment".to_owned())
        } else if same {
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
            let _ = seen::wait_for(&old);
            let _ = events.send(Event::ProxyDrained { turn });
        });
        if waiting.is_err() {
            self.start_proxy();
        }
    }

    pub(super) fn proxy_drained(&mut self, turn: u64) {
        if self.proxy.as_ref().is_some_and(|live| live.turn == turn && live.ending.is_none()) {
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
            bound.map_err(|error| format!("{address} cannot be listened on: {error}"))
        };
        if listen.is_empty() {
            return Err("a proxy needs an address to listen on".into());
        }
        let serve = listen.iter().map(|address| at(*address)).collect::<Result<_, _>>()?;
        Ok(Sockets { serve, metrics: metrics.map(at).transpose()?, ..Sockets::default() })
    }

    /// Takes over the proxy that the supervisor before kept.
    pub(super) fn adopt_proxy(&mut self) {
        let Some(kept) = &self.roster.proxy else { return };
        let is_ending = kept.state == State::Ending;
        self.proxy = Some(LiveProxy::new(None));
        if is_ending {
            self.end_proxy(READY, None);
        } else {
            self.start_proxy();
        }
    }

    /// Starts a process, or adopts the one that serves.
    fn start_proxy(&mut self) {
        if let Some(live) = &mut self.proxy {
            live.due = None;
            live.turn += 1;
        }
        if let Err(why) = self.try_start_proxy() {
            self.proxy_down(why, false);
        }
    }

    fn try_start_proxy(&mut self) -> Result<(), String> {
        let needs_sockets = self.proxy.as_ref().is_some_and(|live| live.sockets.is_none());
        if needs_sockets && self.borrow_sockets() {
            return Ok(());
        }
        if needs_sockets {
            let Some(kept) = &self.roster.proxy else { return Ok(()) };
            let bound = self.bound(&kept.listens, kept.metrics)?;
            if let Some(live) = &mut self.proxy {
                live.sockets = Some(bound);
            }
        }
        self.spawn_proxy().map_err(|error| format!("it could not be started: {error}"))
    }

    /// Gets the sockets from a proxy that runs without a supervisor.
    fn borrow_sockets(&mut self) -> bool {
        let Ok((sockets, channel)) = sockets::adopt(&self.proxy_folder().join("control.sock"), LEND) else {
            return false;
        };
        let now = self.now();
        let Some(live) = &mut self.proxy else { return false };
        (live.sockets, live.started, live.ready_by) = (Some(sockets), now, Some(now + READY));
        let turn = live.turn;
        self.journal.note("proxy: adopted");
        listen_to(channel, turn, self.events.clone(), None).is_ok()
    }

    fn spawn_proxy(&mut self) -> io::Result<()> {
        let (now, folder, tag) = (self.now(), self.proxy_folder(), self.proxy_tag());
        let Some((kept, live)) = self.roster.proxy.as_mut().zip(self.proxy.as_mut()) else { return Ok(()) };
        let Some(sockets) = live.sockets.as_ref().map(Sockets::try_clone).transpose()? else { return Ok(()) };
        fs::create_dir_all(&folder)?;
        let mut env: Vec<_> = self.env.iter().filter(|(name, _)| name != TAG).cloned().collect();
        env.push((TAG.into(), tag.into()));
        let mut argv = vec![kept.order.program.as_os_str()];
        argv.extend(kept.order.args.iter().map(OsStr::new));
        let (channel, other) = Channel::pair()?;
        let log = folder.join("proxy.log");
        let (mut child, process) =
            Start { argv, folder: &folder, env: &env, log: &log }.spawn(Some(&other))?;
        drop(other);
        self.journal.note(format_args!("proxy: started as process {}", process.pid));
        (kept.process, kept.since) = (Some(process), Timestamp::now());
        (live.started, live.ready_by) = (now, Some(now + READY));
        let (turn, journal) = (live.turn, self.journal.clone());
        let _ = self.record();
        std::thread::Builder::new().name("proxy-exit".into()).spawn(move || {
            let exit = child.wait().map_or_else(|error| error.to_string(), how);
            journal.note(format_args!("proxy: process {} ended: {exit}", child.id()));
        })?;
        listen_to(channel, turn, self.events.clone(), Some(sockets))
    }

    pub(super) fn proxy_said(&mut self, turn: u64, said: Said) {
        let Some((kept, live)) = self.roster.proxy.as_mut().zip(self.proxy.as_mut()) else { return };
        if live.turn != turn || live.ending.is_some() {
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
        if self.proxy.as_ref().is_some_and(|live| live.turn == turn && live.ending.is_none()) {
            self.proxy_down(why, true);
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
            self.start_proxy();
        }
    }

    pub(super) fn end_proxy(&mut self, grace: Duration, reply: Option<Sender<Answer>>) {
        let Some((kept, live)) = self.roster.proxy.as_mut().zip(self.proxy.as_mut()) else {
            reply.map(|reply| reply.send(Answer::Done));
            return;
        };
        if let Some(asking) = &mut live.ending {
            asking.extend(reply);
            return;
        }
        live.ending = Some(reply.into_iter().collect());
        (live.due, live.ready_by) = (None, None);
        kept.state = State::Ending;
        let process: Option<Process> = kept.process.clone();
        let _ = self.record();
        let (events, tag) = (self.events.clone(), self.proxy_tag());
        let ending = std::thread::Builder::new().name("end".into()).spawn(move || {
            let done =
                process::end(process.as_ref(), &tag, grace).map(drop).map_err(|error| error.to_string());
            let _ = events.send(Event::ProxyEnded { done });
        });
        if let Err(error) = ending {
            self.proxy_ended(Err(format!("it could not be ended: {error}")));
        }
    }

    pub(super) fn proxy_ended(&mut self, done: Result<(), String>) {
        let asking = self.proxy.as_mut().and_then(|live| live.ending.take()).unwrap_or_default();
        let answer = match done {
            Ok(()) => {
                (self.proxy, self.roster.proxy) = (None, None);
                let _ = self.record();
                self.journal.note("proxy: ended");
                Answer::Done
            }
            Err(why) => Answer::Refused { why },
        };
        for reply in asking {
            let _ = reply.send(answer.clone());
        }
    }
}

fn addresses(sockets: &Sockets) -> io::Result<(Vec<SocketAddr>, Option<SocketAddr>)> {
    let listens = sockets.serve.iter().map(std::net::TcpListener::local_addr).collect::<io::Result<_>>()?;
    Ok((listens, sockets.metrics.as_ref().map(std::net::TcpListener::local_addr).transpose()?))
}

/// Hands sockets over, where there are some to hand, and tells what is said.
fn listen_to(
    mut channel: Channel,
    turn: u64,
    events: Sender<Event>,
    sockets: Option<Sockets>,
) -> io::Result<()> {
    let listening = std::thread::Builder::new().name("proxy".into()).spawn(move || {
        let handed = sockets.as_ref().map_or(Ok(()), |sockets| channel.hand(sockets));
        drop(sockets);
        let why = loop {
            match channel.hear(None) {
                Ok(Some(said)) => {
                    let _ = events.send(Event::ProxySaid { turn, said });
                }
                Ok(None) => break handed.map_or_else(|error| error.to_string(), |()| "it ended".to_owned()),
                Err(error) => break error.to_string(),
            }
        };
        let _ = events.send(Event::ProxyGone { turn, why });
    });
    listening.map(drop)
}
