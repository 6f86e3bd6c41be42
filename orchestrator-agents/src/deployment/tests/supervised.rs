//! Under a supervisor: a process of its own, real crashes, real kills.

mod cut_off;
mod dying;
mod hostile;
mod logs;
mod proxy;

use rustix::process::{Pid, Signal, kill_process};

use super::*;
use crate::deployment::ops::{Over, Promote, StartService, stop_all, supervise, supervised};
use crate::deployment::supervise::{Kept, Roster, Standing, State};

/// Run by the tests below in a process of its own, as a command line would: `--state STATE supervise --environment ENV`.
#[test]
#[ignore = "the other process of the tests below: a supervisor"]
fn the_supervisor() {
    let (Some(state), Ok(environment)) = (std::env::var_os("STATE"), std::env::var("ENVIRONMENT")) else {
        return;
    };
    let state = PathBuf::from(state);
    let told = state.join("stop-the-supervisor");
    let env = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
    let stop = move || {
        while !told.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let over = supervise(&state, &Environment::new(environment).unwrap(), env, stop).unwrap();
    println!("\nOVER {over:?}");
}

/// This very program as supervisor.
pub(super) fn supervisor() -> Supervisor {
    supervisor_at(&std::env::current_exe().unwrap())
}

/// The same by another name of its file.
fn supervisor_at(own: &Path) -> Supervisor {
    let script = r#"STATE="$2" ENVIRONMENT="$5" exec "$0" --exact deployment::tests::supervised::the_supervisor --ignored --nocapture"#;
    let own = own.to_string_lossy().into_owned();
    Supervisor { program: "/bin/sh".into(), args: vec!["-c".into(), script.into(), own] }
}

impl Desk {
    pub(super) fn supervised() -> Self {
        let mut desk = Self::new();
        desk.supervisor = Some(supervisor());
        desk
    }

    fn starter(&self) -> StartService {
        StartService { supervisor: self.supervisor.clone() }
    }

    pub(super) fn production(&self) -> PathBuf {
        self.state().join("deploy/production")
    }

    fn standing(&self) -> Option<Standing> {
        supervised(&self.state(), &Environment::new("production").unwrap())
    }

    /// What the supervisor wrote down.
    pub(super) fn roster(&self) -> Roster {
        serde_json::from_slice(&std::fs::read(self.production().join("supervise.json")).unwrap()).unwrap()
    }

    /// The only service that is kept.
    fn kept(&self) -> Kept {
        let roster = self.roster();
        assert_eq!(roster.services.len(), 1, "{roster:?}");
        roster.services.into_values().next().unwrap()
    }

    pub(super) fn keeper(&self) -> u32 {
        self.roster().supervisor.unwrap().pid
    }

    /// Kills the supervisor, as the kernel does when memory runs out.
    fn kill_keeper(&self) {
        let keeper = self.keeper();
        kill(keeper);
        eventually("the end of the supervisor", || !alive(keeper.into()));
    }

    /// Starts a supervisor without an operation.
    fn keeper_again(&self) {
        let Supervisor { program, args } = self.supervisor.clone().unwrap_or_else(supervisor);
        let mut command = Command::new(program);
        command.args(args).arg("--state").arg(self.state()).args([
            "supervise",
            "--environment",
            "production",
        ]);
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::spawn(move || child.wait());
        eventually("a supervisor", || self.standing().is_some());
    }

    /// No process of this desk is there any more.
    fn is_empty(&self) {
        let marker = self.folder.path().to_string_lossy().into_owned();
        eventually("the end of all processes", || processes(|said| said.contains(&marker)) == 0);
    }
}

/// How many other processes have arguments or variables like that; they are given with a line for each.
fn processes(wanted: impl Fn(&str) -> bool) -> usize {
    let folders = std::fs::read_dir("/proc").unwrap().flatten().map(|folder| folder.path());
    let numbered = folders.filter(|folder| {
        folder.file_name().unwrap().to_str().unwrap().parse().is_ok_and(|pid: u32| pid != std::process::id())
    });
    let said = |folder: &Path, file: &str| {
        let bytes = std::fs::read(folder.join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', "\n")
    };
    numbered.filter(|folder| wanted(&said(folder, "environ")) || wanted(&said(folder, "cmdline"))).count()
}

pub(super) fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
}

fn pid(value: &Value) -> u32 {
    value["process"]["pid"].as_u64().unwrap() as u32
}

#[test]
fn what_crashes_is_started_again_on_its_port() {
    let desk = Desk::supervised();
    let output = desk.deploy(1, config("0.1.0", "")).unwrap().output.unwrap().value();
    let (version, url) = desk.current().unwrap();
    assert_eq!((version.as_str(), desk.kept().state), ("0.1.0", State::Up));
    let first = output["pid"].as_u64().unwrap();
    assert!(ureq::get(format!("{url}/crash")).call().is_err());
    eventually("the service again", || answers(&url));
    eventually("its record", || desk.kept().restarts == 1 && desk.kept().state == State::Up);
    let kept = desk.kept();
    assert_eq!(kept.last_exit.as_deref(), Some("exit code 5"));
    assert!(!alive(first));
    let shown = desk.deployments().remove(0);
    assert_eq!((shown.pid, shown.alive), (kept.process.unwrap().pid, true), "status knows the new process");
    let environment = get(&format!("{url}/env"));
    assert!(environment.contains("VERSION=0.1.0") && !environment.contains("ORCHESTRATE_ORDER"));

    let keeper = desk.keeper();
    desk.deploy(2, config("0.2.0", "")).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.2.0");
    assert!(!answers(&url));
    assert_eq!((desk.kept().tag.starts_with("production/0.2.0/"), desk.keeper()), (true, keeper));
    assert_eq!(stop_all(&desk.state()).unwrap().len(), 1);
    assert!(!alive(keeper.into()) && !desk.production().join("supervise.json").exists());
    desk.is_empty();
}

#[test]
fn what_exits_before_it_is_up_is_told_and_not_started_again() {
    let desk = Desk::supervised();
    let failed = desk.deploy(1, config("0.1.0", "crash")).unwrap_err();
    assert!(
        failed.summary.contains("exited before it listened") && failed.summary.contains("fatal: no database"),
        "{failed:?}"
    );
    assert!(desk.roster().services.is_empty() && desk.deployments().is_empty());
    let mut none = start("0.1.0", "");
    none["argv"] = json!(["/no/such/program"]);
    let error = desk.call(desk.starter(), none, &key(2, 0, 0)).unwrap_err();
    assert!(error.contains("/no/such/program"), "{error}");
}

#[test]
fn a_crash_loop_ends_by_itself_and_says_so() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    let url = started["url"].as_str().unwrap();
    for crashes in 1..=5 {
        eventually("the service", || answers(url));
        let _ = ureq::get(format!("{url}/crash")).call();
        eventually("the next start", || {
            desk.kept().restarts == crashes || desk.kept().state == State::CrashLoop
        });
    }
    let kept = desk.kept();
    assert_eq!((kept.state, kept.restarts, kept.process.clone()), (State::CrashLoop, 4, None), "{kept:?}");
    let health = json!({ "url": url, "service": { "environment": "production", "release": started["release"], "process": started["process"] } });
    let error = desk.call(ops::CheckHealth, health, &key(1, 1, 0)).unwrap_err();
    assert!(
        error.contains("starting 0.1.0")
            && error.contains("(crash loop: it is not started again (exit code 5, after 4 restarts))"),
        "{error}"
    );
    // A supervisor that comes later leaves it down.
    desk.kill_keeper();
    desk.keeper_again();
    assert_eq!((desk.kept().state, answers(url)), (State::CrashLoop, false));
    // Its next start is a new one.
    desk.call(desk.starter(), start("0.1.0", ""), &key(2, 0, 0)).unwrap();
    assert_eq!((desk.kept().state, desk.kept().restarts), (State::Up, 0));
}

#[test]
fn a_candidate_that_was_started_again_is_the_same_candidate() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    kill(pid(&started));
    let health = json!({ "url": started["url"], "health": { "timeout": 20 }, "service": { "environment": "production", "release": started["release"], "process": started["process"] } });
    desk.call(ops::CheckHealth, health, &key(1, 1, 0)).unwrap();
    let Already::Done(found) = desk.already(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)) else {
        panic!()
    };
    assert_ne!(found.process.pid, pid(&started));
    let promote = json!({ "environment": "production", "release": started["release"] });
    let promoted = desk.call(Promote, promote.clone(), &key(1, 2, 0)).unwrap();
    assert_eq!(promoted["process"], json!(found.process));
    assert_eq!(desk.call(Promote, promote, &key(1, 2, 0)).unwrap(), promoted, "twice is once");
    assert!(desk.kept().last_exit.unwrap().starts_with("killed by signal 9"));
}

#[test]
fn what_does_not_end_is_killed_after_its_grace() {
    let desk = Desk::supervised();
    let mut stubborn = start("0.1.0", "");
    stubborn["argv"] = json!(["sh", "-c", "trap '' TERM; sleep 1000 & exec \"$0\"", "{binary}"]);
    let started = desk.call(desk.starter(), stubborn, &key(1, 0, 0)).unwrap();
    let input = json!({ "environment": "production", "grace": 0.3, "which": { "release": { "release": started["release"] } } });
    let stopped = desk.call(ops::StopService, input, &key(2, 0, 0)).unwrap();
    assert_eq!(stopped["stopped"].as_array().unwrap().len(), 1);
    assert!(!alive(pid(&started).into()) && desk.roster().services.is_empty());
    stop_all(&desk.state()).unwrap();
    desk.is_empty();
}

#[test]
fn a_leak_shows_in_what_it_says() {
    let desk = Desk::supervised();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let (_, url) = desk.current().unwrap();
    let resident = || *desk.standing().unwrap().resident.values().next().unwrap();
    let before = resident();
    for _ in 0..2 {
        ureq::get(format!("{url}/leak")).call().unwrap();
    }
    assert!(before > 0 && resident() >= before + (60 << 20), "{before} {}", resident());
    let own = desk.standing().unwrap().own_resident;
    assert!((1..200 << 20).contains(&own), "{own}");
}

#[test]
fn what_was_started_without_a_supervisor_is_taken_over() {
    let mut desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let (_, url) = desk.current().unwrap();
    desk.supervisor = Some(supervisor());
    let started = desk.call(desk.starter(), start("0.2.0", ""), &key(2, 0, 0)).unwrap();
    assert_eq!(desk.roster().services.len(), 2, "{:?}", desk.roster());
    let _ = ureq::get(format!("{url}/crash")).call();
    eventually("the first one again", || answers(&url));
    // Whoever knows no program asks the supervisor that is there all the same.
    desk.supervisor = None;
    let promote = json!({ "environment": "production", "release": started["release"] });
    desk.call(Promote, promote, &key(2, 1, 0)).unwrap();
    assert!(!answers(&url));
    assert_eq!(desk.kept().port, started["port"].as_u64().unwrap() as u16);
}

#[test]
fn a_supervisor_that_cannot_be_started_is_told() {
    let mut desk = Desk::supervised();
    desk.supervisor = Some(Supervisor {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), "echo no room >&2; exit 1".into()],
    });
    let error = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap_err();
    assert!(
        error.contains("`/bin/sh` does not supervise the environment") && error.contains("no room"),
        "{error}"
    );
    assert!(desk.deployments().is_empty());
}
