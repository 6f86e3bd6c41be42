//! `orchestrate deploy`, and the phase `deployment` as people meet it: real services, deployed by the program.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::support::{Folder, Said, ended, output, until};

/// A folder with a service to deploy: `app`, and a pipeline that deploys nothing else.
pub(super) fn folder() -> Folder {
    let folder = Folder::git(
        "\
version: 1
settings: {min_free_disk: 1MB, deploy_to_staging: false}
phases:
  - name: deployment
    use: standard
    with:
      artifact: app
      version: \"${vars.version}\"
      backup: false
      env: {VERSION: \"{version}\"}
      health: {version: /version}
vars: {version: 1.0.0}
",
    );
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../orchestrator-agents/fixtures/service.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let app = folder.path().join("app");
    let built = Command::new(rustc).args(["--edition", "2024", "-o"]).arg(&app).arg(source).status();
    assert!(built.unwrap().success());
    folder
}

pub(super) fn deploy(folder: &Folder, version: &str) -> Said {
    let file = folder.read("orchestration.yaml");
    let at = file.find("vars: {version:").unwrap();
    folder.write("orchestration.yaml", &format!("{}vars: {{version: {version}}}\n", &file[..at]));
    let mut command = folder.program("run --phase deployment --ceiling publishes");
    command.env("DEPLOY_TO_PRODUCTION", "true").env("USER", "ada");
    output(command)
}

pub(super) fn json(folder: &Folder, args: &str) -> Value {
    folder.orchestrate(&format!("{args} --format json")).exits(0).json().pop().unwrap()["result"].take()
}

pub(super) fn current(folder: &Folder) -> String {
    let status = json(folder, "deploy status");
    let services = status["environments"][0]["services"].as_array().unwrap().clone();
    assert_eq!(services.len(), 1, "{status}");
    assert_eq!(services[0]["alive"], true, "{status}");
    services[0]["version"].as_str().unwrap().to_owned()
}

#[test]
fn versions_come_and_go_also_outside_of_a_run() {
    let folder = folder();
    folder.orchestrate("deploy status").exits(0).says(&["Nothing was deployed from here"]);
    folder.orchestrate("deploy rollback").exits(2).says(&["nothing was deployed from here"]);
    deploy(&folder, "1.0.0").exits(0).says(&["production: 1.0.0 answers at http://127.0.0.1:"]);
    folder.orchestrate("deploy rollback").exits(2).says(&["no version before the current one"]);
    deploy(&folder, "2.0.0").exits(0);
    assert_eq!(current(&folder), "2.0.0");

    let shown = folder.orchestrate("deploy rollback --dry-run").exits(3);
    shown.says(&["claim-environment", "reinstate", "release-environment"]);
    assert_eq!(current(&folder), "2.0.0");
    let back = json(&folder, "deploy rollback --environment production");
    assert_eq!(back["deployment"]["version"], "1.0.0", "{back}");
    assert_eq!(current(&folder), "1.0.0");
    folder.orchestrate("deploy switch 9.9.9").exits(2).says(&["unknown version `9.9.9`", "2.0.0"]);
    folder
        .orchestrate("deploy switch 2.0.0 --environment staging")
        .exits(2)
        .says(&["unknown environment `staging`"]);
    folder
        .orchestrate("deploy switch 2.0.0")
        .exits(0)
        .says(&["production: 2.0.0 has all traffic and answers at"]);
    assert_eq!(current(&folder), "2.0.0");

    let history = json(&folder, "deploy history");
    let lines = history["environments"][0]["deployments"].as_array().unwrap();
    let told: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (line["version"].as_str().unwrap(), line["verdict"].as_str().unwrap()))
        .collect();
    let wanted =
        [("2.0.0", "brought back"), ("1.0.0", "brought back"), ("2.0.0", "promoted"), ("1.0.0", "promoted")];
    assert_eq!(told, wanted);
    assert!(lines[3]["who"].as_str().unwrap().starts_with("ada@"), "{history}");
    folder.orchestrate("deploy history").exits(0).says(&["production\n", "brought back  by "]);
    folder.orchestrate("deploy status").exits(0).says(&["current    2.0.0", "process"]);

    folder.orchestrate("deploy stop").exits(0).says(&["stopped production 2.0.0"]);
    folder.orchestrate("deploy status").exits(0).says(&["nothing is deployed"]);
}

/// Neither another environment nor the history of this one.
#[test]
fn a_record_that_cannot_be_read_hides_nothing_else() {
    let folder = folder();
    deploy(&folder, "1.0.0").exits(0);
    deploy(&folder, "2.0.0").exits(0);
    for name in ["host.json", "gone.json", "claim.json"] {
        let _ = std::fs::remove_dir_all(folder.path().join(".orchestrate/deploy/staging"));
        folder.write(&format!(".orchestrate/deploy/staging/{name}"), "{");
        let status = folder.orchestrate("deploy status").exits(1);
        status.says(&["current    2.0.0", "staging\n  what is deployed is not known: ", name]);
        folder.orchestrate("deploy status --environment staging").says(&[name]);
    }
    folder
        .orchestrate("deploy rollback --environment production")
        .exits(0)
        .says(&["production: 1.0.0 has all traffic"]);
    folder.write(".orchestrate/deploy/production/releases/broken/release.json", "{");
    folder
        .orchestrate("deploy history")
        .exits(0)
        .says(&["2.0.0         promoted", "1.0.0         brought back"]);
    folder.orchestrate("deploy switch 2.0.0 --environment production").says(&["release.json"]);
    std::fs::remove_dir_all(folder.path().join(".orchestrate/deploy/production/releases/broken")).unwrap();
    folder.orchestrate("deploy stop --environment production").exits(0).says(&["stopped production 1.0.0"]);
}

#[test]
fn a_person_is_asked_and_the_environment_is_kept_meanwhile() {
    let folder = folder();
    let file = folder
        .read("orchestration.yaml")
        .replace("      backup: false\n", "      backup: false\n      approve: true\n");
    folder.write("orchestration.yaml", &file);
    deploy(&folder, "1.0.0").exits(4).says(&["give 1.0.0 the traffic of production?"]);
    folder.orchestrate("deploy status").exits(0).says(&["candidate  1.0.0", "claimed by run"]);
    let second = deploy(&folder, "2.0.0").exits(1);
    second.says(&["production is claimed by run", "it waits for a person"]);
    let runs = json(&folder, "deploy status");
    let run = runs["environments"][0]["claim"]["run"].as_str().unwrap().to_owned();
    folder.orchestrate(&format!("approve {run} deploy-production")).exits(0);
    folder.orchestrate(&format!("resume {run}")).exits(0).says(&["production: 1.0.0 answers at"]);
    assert_eq!(current(&folder), "1.0.0");
    folder.orchestrate("deploy stop").exits(0);
}

/// Asks again and again until it is over; how many were sent, and every answer that was no 200.
fn asked(port: u16, over: Arc<AtomicBool>) -> JoinHandle<(u32, Vec<String>)> {
    std::thread::spawn(move || {
        let (mut sent, mut wrong) = (0, Vec::new());
        while !over.load(Ordering::SeqCst) && sent < 20_000 {
            sent += 1;
            let answer = ask(port).unwrap_or_else(|error| error.to_string());
            if !(answer.starts_with("HTTP/1.1 200") && answer.contains("hello from")) {
                wrong.push(answer);
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        (sent, wrong)
    })
}

pub(super) fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(b"GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// With the real proxy in front, which the real supervisor keeps: shares, a watch that a person ends, a rollback; clients notice none of it.
#[test]
fn clients_of_the_proxy_notice_no_switch() {
    let folder = folder();
    let place = folder.path().join(".orchestrate/deploy/production/proxy");
    let port = orchestrator_traffic::ports::pick().unwrap();
    let more = format!(
        "      backup: false\n      proxy: {{listen: \"127.0.0.1:{port}\", drain: 5}}\n      watch: {{seconds: 600, canary: [50], warm_up: 0}}\n"
    );
    let file = folder.read("orchestration.yaml").replace("      backup: false\n", &more);
    folder.write("orchestration.yaml", &file);
    watched(&folder, "1.0.0", "promote")
        .exits(0)
        .says(&[&format!("production: 1.0.0 answers at http://127.0.0.1:{port}")]);

    let over = Arc::new(AtomicBool::new(false));
    let asking = asked(port, over.clone());
    watched(&folder, "2.0.0", "promote").exits(0);
    assert_eq!(current(&folder), "2.0.0");
    watched(&folder, "3.0.0", "rollback")
        .exits(1)
        .says(&["3.0.0 was rolled back", "2.0.0 has all traffic again"]);
    assert_eq!(current(&folder), "2.0.0");
    folder.orchestrate("deploy rollback").exits(0).says(&["production: 1.0.0 has all traffic"]);
    over.store(true, Ordering::SeqCst);
    let (sent, wrong) = asking.join().unwrap();
    assert!(sent > 10 && wrong.is_empty(), "{} of {sent} failed: {wrong:?}", wrong.len());
    let status = json(&folder, "deploy status");
    assert_eq!(status["environments"][0]["traffic"]["shares"].as_object().unwrap().len(), 1, "{status}");
    folder.orchestrate("deploy stop").exits(0);
    until("the proxy ended", || {
        !place.join("control.sock").exists()
            || folder.orchestrate(&format!("proxy status --folder {}", place.display())).code != Some(0)
    });
}

/// Deploys while somebody says that word as soon as it is watched.
pub(super) fn watched(folder: &Folder, version: &str, word: &str) -> Said {
    let file = folder.read("orchestration.yaml");
    let at = file.find("vars: {version:").unwrap();
    folder.write("orchestration.yaml", &format!("{}vars: {{version: {version}}}\n", &file[..at]));
    let mut command = folder.program("run --phase deployment --ceiling publishes");
    let run = command.env("DEPLOY_TO_PRODUCTION", "true");
    let run = run.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let claim = folder.path().join(".orchestrate/deploy/production/claim.json");
    let looks = || {
        let text = std::fs::read(&claim).ok()?;
        let claim: Value = serde_json::from_slice(&text).ok()?;
        let run = claim["run"].as_str()?.to_owned();
        let watched = std::fs::read_dir(folder.path().join(".orchestrate/deploy/production/watch")).ok()?;
        let own = watched.flatten().any(|entry| entry.file_name().to_string_lossy().contains(&run));
        own.then_some(run)
    };
    until("it is watched", || looks().is_some());
    let id = looks().unwrap();
    let mut signal = folder.program(&format!("signal {id} watch.deploy-production --payload"));
    output({
        signal.arg(format!("\"{word}\""));
        signal
    })
    .exits(0);
    ended(run)
}

/// A load through a switch and through a rollback, with the real client: none is dropped, and what failed is told by version.
#[test]
fn a_load_runs_through_switches_and_goes_to_the_record() {
    let folder = folder();
    let port = orchestrator_traffic::ports::pick().unwrap();
    let more = format!(
        "      backup: false\n      proxy: {{listen: \"127.0.0.1:{port}\", drain: 5}}\n      load: {{rate: 80, path: /hello, lead: 1, \
         mix: [{{kind: keep-alive, weight: 3}}, {{kind: new-connections}}]}}\n      watch: {{seconds: 600, canary: [50], warm_up: 0}}\n"
    );
    let file = folder.read("orchestration.yaml").replace("      backup: false\n", &more);
    folder.write("orchestration.yaml", &file);
    watched(&folder, "1.0.0", "promote").exits(0);
    let said = watched(&folder, "2.0.0", "promote").exits(0);
    said.says(&["; 0 of ", "requests failed)"]);
    let said = watched(&folder, "3.0.0", "rollback").exits(1);
    said.says(&["2.0.0 has all traffic again", "; 0 of "]);
    let loads = folder.path().join(".orchestrate/deploy/production/load");
    let summaries: Vec<Value> = std::fs::read_dir(loads)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|end| end == "json"))
        .map(|file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
        .collect();
    assert_eq!(summaries.len(), 3);
    for summary in summaries {
        assert_eq!((&summary["failed"], &summary["over"]), (&0.into(), &true.into()), "{summary}");
        assert!(summary["sent"].as_u64() > Some(50), "{summary}");
    }
    assert!(!folder.path().join(".orchestrate/deploy/production/load.json").exists());
    folder.orchestrate("deploy stop").exits(0);
}

/// Wherever Cargo puts what it builds: by a configuration of the project, or by a variable, outside of the checkout.
#[test]
fn a_binary_is_taken_from_where_cargo_says_that_it_put_it() {
    let folder = Folder::git(
        "\
version: 1
settings: {min_free_disk: 1MB, deploy_to_staging: false}
phases:
  - name: deployment
    use: standard
    with: {binary: app, backup: false, env: {VERSION: \"{version}\"}, health: {version: /version}}
",
    );
    let manifest = "[package]\nname = \"app\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[workspace]\n";
    folder.write("Cargo.toml", manifest);
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../orchestrator-agents/fixtures/service.rs");
    folder.write("src/main.rs", &std::fs::read_to_string(source).unwrap());
    folder.write(".gitignore", "/out\n");
    folder.write(".cargo/config.toml", "[build]\ntarget-dir = \"out/of/it\"\n");
    let deploy = |target: Option<&std::path::Path>| {
        let mut command = folder.program("run --phase deployment --ceiling publishes");
        command.env("DEPLOY_TO_PRODUCTION", "true");
        command.envs(target.map(|target| ("CARGO_TARGET_DIR", target)));
        output(command)
    };
    deploy(None).exits(0).says(&["production: 1.0.0 answers at"]);
    assert!(folder.path().join("out/of/it/release/app").exists());
    folder.write("Cargo.toml", &manifest.replace("1.0.0", "1.1.0"));
    let elsewhere = Folder::new();
    deploy(Some(elsewhere.path())).exits(0).says(&["production: 1.1.0 answers at"]);
    assert!(elsewhere.path().join("release/app").exists());
    assert_eq!(current(&folder), "1.1.0");
    folder.orchestrate("deploy stop").exits(0);
}
