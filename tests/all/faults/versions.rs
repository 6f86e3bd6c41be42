//! Versions that misbehave.

use std::net::TcpListener;

use super::*;

/// Deploys 2.0.0 beside 1.0.0, which serves on alone. What it says of that is in `told`.
#[track_caller]
fn goes_back(version: Version<'_>, told: &[&str], failed: usize) {
    let scene = Scene::new();
    let load = scene.load();
    scene.deploy(version).exits(1).says(told);
    scene.settled("1.0.0", load, failed);
}

#[test]
fn one_that_is_never_healthy_gets_no_traffic() {
    goes_back(Version::bad("unhealthy", WATCH), &["2.0.0"], 0);
}

#[test]
fn one_whose_port_is_taken_gets_no_traffic() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let with = format!("{WATCH}      production: {{port: {port}}}\n");
    goes_back(Version::bad("", &with), &[&format!("port {port} is taken")], 0);
}

/// Each crash may cut the requests that were under way in it: of three clients, and of looks.
#[test]
fn one_that_is_healthy_and_then_crashes_goes_back() {
    let with =
        WATCH.replace("seconds: 3", "seconds: 60").replace("warm_up: 0", "warm_up: 0, guards: {crashes: 1}");
    goes_back(Version::bad("crashing", &with), &["2.0.0 was rolled back", "1.0.0 has all traffic again"], 9);
}

#[test]
fn one_that_leaks_goes_back() {
    let with =
        WATCH.replace("seconds: 3", "seconds: 60").replace("warm_up: 0", "warm_up: 0, guards: {rss_mb: 150}");
    goes_back(Version::bad("leaking", &with), &["2.0.0 was rolled back", "1.0.0 has all traffic again"], 0);
}

#[test]
fn one_that_is_slow_goes_back() {
    let with = WATCH.replace("seconds: 3", "seconds: 60").replace("step_seconds: 2", "step_seconds: 60");
    goes_back(Version::bad("slow", &with), &["2.0.0 was rolled back", "1.0.0 has all traffic again"], 0);
}

/// What it answers before it is found out are failures that clients see; nobody can take those back.
#[test]
fn one_that_fails_what_it_is_asked_goes_back() {
    let scene = Scene::new();
    let load = scene.load();
    let with = WATCH.replace("canary: [50]", "canary: [10]").replace("seconds: 3", "seconds: 60");
    let said = scene.deploy(Version::bad("failing", &with)).exits(1);
    said.says(&["2.0.0 was rolled back", "1.0.0 has all traffic again"]);
    let tally = load.over();
    assert!(tally.failed.iter().all(|failed| failed == "500 no hello from 2.0.0"), "{tally:?}");
    assert!((tally.failed.len() as u32) < tally.sent / 4, "{tally:?}");
    scene.alone("1.0.0");
    scene.stopped();
}

#[test]
fn one_that_hangs_on_shutdown_is_killed_after_its_grace() {
    let scene = Scene::empty();
    let stubborn = r#"      argv: [sh, -c, "trap '' TERM; exec \"$0\"", "{binary}"]"#.to_owned() + "\n";
    scene.deploy(Version { with: &stubborn, ..Version::good("1.0.0") }).exits(0);
    let load = scene.load();
    scene.deploy(Version { with: "", ..Version::good("2.0.0") }).exits(0);
    scene.settled("2.0.0", load, 0);
}

/// It dies while both have traffic: requests that were under way in it are lost, the others wait until it is started again, or are
/// answered by the other one.
#[test]
fn the_old_one_may_die_during_the_switch() {
    let scene = Scene::new();
    let load = scene.load();
    let mut run = scene.begin(Version::good("2.0.0"));
    scene.watched(&mut run);
    kill(scene.pid("current.json").unwrap(), Signal::KILL);
    over(run).exits(0).says(&["production: 2.0.0 answers at"]);
    scene.settled("2.0.0", load, 3);
}
