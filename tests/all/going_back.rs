//! `orchestrate deploy rollback|switch|stop` where everything that looked after an environment is gone: the real proxy, real kills.

use std::process::Stdio;

use serde_json::Value;

use super::deploying::{ask, current, deploy, folder, json, watched};
use super::support::{Folder, ended, inside, until};

/// A folder whose deployments go through a proxy on that port, with a watch where `watch` says so.
fn proxied(watch: &str) -> (Folder, u16) {
    let folder = folder();
    let port = orchestrator_traffic::ports::pick().unwrap();
    let more =
        format!("      backup: false\n      proxy: {{listen: \"127.0.0.1:{port}\", drain: 5}}\n{watch}");
    let file = folder.read("orchestration.yaml").replace("      backup: false\n", &more);
    folder.write("orchestration.yaml", &file);
    (folder, port)
}

fn record(folder: &Folder, name: &str) -> Option<Value> {
    let path = folder.path().join(".orchestrate/deploy/production").join(name);
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn kill(pid: u64) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // One that is gone is as wanted.
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// What clients get.
fn version(port: u16) -> String {
    ask(port).unwrap_or_else(|error| error.to_string()).lines().last().unwrap_or_default().to_owned()
}

/// The run, its supervisor and its proxy die in the middle of a canary from 2.0.0 to 3.0.0; before that 1.0.0 counted.
fn cut_in_the_canary() -> (Folder, u16) {
    let (folder, port) = proxied("      watch: {seconds: 600, canary: [50], warm_up: 0}\n");
    watched(&folder, "1.0.0", "promote").exits(0);
    watched(&folder, "2.0.0", "promote").exits(0);
    let file = folder.read("orchestration.yaml").replace("version: 2.0.0}", "version: 3.0.0}");
    folder.write("orchestration.yaml", &file);
    let mut command = folder.program("run --phase deployment --ceiling publishes");
    let command = command.env("DEPLOY_TO_PRODUCTION", "true").stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = command.spawn().unwrap();
    let shares = || {
        let status = json(&folder, "deploy status");
        status["environments"][0]["traffic"]["shares"].as_object().map_or(0, serde_json::Map::len)
    };
    until("the canary", || shares() == 2);
    run.kill().unwrap();
    run.wait().unwrap();
    let roster = record(&folder, "supervise.json").unwrap();
    kill(roster["supervisor"]["pid"].as_u64().unwrap());
    kill(roster["proxy"]["process"]["pid"].as_u64().unwrap());
    until("the end of the proxy", || ask(port).is_err());
    (folder, port)
}

/// One command goes back to the version that counts, and not one too far. What was stopped afterwards comes back behind its proxy.
#[test]
fn a_rollback_needs_nobody_who_lived_through_the_canary() {
    let (folder, port) = cut_in_the_canary();
    folder.orchestrate("deploy rollback").exits(0).says(&["production: 2.0.0 has all traffic"]);
    assert_eq!((current(&folder), version(port)), ("2.0.0".into(), "hello from 2.0.0".into()));
    let service = &json(&folder, "deploy status")["environments"][0]["services"][0];
    assert!(service["kept"]["resident"].as_u64().unwrap() > 0, "{service}");

    folder.orchestrate("deploy stop").exits(0).says(&["stopped production 2.0.0"]);
    assert!(ask(port).is_err(), "the proxy went with it, and stays away");
    folder.orchestrate("deploy switch 2.0.0").exits(0).says(&["answers at", &port.to_string()]);
    assert_eq!(version(port), "hello from 2.0.0");
    folder.orchestrate("deploy stop").exits(0);
}

/// As after a power failure: what its journal undoes brings back the version that counts, and its proxy.
#[test]
fn a_run_is_taken_back_whose_machine_died_in_the_canary() {
    let (folder, port) = cut_in_the_canary();
    for pid in inside(folder.path()) {
        kill(pid.into());
    }
    until("the end of all", || inside(folder.path()).is_empty());
    folder.orchestrate("rollback --yes").exits(0);
    assert_eq!((current(&folder), version(port)), ("2.0.0".into(), "hello from 2.0.0".into()));
    let status = json(&folder, "deploy status");
    assert_eq!(status["environments"][0]["services"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(record(&folder, "claim.json"), None);
    folder.orchestrate("deploy stop").exits(0);
}

/// A rollback that is told to a run that watches waits for it, and ends with what became of it.
#[test]
fn a_rollback_waits_for_the_run_that_goes_back() {
    let (folder, port) = proxied("      watch: {seconds: 600, canary: [50], warm_up: 0}\n");
    watched(&folder, "1.0.0", "promote").exits(0);
    let begin = |version: &str| {
        let file = folder.read("orchestration.yaml");
        let at = file.find("vars: {version:").unwrap();
        folder.write("orchestration.yaml", &format!("{}vars: {{version: {version}}}\n", &file[..at]));
        let mut command = folder.program("run --phase deployment --ceiling publishes");
        let command = command.env("DEPLOY_TO_PRODUCTION", "true").stdout(Stdio::null()).stderr(Stdio::null());
        let run = command.spawn().unwrap();
        let shares = || {
            let status = json(&folder, "deploy status");
            status["environments"][0]["traffic"]["shares"].as_object().map_or(0, serde_json::Map::len)
        };
        until("the canary", || shares() == 2);
        run
    };
    let mut run = begin("2.0.0");
    folder.orchestrate("deploy rollback").exits(0).says(&[
        "it is told to go back",
        "2.0.0 was rolled back: ",
        "1.0.0 has all traffic again",
    ]);
    // It is so when the command has ended, not some time later.
    assert_eq!((current(&folder), version(port)), ("1.0.0".into(), "hello from 1.0.0".into()));
    assert_eq!(run.wait().unwrap().code(), Some(1));

    let mut run = begin("3.0.0");
    let told = json(&folder, "deploy rollback --wait=2m");
    assert_eq!(
        (&told["verdict"], &told["environment"]),
        (&"rolled back".into(), &"production".into()),
        "{told}"
    );
    assert_eq!(run.wait().unwrap().code(), Some(1));

    // One that stands still hears nothing: the wait has an end.
    let mut run = begin("4.0.0");
    let pid = rustix::process::Pid::from_raw(i32::try_from(run.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    folder.orchestrate("deploy rollback --wait=1s").exits(1).says(&["has not gone back within 1 s"]);
    // It dies while it is waited for: the rollback is done here.
    let waits = {
        let mut command = folder.program("deploy rollback --wait=2m");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    std::thread::sleep(std::time::Duration::from_secs(1));
    run.kill().unwrap();
    run.wait().unwrap();
    ended(waits)
        .exits(0)
        .says(&["ended before it went back; the rollback is done here", "1.0.0 has all traffic"]);
    assert_eq!((current(&folder), version(port)), ("1.0.0".into(), "hello from 1.0.0".into()));
    folder.orchestrate("deploy stop").exits(0);
}

/// The proxy is ordered otherwise: it listens elsewhere from then on.
#[test]
fn a_proxy_that_is_kept_follows_the_pipeline() {
    let (folder, port) = proxied("");
    deploy(&folder, "1.0.0").exits(0);
    assert_eq!(version(port), "hello from 1.0.0");
    let other = orchestrator_traffic::ports::pick().unwrap();
    let file = folder.read("orchestration.yaml").replace(&port.to_string(), &other.to_string());
    folder.write("orchestration.yaml", &file);
    deploy(&folder, "2.0.0").exits(0).says(&[&format!("http://127.0.0.1:{other}")]);
    assert_eq!(version(other), "hello from 2.0.0");
    assert!(ask(port).is_err());
    folder.orchestrate("deploy stop").exits(0);
}
