//! Deployments to a host: a real sshd on loopback with keys of its own, the system's ssh, and this program at the other end.

mod cut;
mod fleet;
mod journaled;
mod killed;
mod mended;
mod refused;
mod rig;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use super::*;
use crate::deployment::ops::{
    Asking, Performing, history_on, hosts, is_program, kept_on, perform, standing_on,
};
use crate::deployment::{HostName, OnHost, StopDeployment, SwitchDeployment};
use rig::{Host, signal};

/// Run by sshd in a process of its own, as the command line would: `perform`, or `perform --is DIGEST --file FILE`.
#[test]
#[ignore = "the other end of the tests below"]
fn the_other_end() {
    let Ok(args) = std::env::var("PERFORM") else { return };
    if let ["perform", "--is", digest, "--file", file] = args.split(' ').collect::<Vec<_>>()[..] {
        std::process::exit(i32::from(!is_program(Path::new(file), digest).unwrap()));
    }
    assert_eq!(args, "perform");
    // The line that the test harness began ends here.
    std::io::stdout().write_all(b"\n").unwrap();
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    let env = ["PATH", "HOME"].map(|name| (name.into(), std::env::var_os(name).unwrap())).to_vec();
    let supervisor = Some(supervised::supervisor());
    perform(std::io::stdin(), std::io::stdout(), Performing { home, env, supervisor }).unwrap();
    std::process::exit(0);
}

fn to(host: &Host, version: &str, mode: &str) -> Value {
    let mut config = config(version, mode);
    config["target"] = host.target();
    config
}

impl Desk {
    /// Lets a task run, all rounds of it.
    pub(super) fn runs<A: Agent>(
        &self,
        agent: A,
        run: u32,
        config: Value,
    ) -> Result<Conclusion<Json>, Conclusion<()>> {
        let agent = dyn_agent(agent).unwrap();
        let mut task: Task<Json> = task(config.into());
        let look = Workspace::new(self.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
        let mut actions;
        (task.carried, actions) = self.runtime.block_on(agent.prepare(&task, &look)).unwrap();
        for round in 0.. {
            let receipts = self.receipts(&actions, run, round);
            match agent.conclude(&task, &receipts, &Artifacts::new(&Kept::default())).unwrap() {
                Verdict::Passed(conclusion) => return Ok(conclusion),
                Verdict::Failed(conclusion) | Verdict::Skipped(conclusion) => return Err(conclusion),
                Verdict::More { actions: next, carried } => (actions, task.carried) = (next, carried),
            }
        }
        unreachable!("rounds end")
    }
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_versions_come_and_go_on_a_host() {
    let host = Host::new();
    let mut desk = host.desk();
    let done = desk.deploy(1, to(&host, "0.1.0", "")).unwrap();
    assert!(
        done.summary.contains("0.1.0 answers at http://127.0.0.1:") && done.summary.contains(" on web1 ("),
        "{done:?}"
    );
    let (version, url) = host.current().unwrap();
    assert_eq!((version.as_str(), get(&format!("{url}/hello")).as_str()), ("0.1.0", "hello from 0.1.0"));
    assert!(desk.deployments().is_empty(), "nothing runs here");
    let kept = ops::supervised(&host.state(), &Environment::new("production").unwrap()).unwrap();
    assert_eq!(kept.roster.services.len(), 1, "a supervisor there keeps it running");
    let programs = || std::fs::read_dir(host.at("home/.cache/orchestrate/bin")).unwrap().flatten().count();
    let brought = || std::fs::read_dir(host.state().join("brought")).unwrap().flatten().count();
    assert_eq!((programs(), brought()), (1, 1));
    let environment = get(&format!("{url}/env"));
    assert!(
        !environment.contains("ORCHESTRATE_OWNER") && !environment.contains("SSH_CONNECTION"),
        "{environment}"
    );

    // The same bytes are brought once.
    desk.deploy(2, to(&host, "0.2.0", "")).unwrap();
    assert_eq!((programs(), brought(), host.alive()), (1, 1, vec!["0.2.0".to_owned()]));
    let failed = desk.deploy(3, to(&host, "0.3.0", "unhealthy")).unwrap_err();
    assert!(
        failed.summary.contains("is not healthy") && failed.summary.contains("0.2.0 goes on serving"),
        "{failed:?}"
    );
    let failed = desk.deploy(4, to(&host, "0.4.0", "crash")).unwrap_err();
    assert!(
        failed.summary.contains("exited before it listened") && failed.summary.contains("fatal: no database"),
        "{failed:?}"
    );
    assert_eq!(host.alive(), ["0.2.0"]);

    // What the commands ask and do.
    let (environment, record) = hosts(&desk.state()).unwrap().remove(0);
    let asking = host.asking(&desk);
    let standing = standing_on(&asking, &environment, &record);
    assert_eq!((standing.on.as_deref(), standing.problem, standing.services.len()), (Some("web1"), None, 1));
    let told = history_on(&asking, &environment, &record).unwrap();
    let ended = told.iter().rfind(|line| line.verdict.is_some()).unwrap();
    assert!(ended.who.as_ref().unwrap().starts_with("ada@"), "{ended:?}");
    let kept = kept_on(&asking, &environment, &record).unwrap();
    let back = kept.iter().find(|kept| kept.previous).unwrap();
    let on = OnHost { host: record.host.clone(), secrets: record.secrets.clone(), beside: Vec::new() };
    let config =
        json!({ "environment": "production", "version": back.version, "release": back.release, "on": on });
    let switched = desk.runs(SwitchDeployment { supervisor: desk.supervisor.clone() }, 5, config).unwrap();
    assert!(switched.summary.contains("0.1.0 has all traffic"), "{switched:?}");
    assert_eq!(host.alive(), ["0.1.0"]);

    // It is in one place at a time.
    let here = desk.deploy(6, super::config("0.5.0", "")).unwrap_err();
    assert!(here.summary.contains("production is deployed to host `web1`: end it there first"), "{here:?}");
    let stopped =
        desk.runs(StopDeployment, 7, json!({ "environment": "production", "on": record.host })).unwrap();
    assert!(stopped.summary.contains("stopped production 0.1.0") && host.alive().is_empty(), "{stopped:?}");
    // Nothing keeps it running here: the program is only good for hosts.
    desk.supervisor = None;
    desk.deploy(8, super::config("0.5.0", "")).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.5.0");
    let there = desk.deploy(9, to(&host, "0.6.0", "")).unwrap_err();
    assert!(there.summary.contains("production is deployed to this machine"), "{there:?}");
}

#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_secrets_and_files_arrive_and_stand_nowhere() {
    let host = Host::new();
    let desk = host.desk();
    std::fs::create_dir(desk.folder.path().join("docs")).unwrap();
    let schema = json!({ "type": "object", "required": ["version"] });
    std::fs::write(desk.folder.path().join("docs/health.json"), schema.to_string()).unwrap();
    let mut config = to(&host, "0.1.0", "");
    config["env"]["TOKEN"] = json!({ "secret": "API" });
    config["smoke"] = json!([
        { "name": "schema", "path": "/health", "expect": { "schema_file": "docs/health.json" } },
        { "name": "token", "path": "/token", "headers": { "x-token": { "secret": "API" } }, "expect": { "contains": "s3cret" } },
    ]);
    let done = desk.deploy(1, config).unwrap();
    assert!(done.summary.contains("2 smoke tests passed"), "{done:?}");
    assert!(get(&format!("{}/env", host.current().unwrap().1)).contains("TOKEN=s3cret"));
    // Not in a record, here or there.
    for folder in [host.state(), desk.state()] {
        let found = Command::new("grep")
            .args(["-rl", "--exclude=service.log", "s3cret"])
            .arg(&folder)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{}", folder.display());
    }
}

/// Two checkouts, as two machines have them: the claim lies where the environment is.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_two_checkouts_exclude_each_other() {
    let host = Host::new();
    let (one, other) = (host.desk(), host.desk());
    one.deploy(1, to(&host, "0.1.0", "")).unwrap();
    let claim = json!({ "host": hosts(&one.state()).unwrap().remove(0).1.host, "environment": "production",
        "operation": "claim-environment", "input": { "environment": "production", "version": "0.2.0" } });
    let act = || ops::ActOnHost { program: Some(host.at("program")) };
    one.call(act(), claim, &key(2, 0, 0)).unwrap();
    let taken = other.deploy(3, to(&host, "0.3.0", "")).unwrap_err();
    assert!(
        taken.summary.contains("production is claimed by run") && taken.summary.contains("by ada@"),
        "{taken:?}"
    );
    assert_eq!(host.alive(), ["0.1.0"]);

    // Its process is gone, and was for a while: the next one puts right what it left, and goes on.
    ops::closed(&host.config());
    eventually("the end of the program there", || host.processes("perform").is_empty());
    age_claim(&host.state());
    other.deploy(4, to(&host, "0.3.0", "")).unwrap();
    assert_eq!(host.alive(), ["0.3.0"]);
    assert!(!host.state().join("deploy/production/claim.json").exists());
}

/// A sick version that has the traffic goes back by itself: looked at, over the connection.
#[test]
#[ignore = "needs sshd; tests/run has it"]
fn needs_sshd_a_version_that_falls_ill_goes_back() {
    let host = Host::new();
    let desk = host.desk();
    desk.deploy(1, to(&host, "0.1.0", "")).unwrap();
    let sick = host.at("sick");
    let mut config = to(&host, "0.2.0", "sick");
    config["env"]["SICK"] = json!(sick.display().to_string());
    config["watch"] = json!({ "seconds": 600, "warm_up": 0 });
    let falls = sick.clone();
    *desk.waits.lock().unwrap() = Box::new(move |_, _| {
        std::fs::write(&falls, "").unwrap();
        None
    });
    let back = desk.deploy(2, config).unwrap_err();
    assert!(
        back.summary.contains("0.2.0 was rolled back")
            && back.summary.contains("0.1.0 has all traffic again"),
        "{back:?}"
    );
    assert_eq!(host.alive(), ["0.1.0"]);
}

/// Nobody was heard of over a connection for a while: so long does a claim outlive its process.
fn age_claim(state: &Path) {
    let path = state.join("deploy/production/claim.json");
    let mut claim: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(claim["heard"].is_string(), "{claim}");
    claim["heard"] = json!("2026-01-01T00:00:00Z");
    std::fs::write(&path, claim.to_string()).unwrap();
}
