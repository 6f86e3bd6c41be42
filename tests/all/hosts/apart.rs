//! Hosts with a network each, as those of users have: one pipeline says where the proxy listens, and each host has one that does.

use std::io::{BufRead, BufReader};

use super::*;

/// Where the proxy of each host listens.
const LISTEN: u16 = 8080;
/// What a version does on a host where a file of that name lies in the home folder.
const ARGV: &str = r#"argv: [sh, -c, 'if [ -e "$HOME/failing-$VERSION" ]; then MODE=failing; fi; export MODE; exec "$0"', "{binary}"]"#;

impl Host {
    /// One with a network of its own: nothing but its own processes reaches it, and ssh goes in by a command.
    fn apart(name: &str) -> Self {
        let mut keeper = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 3600"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n", "a network of its own takes root, and `ip`");
        let enters = format!("nsenter --net=/proc/{}/ns/net", keeper.id());
        let more = |folder: &Path| {
            let folder = folder.display();
            format!(" ProxyCommand {enters} {} -i -f {folder}/sshd -E {folder}/sshd.log\n", sshd())
        };
        let mut host = Self::prepared(name, more);
        host.process = Some(keeper);
        host
    }

    /// What a client in its network is told.
    fn answers(&self) -> String {
        let pid = self.process.as_ref().unwrap().id();
        let asks = format!(
            "exec 3<>/dev/tcp/127.0.0.1/{LISTEN} && printf 'GET /hello HTTP/1.1\\r\\nhost: a\\r\\nconnection: close\\r\\n\\r\\n' >&3 && cat <&3"
        );
        let mut command = Command::new("nsenter");
        let asked = command.arg(format!("--net=/proc/{pid}/ns/net")).args(["bash", "-c", &asks]).output();
        String::from_utf8_lossy(&asked.unwrap().stdout).into_owned()
    }

    /// The version that answered; what else was said where none did.
    fn version(&self) -> String {
        let said = self.answers();
        match said.split("hello from ").nth(1) {
            Some(version) => version.trim().to_owned(),
            None => said,
        }
    }
}

/// Requests to the proxy of a host, from its own network, until that file is gone; then how many were sent, and how many failed.
fn load(host: &Host, folder: &Folder, held: &Path) -> Child {
    let args = "load --rate 40 --duration 5m --format json";
    let mut own = folder.program(&format!("{args} http://127.0.0.1:{LISTEN}/hello"));
    own.arg("--while").arg(held);
    let pid = host.process.as_ref().unwrap().id();
    let mut inside = Command::new("nsenter");
    inside.arg(format!("--net=/proc/{pid}/ns/net")).arg(own.get_program()).args(own.get_args());
    inside.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    inside.spawn().unwrap()
}

/// The same on each host while something is done: how many failed.
fn failed_meanwhile<T>(hosts: &[Host], folder: &Folder, work: impl FnOnce() -> T) -> (T, Vec<u64>) {
    let held = hosts[0].folder.path().join("held");
    std::fs::write(&held, "").unwrap();
    let loads: Vec<Child> = hosts.iter().map(|host| load(host, folder, &held)).collect();
    let done = work();
    std::fs::remove_file(&held).unwrap();
    let failed = |load| {
        let told = super::super::support::ended(load).json().pop().unwrap();
        assert!(told["answered"].as_u64() > Some(50), "{told}");
        told["failed"].as_u64().unwrap()
    };
    (done, loads.into_iter().map(failed).collect())
}

/// What was served on each host while a command ran, each answer that is not the one before.
fn served_meanwhile(hosts: &[Host], mut command: Command) -> (Said, Vec<[String; 2]>) {
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = run.id();
    let ended = std::thread::spawn(move || super::super::support::ended(run));
    let mut seen: Vec<[String; 2]> = Vec::new();
    while !ended.is_finished() {
        let now = [hosts[0].version(), hosts[1].version()];
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let said = ended.join().unwrap_or_else(|_| panic!("process {pid} did not end"));
    (said, seen)
}

fn deploys(folder: &Folder, version: &str) -> Command {
    let file = folder.read("orchestration.yaml");
    let at = file.find("vars: {version:").unwrap();
    folder.write("orchestration.yaml", &format!("{}vars: {{version: {version}}}\n", &file[..at]));
    let mut command = folder.program("run --phase deployment --ceiling publishes");
    command.env("DEPLOY_TO_PRODUCTION", "true").env("USER", "ada");
    command
}

#[test]
#[ignore = "needs root and sshd; tests/run has them"]
fn needs_root_each_host_serves_through_a_proxy_of_its_own() {
    let hosts = ["web1", "web2"].map(Host::apart);
    let config = hosts[0].folder.path().join("both");
    let read = |host: &Host| host.folder.read("config");
    std::fs::write(&config, read(&hosts[0]) + &read(&hosts[1])).unwrap();
    let more = format!(
        "      {ARGV}\n      proxy: {{listen: \"0.0.0.0:{LISTEN}\", drain: 5}}\n      \
         watch: {{seconds: 2, canary: [50], step_seconds: 2, warm_up: 0, min_requests: 10}}\n"
    );
    let folder = configured(&more, "web1, web2", &config);
    // Whoever is watched needs traffic: that of asking.
    let (said, _) = served_meanwhile(&hosts, deploys(&folder, "1.0.0"));
    said.exits(0).says(&[
        &format!("production: 1.0.0 answers at http://127.0.0.1:{LISTEN} on web1"),
        &format!("at http://127.0.0.1:{LISTEN} on web2"),
    ]);
    assert_eq!(hosts.each_ref().map(Host::version), ["1.0.0", "1.0.0"]);

    // The second host switches while the first one serves the new version already; nobody is dropped on either.
    let ((said, seen), failed) =
        failed_meanwhile(&hosts, &folder, || served_meanwhile(&hosts, deploys(&folder, "2.0.0")));
    said.exits(0);
    assert_eq!(failed, [0, 0]);
    let pair = |one: &str, other: &str| [one.to_owned(), other.to_owned()];
    assert!(seen.contains(&pair("2.0.0", "1.0.0")), "{seen:?}");
    assert!(!seen.contains(&pair("1.0.0", "2.0.0")), "{seen:?}");
    assert!(seen.iter().flatten().all(|version| ["1.0.0", "2.0.0"].contains(&version.as_str())), "{seen:?}");
    assert_eq!(hosts.each_ref().map(Host::version), ["2.0.0", "2.0.0"]);

    // The second host finds it ill under its own traffic: the first one goes back too, and no client of it notices.
    std::fs::write(hosts[1].home().join("failing-3.0.0"), "").unwrap();
    let ((said, seen), failed) =
        failed_meanwhile(&hosts, &folder, || served_meanwhile(&hosts, deploys(&folder, "3.0.0")));
    assert!(failed[0] == 0 && failed[1] > 0, "{failed:?}");
    said.exits(1).says(&[
        "web2: 3.0.0 was rolled back: ",
        "2.0.0 has all traffic again",
        "back: web1 (2.0.0)",
    ]);
    assert!(seen.iter().any(|[one, _]| one == "3.0.0"), "{seen:?}");
    assert!(seen.iter().all(|[one, _]| ["2.0.0", "3.0.0"].contains(&one.as_str())), "{seen:?}");
    assert_eq!(hosts.each_ref().map(Host::version), ["2.0.0", "2.0.0"]);

    // What went back is nothing to go back to: it is named.
    folder.orchestrate("deploy switch 1.0.0").exits(0).says(&["1.0.0 has all traffic", "on web1", "on web2"]);
    assert_eq!(hosts.each_ref().map(Host::version), ["1.0.0", "1.0.0"]);
    folder.orchestrate("deploy stop --host web2").exits(0);
    assert_eq!(hosts.each_ref().map(Host::version), ["1.0.0", ""], "each proxy ends with its own host");
    folder.orchestrate("deploy stop").exits(0);
    assert_eq!(hosts[0].version(), "");
}
