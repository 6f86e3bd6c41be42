//! The supervisor dies: no service is lost, none is started twice, and no secret is written down for it.

use super::*;

fn with_secret(version: &str) -> Value {
    let mut input = start(version, "");
    input["env"]["TOKEN"] = json!({ "secret": "API" });
    input
}

/// Changes what the supervisor wrote down; only while there is none.
pub(super) fn rewrite(desk: &Desk, change: impl FnOnce(&mut Kept)) {
    let mut roster = desk.roster();
    change(roster.services.values_mut().next().unwrap());
    std::fs::write(desk.production().join("supervise.json"), serde_json::to_vec(&roster).unwrap()).unwrap();
}

#[test]
fn services_outlive_it_and_the_next_one_adopts_them_with_their_secrets() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), with_secret("0.1.0"), &key(1, 0, 0)).unwrap();
    let url = started["url"].as_str().unwrap();
    let keeper = desk.keeper();
    desk.kill_keeper();
    assert!(answers(url) && alive(pid(&started).into()));
    desk.keeper_again();
    assert_ne!(desk.keeper(), keeper);
    assert_eq!(json!(desk.kept().process), started["process"], "adopted, not started again");
    let _ = ureq::get(format!("{url}/crash")).call();
    eventually("the service again", || answers(url));
    assert!(
        get(&format!("{url}/env")).contains("TOKEN=s3cret"),
        "what it was given is read back from itself"
    );
    for name in ["supervise.json", "supervise.log", "candidate.json"] {
        let text = std::fs::read_to_string(desk.production().join(name)).unwrap();
        assert!(!text.contains("s3cret"), "{name}");
    }
    // An adopted one that ends is noticed as well, and the end of it all is the same.
    assert_eq!(stop_all(&desk.state()).unwrap().len(), 1);
    desk.is_empty();
}

#[test]
fn what_ended_unwatched_needs_its_secrets() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), with_secret("0.1.0"), &key(1, 0, 0)).unwrap();
    desk.kill_keeper();
    kill(pid(&started));
    desk.keeper_again();
    assert_eq!((desk.kept().state, desk.kept().process), (State::NeedsSecrets, None));
    let promote = json!({ "environment": "production", "release": started["release"] });
    assert!(desk.call(Promote, promote, &key(1, 1, 0)).unwrap_err().contains("is not running any more"));
    // Who has them brings them.
    let reinstate = ops::Reinstate { supervisor: desk.supervisor.clone() };
    let input = json!({ "environment": "production", "release": started["release"] });
    let back = desk.call(reinstate, input, &key(2, 0, 0)).unwrap();
    assert!(get(&format!("{}/env", back["url"].as_str().unwrap())).contains("TOKEN=s3cret"));
    assert_eq!(desk.kept().state, State::Up);
}

#[test]
fn what_ended_unwatched_and_has_no_secrets_is_started_again() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    let url = started["url"].as_str().unwrap();
    desk.kill_keeper();
    kill(pid(&started));
    desk.keeper_again();
    eventually("the service again", || answers(url));
    assert!(get(&format!("{url}/env")).contains("VERSION=0.1.0"));
}

/// What writes over its environment cannot be asked what it was given. Where that was no secret, nothing is lost with it.
#[test]
fn what_hides_its_variables_and_has_no_secrets_is_started_again() {
    let hidden = |secret: bool| {
        let desk = Desk::supervised();
        let mut input = if secret { with_secret("0.1.0") } else { start("0.1.0", "") };
        let script = r#"exec env -i PORT="$PORT" VERSION=0.1.0 "$0""#;
        input["argv"] = json!(["sh", "-c", script, "{binary}"]);
        let started = desk.call(desk.starter(), input, &key(1, 0, 0)).unwrap();
        desk.kill_keeper();
        desk.keeper_again();
        assert_eq!(json!(desk.kept().process), started["process"], "adopted, not started again");
        kill(pid(&started));
        (desk, started)
    };
    let (desk, started) = hidden(false);
    eventually("the service again", || answers(started["url"].as_str().unwrap()));
    assert_eq!(desk.kept().state, State::Up);
    let (desk, _) = hidden(true);
    eventually("its end", || desk.kept().process.is_none());
    assert_eq!(desk.kept().state, State::NeedsSecrets);
}

/// Killed between starting a process and writing it down: it is found by what it carries.
#[test]
fn a_process_that_was_not_written_down_is_adopted() {
    let desk = Desk::supervised();
    let mut family = start("0.1.0", "");
    family["argv"] = json!(["sh", "-c", "setsid sleep 1000 & exec \"$0\"", "{binary}"]);
    let started = desk.call(desk.starter(), family, &key(1, 0, 0)).unwrap();
    desk.kill_keeper();
    rewrite(&desk, |kept| kept.process = None);
    desk.keeper_again();
    assert_eq!(json!(desk.kept().process), started["process"]);
    stop_all(&desk.state()).unwrap();
    desk.is_empty();
}

/// Killed between writing down that it starts and starting it: it is started once.
#[test]
fn a_start_that_was_only_written_down_is_made() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    desk.kill_keeper();
    kill(pid(&started));
    eventually("its end", || !alive(pid(&started).into()));
    rewrite(&desk, |kept| (kept.process, kept.state) = (None, State::Up));
    desk.keeper_again();
    eventually("the service", || answers(started["url"].as_str().unwrap()));
    assert_eq!(of_tag(&desk.kept().tag), 1);
}

/// How many processes carry it.
fn of_tag(tag: &str) -> usize {
    let variable = format!("ORCHESTRATE_SERVICE={tag}");
    processes(|said| said.lines().any(|line| line == variable))
}

/// Killed at any moment of a start, a restart and an end, again and again.
fn killed_at_random(rounds: u32) {
    let desk = Desk::supervised();
    for round in 1..=rounds {
        let over = std::sync::atomic::AtomicBool::new(false);
        let roster = desk.production().join("supervise.json");
        let done = std::thread::scope(|scope| {
            let killer = scope.spawn(|| {
                let mut seed = u64::from(round).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                // At most so often: each kill costs a start of the test program.
                for _ in 0..3 {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    std::thread::sleep(Duration::from_millis(seed >> 33 & 63));
                    let found = std::fs::read(&roster)
                        .ok()
                        .and_then(|text| serde_json::from_slice::<Roster>(&text).ok());
                    let keeper =
                        found.and_then(|roster| roster.supervisor).filter(|keeper| alive(keeper.pid.into()));
                    if let Some(pid) = keeper.and_then(|keeper| Pid::from_raw(keeper.pid.cast_signed())) {
                        let _ = kill_process(pid, Signal::KILL);
                    }
                    if over.load(std::sync::atomic::Ordering::SeqCst) {
                        break;
                    }
                }
            });
            let done = desk.call(desk.starter(), start("0.1.0", ""), &key(round, 0, 0));
            over.store(true, std::sync::atomic::Ordering::SeqCst);
            killer.join().unwrap();
            done
        });
        let Ok(started) = done else {
            // It may fail; then nothing of it is left.
            eprintln!("round {round}: {}", done.unwrap_err());
            assert_eq!(of_tag(&format!("production/0.1.0/{}", key(round, 0, 0))), 0);
            continue;
        };
        assert!(answers(started["url"].as_str().unwrap()));
        assert_eq!(of_tag(&format!("production/0.1.0/{}", key(round, 0, 0))), 1, "round {round}");
    }
    stop_all(&desk.state()).unwrap();
    desk.is_empty();
}

#[test]
fn it_is_killed_at_random_moments() {
    killed_at_random(6);
}

#[test]
#[ignore = "long: a hundred rounds; tests/run --long has it"]
fn long_it_is_killed_at_random_moments() {
    killed_at_random(100);
}

#[test]
fn stopping_it_leaves_everything_running() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    let keeper = desk.keeper();
    std::fs::write(desk.state().join("stop-the-supervisor"), "").unwrap();
    eventually("its end", || !alive(keeper.into()));
    std::fs::remove_file(desk.state().join("stop-the-supervisor")).unwrap();
    assert!(answers(started["url"].as_str().unwrap()) && !desk.production().join("supervise.sock").exists());
    assert!(desk.standing().is_none());
    // Ended without a supervisor: the next one must not start it again.
    desk.call(
        ops::StopService,
        json!({ "environment": "production", "which": { "release": { "release": started["release"] } } }),
        &key(2, 0, 0),
    )
    .unwrap();
    assert!(!alive(pid(&started).into()) && desk.roster().services.is_empty());
    desk.keeper_again();
    assert!(desk.standing().unwrap().roster.services.is_empty());
}

#[test]
fn a_port_or_a_binary_that_is_gone_is_waited_for() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    let (url, port) = (started["url"].as_str().unwrap(), started["port"].as_u64().unwrap() as u16);
    desk.kill_keeper();
    kill(pid(&started));
    eventually("its end", || !alive(pid(&started).into()));
    let holder = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let binary = desk.production().join("releases").join(started["release"].as_str().unwrap()).join("app");
    desk.keeper_again();
    eventually("what is wrong", || desk.kept().why.is_some());
    assert_eq!(desk.kept().why.unwrap(), format!("port {port} is taken by another process"));
    std::fs::rename(&binary, binary.with_extension("away")).unwrap();
    drop(holder);
    eventually("the next thing that is wrong", || {
        desk.kept().why.is_some_and(|why| why.starts_with("`app` is gone"))
    });
    assert_eq!(desk.kept().state, State::Waiting);
    std::fs::rename(binary.with_extension("away"), &binary).unwrap();
    eventually("the service again", || answers(url));
    eventually("its record", || desk.kept().why.is_none() && desk.kept().state == State::Up);
}

#[test]
fn a_roster_that_makes_no_sense_loses_nothing() {
    let desk = Desk::supervised();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let before = desk.kept().process;
    desk.kill_keeper();
    std::fs::write(desk.production().join("supervise.json"), "{\"services\": 7").unwrap();
    desk.keeper_again();
    assert_eq!(desk.kept().process, before);
    assert!(desk.production().join("supervise.json.broken").exists());
    assert_eq!(stop_all(&desk.state()).unwrap().len(), 1);
    desk.is_empty();
}

/// A folder that is deleted by mistake takes nothing down. The supervisor writes nothing there any more and ends by itself, also where
/// another one is at home there by then.
#[test]
fn a_folder_that_is_deleted_takes_nothing_down() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    let (url, keeper) = (started["url"].as_str().unwrap(), desk.keeper());
    std::fs::remove_dir_all(desk.state()).unwrap();
    assert!(answers(url) && desk.standing().is_none());
    let second = desk.call(desk.starter(), start("0.2.0", ""), &key(2, 0, 0)).unwrap();
    assert_ne!(desk.keeper(), keeper, "who makes the folder anew gets a supervisor of its own");
    eventually("the end of the one without a folder", || !alive(keeper.into()));
    assert!(answers(url) && alive(pid(&started).into()), "it ended alone");
    assert!(desk.standing().is_some(), "the socket of the other one is where it was");
    assert_eq!(json!(desk.kept().process), second["process"], "and so is its record");
    // Nobody starts it again.
    let _ = ureq::get(format!("{url}/crash")).call();
    eventually("its end", || !alive(pid(&started).into()));
    assert!(answers(second["url"].as_str().unwrap()));
}

#[test]
fn nothing_is_made_anew_in_a_folder_that_was_deleted() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    let keeper = desk.keeper();
    std::fs::remove_dir_all(desk.state()).unwrap();
    let _ = ureq::get(format!("{}/crash", started["url"].as_str().unwrap())).call();
    eventually("the end of the supervisor", || !alive(keeper.into()));
    assert!(!desk.state().exists() && !alive(pid(&started).into()));
}

/// Its disk was full when the service was started again, so what it wrote down is older than what runs.
#[test]
fn what_runs_is_adopted_where_an_earlier_process_is_on_record() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), with_secret("0.1.0"), &key(1, 0, 0)).unwrap();
    desk.kill_keeper();
    rewrite(&desk, |kept| {
        kept.state = State::Up;
        kept.process.as_mut().unwrap().started -= 1;
    });
    desk.keeper_again();
    assert_eq!((json!(desk.kept().process), desk.kept().state), (started["process"].clone(), State::Up));
    assert!(answers(started["url"].as_str().unwrap()));
}

#[test]
fn the_last_end_is_told_and_not_an_earlier_one() {
    let desk = Desk::supervised();
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    desk.kill_keeper();
    kill(pid(&started));
    eventually("its end", || !alive(pid(&started).into()));
    rewrite(&desk, |kept| kept.last_exit = Some("exit code 5".into()));
    desk.keeper_again();
    assert_eq!(desk.kept().last_exit.as_deref(), Some("it ended while no supervisor watched"));
}
