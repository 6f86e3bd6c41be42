//! The start of a proxy: it serves when this is done, or says why not.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::super::access_log::AccessLog;
use super::super::desk::{Desk, Order};
use super::super::elder::Elder;
use super::super::folder::{Folder, sign};
use super::super::life::Life;
use super::super::metrics::{self, Figures, VersionFigures};
use super::super::orphan;
use super::super::recorder::Listening;
use super::super::state::State;
use super::super::tls::Tls;
use super::super::{Listener, Proxy, Stop, Workers, control, files};
use super::{Options, Remark, RunError};
use crate::sockets::{Channel, Said, Sockets, listen};

/// How long whoever started this process may take to hand sockets over.
const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy that serves.
pub(super) struct Started {
    pub(super) desk: Arc<Desk>,
    pub(super) stop: Stop,
    pub(super) workers: Workers,
    pub(super) tls: Option<Tls>,
    pub(super) listening: Arc<Listening>,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    /// The control socket, and the metrics where there are any: they end with the process or when a successor serves.
    pub(super) beside: Vec<JoinHandle<()>>,
    pub(super) signals: Signals,
    pub(super) linger: Duration,
    /// Whether another proxy has started it.
    succeeds: bool,
    pub(super) remark: Remark,
}

/// What the process is told by signals.
pub(super) struct Signals {
    pub(super) terminate: Signal,
    pub(super) interrupt: Signal,
    pub(super) hang_up: Signal,
    pub(super) user: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
        })
    }
}

impl Started {
    pub(super) fn new(options: Options, remark: Remark) -> Result<Self, RunError> {
        let mut parent =
            if options.inherit { Some(Channel::stdin().map_err(RunError::Inherit)?) } else { None };
        let started = Self::begin(options, remark, parent.as_mut());
        match (&started, parent) {
            (Ok(started), Some(parent)) => started.greet(parent)?,
            (Err(error), Some(mut parent)) => {
                // It has gone where this cannot be said.
                let _ = parent.say(&Said::Failed { why: error.line() });
            }
            (_, None) => {}
        }
        started
    }

    fn begin(options: Options, remark: Remark, parent: Option<&mut Channel>) -> Result<Self, RunError> {
        let signals = Signals::new()?;
        let files = files::raise(options.threads)?;
        let tls = options.tls.clone().map(Tls::open).transpose()?;
        let folder = Folder::open(&options.folder)?;
        let mut sockets = match parent {
            Some(parent) => parent.take(PATIENCE).map_err(RunError::Inherit)?,
            None => Sockets::default(),
        };
        // Only a proxy that holds it has a lock to give.
        let succeeds = sockets.lock.is_some();
        // The lock comes first: nothing of the folder is touched before it is known that nobody else serves from it.
        if sockets.lock.is_none() {
            sockets.lock = Some(folder.lock()?);
        }
        bind(&options, &mut sockets)?;
        let keeper = sockets.keeper.take().map(Channel::of);
        let log = open_log(&options, &remark)?;
        let listening = Arc::new(Listening::new(log));
        let mut limits = options.limits;
        limits.files = limits.files.min(files);
        // Each request of a client may need a connection to a version.
        limits.connections = limits.connections.min(limits.files / 2);
        let proxy = Arc::new(Proxy::new(limits, Some(listening.clone())));
        let state = State::new(folder.path());
        if succeeds {
            inherit(&proxy, &state).map_err(RunError::Table)?;
        } else {
            restore(&proxy, &state, &remark);
        }
        let control = match &sockets.control {
            Some(control) => control.try_clone()?,
            None => sockets.control.insert(folder.bind()?).try_clone()?,
        };
        let stop = Stop::new();
        let listeners = listeners(&sockets, tls.as_ref())?;
        let (orders, ordered) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            proxy: proxy.clone(),
            folder,
            state,
            life: Life::default(),
            sockets: Mutex::new(sockets),
            keeper: Mutex::new(keeper),
            elder: Mutex::new(None),
            heir: Mutex::new(None),
            remark: remark.clone(),
            successor: options.successor,
            orders,
            clients: Arc::new(Semaphore::new(control::CLIENTS)),
            open: watch::channel(true).0,
        });
        let beside = beside(&desk, &listening, control, &remark)?;
        // Last, since nobody whom they have taken is to lose an answer because something else fails.
        let workers = Workers::start(&listeners, &proxy, &stop, options.threads)?;
        Ok(Self {
            desk,
            stop,
            workers,
            tls,
            listening,
            orders: ordered,
            beside,
            signals,
            linger: options.linger,
            succeeds,
            remark,
        })
    }

    /// Tells whoever waits for it that this process serves: its keeper, or the process before it and the keeper of both.
    fn greet(&self, mut parent: Channel) -> Result<(), RunError> {
        let ready = Said::Ready { pid: process::id() };
        let sockets = self.desk.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        if let (true, Some(lock)) = (self.succeeds, &sockets.lock) {
            // Not before all that may fail was done: until then, whoever started it serves.
            sign(lock);
        }
        drop(sockets);
        let mut keeper = self.desk.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        parent.say(&ready).map_err(RunError::Inherit)?;
        if self.succeeds {
            if let Some(keeper) = &mut *keeper {
                // One that is gone does not matter to those who are served.
                let _ = keeper.say(&ready);
            }
            *self.desk.elder.lock().unwrap_or_else(PoisonError::into_inner) = Some(Elder::of(parent));
        } else {
            *keeper = Some(parent);
        }
        Ok(())
    }
}

/// Listens where nothing was inherited.
fn bind(options: &Options, sockets: &mut Sockets) -> Result<(), RunError> {
    let at = |address: SocketAddr| listen(address).map_err(|source| RunError::Listen { address, source });
    if sockets.serve.is_empty() {
        sockets.serve = options.listens.iter().copied().map(at).collect::<Result<_, _>>()?;
    }
    if sockets.serve.is_empty() {
        return Err(RunError::Nowhere);
    }
    if let (None, Some(address)) = (&sockets.metrics, options.metrics) {
        sockets.metrics = Some(at(address)?);
    }
    Ok(())
}

fn open_log(options: &Options, remark: &Remark) -> Result<Option<AccessLog>, RunError> {
    let Some(config) = options.access_log.clone() else { return Ok(None) };
    let (path, remark) = (config.path.clone(), remark.clone());
    AccessLog::open(config, move |text| remark(text))
        .map(Some)
        .map_err(|source| RunError::AccessLog { path, source })
}

/// Serves what was served before. Whatever is wrong with it, somebody will apply a table.
fn restore(proxy: &Proxy, state: &State, remark: &Remark) {
    let empty = "every request is answered with 503 until a table is applied";
    match state.load() {
        Ok(None) => {}
        Ok(Some(kept)) => {
            if let Err(why) = proxy.live.restore(kept.generation, kept.table) {
                remark(&format!("{}; {empty}", state.set_aside(&why)));
            }
        }
        Err(why) => remark(&format!("{why}; {empty}")),
    }
}

/// Serves what the process before this one serves: it has just seen to it that it lies there.
fn inherit(proxy: &Proxy, state: &State) -> Result<(), String> {
    let kept = state.inherit()?.ok_or("it is not there")?;
    proxy.live.restore(kept.generation, kept.table)
}

fn listeners(sockets: &Sockets, tls: Option<&Tls>) -> io::Result<Vec<Listener>> {
    let each = sockets.serve.iter();
    each.map(|socket| Ok(Listener { socket: socket.try_clone()?, tls: tls.map(Tls::acceptor) })).collect()
}

fn beside(
    desk: &Arc<Desk>,
    listening: &Arc<Listening>,
    control: UnixListener,
    remark: &Remark,
) -> io::Result<Vec<JoinHandle<()>>> {
    let (asked, said) = (desk.clone(), remark.clone());
    let mut beside = vec![tokio::spawn(async move {
        let open = asked.open.subscribe();
        if let Err(error) = control::serve(control, asked, open).await {
            said(&format!("the control socket is served no more: {error}"));
        }
    })];
    beside.push(tokio::spawn(orphan::watch(Arc::downgrade(desk))));
    let metrics = desk.sockets.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(listener) = metrics.metrics.as_ref().map(std::net::TcpListener::try_clone).transpose()? {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let (desk, listening) = (desk.clone(), listening.clone());
        let figures = Arc::new(move || figures(&desk, &listening, started));
        beside.push(tokio::spawn(metrics::serve(listener, figures)));
    }
    Ok(beside)
}

fn figures(desk: &Desk, listening: &Listening, started: f64) -> Figures {
    let status = desk.status();
    let live = &desk.proxy.live;
    let mut versions: Vec<VersionFigures> = live
        .counts()
        .versions
        .into_iter()
        .map(|counts| VersionFigures {
            route: counts.route,
            version: counts.version,
            errors: counts.errors,
            gateway: counts.gateway,
            latency: counts.latency,
            latency_us: counts.latency_us,
            ..VersionFigures::default()
        })
        .collect();
    for (route, version, classes) in live.classes() {
        let same = |figures: &&mut VersionFigures| figures.route == route && figures.version == version;
        if let Some(figures) = versions.iter_mut().find(same) {
            figures.classes = classes;
        }
    }
    for one in &status.versions {
        let same =
            |figures: &&mut VersionFigures| figures.route == one.route && figures.version == one.version;
        if let Some(figures) = versions.iter_mut().find(same) {
            figures.in_flight += one.in_flight;
        }
    }
    let log = listening.log.as_ref().map(|log| (log.written(), log.lost()));
    Figures { status, started, versions, log }
}
