//! `start-load` and `end-load`: a load client that runs through a switch, as a process of its own that outlives rounds.
//!
//! It is `orchestrate load`, started by the program that a front door handed in. Below the environment's folder `load/RELEASE.json` is
//! what it counted so far, written each second and at its end; `load/RELEASE.run` holds it: it sends as long as that file is there and
//! the claim of the environment is the same. One that was over before that file went leaves it there: its figures end too soon. So whoever releases the claim, or takes it over, ends it as well, and a limit of time ends
//! it in any case.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{OrderKey, RunId};
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::claim;
use super::error::{DeployError, Tried};
use super::halt::{Halt, blocking};
use super::launch::{DETACH, Surroundings};
use super::own::runnable;
use super::place::Place;
use super::process::{self, TAG};
use crate::deployment::load::{LoadConfig, LoadSummary};
use crate::deployment::supervise::Supervisor;
use crate::deployment::{Environment, Process};

/// How long it may take until the client sends.
const STARTING: Duration = Duration::from_secs(20);
/// How long one request may take; as long is waited at the end for those under way.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much longer its end may take.
const MARGIN: Duration = Duration::from_secs(5);
/// The most bytes of what it writes.
const LONGEST: u64 = 1 << 20;

/// What to send through a switch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartLoadInput {
    /// Where.
    pub environment: Environment,
    /// The release that is deployed: the figures are kept by its name.
    pub release: String,
    /// Where requests go: the environment's own proxy.
    pub url: String,
    /// What is sent.
    pub load: LoadConfig,
}

/// The client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StartLoadOutput {
    /// Its process.
    pub process: Process,
}

/// Which load was started, and by whom: `load.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Loading {
    order: String,
    release: String,
    #[serde(default)]
    process: Option<Process>,
}

impl Loading {
    /// The release that it is about.
    pub(super) fn release(&self) -> &str {
        &self.release
    }
}

/// Starts a load client that goes on by itself.
#[derive(Debug, Clone, Default)]
pub struct StartLoad {
    /// The program that is `orchestrate`; without one there is no client.
    pub supervisor: Option<Supervisor>,
}

#[async_trait]
impl Operation for StartLoad {
    const NAME: &'static str = "start-load";
    const EFFECT: Effect = Effect::Publishes;
    type Input = StartLoadInput;
    type Output = StartLoadOutput;

    async fn call(
        &self,
        input: StartLoadInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<StartLoadOutput, BoxError> {
        let client = self.supervisor.clone().ok_or("no program is known that can send a load")?;
        let place = Place::new(site.state, &input.environment);
        let (order, surroundings) = (order.clone(), Surroundings::new(&BTreeMap::new(), site)?);
        site.progress.step(format!("sending requests to {}", input.url), None);
        blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            claim::confirm(&place, &order)?;
            end_any(&place)?;
            Client { place: &place, input: &input, files: Files::of(&place, &input.release) }
                .start(&client, &surroundings, &order, halt)
                .map(|process| StartLoadOutput { process })
        })
        .await
    }

    async fn undo(&self, input: &StartLoadInput, _: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let StartLoadInput { environment, release, .. } = input.clone();
        Ok(vec![EndLoad::action(&EndLoadInput { environment, release, unread: true })?])
    }

    async fn already(
        &self,
        input: &StartLoadInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Already<StartLoadOutput> {
        let place = Place::new(site.state, &input.environment);
        // One that is dead by now would send nothing through the switch.
        let sent = Files::of(&place, &input.release).summary.exists();
        match place.loading() {
            Ok(Some(Loading { order: by, process: Some(process), .. }))
                if by == order.to_string() && sent && process::is_alive(&process) =>
            {
                Already::Done(StartLoadOutput { process })
            }
            // What was started without being recorded is ended when the order is repeated.
            Ok(_) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

/// Which load to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndLoadInput {
    /// Where.
    pub environment: Environment,
    /// The release that was deployed meanwhile.
    pub release: String,
    /// Whether it is only to be ended: where it was started in vain, its figures may be gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
}

/// Ends a load, waits for the requests that are under way, and reads what came of it. Again it reads the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct EndLoad;

#[async_trait]
impl Operation for EndLoad {
    const NAME: &'static str = "end-load";
    const EFFECT: Effect = Effect::Publishes;
    type Input = EndLoadInput;
    type Output = LoadSummary;

    async fn call(
        &self,
        input: EndLoadInput,
        _: &OrderKey,
        site: &Site<'_>,
    ) -> Result<LoadSummary, BoxError> {
        let place = Place::new(site.state, &input.environment);
        blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            if place.loading()?.is_some_and(|loading| loading.release == input.release) {
                end_any(&place)?;
            }
            let figures = Files::of(&place, &input.release).read();
            if input.unread { Ok(figures.unwrap_or_default()) } else { figures }
        })
        .await
    }

    fn advice(&self, _: &EndLoadInput) -> Option<String> {
        Some("nothing: a load only measures".to_owned())
    }

    async fn already(&self, _: &EndLoadInput, _: &OrderKey, _: &Site<'_>) -> Already<LoadSummary> {
        Already::NotDone
    }
}

/// Where the figures of a load lie.
struct Files {
    summary: PathBuf,
    mix: PathBuf,
    log: PathBuf,
    hold: PathBuf,
}

impl Files {
    fn of(place: &Place, release: &str) -> Self {
        // A name that came from elsewhere must not lead out of the folder.
        let name = release.replace(['/', '\0'], "_");
        let file = |end: &str| place.folder().join("load").join(format!("r-{name}.{end}"));
        Self { summary: file("json"), mix: file("mix"), log: file("log"), hold: file("run") }
    }

    fn read(&self) -> Result<LoadSummary, DeployError> {
        let mut bytes = Vec::new();
        let read = fs::File::open(&self.summary).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
        read.tried("read", &self.summary)?;
        let summary = LoadSummary::read(&bytes)
            .map_err(|source| DeployError::Malformed { path: self.summary.clone(), source })?;
        Ok(LoadSummary { early: summary.early || self.hold.exists(), ..summary })
    }
}

/// A client that is about to be started.
struct Client<'a> {
    place: &'a Place,
    input: &'a StartLoadInput,
    files: Files,
}

impl Client<'_> {
    fn start(
        &self,
        client: &Supervisor,
        surroundings: &Surroundings,
        order: &OrderKey,
        halt: &Halt,
    ) -> Result<Process, DeployError> {
        let Self { place, input, files } = self;
        let folder = place.folder().join("load");
        fs::create_dir_all(&folder).tried("created", &folder)?;
        super::place::remove(&files.summary)?;
        let shapes = serde_json::to_vec(&input.load.shapes()).expect("a mix is JSON");
        fs::write(&files.mix, shapes).tried("written", &files.mix)?;
        fs::write(&files.hold, format!("{order}\n")).tried("written", &files.hold)?;
        let mut loading = Loading { order: order.to_string(), release: input.release.clone(), process: None };
        // Before it is there: whoever finds the record looks for its tag.
        place.set_loading(Some(&loading))?;
        let up = self.spawn(client, surroundings).and_then(|process| {
            loading.process = Some(process.clone());
            place.set_loading(Some(&loading))?;
            self.wait(&process, halt)?;
            Ok(process)
        });
        if up.is_err() {
            end_any(place)?;
        }
        up
    }

    fn spawn(&self, client: &Supervisor, surroundings: &Surroundings) -> Result<Process, DeployError> {
        let (Self { place, files, .. }, Supervisor { program, args }) = (self, client);
        let opened = OpenOptions::new().create(true).write(true).truncate(true).open(&files.log);
        let opened = opened.tried("opened", &files.log)?;
        let mut command = surroundings.command("/bin/sh");
        command.args(["-c", DETACH, "sh"]).arg(runnable(program)?).args(args).args(self.arguments()?);
        command.env(TAG, place.load_tag());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let output = command.current_dir("/").stdout(Stdio::piped()).stderr(opened).output();
        let output = output.tried("started", program)?;
        let pid = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
        pid.and_then(process::identity).ok_or_else(|| self.gone())
    }

    fn arguments(&self) -> Result<Vec<String>, DeployError> {
        let (Self { place, files, .. }, StartLoadInput { url, load, .. }) = (self, self.input);
        let path = |path: &Path| {
            let absolute = std::path::absolute(path).tried("found", path)?;
            Ok(absolute.to_string_lossy().into_owned())
        };
        let seconds = |time: Duration| format!("{}ms", time.as_millis().max(1));
        let mut all: Vec<String> = vec!["load".into(), url.clone()];
        let mut say = |name: &str, value: String| all.extend([format!("--{name}"), value]);
        say("rate", f64::from(load.rate).to_string());
        say("mix", path(&files.mix)?);
        say("connections", load.connections.to_string());
        say("duration", seconds(load.max_seconds.duration()));
        say("timeout", seconds(TIMEOUT));
        say("save", path(&files.summary)?);
        say("while", path(&files.hold)?);
        say("while", path(&place.folder().join("claim.json"))?);
        if let Some(header) = &load.version_header {
            say("version-from", format!("header:{header}"));
        }
        // The environment's own proxy may listen at an address of this machine that is not loopback.
        all.push("--allow-remote".into());
        Ok(all)
    }

    /// Waits until it sends.
    fn wait(&self, process: &Process, halt: &Halt) -> Result<(), DeployError> {
        let until = Instant::now() + STARTING;
        loop {
            if self.files.summary.exists() {
                return Ok(());
            }
            if !process::is_alive(process) || Instant::now() >= until {
                return Err(self.gone());
            }
            halt.pause(Duration::from_millis(10))?;
        }
    }

    fn gone(&self) -> DeployError {
        DeployError::NoLoad(process::tail(&self.files.log, &[]))
    }
}

/// Ends the load of an environment, whosever it is; what it has under way may end first. The lock is held.
pub(super) fn end_any(place: &Place) -> Result<(), DeployError> {
    let Some(Loading { release, process, .. }) = place.loading()? else { return Ok(()) };
    // What holds one that was over before stays, and says so to whoever reads the figures.
    if process.as_ref().is_none_or(process::is_alive) {
        super::place::remove(&Files::of(place, &release).hold)?;
    }
    let until = Instant::now() + TIMEOUT + MARGIN;
    while process.as_ref().is_some_and(process::is_alive) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    process::end(process.as_ref(), &place.load_tag(), Duration::from_secs(2))?;
    place.set_loading(None)
}

/// Tells the loads of a run that nobody wants them any more: of one that is cancelled. They end by themselves.
pub fn end_loads(state: &Path, run: &RunId) -> Result<(), DeployError> {
    for place in Place::all(state)? {
        let own = |loading: &Loading| loading.order.split('/').next() == Some(run.as_str());
        if let Some(loading) = place.loading()?.filter(own) {
            super::place::remove(&Files::of(&place, &loading.release).hold)?;
        }
    }
    Ok(())
}
