//! Deployments to a host as people meet them: the program brings itself to a real sshd on loopback, and its commands act there.

use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::support::{Folder, Said, output, until};

mod apart;

/// An sshd with keys and a home folder of its own, below a folder whose processes end with it.
struct Host {
    folder: Folder,
    port: u16,
    /// sshd; or who keeps the network that is its own.
    process: Option<Child>,
}

fn sshd() -> &'static str {
    let found = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|path| Path::new(path).exists());
    found.expect("sshd is installed")
}

impl Host {
    fn new() -> Self {
        Self::named("web1")
    }

    fn named(name: &str) -> Self {
        let mut host = Self::prepared(name, |_| String::new());
        host.returns();
        host
    }

    /// Its files, with that in the configuration of ssh, given its folder.
    fn prepared(name: &str, more: impl FnOnce(&Path) -> String) -> Self {
        let folder = Folder::new();
        let at = |name: &str| folder.path().join(name);
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(at(key))
                .status();
            assert!(made.unwrap().success());
        }
        std::fs::create_dir(at("home")).unwrap();
        let port = orchestrator_traffic::ports::pick().unwrap();
        let place = folder.path().display();
        folder.write("known", &format!("[127.0.0.1]:{port} {}", folder.read("host.pub")));
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        folder.write(
            "config",
            &format!(
                "Host {name}\n HostName 127.0.0.1\n Port {port}\n User {}\n IdentityFile {place}/user\n IdentitiesOnly yes\n IdentityAgent none\n \
                 UserKnownHostsFile {place}/known\n GlobalKnownHostsFile /dev/null\n{}",
                user.trim(),
                more(folder.path())
            ),
        );
        folder.write(
            "sshd",
            &format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {place}/host\nAuthorizedKeysFile {place}/user.pub\nPidFile none\nStrictModes no\n\
                 UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
                 MaxStartups 100\nSetEnv HOME={place}/home\n"
            ),
        );
        if rustix::process::getuid().is_root() {
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        Self { folder, port, process: None }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// It answers, at first or again.
    fn returns(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("sshd.log")).unwrap();
        let process = Command::new(sshd())
            .args(["-D", "-e", "-f"])
            .arg(self.folder.path().join("sshd"))
            .stdin(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        self.process = Some(process);
        until("sshd", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// It does not answer any more.
    fn ends(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = orchestrator_agents::deployment::ops::stop_all(&self.home().join("srv/shop/.orchestrate"));
        self.ends();
    }
}

fn checkout(host: &Host, port: u16) -> Folder {
    let config = host.folder.path().join("config");
    configured(&format!("      proxy: {{listen: \"127.0.0.1:{port}\", drain: 5}}\n"), "web1", &config)
}

fn configured(more: &str, hosts: &str, config: &Path) -> Folder {
    let folder = Folder::git(&format!(
        "\
version: 1
settings: {{min_free_disk: 1MB, deploy_to_staging: false}}
phases:
  - name: deployment
    use: standard
    with:
      artifact: app
      version: \"${{vars.version}}\"
      backup: false
      env: {{VERSION: \"{{version}}\"}}
      health: {{version: /version}}
{more}      target: {{kind: ssh, hosts: [{hosts}], folder: srv/shop, config: {}}}
vars: {{version: 1.0.0}}
",
        config.display()
    ));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../orchestrator-agents/fixtures/service.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let app = folder.path().join("app");
    let built = Command::new(rustc).args(["--edition", "2024", "-o"]).arg(&app).arg(source).status();
    assert!(built.unwrap().success());
    folder
}

fn deploy(folder: &Folder, version: &str, how: &str) -> Said {
    let file = folder.read("orchestration.yaml");
    let at = file.find("vars: {version:").unwrap();
    folder.write("orchestration.yaml", &format!("{}vars: {{version: {version}}}\n", &file[..at]));
    let mut command = folder.program(&format!("run --phase deployment {how}"));
    command.env("DEPLOY_TO_PRODUCTION", "true").env("USER", "ada");
    output(command)
}

fn json(folder: &Folder, args: &str) -> Value {
    folder.orchestrate(&format!("{args} --format json")).exits(0).json().pop().unwrap()["result"].take()
}

/// What clients of the proxy on the host are told.
fn served(port: u16) -> String {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_the_commands_act_on_the_host() {
    let host = Host::new();
    let port = orchestrator_traffic::ports::pick().unwrap();
    let folder = checkout(&host, port);
    let shown = deploy(&folder, "1.0.0", "--dry-run").exits(3);
    shown.says(&["prepare-host", "act-on-host"]);
    assert_eq!(std::fs::read_dir(host.home()).unwrap().count(), 0, "a dry run leaves nothing there");
    deploy(&folder, "1.0.0", "--ceiling publishes")
        .exits(0)
        .says(&[&format!("production: 1.0.0 answers at http://127.0.0.1:{port} on web1")]);
    assert!(served(port).contains("hello from 1.0.0"));
    deploy(&folder, "2.0.0", "--ceiling publishes").exits(0);
    assert!(served(port).contains("hello from 2.0.0"));
    assert_eq!(std::fs::read_dir(host.home().join(".cache/orchestrate/bin")).unwrap().count(), 1);

    folder.orchestrate("deploy status").exits(0).says(&[
        "production  on web1",
        "current    2.0.0",
        "traffic: 2.0.0",
    ]);
    folder.orchestrate("deploy rollback --dry-run").exits(3).says(&["act-on-host"]);
    let as_bob = |args: &str| {
        let mut command = folder.program(args);
        command.env("USER", "bob");
        output(command)
    };
    as_bob("deploy rollback").exits(0).says(&["production: 1.0.0 has all traffic"]);
    assert!(served(port).contains("hello from 1.0.0"));
    folder.orchestrate("deploy switch 9.9.9").exits(2).says(&["unknown version `9.9.9`"]);
    as_bob("deploy switch 2.0.0").exits(0).says(&["production: 2.0.0 has all traffic"]);
    let history = json(&folder, "deploy history");
    let lines = history["environments"][0]["deployments"].as_array().unwrap();
    assert_eq!(lines.len(), 4, "{history}");
    let who = |line: &Value| line["who"].as_str().unwrap().split('@').next().unwrap().to_owned();
    assert_eq!(lines.iter().map(who).collect::<Vec<_>>(), ["bob", "bob", "ada", "ada"], "{history}");
    folder.orchestrate("deploy stop").exits(0).says(&["stopped production 2.0.0"]);
    folder.orchestrate("deploy status").exits(0).says(&["nothing is deployed"]);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the proxy there ended too");
}

/// What serves on a host, by its own record.
fn serves(home: &Path) -> Option<String> {
    let all = orchestrator_agents::deployment::ops::deployments(&home.join("srv/shop/.orchestrate"));
    all.unwrap().into_iter().find(|found| found.alive).map(|found| found.version.to_string())
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_the_commands_act_on_several_hosts() {
    let (one, mut other) = (Host::named("web1"), Host::named("web2"));
    let config = one.folder.path().join("both");
    let read = |host: &Host| host.folder.read("config");
    std::fs::write(&config, read(&one) + &read(&other)).unwrap();
    let folder = configured("", "web1, web2", &config);
    let shown = deploy(&folder, "1.0.0", "--dry-run").exits(3);
    let shown = shown.says(&["prepare-host", "claim-environment", "start-service", "web1", "web2"]);
    for host in ["web1", "web2"] {
        let of = |operation: &str| {
            let all = shown.out.split("\n    ~ ").filter(|action| action.contains(operation));
            all.filter(|action| action.contains(&format!("\"{host}\""))).count()
        };
        assert_eq!((of("start-service"), of("claim-environment")), (1, 2), "{host}: {}", shown.out);
    }
    assert_eq!(std::fs::read_dir(one.home()).unwrap().count(), 0, "a dry run leaves nothing there");
    for version in ["1.0.0", "2.0.0"] {
        deploy(&folder, version, "--ceiling publishes").exits(0).says(&[
            &format!("production: {version} answers at "),
            " on web1 (",
            " on web2 (",
        ]);
    }
    let homes = [one.home(), other.home()];
    let both = || homes.each_ref().map(|home| serves(home).unwrap_or_default());
    assert_eq!(both(), ["2.0.0", "2.0.0"]);
    folder.orchestrate("deploy status").exits(0).says(&[
        "production  on web1",
        "production  on web2",
        "current    2.0.0",
    ]);
    folder
        .orchestrate("deploy rollback --dry-run")
        .exits(3)
        .says(&["rollback-production-web1", "rollback-production-web2"]);
    folder.orchestrate("deploy rollback").exits(0).says(&["1.0.0 has all traffic", "on web1", "on web2"]);
    assert_eq!(both(), ["1.0.0", "1.0.0"]);
    folder.orchestrate("deploy switch 9.9.9").exits(2).says(&["production on web1: unknown version `9.9.9`"]);
    let switched = folder.orchestrate("deploy switch 2.0.0 --format json").exits(0).json().pop().unwrap();
    let hosts: Vec<&str> = switched["result"]["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| host["host"].as_str().unwrap())
        .collect();
    assert_eq!((hosts, both()), (vec!["web1", "web2"], ["2.0.0".to_owned(), "2.0.0".to_owned()]));
    let history = json(&folder, "deploy history");
    let told = history["environments"].as_array().unwrap();
    assert_eq!(
        (told.len(), &told[1]["on"], told[1]["deployments"].as_array().unwrap().len()),
        (2, &"web2".into(), 4)
    );

    // One that does not answer hides no other, and the exit code says it.
    other.ends();
    folder
        .orchestrate("deploy status")
        .exits(1)
        .says(&["current    2.0.0", "what is deployed is not known: "]);
    folder
        .orchestrate("deploy history")
        .exits(1)
        .says(&["production  on web1", "what happened there is not known"]);
    folder.orchestrate("deploy switch 1.0.0").exits(7);
    folder.orchestrate("deploy rollback").exits(1).says(&[
        "1.0.0 has all traffic",
        "could not be asked: ",
        "host `web2`",
    ]);
    assert_eq!(both(), ["1.0.0", "2.0.0"]);
    deploy(&folder, "3.0.0", "--ceiling publishes")
        .exits(1)
        .says(&["3.0.0 was not deployed to any host: web2: "]);
    folder.orchestrate("deploy stop --host web3").exits(2).says(&["unknown host `web3`"]);
    folder.orchestrate("deploy stop --host web1").exits(0).says(&["stopped production 1.0.0 on web1"]);
    assert_eq!(both(), ["", "2.0.0"]);
}

/// A host that is gone for good, as people meet it: what names it, what a dry run shows, what is told after, and when it comes back.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_host_that_is_gone_is_forgotten() {
    let (one, mut other) = (Host::named("web1"), Host::named("web2"));
    let config = one.folder.path().join("both");
    std::fs::write(&config, one.folder.read("config") + &other.folder.read("config")).unwrap();
    let folder = configured("", "web1, web2", &config);
    deploy(&folder, "1.0.0", "--ceiling publishes").exits(0);
    other.ends();
    let command = "orchestrate deploy stop --environment production --host web2 --forget";
    deploy(&folder, "2.0.0", "--ceiling publishes").exits(1).says(&["web2", command]);
    folder.orchestrate("deploy switch 1.0.0").exits(7).says(&[command]);
    folder.orchestrate("deploy stop --host web2 --forget --dry-run").exits(3).says(&["forget-host", "web2"]);
    folder.orchestrate("deploy stop --host web1 --forget --dry-run").exits(3).says(&["stop-service", "web1"]);
    folder.orchestrate("deploy status").exits(1).says(&["what is deployed is not known: ", command]);
    let told = folder.orchestrate("deploy stop --host web2 --forget --format json").exits(0).json();
    let gone = &told.last().unwrap()["result"]["deployment"]["forgotten"][0];
    assert_eq!(
        (&gone["host"], &gone["version"], &gone["folder"]),
        (&"web2".into(), &"1.0.0".into(), &"srv/shop".into())
    );

    folder.orchestrate("deploy status").exits(0).says(&[
        "production  on web1",
        "production  on web2\n  forgotten ",
        "it does not answer: 1.0.0, in `srv/shop`, may run there still",
    ]);
    folder.orchestrate("deploy history").exits(0).says(&["production  on web2\n", "1.0.0         forgotten"]);
    let file = folder.read("orchestration.yaml").replace("hosts: [web1, web2]", "hosts: [web1]");
    folder.write("orchestration.yaml", &file);
    deploy(&folder, "2.0.0", "--ceiling publishes").exits(0);
    let homes = [one.home(), other.home()];
    let both = || homes.each_ref().map(|home| serves(home).unwrap_or_default());
    assert_eq!(both(), ["2.0.0", "1.0.0"]);

    // It is back, and nobody has to know where to look.
    other.returns();
    folder.orchestrate("deploy status").exits(0).says(&[
        "it answers again",
        "current    1.0.0",
        "--host web2` ends it",
    ]);
    folder.orchestrate("deploy stop --host web2").exits(0).says(&["stopped production 1.0.0 on web2"]);
    assert_eq!(both(), ["2.0.0", ""]);
    let history = json(&folder, "deploy history");
    let forgotten = &history["environments"][1]["forgotten"][0];
    assert_eq!((&forgotten["over"], &forgotten["version"]), (&true.into(), &"1.0.0".into()), "{history}");
    assert!(!folder.orchestrate("deploy status").exits(0).out.contains("web2"));
}
