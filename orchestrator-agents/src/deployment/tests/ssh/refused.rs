//! Hosts that cannot be deployed to: said before anything is done, with the next step, and nothing is left there.

use super::*;

/// What a deployment to that host says.
fn says(desk: &Desk, config: Value) -> String {
    desk.deploy(1, config).unwrap_err().summary
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_what_ssh_refuses_is_said_with_the_next_step() {
    let mut host = Host::new();
    let desk = host.desk();
    host.write("known", "");
    let said = says(&desk, to(&host, "0.1.0", ""));
    assert!(said.contains("was not deployed") && said.contains("connect once with `ssh web1`"), "{said}");
    host.knows("other-host");
    let said = says(&desk, to(&host, "0.1.0", ""));
    assert!(said.contains("does not trust host `web1`") && said.contains("its key has changed"), "{said}");
    host.knows("host");
    host.is_reached_with("other-user");
    let said = says(&desk, to(&host, "0.1.0", ""));
    assert!(said.contains("refused the login") && said.contains("ssh-add"), "{said}");
    host.is_reached_with("user");
    let mut nowhere = to(&host, "0.1.0", "");
    nowhere["target"]["hosts"] = json!(["nowhere"]);
    let said = says(&desk, nowhere);
    assert!(said.contains("host `nowhere` is not known"), "{said}");
    host.ends();
    let said = says(&desk, to(&host, "0.1.0", ""));
    assert!(said.contains("the connection to host `web1` failed") && said.contains("refused"), "{said}");
    host.starts();
    assert_eq!(std::fs::read_dir(host.at("home")).unwrap().count(), 0, "nothing was left there");
    assert!(!desk.state().join("deploy/production/host.json").exists());
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_folders_and_programs_that_do_not_fit_are_said() {
    let host = Host::new();
    let desk = host.desk();
    std::fs::write(host.at("home/file"), "").unwrap();
    let mut config = to(&host, "0.1.0", "");
    config["target"]["folder"] = json!("file/it's; touch pwned");
    let said = says(&desk, config);
    assert!(said.contains("is no folder that this user may write to"), "{said}");
    let mut config = to(&host, "0.1.0", "");
    config["target"]["program"] = json!("bin/$(touch pwned)");
    let said = says(&desk, config);
    assert!(said.contains("has no `bin/$(touch pwned)` yet"), "{said}");
    let missing = json!({ "host": { "name": "web1", "folder": "srv/shop", "config": host.config() },
        "environment": "production", "operation": "confirm-claim", "input": { "environment": "production" } });
    let said =
        desk.call(ops::LookOnHost { program: Some(host.at("program")) }, missing, &key(1, 0, 0)).unwrap_err();
    assert!(said.contains("host `web1` has no"), "a look brings nothing: {said}");
    let found: Vec<_> =
        std::fs::read_dir(host.at("home")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(found, ["file"]);
}

/// What only reads may be asked; what changes something may not pass for it.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_dry_run_only_looks() {
    let host = Host::new();
    let desk = host.desk();
    let look =
        |input: Value| desk.call(ops::CheckHost { program: Some(host.at("program")) }, input, &key(1, 0, 0));
    let input = json!({ "host": { "name": "web1", "folder": "srv/shop", "config": host.config() }, "artifact": "target/release/app" });
    let seen = look(input.clone()).unwrap();
    assert_eq!((&seen["program"], seen["free"].as_u64().unwrap() > 0), (&json!(false), true), "{seen}");
    assert_eq!(std::fs::read_dir(host.at("home")).unwrap().count(), 0, "nothing was left there");
    desk.deploy(2, to(&host, "0.1.0", "")).unwrap();
    assert_eq!(look(input).unwrap()["program"], json!(true));
    let stop = json!({ "host": { "name": "web1", "folder": "srv/shop", "config": host.config() },
        "environment": "production", "operation": "stop-service", "input": { "environment": "production" } });
    let said =
        desk.call(ops::LookOnHost { program: Some(host.at("program")) }, stop, &key(3, 0, 0)).unwrap_err();
    assert!(said.contains("it was to be read only"), "{said}");
    assert_eq!(host.alive(), ["0.1.0"]);
}

/// A disk of a few bytes, mounted over the project's folder there.
#[test]
#[ignore = "needs sshd and root; tests/run has it"]
fn needs_root_and_sshd_a_full_disk_of_the_host_leaves_what_serves() {
    struct Mounted(PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }
    let host = Host::new();
    let desk = host.desk();
    let small = host.at("home/srv");
    std::fs::create_dir_all(&small).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&small).status();
    assert!(mounted.unwrap().success());
    let _mounted = Mounted(small.clone());
    let said = says(&desk, to(&host, "0.1.0", ""));
    assert!(said.contains("free where `srv/shop` is") && said.contains("make room there"), "{said}");

    // Where it fills up later, the upload fails and leaves nothing that counts.
    let act = ops::ActOnHost { program: Some(host.at("program")) };
    let prepare = ops::PrepareHost { program: Some(host.at("program")) };
    let place = json!({ "name": "web1", "folder": "srv/shop", "config": host.config() });
    desk.call(prepare, json!({ "host": place, "environment": "production" }), &key(2, 0, 0)).unwrap();
    let start = json!({ "host": place, "environment": "production", "operation": "start-service", "input": start("0.1.0", ""),
        "brings": [{ "path": "target/release/app", "into": "/artifact" }] });
    let said = desk.call(act, start.clone(), &key(2, 0, 1)).unwrap_err();
    assert!(said.contains("could not be written") && said.contains("No space left"), "{said}");
    let resized = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&small).status();
    assert!(resized.unwrap().success());
    let act = ops::ActOnHost { program: Some(host.at("program")) };
    let started = desk.call(act, start, &key(2, 0, 1)).unwrap();
    assert!(answers(started["url"].as_str().unwrap()));
    ops::stop_all(&host.state()).unwrap();
    ops::closed(&host.config());
}

#[test]
fn a_host_is_named_once() {
    let mut config = config("0.1.0", "");
    config["target"] = json!({ "kind": "ssh", "hosts": ["web1", "web2", "web1"], "folder": "srv/shop" });
    let agent = dyn_agent(Deploy { supervisor: None }).unwrap();
    let desk = Desk::new();
    let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
    let error = desk.runtime.block_on(agent.prepare(&task(config.into()), &look)).unwrap_err().to_string();
    assert!(error.contains("`target.hosts` names `web1` twice"), "{error}");
    assert!(HostName::new("-oProxyCommand=touch pwned").is_err());
}
