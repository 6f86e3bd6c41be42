//! The wall clock jumps during a watch, for the orchestrator, the supervisor and the proxy: nothing is promoted early, and nothing hangs.

use std::process::{Child, Command, Stdio};

use super::*;

/// Where Debian and others keep the library that gives a process another clock.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// A wall clock that can be set; the monotonic one stays as it is, as on a real machine.
struct Clock(PathBuf);

impl Clock {
    fn new(scene: &Scene) -> Self {
        let clock = Self(scene.folder.path().join("clock"));
        clock.set("+0");
        clock
    }

    fn set(&self, to: &str) {
        let fresh = self.0.with_extension("new");
        std::fs::write(&fresh, format!("{to}\n")).unwrap();
        std::fs::rename(fresh, &self.0).unwrap();
    }

    fn on<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let library = LIBRARIES.iter().find(|path| Path::new(path).exists());
        command
            .env("LD_PRELOAD", library.expect("libfaketime: install `faketime`"))
            .env("FAKETIME_TIMESTAMP_FILE", &self.0)
            .env("FAKETIME_NO_CACHE", "1")
            .env("NO_FAKE_STAT", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}

impl Scene {
    /// A proxy and a supervisor by that clock: what a supervisor starts by itself gets the allow-list only.
    fn kept_by(&self, clock: &Clock) -> [Child; 2] {
        std::fs::create_dir_all(self.place()).unwrap();
        let started = |args: &str| -> Child {
            let mut command = self.folder.program(args);
            // As the supervisor marks a proxy, so that `deploy stop` ends this one too.
            let tag = format!("production/proxy/{}", self.place().display());
            if args.starts_with("proxy") {
                command.env("ORCHESTRATE_SERVICE", tag);
            }
            clock.on(&mut command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let folder = self.place().join("proxy");
        let proxy = started(&format!("proxy --folder {} --listen 127.0.0.1:{}", folder.display(), self.port));
        until("the proxy", || folder.join("control.sock").exists());
        let keeper = started("supervise --environment production");
        until("the supervisor", || self.place().join("supervise.sock").exists());
        [proxy, keeper]
    }
}

fn jumps(first: &str, second: &str, mode: &str) -> (Scene, Load, Said) {
    let scene = Scene::empty();
    let clock = Clock::new(&scene);
    let [mut proxy, mut keeper] = scene.kept_by(&clock);
    std::thread::spawn(move || (proxy.wait(), keeper.wait()));
    scene.deploy(Version { with: "", ..Version::good("1.0.0") }).exits(0);

    let load = scene.load();
    let with = WATCH
        .replace("seconds: 3", "seconds: 6")
        .replace("warm_up: 0", "warm_up: 0, guards: {health_failures: 3}");
    scene.write(Version { name: "2.0.0", mode, with: &with });
    let mut command = scene.command();
    let mut run = clock.on(&mut command).spawn().unwrap();
    scene.watched(&mut run);
    clock.set(first);
    let looks = scene.looks();
    until("more looks", || scene.looks() > looks + 2 || run.try_wait().unwrap().is_some());
    assert!(run.try_wait().unwrap().is_none(), "a jump ended the watch");
    clock.set(second);
    let said = over(run);
    assert!(spread(&scene) >= 3_000, "the clock did not jump: {} s", spread(&scene));
    (scene, load, said)
}

/// Seconds between the earliest and the latest time that the supervisor and the proxy wrote down. The times of a run are steady from its
/// beginning on.
fn spread(scene: &Scene) -> i64 {
    let log = std::fs::read_to_string(scene.place().join("supervise.log")).unwrap();
    let requests = std::fs::read_to_string(scene.place().join("proxy/access.log")).unwrap();
    let records = requests.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let times = records.filter_map(|record| record["at"].as_str().map(str::to_owned));
    let times = times.chain(log.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)));
    let seconds: Vec<i64> = times
        .filter_map(|time| time.parse::<jiff::Timestamp>().ok())
        .map(jiff::Timestamp::as_second)
        .collect();
    seconds.iter().max().unwrap() - seconds.iter().min().unwrap()
}

/// The time between the first and the last look, in milliseconds, by the clock that nobody sets.
fn watched_for(scene: &Scene) -> u64 {
    let found = std::fs::read_dir(scene.place().join("watch")).unwrap().map(|entry| entry.unwrap().path());
    let recording =
        found.filter(|path| path.to_string_lossy().contains("2.0.0-")).max().expect("a recording");
    let text = std::fs::read_to_string(recording).unwrap();
    let times: Vec<u64> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|line| time(&line))
        .collect();
    assert!(times.windows(2).all(|two| two[0] <= two[1]), "it never goes back: {times:?}");
    times.last().unwrap() - times.first().unwrap()
}

/// How many looks the recording of 2.0.0 has.
fn looks_of(scene: &Scene) -> usize {
    let found = std::fs::read_dir(scene.place().join("watch")).unwrap().map(|entry| entry.unwrap().path());
    let recording =
        found.filter(|path| path.to_string_lossy().contains("2.0.0-")).max().expect("a recording");
    let text = std::fs::read_to_string(recording).unwrap();
    text.lines().filter(|line| line.contains("\"sample\"")).count()
}

/// The clock of a sample, wherever it stands in its line.
fn time(value: &Value) -> Option<u64> {
    let object = value.as_object()?;
    let own = object.get("clock").and_then(|clock| clock["ms"].as_u64());
    own.or_else(|| object.values().find_map(time))
}

#[test]
#[ignore = "needs libfaketime; tests/run has it"]
fn needs_faketime_an_hour_forward_promotes_nothing_early() {
    let (scene, load, said) = jumps("+3600", "+0", "");
    said.exits(0).says(&["production: 2.0.0 answers at"]);
    // Two seconds of the first share, six of all.
    assert!(watched_for(&scene) >= 7_000, "{}", watched_for(&scene));
    scene.settled("2.0.0", load, 0);
}

/// A version that falls ill after the clock jumped goes back all the same, and as soon.
fn falls_ill(jump: &str) {
    let scene = Scene::empty();
    let clock = Clock::new(&scene);
    let [mut proxy, mut keeper] = scene.kept_by(&clock);
    std::thread::spawn(move || (proxy.wait(), keeper.wait()));
    scene.deploy(Version { with: "", ..Version::good("1.0.0") }).exits(0);
    let load = scene.load();
    let sick = scene.folder.path().join("sick");
    let with = WATCH.replace("seconds: 3", "seconds: 600");
    let mut version = Version::bad("sick", &with);
    let more = format!("      env: {{VERSION: \"{{version}}\", MODE: sick, SICK: \"{}\"}}\n", sick.display());
    version.name = "2.0.0";
    scene.write(version);
    let file = scene.folder.read("orchestration.yaml");
    let own = file.lines().find(|line| line.trim_start().starts_with("env:")).unwrap().to_owned();
    scene.folder.write("orchestration.yaml", &file.replace(&format!("{own}\n"), &more));
    let mut command = scene.command();
    let mut run = clock.on(&mut command).spawn().unwrap();
    scene.watched(&mut run);
    clock.set(jump);
    let looks = scene.looks();
    until("more looks", || scene.looks() > looks + 2 || run.try_wait().unwrap().is_some());
    assert!(run.try_wait().unwrap().is_none(), "a jump ended the watch");
    let before = looks_of(&scene);
    std::fs::write(&sick, "").unwrap();
    let said = over(run);
    said.exits(1).says(&["2.0.0 was rolled back", "3 health checks failed", "1.0.0 has all traffic again"]);
    // Three that failed are enough; one or two may have been under way, and the last is told with its decision.
    assert!(looks_of(&scene) <= before + 8, "{before} looks, then {}", looks_of(&scene));
    assert!(spread(&scene) >= 3_000, "the clock did not jump: {} s", spread(&scene));
    scene.settled("1.0.0", load, 0);
}

#[test]
#[ignore = "needs libfaketime; tests/run has it"]
fn needs_faketime_a_bad_version_goes_back_after_an_hour_forward() {
    falls_ill("+3600");
}

#[test]
#[ignore = "needs libfaketime; tests/run has it"]
fn needs_faketime_a_bad_version_goes_back_after_an_hour_back() {
    falls_ill("-3600");
}

#[test]
#[ignore = "needs libfaketime; tests/run has it"]
fn needs_faketime_an_hour_back_keeps_nobody_waiting() {
    let (scene, load, said) = jumps("-3600", "-7200", "");
    said.exits(0).says(&["production: 2.0.0 answers at"]);
    assert!(watched_for(&scene) >= 7_000, "{}", watched_for(&scene));
    scene.settled("2.0.0", load, 0);
}
