//! What goes wrong while versions are deployed, with the real program, supervisor and proxy, real services, and clients that ask all the while.
//! In each case: traffic is always served by one healthy version, nothing hangs, and the deployment goes on or goes back ([`Scene::settled`]).
//!
//! | fault | where |
//! |---|---|
//! | a new version is never healthy; healthy then crashing; leaking (by its trend: `watched/back.rs` of the agents); slow; failing; its port is taken | `versions`; without a proxy also `deployment/tests/{faults,watched}.rs` of the agents |
//! | hanging on shutdown | `versions`; what ignores TERM also in `deployment/tests/supervised.rs` |
//! | the old version dies during the switch | `versions`; `deployment/tests/watched.rs` |
//! | the proxy is killed in the middle of a switch | `killed`; alone in `traffic/tests/life/kept.rs` |
//! | the supervisor is killed in the middle of a switch; its folder is deleted; its record is damaged | `killed`; `deployment/tests/supervised/dying.rs` |
//! | the orchestrator is killed at the boundaries of its journal | `killed` (the program, all boundaries in the long form); in process and exact in `deployment/tests/killed.rs` |
//! | the clock jumps | `clock` |
//! | the disk is full | `disk`; of a backup `backup/tests/disk_full.rs`; of a proxy alone `traffic/tests/life/asked.rs` |
//! | slow clients, bombs of headers, conflicting lengths, oversized headers | `hostile`; each alone in `traffic/src/proxy/tests/{hostile,rfc9112}` |

mod clock;
mod disk;
mod hostile;
mod killed;
mod load;
mod versions;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use self::load::{Load, ask};
use super::support::{Folder, Said, ended, inside, kill, naming, output, services, until};

/// A watch that is over in seconds.
const WATCH: &str =
    "      watch: {seconds: 3, canary: [50], step_seconds: 2, min_requests: 20, warm_up: 0}\n";

/// An environment behind a proxy.
struct Scene {
    folder: Folder,
    port: u16,
}

/// A version to deploy.
#[derive(Clone, Copy)]
struct Version<'a> {
    name: &'a str,
    /// How its service behaves (`fixtures/service.rs` of the agents).
    mode: &'a str,
    /// More keys of `with`, a line each.
    with: &'a str,
}

impl<'a> Version<'a> {
    fn good(name: &'a str) -> Self {
        Self { name, mode: "", with: WATCH }
    }

    fn bad(mode: &'a str, with: &'a str) -> Self {
        Self { name: "2.0.0", mode, with }
    }
}

impl Scene {
    /// With version 1.0.0, which has all traffic.
    fn new() -> Self {
        let scene = Self::empty();
        scene.deploy(Version { with: "", ..Version::good("1.0.0") }).exits(0);
        scene
    }

    /// With nothing deployed yet.
    fn empty() -> Self {
        let folder = Folder::git("version: 1\nphases: []\n");
        std::fs::copy(service(), folder.path().join("app")).unwrap();
        let port = orchestrator_traffic::ports::pick().unwrap();
        Self { folder, port }
    }

    fn write(&self, version: Version<'_>) {
        let (Version { name, mode, with }, port) = (version, self.port);
        self.folder.write(
            "orchestration.yaml",
            &format!(
                "\
version: 1
settings: {{min_free_disk: 1KB, deploy_to_staging: false, deploy_to_production: true}}
phases:
  - name: deployment
    use: standard
    with:
      artifact: app
      version: \"{name}\"
      backup: false
      grace: 1
      start_timeout: 120
      env: {{VERSION: \"{{version}}\", MODE: \"{mode}\"}}
      health: {{version: /version, timeout: 4}}
      proxy: {{listen: \"127.0.0.1:{port}\", drain: 5}}
{with}"
            ),
        );
    }

    fn command(&self) -> Command {
        let mut command = self.folder.program("run --phase deployment --ceiling publishes");
        command.env("DEPLOY_TO_PRODUCTION", "true").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn deploy(&self, version: Version<'_>) -> Said {
        over(self.begin(version))
    }

    fn begin(&self, version: Version<'_>) -> Child {
        self.write(version);
        self.command().spawn().unwrap()
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join(".orchestrate/deploy/production")
    }

    fn load(&self) -> Load {
        Load::on(self.port)
    }

    /// A record of the environment; null where it is not there.
    fn record(&self, name: &str) -> Value {
        let text = std::fs::read(self.place().join(name)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The process of a record: `current.json`, `candidate.json`.
    fn pid(&self, name: &str) -> Option<u32> {
        self.record(name)["pid"].as_u64()?.try_into().ok()
    }

    fn supervisor(&self) -> Option<u32> {
        self.record("supervise.json")["supervisor"]["pid"].as_u64()?.try_into().ok()
    }

    fn proxy(&self) -> Option<u32> {
        self.record("supervise.json")["proxy"]["process"]["pid"].as_u64()?.try_into().ok()
    }

    /// Waits until the version under way is watched: it has its first traffic then. A run that ended before fails the test.
    fn watched(&self, run: &mut Child) {
        until("the watch", || {
            let early = run.try_wait().unwrap();
            assert!(early.is_none(), "it ended before it was watched: {early:?}");
            self.pid("candidate.json").is_some() && self.looks() > 0
        });
    }

    /// How many lines the recording of the version under way has.
    fn looks(&self) -> usize {
        let Some(release) = self.record("candidate.json")["release"].as_str().map(str::to_owned) else {
            return 0;
        };
        let text = std::fs::read_to_string(self.place().join(format!("watch/{release}.jsonl")));
        text.unwrap_or_default().lines().count()
    }

    /// The invariant, at the end of each scene: that version alone runs and has all traffic, nobody has a claim, no process is left
    /// over, and clients met healthy versions only: at most `failed` requests had another answer than that of one of them.
    #[track_caller]
    fn settled(self, version: &str, load: Load, failed: usize) {
        let tally = load.over();
        self.alone(version);
        assert!(tally.sent > 20, "{tally:?}");
        assert!(tally.refused == 0, "clients were refused: {tally:?}");
        assert!(tally.failed.len() <= failed, "{} of {} failed: {tally:?}", tally.failed.len(), tally.sent);
        self.stopped();
    }

    /// That version alone runs and has all traffic.
    #[track_caller]
    fn alone(&self, version: &str) {
        for _ in 0..20 {
            assert_eq!(ask(self.port).unwrap().version(), Some(version));
        }
        let told = self.folder.orchestrate("deploy status --format json").exits(0).json().pop().unwrap();
        let told = &told["result"]["environments"][0];
        let alive: Vec<&str> = told["services"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|service| service["alive"] == true)
            .map(|service| service["version"].as_str().unwrap())
            .collect();
        assert_eq!(alive, [version], "{told}");
        assert_eq!(told["traffic"]["shares"].as_object().map(serde_json::Map::len), Some(1), "{told}");
        assert_eq!(self.record("claim.json"), Value::Null, "somebody claims it yet");
        let mut running: Vec<String> = services(self.folder.path());
        running.retain(|tag| !tag.starts_with("production/proxy/"));
        let wanted = format!("production/{version}/");
        assert!(running.len() == 1 && running[0].starts_with(&wanted), "{running:?}");
    }

    /// `deploy stop` ends all there is.
    #[track_caller]
    fn stopped(self) {
        self.folder.orchestrate("deploy stop").exits(0);
        let folder = self.folder.path();
        until("the end of all processes", || naming(folder).is_empty() && inside(folder).is_empty());
    }
}

/// The service, compiled once for its content.
fn service() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../orchestrator-agents/fixtures/service.rs");
        let folder = std::env::current_exe().unwrap().with_file_name("fixtures");
        std::fs::create_dir_all(&folder).unwrap();
        let binary = folder.join(format!("service-of-faults-{}", std::process::id()));
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
        let flags = ["--edition", "2024", "-C", "strip=symbols", "-C", "debuginfo=0", "-o"];
        let built = Command::new(rustc).args(flags).arg(&binary).arg(source).status();
        assert!(built.unwrap().success());
        // One name for all processes of tests: the last one is as good as any.
        let named = folder.join("service-of-faults");
        std::fs::rename(&binary, &named).unwrap();
        named
    })
}

/// How long anything may take here. Nothing is asserted about time below it.
const BOUND: Duration = Duration::from_mins(3);

/// The end of a run, which must not hang.
#[track_caller]
fn over(run: Child) -> Said {
    let (pid, done) = (run.id(), Arc::new(AtomicBool::new(false)));
    let told = done.clone();
    let watchdog = std::thread::spawn(move || {
        let until = Instant::now() + BOUND;
        while !told.load(Ordering::SeqCst) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        if !told.load(Ordering::SeqCst) {
            kill(pid, Signal::KILL);
        }
    });
    let said = ended(run);
    done.store(true, Ordering::SeqCst);
    watchdog.join().unwrap();
    assert!(said.code.is_some(), "it hung: {said:?}");
    said
}
