//! What operations say to the supervisor of an environment, and what they do where there is none.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use orchestrator_traffic::control::short;
use rustix::process::{Pid, Signal, kill_process};

use super::door::SOCKET;
use super::run;
use crate::deployment::ops::check;
use crate::deployment::ops::containers;
use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::launch::{DETACH, Surroundings};
use crate::deployment::ops::own::runnable;
use crate::deployment::ops::place::Place;
use crate::deployment::ops::process;
use crate::deployment::supervise::{Answer, Order, Roster, Standing, State, Supervisor};
use crate::deployment::{Environment, Process, Service};

/// How long an answer may take that needs no waiting.
const SOON: Duration = Duration::from_secs(10);
/// How long a supervisor may take until it can be asked.
const STARTING: Duration = Duration::from_secs(20);
/// How often one is started that ends without an answer, and the pause before the second start; longer before each.
const STARTS: u32 = 4;
const AGAIN: Duration = Duration::from_millis(500);
/// How long more than the grace the end of a service may take.
const MARGIN: Duration = Duration::from_secs(15);
/// The most bytes of an answer.
const LONGEST: u64 = 16 << 20;

/// How the supervisor of an environment stands; none where none answers.
pub fn standing(state: &Path, environment: &Environment) -> Option<Standing> {
    match ask(&Place::new(state, environment), &Order::Status, SOON) {
        Ok(Answer::Standing(standing)) => Some(*standing),
        _ => None,
    }
}

/// Asks the supervisor of an environment: for front doors and observers. The error says where nobody answers.
pub fn asked(state: &Path, environment: &Environment, order: &Order) -> Result<Answer, DeployError> {
    let place = Place::new(state, environment);
    ask(&place, order, STARTING + MARGIN).tried("asked", &place.folder().join(SOCKET))
}

/// Orders something of the supervisor of an environment, and starts one where there is none. It is given `env`, less what belongs
/// to an order, and gives it to the proxy.
pub fn ordered(
    state: &Path,
    environment: &Environment,
    supervisor: &Supervisor,
    env: &[(OsString, OsString)],
    order: &Order,
) -> Result<Answer, DeployError> {
    let place = Place::new(state, environment);
    fs::create_dir_all(place.folder()).tried("created", place.folder())?;
    let (surroundings, halt) = (Surroundings::of(env), Halt::default());
    let hands = Hands { place: &place, supervisor, surroundings: &surroundings, halt: &halt };
    hands.order(order, STARTING + MARGIN)
}

/// Asks the supervisor; the error says where nobody answers.
pub(in crate::deployment::ops) fn ask(
    place: &Place,
    order: &Order,
    patience: Duration,
) -> io::Result<Answer> {
    let folder = File::open(place.folder())?;
    let mut stream = UnixStream::connect(short(&folder, SOCKET))?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(SOON))?;
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    if answer.last() != Some(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the supervisor ended before it answered"));
    }
    Ok(serde_json::from_slice(&answer)?)
}

/// A supervisor, and what it takes to have one.
#[derive(Clone, Copy)]
pub(in crate::deployment::ops) struct Hands<'a> {
    pub(in crate::deployment::ops) place: &'a Place,
    pub(in crate::deployment::ops) supervisor: &'a Supervisor,
    pub(in crate::deployment::ops) surroundings: &'a Surroundings,
    pub(in crate::deployment::ops) halt: &'a Halt,
}

impl Hands<'_> {
    /// Asks, and starts a supervisor where there is none. One that ends in this very moment is replaced as well.
    pub(in crate::deployment::ops) fn order(
        &self,
        order: &Order,
        patience: Duration,
    ) -> Result<Answer, DeployError> {
        let mut last = None;
        for _ in 0..3 {
            self.ensure()?;
            match ask(self.place, order, patience) {
                Ok(Answer::Refused { why }) => return Err(DeployError::NotSupervised(why)),
                Ok(answer) => return Ok(answer),
                Err(error) => last = Some(error),
            }
            self.halt.pause(Duration::from_millis(50))?;
        }
        Err(self.missing(&last.map(|error| error.to_string()).unwrap_or_default()))
    }

    /// Starts a release; it is on probation then.
    pub(in crate::deployment::ops) fn start(
        &self,
        release: &str,
        port: u16,
        env: BTreeMap<String, String>,
    ) -> Result<Process, DeployError> {
        let order = Order::Start { release: release.to_owned(), port, env };
        match self.order(&order, SOON)? {
            Answer::Started { process } => Ok(process),
            other => Err(DeployError::NotSupervised(format!("it answered {other:?}"))),
        }
    }

    /// From now on it is started again when it ends.
    pub(in crate::deployment::ops) fn keep(&self, release: &str) -> Result<(), DeployError> {
        self.order(&Order::Keep { release: release.to_owned() }, SOON).map(drop)
    }

    /// A supervisor that answers. One that ended without doing so may have met another that was just ending, so it is started again,
    /// a few times.
    fn ensure(&self) -> Result<(), DeployError> {
        let until = Instant::now() + STARTING;
        let mut starts = 0;
        let mut started: Option<Process> = None;
        loop {
            let why = match ask(self.place, &Order::Status, SOON) {
                Ok(Answer::Standing(standing)) => return self.hand_over(&standing),
                Ok(other) => format!("it answered {other:?}"),
                Err(error) => error.to_string(),
            };
            if !started.as_ref().is_some_and(process::is_alive) {
                if starts == STARTS {
                    return Err(self.missing(&why));
                }
                self.halt.pause(AGAIN * starts)?;
                (started, starts) = (self.spawn()?, starts + 1);
            }
            if Instant::now() >= until {
                return Err(self.missing(&why));
            }
            self.halt.pause(Duration::from_millis(20))?;
        }
    }

    /// Hands it what was started before there was one, and what came to count while there was none.
    fn hand_over(&self, standing: &Standing) -> Result<(), DeployError> {
        let Some(current) = self.place.current()? else { return Ok(()) };
        let Service { release, port, process, .. } = current.service;
        let order = match standing.roster.services.get(&release) {
            None if process::is_alive(&process) => Order::Adopt { release, port, process },
            Some(kept) if kept.state == State::Starting => Order::Keep { release },
            _ => return Ok(()),
        };
        // What it cannot keep goes on as it did.
        let _ = ask(self.place, &order, SOON);
        Ok(())
    }

    fn spawn(&self) -> Result<Option<Process>, DeployError> {
        let (place, Supervisor { program, args }) = (self.place, self.supervisor);
        let log = place.folder().join("supervise.log");
        let opened = OpenOptions::new().create(true).append(true).open(&log).tried("opened", &log)?;
        let mut command = self.surroundings.command("/bin/sh");
        command
            .args(["-c", DETACH, "sh"])
            .arg(runnable(program)?)
            .args(args)
            .arg("--state")
            .arg(place.state()?);
        command.args(["supervise", "--environment", place.environment.as_str()]);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let output = command.current_dir("/").stdout(Stdio::piped()).stderr(opened).output();
        let output = output.tried("started", program)?;
        let pid = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
        Ok(pid.and_then(process::identity))
    }

    fn missing(&self, why: &str) -> DeployError {
        let tail = process::tail(&self.place.folder().join("supervise.log"), &[]);
        let program = self.supervisor.program.display().to_string();
        DeployError::NoSupervisor { program, why: why.to_owned(), tail }
    }
}

/// From now on a release that counts is started again when it ends: whoever started it may have been cut off before that was said. Where
/// nobody keeps it there is nothing to say; where nobody answers, the next one who needs a supervisor says it.
pub(in crate::deployment::ops) fn keep(place: &Place, release: &str) -> Result<(), DeployError> {
    let roster = place.roster().ok().flatten();
    let kept = roster.and_then(|mut roster| roster.services.remove(release));
    if kept.is_none_or(|kept| kept.state != State::Starting) {
        return Ok(());
    }
    match ask(place, &Order::Keep { release: release.to_owned() }, SOON) {
        Ok(Answer::Refused { why }) => Err(DeployError::NotSupervised(why)),
        _ => Ok(()),
    }
}

/// Who runs of a service that was recorded: a process that was started again is the same service. An error where nobody can tell: its
/// container's engine cannot be asked, and it does not answer itself.
pub(in crate::deployment::ops) fn running(
    place: &Place,
    service: &Service,
) -> Result<Option<Process>, DeployError> {
    if service.process.is_contained() {
        return or_answers(place, service, containers::running(place, service));
    }
    if process::is_alive(&service.process) {
        return Ok(Some(service.process.clone()));
    }
    let kept = place.roster().ok().flatten().and_then(|mut roster| roster.services.remove(&service.release));
    Ok(kept.and_then(|kept| kept.process).filter(process::is_alive))
}

/// What an engine says; where it cannot be asked, the recorded process runs if the service answers its health check.
fn or_answers(
    place: &Place,
    service: &Service,
    said: Result<Option<Process>, DeployError>,
) -> Result<Option<Process>, DeployError> {
    match said {
        Err(error) if !check::answers(place, service) => Err(error),
        Err(_) => Ok(Some(service.process.clone())),
        said => said,
    }
}

/// The service with the process that it has now; none where it does not run.
pub(in crate::deployment::ops) fn as_it_runs(
    place: &Place,
    service: Service,
) -> Result<Option<Service>, DeployError> {
    Ok(running(place, &service)?.map(|process| Service { process, ..service }))
}

/// The service as it runs, or as it is started again by its supervisor in a moment; none where it is down, an error where nobody can tell.
pub(in crate::deployment::ops) fn stands(
    place: &Place,
    service: Service,
) -> Result<Option<Service>, DeployError> {
    if service.process.is_contained() {
        let process = or_answers(place, &service, containers::stands(place, &service))?;
        return Ok(process.map(|process| Service { process, ..service }));
    }
    Ok(match running(place, &service)? {
        Some(process) => Some(Service { process, ..service }),
        None => comes_back(place, &service.release).is_ok().then_some(service),
    })
}

/// Whether the supervisor of an environment lives: what it wrote down is how things stand only then.
pub(in crate::deployment::ops) fn lives(place: &Place, roster: &Roster) -> bool {
    roster.supervisor.as_ref().is_some_and(process::is_alive)
        || File::open(place.folder()).is_ok_and(|folder| UnixStream::connect(short(&folder, SOCKET)).is_ok())
}

/// Whether a release that does not run at the moment is started again, by what its supervisor wrote down; and how it stands where
/// it is not.
pub(in crate::deployment::ops) fn comes_back(place: &Place, release: &str) -> Result<(), Option<String>> {
    let mut roster = place.roster().ok().flatten().ok_or(None)?;
    let kept = roster.services.remove(release).ok_or(None)?;
    let exit =
        kept.last_exit.map(|exit| format!(" ({exit}, after {} restarts)", kept.restarts)).unwrap_or_default();
    if kept.state.is_down() {
        return Err(Some(format!("{}{exit}", kept.state)));
    }
    if lives(place, &roster) {
        Ok(())
    } else {
        Err(Some(format!("its supervisor has ended: nobody starts it again{exit}")))
    }
}

/// Ends a release whole: by its supervisor, so that it is not started again; where there is none, here, and its record with it. Says
/// whether there was anything.
pub(in crate::deployment::ops) fn end(
    place: &Place,
    release: &str,
    process: Option<&Process>,
    tag: &str,
    grace: Duration,
) -> Result<bool, DeployError> {
    if let Some(ended) = containers::end(place, release, grace) {
        return ended;
    }
    if let Some(id) = process.and_then(Process::container) {
        // Nobody forgets a container that may run.
        let (environment, folder) = (place.environment.clone(), place.folder().to_owned());
        return Err(DeployError::NoRecord {
            environment,
            release: release.to_owned(),
            id: id.to_owned(),
            folder,
        });
    }
    let order = Order::End { release: release.to_owned(), grace_ms: ms(grace) };
    let is_kept = || match place.roster() {
        Ok(roster) => roster.is_some_and(|roster| roster.services.contains_key(release)),
        // Whoever can read it will know.
        Err(_) => true,
    };
    let was_kept = is_kept();
    if was_kept {
        let strike = || {
            let roster = place.roster().unwrap_or_default();
            let Some(mut roster) = roster else { return place.keep_roster(None) };
            roster.services.remove(release);
            place.keep_roster(Some(&roster))
        };
        by_supervisor_or(place, &order, grace, strike)?;
    }
    Ok(process::end(process, tag, grace)? || was_kept)
}

/// Ends the supervisor of an environment and all that it keeps, the proxy among it.
pub(in crate::deployment::ops) fn quit(place: &Place, grace: Duration) -> Result<(), DeployError> {
    let was_there = place.folder().join(SOCKET).exists() || !matches!(place.roster(), Ok(None));
    if was_there {
        by_supervisor_or(place, &Order::Quit { grace_ms: ms(grace) }, grace, || place.keep_roster(None))?;
        // It is over when its lock is free.
        let until = Instant::now() + MARGIN;
        while run::lock(place)?.is_err() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    process::end(None, &place.proxy_tag(), grace).map(drop)
}

/// Has the supervisor carry it out; where there is none, it is done `alone`, while no other can begin. One that does not answer in
/// time is killed: whoever ends something must not wait for ever, nor for one that nobody knows.
fn by_supervisor_or(
    place: &Place,
    order: &Order,
    grace: Duration,
    alone: impl Fn() -> Result<(), DeployError>,
) -> Result<(), DeployError> {
    let until = Instant::now() + MARGIN;
    loop {
        match ask(place, order, grace + MARGIN) {
            Ok(Answer::Refused { why }) => return Err(DeployError::NotSupervised(why)),
            Ok(_) => return Ok(()),
            Err(error) if is_timeout(&error) => kill(place),
            Err(_) => {}
        }
        let owner = match run::lock(place)? {
            Ok(_lock) => return alone(),
            Err(owner) => owner,
        };
        if Instant::now() >= until {
            kill(place);
        }
        if Instant::now() >= until + MARGIN {
            return Err(DeployError::NotSupervised(format!(
                "somebody holds `{}` and answers nothing ({owner}); end that process and try again",
                place.folder().join("supervise.lock").display()
            )));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn kill(place: &Place) {
    let supervisor = place.roster().ok().flatten().and_then(|roster| roster.supervisor);
    let supervisor = supervisor.filter(process::is_alive);
    if let Some(pid) = supervisor.and_then(|process| Pid::from_raw(process.pid.cast_signed())) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
