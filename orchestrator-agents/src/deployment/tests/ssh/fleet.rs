//! Several hosts: each an sshd on loopback with a home folder of its own, named by one configuration of ssh.

mod gone;
mod held;
mod killed;
mod migrations;
mod people;
mod taken;

use super::*;
use crate::deployment::What;

/// What a version does on a host where a file says so: `ill-VERSION` in the home folder is how it is unhealthy, `sick-VERSION` how it falls ill.
const LINE: &str = "if [ -e \"$HOME/ill-$VERSION\" ]; then MODE=unhealthy; fi; export MODE SICK=\"$HOME/sick-$VERSION\"; exec \"$0\"";

/// Hosts, and the configuration that knows them all.
struct Fleet {
    hosts: Vec<Host>,
    folder: tempfile::TempDir,
}

impl Fleet {
    fn new(names: &[&'static str]) -> Self {
        let folder = tempfile::Builder::new().prefix("fleet-").tempdir().unwrap();
        let fleet = Self { hosts: names.iter().map(|name| Host::named(name)).collect(), folder };
        fleet.knows("");
        fleet
    }

    /// Writes the configuration, with that behind it.
    fn knows(&self, more: &str) {
        let all: String =
            self.hosts.iter().map(|host| std::fs::read_to_string(host.config()).unwrap()).collect();
        std::fs::write(self.folder.path().join("config"), all + more).unwrap();
    }

    fn config(&self) -> String {
        self.folder.path().join("config").display().to_string()
    }

    fn target(&self) -> Value {
        let names: Vec<&str> = self.hosts.iter().map(|host| host.name).collect();
        json!({ "kind": "ssh", "hosts": names, "folder": "srv/shop", "config": self.config() })
    }

    fn desk(&self) -> Desk {
        self.hosts[0].desk()
    }

    fn to(&self, version: &str, mode: &str) -> Value {
        let mut config = config(version, mode);
        config["target"] = self.target();
        config["argv"] = json!(["sh", "-c", LINE, "{binary}"]);
        config
    }

    /// What serves on each host, asked itself.
    fn served(&self) -> Vec<String> {
        let asked = |host: &Host| {
            let Some((_, url)) = host.current() else { return "nothing".to_owned() };
            get(&format!("{url}/hello")).trim_start_matches("hello from ").to_owned()
        };
        self.hosts.iter().map(asked).collect()
    }

    /// Nobody holds a host, and nothing runs there but what serves.
    fn is_settled(&self) {
        for host in &self.hosts {
            assert!(!host.state().join("deploy/production/claim.json").exists(), "{}", host.name);
            assert!(host.alive().len() < 2, "{}: {:?}", host.name, host.alive());
        }
    }

    /// How deployments ended on that host, oldest first: `promoted 0.1.0: why`.
    fn told(&self, at: usize) -> Vec<String> {
        let environment = Environment::new("production").unwrap();
        let all = ops::history(&self.hosts[at].state(), &environment).unwrap();
        let line = |line: &super::super::super::Happening| {
            format!("{} {}: {}", line.verdict.unwrap().as_str(), line.version, line.why)
        };
        all.iter().filter(|line| line.what == What::Ended).map(line).collect()
    }

    /// When a version was started on that host.
    fn began(&self, at: usize, version: &str) -> Option<jiff::Timestamp> {
        let environment = Environment::new("production").unwrap();
        let all = ops::history(&self.hosts[at].state(), &environment).unwrap();
        let found =
            all.iter().find(|line| line.what == What::Started && line.version.to_string() == version)?;
        Some(found.at)
    }

    /// When it was made current there.
    fn counted(&self, at: usize, version: &str) -> Option<jiff::Timestamp> {
        let environment = Environment::new("production").unwrap();
        let all = ops::history(&self.hosts[at].state(), &environment).unwrap();
        let found =
            all.iter().find(|line| line.what == What::Promoted && line.version.to_string() == version)?;
        Some(found.at)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        ops::closed(&self.config());
    }
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_all_hosts_get_a_version_one_after_the_other() {
    let fleet = Fleet::new(&["web1", "web2", "web3"]);
    let desk = fleet.desk();
    let done = desk.deploy(1, fleet.to("0.1.0", "")).unwrap();
    assert!(
        done.summary.starts_with("production: 0.1.0 answers at http://127.0.0.1:")
            && ["web1", "web2", "web3"]
                .iter()
                .all(|host| done.summary.contains(&format!(" on {host} (1 smoke test"))),
        "{}",
        done.summary
    );
    let output = done.output.clone().unwrap().value();
    let named: Vec<&str> =
        output["hosts"].as_array().unwrap().iter().map(|host| host["host"].as_str().unwrap()).collect();
    assert_eq!(named, ["web1", "web2", "web3"]);
    assert!(done.metrics.iter().any(|metric| metric.name == "deploy.web2.start"), "{done:?}");
    assert_eq!(fleet.served(), ["0.1.0"; 3]);
    let known = hosts(&desk.state()).unwrap();
    let names: Vec<String> = known.iter().map(|(_, record)| record.host.name.to_string()).collect();
    assert_eq!(names, ["web1", "web2", "web3"]);

    desk.deploy(2, fleet.to("0.2.0", "")).unwrap();
    assert_eq!(fleet.served(), ["0.2.0"; 3]);
    fleet.is_settled();
    for at in 0..3 {
        assert_eq!(fleet.told(at), ["promoted 0.1.0: ", "promoted 0.2.0: "]);
    }
    // The next one begins when the one before counts.
    assert!(fleet.counted(0, "0.2.0").unwrap() < fleet.began(1, "0.2.0").unwrap());
    assert!(fleet.counted(1, "0.2.0").unwrap() < fleet.began(2, "0.2.0").unwrap());

    // A host that is not named any more would be forgotten with what it serves.
    let mut fewer = fleet.to("0.3.0", "");
    fewer["target"]["hosts"] = json!(["web1", "web2"]);
    let said = desk.deploy(3, fewer.clone()).unwrap_err().summary;
    assert!(
        said.contains("is deployed to host `web3` too")
            && said.contains("--host web3")
            && fleet.served() == ["0.2.0"; 3],
        "{said}"
    );
    let on = known[2].1.host.clone();
    desk.runs(StopDeployment, 4, json!({ "environment": "production", "on": on })).unwrap();
    desk.deploy(5, fewer).unwrap();
    assert_eq!(fleet.served(), ["0.3.0", "0.3.0", "nothing"]);
    // One that joins has nothing before.
    desk.deploy(6, fleet.to("0.4.0", "")).unwrap();
    assert_eq!(fleet.served(), ["0.4.0"; 3]);
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_host_that_fails_takes_the_others_back() {
    let fleet = Fleet::new(&["web1", "web2", "web3"]);
    let desk = fleet.desk();
    desk.deploy(1, fleet.to("0.1.0", "")).unwrap();
    std::fs::write(fleet.hosts[1].at("home/ill-0.2.0"), "").unwrap();
    let failed = desk.deploy(2, fleet.to("0.2.0", "")).unwrap_err();
    assert!(
        failed.summary.starts_with("production: web2: 0.2.0 was not deployed: it is not healthy: ")
            && failed.summary.contains("0.1.0 goes on serving; back: web1 (0.1.0); untouched: web3"),
        "{}",
        failed.summary
    );
    assert_eq!(fleet.served(), ["0.1.0"; 3]);
    fleet.is_settled();
    assert!(
        fleet.told(0)[1].starts_with("rolled back 0.2.0: web2: it is not healthy"),
        "{:?}",
        fleet.told(0)
    );
    assert!(
        fleet.told(1)[1].starts_with("failed 0.2.0: was not deployed: it is not healthy"),
        "{:?}",
        fleet.told(1)
    );
    assert_eq!(fleet.began(2, "0.2.0"), None, "the last one was never begun");

    // Back is back: the next one is no other than before, and the first version of a host goes as it came.
    std::fs::remove_file(fleet.hosts[1].at("home/ill-0.2.0")).unwrap();
    desk.deploy(3, fleet.to("0.2.0", "")).unwrap();
    assert_eq!(fleet.served(), ["0.2.0"; 3]);
}

/// The last one falls ill while it is watched; a host that cannot go back is said, and keeps no other from it.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_what_cannot_go_back_is_said_by_host() {
    let fleet = Fleet::new(&["web1", "web2", "web3"]);
    let desk = fleet.desk();
    desk.deploy(1, fleet.to("0.1.0", "sick")).unwrap();
    let mut config = fleet.to("0.2.0", "sick");
    config["watch"] = json!({ "seconds": 2, "warm_up": 0, "guards": { "health_failures": 2 } });
    let (sick, ill) = (fleet.hosts[2].at("home/sick-0.2.0"), fleet.hosts[1].at("home/ill-0.1.0"));
    let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = said.clone();
    *desk.waits.lock().unwrap() = Box::new(move |_, wait| {
        heard.lock().unwrap().push(wait.message.clone());
        if wait.message.contains("web3") {
            std::fs::write(&sick, "").unwrap();
            std::fs::write(&ill, "").unwrap();
        }
        None
    });
    let failed = desk.deploy(2, config).unwrap_err();
    let waits = said.lock().unwrap().clone();
    assert!(
        waits[0].contains("(host web1, 1 of 3)") && waits.iter().any(|wait| wait.contains("web2, 2 of 3"))
    );
    assert!(
        failed.summary.starts_with("production: web3: 0.2.0 was rolled back: ")
            && failed.summary.contains("back: web1 (0.1.0); web2 could not go back: ")
            && failed.summary.contains("not all hosts serve one version"),
        "{}",
        failed.summary
    );
    assert!(failed.findings.iter().any(|finding| finding.message.starts_with("web3: ")), "{failed:?}");
    assert_eq!(fleet.served(), ["0.1.0", "0.2.0", "0.1.0"]);
    fleet.is_settled();
    assert!(fleet.told(1)[1].starts_with("stuck 0.2.0: web3: "), "{:?}", fleet.told(1));
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_host_that_is_not_reached_fails_all_before_anything_changes() {
    let mut fleet = Fleet::new(&["web1", "web2"]);
    let desk = fleet.desk();
    fleet.hosts[1].ends();
    let said = desk.deploy(1, fleet.to("0.1.0", "")).unwrap_err().summary;
    assert!(
        said.starts_with("production: 0.1.0 was not deployed to any host: web2: ")
            && said.contains("the connection to host `web2` failed"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(fleet.hosts[0].at("home")).unwrap().count(), 0, "nothing was left there");
    assert!(!desk.state().join("deploy/production/host.json").exists());
    fleet.hosts[1].starts();
    desk.deploy(2, fleet.to("0.1.0", "")).unwrap();

    // Somebody else has the last one: the first is let go again.
    let other = fleet.desk();
    let host = hosts(&desk.state()).unwrap().remove(1).1.host;
    let claim = json!({ "host": host, "environment": "production", "operation": "claim-environment",
        "input": { "environment": "production", "version": "0.9.0" } });
    other.call(ops::ActOnHost { program: Some(fleet.hosts[0].at("program")) }, claim, &key(3, 0, 0)).unwrap();
    let mut config = fleet.to("0.2.0", "");
    config["wait"] = json!("2s");
    let said = desk.deploy(4, config.clone()).unwrap_err().summary;
    assert!(
        said.contains("was not deployed to any host: web2: ")
            && said.contains("is claimed by run")
            && said.contains("waited 2 s"),
        "{said}"
    );
    assert!(!fleet.hosts[0].state().join("deploy/production/claim.json").exists());
    assert_eq!(fleet.began(0, "0.2.0"), None);
    let release = json!({ "host": host, "environment": "production", "operation": "release-environment",
        "input": { "environment": "production" } });
    other
        .call(ops::ActOnHost { program: Some(fleet.hosts[0].at("program")) }, release, &key(3, 0, 1))
        .unwrap();
    desk.deploy(5, config).unwrap();
    assert_eq!(fleet.served(), ["0.2.0"; 2]);
}

/// Two names of one host would take turns in one folder.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_two_names_of_one_host_are_told() {
    let fleet = Fleet::new(&["web1"]);
    let again =
        std::fs::read_to_string(fleet.hosts[0].config()).unwrap().replace("Host web1\n", "Host again\n");
    fleet.knows(&again);
    let desk = fleet.desk();
    let mut config = fleet.to("0.1.0", "");
    config["target"]["hosts"] = json!(["web1", "again"]);
    let said = desk.deploy(1, config).unwrap_err().summary;
    assert!(said.contains("`web1` and `again` have one folder for production"), "{said}");
    fleet.is_settled();
    assert_eq!(fleet.served(), ["nothing"]);
}
