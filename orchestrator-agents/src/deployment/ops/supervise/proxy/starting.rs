//! How the process of a proxy begins: it is started, or the one that serves is adopted.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::sync::mpsc::Sender;
use std::time::Duration;

use jiff::Timestamp;
use orchestrator_traffic::sockets::{self, Channel, Sockets};

use super::super::child::{Start, how};
use super::super::keeper::Keeper;
use super::super::run::Event;
use super::{LiveProxy, READY};
use crate::deployment::ops::own::runnable;
use crate::deployment::ops::process::TAG;
use crate::deployment::supervise::State;

/// How long a proxy that runs may take to lend its sockets.
const LEND: Duration = Duration::from_secs(2);

impl Keeper {
    /// Takes over the proxy that the supervisor before kept.
    pub(in super::super) fn adopt_proxy(&mut self) {
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
    pub(super) fn start_proxy(&mut self) {
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
        self.at_home().map_err(io::Error::other)?;
        let (now, folder, tag) = (self.now(), self.proxy_folder(), self.proxy_tag());
        let Some((kept, live)) = self.roster.proxy.as_mut().zip(self.proxy.as_mut()) else { return Ok(()) };
        let Some(sockets) = live.sockets.as_ref().map(Sockets::try_clone).transpose()? else { return Ok(()) };
        fs::create_dir_all(&folder)?;
        let mut env: Vec<_> = self.env.iter().filter(|(name, _)| name != TAG).cloned().collect();
        env.push((TAG.into(), tag.into()));
        let program = runnable(&kept.order.program).map_err(io::Error::other)?;
        let mut argv = vec![program.as_os_str()];
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
