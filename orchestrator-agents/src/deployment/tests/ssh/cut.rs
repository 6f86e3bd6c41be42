//! Connections that are cut, and ends of them that die or hang, while something is under way: it is done once, or said.

use super::*;

fn act(host: &Host) -> ops::ActOnHost {
    ops::ActOnHost { program: Some(host.at("program")) }
}

fn on(host: &Host, operation: &str, input: Value, brings: Value) -> Value {
    json!({ "host": { "name": "web1", "folder": "srv/shop", "config": host.config() }, "environment": "production",
        "operation": operation, "input": input, "brings": brings })
}

fn prepared(host: &Host, desk: &Desk) {
    let input = json!({ "host": { "name": "web1", "folder": "srv/shop", "config": host.config() }, "environment": "production" });
    desk.call(ops::PrepareHost { program: Some(host.at("program")) }, input, &key(1, 0, 0)).unwrap();
}

/// A service that takes a while until it listens.
fn slow(version: &str) -> Value {
    let mut input = start(version, "");
    input["argv"] = json!(["sh", "-c", "sleep 2; exec \"$0\"", "{binary}"]);
    input
}

fn killed_under_way(of: &str) {
    let host = Host::new();
    let desk = host.desk();
    prepared(&host, &desk);
    let order = on(
        &host,
        "start-service",
        slow("0.1.0"),
        json!([{ "path": "target/release/app", "into": "/artifact" }]),
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("a start under way", || {
                std::fs::read_dir(host.state().join("deploy/production/releases"))
                    .is_ok_and(|all| all.count() > 0)
            });
            for pid in host.processes(of) {
                signal(pid, Signal::KILL);
            }
        });
        let started = desk.call(act(&host), order, &key(2, 0, 0)).unwrap();
        eventually("an answer", || answers(started["url"].as_str().unwrap()));
    });
    assert_eq!(host.alive(), ["0.1.0"]);
    let tag = "ORCHESTRATE_SERVICE=production/0.1.0/";
    let run = key(2, 0, 0).run.to_string();
    let count = || {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter(|entry| {
            let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let environ = String::from_utf8_lossy(&environ).into_owned();
            environ.contains(tag) && environ.contains(&run)
        })
        .count()
    };
    assert_eq!(count(), 1, "it runs once");
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_connection_that_is_cut_under_way_is_made_again() {
    killed_under_way("sshd");
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_program_that_is_killed_on_the_host_is_started_again() {
    killed_under_way("perform");
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_cut_in_the_middle_of_an_upload_leaves_nothing_that_counts() {
    let host = Host::new();
    host.write_program(64 << 20);
    let desk = host.desk();
    let folder = host.at("home/.cache/orchestrate/bin");
    let names = || -> Vec<(String, u64)> {
        let all = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        all.map(|entry| {
            (entry.file_name().into_string().unwrap(), entry.metadata().map_or(0, |found| found.len()))
        })
        .collect()
    };
    let (uploading, cut) =
        (std::sync::atomic::AtomicBool::new(true), std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while uploading.load(std::sync::atomic::Ordering::SeqCst) {
                if names().iter().any(|(name, bytes)| name.starts_with('.') && *bytes > 1 << 20) {
                    let home = host.at("home").display().to_string();
                    let readers = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
                        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
                        let environ = std::fs::read(entry.path().join("environ")).ok()?;
                        let comm = std::fs::read_to_string(entry.path().join("comm")).ok()?;
                        (comm.trim() == "sh" && String::from_utf8_lossy(&environ).contains(&home))
                            .then_some(pid)
                    });
                    for shell in readers.collect::<Vec<_>>() {
                        let stat = std::fs::read_to_string(format!("/proc/{shell}/stat")).unwrap_or_default();
                        let parent =
                            stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
                        if let Some(parent) = parent {
                            signal(parent, Signal::KILL);
                        }
                    }
                    cut.store(true, std::sync::atomic::Ordering::SeqCst);
                    return;
                }
            }
        });
        prepared(&host, &desk);
        uploading.store(false, std::sync::atomic::Ordering::SeqCst);
    });
    assert!(cut.load(std::sync::atomic::Ordering::SeqCst), "nothing was cut");
    eventually("only the whole program", || {
        let names = names();
        names.len() == 1 && !names[0].0.starts_with('.') && names[0].1 > 64 << 20
    });
    desk.deploy(3, to(&host, "0.1.0", "")).unwrap();
}

/// A host that hangs is not waited for without end: another connection is made, or it is said.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_host_that_hangs_is_bounded() {
    let mut host = Host::new();
    let desk = host.desk();
    desk.deploy(1, to(&host, "0.1.0", "")).unwrap();
    let stopped = host.processes("sshd");
    assert!(!stopped.is_empty());
    for pid in &stopped {
        signal(*pid, Signal::STOP);
    }
    let input = on(&host, "read-signatures", json!({}), json!([]));
    let look = ops::LookOnHost { program: Some(host.at("program")) };
    let said = desk.call(look, input, &key(2, 0, 0)).unwrap_err();
    assert!(
        said.contains("missing field"),
        "another connection was made, and the operation itself was asked: {said}"
    );
    // Nobody lets us in any more.
    host.ends();
    for pid in host.processes("sshd") {
        signal(pid, Signal::STOP);
    }
    let input = on(&host, "confirm-claim", json!({ "environment": "production" }), json!([]));
    let look = ops::LookOnHost { program: Some(host.at("program")) };
    let said = desk.call(look, input, &key(3, 0, 0)).unwrap_err();
    assert!(said.contains("the connection to host `web1` failed"), "{said}");
    for pid in stopped.into_iter().chain(host.processes("sshd")) {
        signal(pid, Signal::CONT);
    }
    assert_eq!(host.alive(), ["0.1.0"], "what serves goes on");
    host.starts();
}

/// Lines that are no answers, from a login or from something that is not the program.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_what_is_no_program_is_told() {
    let host = Host::new();
    let desk = host.desk();
    let script = "#!/bin/sh\ni=0; while [ $i -lt 3000 ]; do echo \"welcome $i\"; i=$((i+1)); done\n";
    let with = |name: &str, script: &str| {
        host.write(name, script);
        std::fs::set_permissions(host.at(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut config = to(&host, "0.1.0", "");
        config["target"]["program"] = json!(host.at(name).display().to_string());
        desk.deploy(1, config).unwrap_err().summary
    };
    let said = with("babbles", script);
    assert!(said.contains("its login prints and prints"), "{said}");
    let said = with(
        "older",
        "#!/bin/sh\necho hello; echo '{\"hello\":{\"protocol\":1,\"version\":\"0.0.1\"}}'; cat\n",
    );
    assert!(
        said.contains("is version 0.0.1 (protocol 1)") && said.contains("install the same there"),
        "{said}"
    );
    assert!(!desk.state().join("deploy/production/host.json").exists());
    let mut pipe = TcpStream::connect(("127.0.0.1", host.port)).unwrap();
    let mut banner = [0; 4];
    pipe.read_exact(&mut banner).unwrap();
    assert_eq!(&banner, b"SSH-");
}
