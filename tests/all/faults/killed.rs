//! Who takes part in a deployment is killed in the middle of it.

use std::process::Stdio;
use std::time::Duration;

use super::*;
use crate::support::program;

fn is_there(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

fn killed(pid: u32) {
    kill(pid, Signal::KILL);
    until("its end", || !is_there(pid));
}

/// What was under way in the proxy is lost with it: of each client one request for each kill. Nobody is refused, and the deployment passes.
#[test]
fn the_proxy_is_killed_in_the_middle_of_a_switch() {
    let scene = Scene::new();
    let load = scene.load();
    let mut run = scene.begin(Version::good("2.0.0"));
    scene.watched(&mut run);
    let first = scene.proxy().unwrap();
    killed(first);
    until("another one", || scene.proxy().is_some_and(|pid| pid != first && is_there(pid)));
    killed(scene.proxy().unwrap());
    over(run).exits(0).says(&["production: 2.0.0 answers at"]);
    scene.settled("2.0.0", load, 6);
}

/// Nobody notices; what the deployment orders after that starts the next one.
#[test]
fn the_supervisor_is_killed_in_the_middle_of_a_switch() {
    let scene = Scene::new();
    let load = scene.load();
    let mut run = scene.begin(Version::good("2.0.0"));
    scene.watched(&mut run);
    killed(scene.supervisor().unwrap());
    over(run).exits(0).says(&["production: 2.0.0 answers at"]);
    scene.deploy(Version { with: "", ..Version::good("3.0.0") }).exits(0);
    assert!(scene.supervisor().is_some_and(is_there));
    scene.settled("3.0.0", load, 0);
}

/// Supervisor and proxy at once: whoever comes next has nobody to get the sockets from, so clients are refused until then. The watch, which
/// sees no traffic any more, puts both back and goes on.
#[test]
fn both_are_killed_in_the_middle_of_a_switch() {
    let scene = Scene::new();
    let load = scene.load();
    let mut run = scene.begin(Version::good("2.0.0"));
    scene.watched(&mut run);
    let proxy = scene.proxy().unwrap();
    killed(scene.supervisor().unwrap());
    killed(proxy);
    over(run).exits(0).says(&["production: 2.0.0 answers at"]);
    drop(load);
    scene.alone("2.0.0");
    assert!(scene.supervisor().is_some_and(is_there) && scene.proxy() != Some(proxy));
    scene.stopped();
}

/// The folder of the environment is deleted: nothing that serves is ended, and the supervisor ends alone.
#[test]
fn the_folder_is_deleted() {
    let scene = Scene::new();
    let load = scene.load();
    let (supervisor, proxy) = (scene.supervisor().unwrap(), scene.proxy().unwrap());
    std::fs::remove_dir_all(scene.folder.path().join(".orchestrate")).unwrap();
    until("the end of the supervisor", || !is_there(supervisor));
    assert!(is_there(proxy) && ask(scene.port).unwrap().version() == Some("1.0.0"));
    assert!(!scene.folder.path().join(".orchestrate").exists(), "nothing was made there");
    let tally = load.over();
    assert!(tally.sent > 20 && tally.failed.is_empty(), "{tally:?}");
    // Nobody knows them any more; a person ends them. Here the folder of the test does.
    let folder = scene.folder.path().to_owned();
    drop(scene);
    assert!(naming(&folder).is_empty() && inside(&folder).is_empty());
}

/// A record that makes no sense: the service and the proxy are found by what they carry, and kept.
#[test]
fn the_record_of_the_supervisor_is_damaged() {
    let scene = Scene::new();
    let load = scene.load();
    let proxy = scene.proxy().unwrap();
    killed(scene.supervisor().unwrap());
    std::fs::write(scene.place().join("supervise.json"), "{\"services\": 7").unwrap();
    let mut command = scene.folder.program("supervise --environment production");
    let mut keeper = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the proxy is kept", || scene.proxy() == Some(proxy));
    let up = || scene.record("supervise.json")["proxy"]["state"] == "up";
    let log = scene.place().join("supervise.log");
    until("its sockets are held", || std::fs::read_to_string(&log).unwrap().contains("proxy: adopted"));
    killed(proxy);
    until("another one", || scene.proxy().is_some_and(|pid| pid != proxy) && up());
    // Clients meet that one, too.
    std::thread::sleep(Duration::from_secs(1));
    scene.settled("1.0.0", load, 3);
    keeper.wait().unwrap();
}

/// How a deployment whose process was killed goes on.
#[derive(Debug, Clone, Copy)]
enum After {
    Resumed,
    TakenOver,
}

/// Kills the program when its journal has so many records; whether it came to that.
fn killed_after(records: usize, after: After) -> bool {
    println!("killed after {records} records, {after:?}");
    let scene = Scene::new();
    let load = scene.load();
    let before = runs(&scene);
    let mut run = scene.begin(Version::good("2.0.0"));
    let mut over = None;
    until("that record", || {
        over = run.try_wait().unwrap();
        over.is_some() || written(&scene, &before) >= records
    });
    let _ = run.kill();
    run.wait().unwrap();
    let version = match (over, after) {
        (Some(_), _) => "2.0.0",
        (None, After::Resumed) => {
            let resumed = output(program(scene.folder.path(), ["resume"]));
            // It ended just before it was killed.
            let ended = resumed.code == Some(2) && resumed.err.contains("no run is left to resume");
            if !ended {
                resumed.exits(0);
            }
            "2.0.0"
        }
        (None, After::TakenOver) => {
            scene.deploy(Version::good("3.0.0")).exits(0);
            "3.0.0"
        }
    };
    scene.settled(version, load, 0);
    over.is_none()
}

fn runs(scene: &Scene) -> Vec<PathBuf> {
    let runs = std::fs::read_dir(scene.folder.path().join(".orchestrate/runs")).unwrap();
    runs.map(|run| run.unwrap().path()).collect()
}

/// How many records the run has that was not there before.
fn written(scene: &Scene, before: &[PathBuf]) -> usize {
    let new = runs(scene).into_iter().find(|run| !before.contains(run));
    let journal = new.and_then(|run| std::fs::read(run.join("journal.jsonl")).ok()).unwrap_or_default();
    journal.split(|byte| *byte == b'\n').count() - 1
}

/// In the first look of the watch, and at a boundary before it that moves with the day.
#[test]
fn the_orchestrator_is_killed_at_some_boundaries() {
    let day = jiff::Timestamp::now().as_second() / 86_400;
    let early = 2 + usize::try_from(day % 12).unwrap();
    killed_after(early, After::Resumed);
    killed_after(early + 4, After::TakenOver);
    killed_after(early + 14, After::Resumed);
    killed_after(early + 20, After::TakenOver);
}

#[test]
#[ignore = "long: each boundary of a deployment; tests/run --long has it"]
fn long_the_orchestrator_is_killed_at_any_boundary() {
    for (turn, records) in (1..).enumerate() {
        let after = if turn % 2 == 0 { After::Resumed } else { After::TakenOver };
        if !killed_after(records, after) {
            assert!(records > 20, "a deployment has more records than {records}");
            break;
        }
    }
}
