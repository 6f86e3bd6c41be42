//! Another version of this program than the one that was brought.

use super::*;

impl Near {
    pub(super) fn prepare(&self, desk: &Desk, program: &Path) -> Result<Value, String> {
        let input = json!({ "host": self.host(), "environment": "production" });
        desk.call(ops::PrepareHost { program: Some(program.to_owned()) }, input, &key(1, 0, 0))
    }
}

fn asking(desk: &Desk, program: &Path) -> Asking {
    Asking { root: desk.folder.path().into(), env: desk.env.clone(), program: Some(program.to_owned()) }
}

#[test]
fn a_program_that_a_crash_left_empty_or_damaged_is_brought_again() {
    let near = Near::new();
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    let mut programs = std::fs::read_dir(near.at("home/.cache/orchestrate/bin")).unwrap().flatten();
    let (path, whole) = (programs.next().unwrap().path(), std::fs::read(near.at("program")).unwrap());
    assert_eq!(near.prepare(&desk, &near.at("program")).unwrap()["brought"], json!(0));
    for damaged in ["", "\0\0\0\0\0\0\0\0", "#!/bin/sh\nkill -SEGV $$\n"] {
        ops::closed(&near.config());
        std::fs::write(&path, damaged).unwrap();
        let prepared = near.prepare(&desk, &near.at("program")).unwrap();
        assert_eq!(prepared["brought"], json!(whole.len()), "{damaged:?}");
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn what_ended_on_a_host_and_comes_back_is_there_again() {
    let near = Near::new();
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    let ended = || hosts(&desk.state()).unwrap().remove(0).1.ended;
    let stop = json!({ "environment": "production", "which": "all" });
    desk.call(near.act(), near.on("stop-service", stop), &key(2, 0, 0)).unwrap();
    assert!(ended());
    let claim = near.on("claim-environment", json!({ "environment": "production", "version": "0.1.0" }));
    desk.call(near.act(), claim.clone(), &key(3, 0, 0)).unwrap();
    assert!(!ended());
    // Where it runs on this machine meanwhile, it is in one place all the same.
    std::fs::remove_file(desk.state().join("deploy/production/host.json")).unwrap();
    let started =
        desk.call(ops::StartService { supervisor: None }, start("0.1.0", ""), &key(4, 0, 0)).unwrap();
    let promote = json!({ "environment": "production", "release": started["release"], "grace": 5 });
    desk.call(ops::Promote, promote, &key(4, 0, 1)).unwrap();
    let said = desk.call(near.act(), claim, &key(5, 0, 0)).unwrap_err();
    assert!(said.contains("production is deployed to this machine"), "{said}");
}

#[test]
fn another_way_to_the_same_host_is_taken_over() {
    let near = Near::new();
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    let prepare = |host: &Value| {
        let input = json!({ "host": host, "environment": "production" });
        desk.call(ops::PrepareHost { program: Some(near.at("program")) }, input, &key(2, 0, 0))
    };
    let mut host = near.host();
    host["config"] = json!(near.at("another").display().to_string());
    prepare(&host).unwrap();
    assert_eq!(serde_json::to_value(hosts(&desk.state()).unwrap().remove(0).1.host).unwrap(), host);
    let _closed = Closed(near.at("another"));
    host["folder"] = json!("srv/other");
    let said = prepare(&host).unwrap_err();
    assert!(
        said.contains("production is deployed to folder `srv/shop` of host `near1`: end it there"),
        "{said}"
    );
}

/// Connections over another configuration.
struct Closed(PathBuf);

impl Drop for Closed {
    fn drop(&mut self) {
        ops::closed(&self.0.display().to_string());
    }
}

/// Whoever asks first and then acts, as `deploy switch` does, is told by name there.
#[test]
fn who_asked_before_is_who_acts() {
    let near = Near::new();
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    let (environment, record) = hosts(&desk.state()).unwrap().remove(0);
    kept_on(&asking(&desk, &near.at("program")), &environment, &record).unwrap();
    let input = near.on("claim-environment", json!({ "environment": "production", "version": "0.1.0" }));
    let claimed = desk.call(near.act(), input, &key(2, 0, 0)).unwrap();
    assert!(claimed["claim"]["owner"].as_str().unwrap().starts_with("ada@"), "{claimed}");
}

#[test]
fn a_program_that_was_never_brought_is_not_recorded() {
    let near = Near::new();
    let desk = near.desk();
    let newer = near.write_program("newer", "newer");
    near.prepare(&desk, &near.at("program")).unwrap();
    let programs = || std::fs::read_dir(near.at("home/.cache/orchestrate/bin")).unwrap().flatten().count();
    assert_eq!(programs(), 1);
    // As `deploy switch` does after an upgrade: first it asks, which the program of old answers, then it prepares the host.
    let (environment, record) = hosts(&desk.state()).unwrap().remove(0);
    assert!(kept_on(&asking(&desk, &newer), &environment, &record).unwrap().is_empty());
    let prepared = near.prepare(&desk, &newer).unwrap();
    assert_eq!(programs(), 2, "{prepared}");
    // Another process has no connection that is kept.
    ops::closed(&near.config());
    let (environment, record) = hosts(&desk.state()).unwrap().remove(0);
    let brought = record.brought.clone().unwrap();
    assert!(near.at("home/.cache/orchestrate/bin").join(&brought).exists(), "{brought}");
    assert!(kept_on(&asking(&desk, &newer), &environment, &record).unwrap().is_empty());
}

/// Other hosts of the environment may have to go back meanwhile.
#[test]
fn a_host_that_takes_long_to_prepare_keeps_nobody_waiting() {
    let near = Near::new();
    let desk = near.desk();
    near.is_reached_by("touch asked; while [ ! -e go ]; do sleep 0.05; done; exec sh -c \"$last\"");
    let place = desk.state().join("deploy/production");
    std::fs::create_dir_all(&place).unwrap();
    let lock = std::fs::File::create(place.join("lock")).unwrap();
    std::thread::scope(|scope| {
        let prepared = scope.spawn(|| near.prepare(&desk, &near.at("program")));
        eventually("the question", || near.at("home/asked").exists());
        let is_free = lock.try_lock().is_ok();
        lock.unlock().unwrap();
        std::fs::write(near.at("home/go"), "").unwrap();
        prepared.join().unwrap().unwrap();
        assert!(is_free, "the environment was locked");
    });
    assert!(desk.state().join("deploy/production/host.json").exists());
}

/// What a login leaves in the background holds what it was given.
#[test]
fn who_stays_in_the_background_keeps_nobody_waiting() {
    let near = Near::new();
    let desk = near.desk();
    near.is_reached_by("sleep 60 >&2 & echo $! >> stay; exec sh -c \"$last\"");
    near.prepare(&desk, &near.at("program")).unwrap();
    let stay = std::fs::read_to_string(near.at("home/stay")).unwrap();
    let stay: Vec<u64> = stay.lines().map(|pid| pid.parse().unwrap()).collect();
    assert!(stay.len() > 1 && stay.iter().all(|pid| alive(*pid)), "{stay:?} were waited for");
}
