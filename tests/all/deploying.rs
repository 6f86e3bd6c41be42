//! `orchestrate deploy`, and the phase `deployment` as people meet it: real services, deployed by the program.

use std::process::Command;

use serde_json::Value;

use super::support::{Folder, Said, output};

/// A folder with a service to deploy: `app`, and a pipeline that deploys nothing else.
fn folder() -> Folder {
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

fn deploy(folder: &Folder, version: &str) -> Said {
    let file = folder.read("orchestration.yaml");
    let at = file.find("vars: {version:").unwrap();
    folder.write("orchestration.yaml", &format!("{}vars: {{version: {version}}}\n", &file[..at]));
    let mut command = folder.program("run --phase deployment --ceiling publishes");
    command.env("DEPLOY_TO_PRODUCTION", "true").env("USER", "ada");
    output(command)
}

fn json(folder: &Folder, args: &str) -> Value {
    folder.orchestrate(&format!("{args} --format json")).exits(0).json().pop().unwrap()
}

fn current(folder: &Folder) -> String {
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
