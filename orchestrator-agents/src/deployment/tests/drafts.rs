//! What the phase drafts, and what the agents plan and say.

use orchestrator_core::path::RelPath;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::pipeline::GroupSpec;
use orchestrator_core::project::{Found, Project, Stack};
use orchestrator_core::settings::Settings;

use super::*;
use crate::deployment::{DeploymentPhase, StopDeployment};

fn project(stack: Stack) -> Project {
    let found = Found {
        stack,
        folder: RelPath::root(),
        manifest: RelPath::new("Cargo.toml").unwrap(),
        name: Some("school".into()),
        version: Some("0.2.0".into()),
        scripts: BTreeMap::new(),
        requires: [].into(),
        tools: Vec::new(),
    };
    Project { name: "school".into(), git: None, stacks: vec![found] }
}

fn draft(stack: Stack, production: bool, with: Value) -> Result<(Vec<GroupSpec>, Vec<String>), String> {
    let settings = Settings { deploy_to_production: production, ..Settings::default() };
    let mut draft = Draft::new(&settings, &with);
    DeploymentPhase.draft(&project(stack), &mut draft).map_err(|error| error.to_string())?;
    Ok(draft.finish())
}

#[test]
fn a_cargo_binary_is_built_then_goes_to_staging_then_to_production() {
    let with = json!({ "binary": "school", "env": { "A": "1" }, "production": { "env": { "B": "2" }, "smoke": [] },
        "smoke": [{ "name": "root", "path": "/" }] });
    let (groups, notes) = draft(Stack::Cargo, true, with).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let told: Vec<String> = groups
        .iter()
        .flat_map(|group| &group.tasks)
        .map(|task| {
            let needs: Vec<&str> = task.needs.iter().map(TaskId::as_str).collect();
            let smoke = task.with["smoke"].as_array().map_or(0, Vec::len);
            format!("{} {} needs [{}] {} {smoke}", task.id, task.agent, needs.join(" "), task.with["env"])
        })
        .collect();
    assert_eq!(
        told,
        [
            "build-release cargo-build needs [] null 0",
            "deploy-staging deploy needs [build-release] {\"A\":\"1\"} 1",
            "backup-production backup needs [deploy-staging] null 0",
            "verify-backup-production verify-backup needs [] null 0",
            "deploy-production deploy needs [deploy-staging verify-backup-production] {\"A\":\"1\",\"B\":\"2\"} 0",
        ]
    );
    let (with, built) = (&groups[1].tasks[0].with, json!({ "from": "build-release/programs/school" }));
    assert_eq!(
        (&with["artifact"], &with["outside"]),
        (&built, &json!(true)),
        "where Cargo says that it put it"
    );
    assert_eq!(groups[1].tasks[0].with["version"], "0.2.0");
}

/// The ids of what is drafted for production, and the notes.
fn production(with: Value, others: &[&str]) -> Result<(Vec<String>, Vec<String>), String> {
    let settings = Settings { deploy_to_production: true, deploy_to_staging: false, ..Settings::default() };
    let mut draft = Draft::new(&settings, &with).among(others.iter().map(ToString::to_string));
    DeploymentPhase.draft(&project(Stack::Go), &mut draft).map_err(|error| error.to_string())?;
    let (groups, notes) = draft.finish();
    Ok((groups.iter().flat_map(|group| &group.tasks).map(|task| task.id.to_string()).collect(), notes))
}

#[test]
fn production_is_backed_up_once() {
    let ids = |with, others: &[&str]| production(with, others).unwrap().0;
    let both = ["backup-production", "verify-backup-production", "deploy-production"];
    assert_eq!(ids(json!({ "artifact": "x", "version": "1" }), &["deployment"]), both);
    assert_eq!(ids(json!({ "artifact": "x", "version": "1" }), &["restart_backup"]), both[2..]);
    let what = json!({ "artifact": "x", "version": "1", "backup": { "to": "safe" } });
    assert_eq!(ids(what, &["restart_backup"]), both, "what is asked for is made");
    let (ids, notes) = production(json!({ "artifact": "x", "version": "1", "backup": false }), &[]).unwrap();
    assert_eq!(ids, both[2..]);
    assert!(notes.contains(&"no backup is made before production: `backup: false`".to_owned()), "{notes:?}");
    let error =
        production(json!({ "artifact": "x", "version": "1", "backup": { "two": 1 } }), &[]).unwrap_err();
    assert!(error.contains("`with.backup`: unknown field `two`"), "{error}");
}

#[test]
fn production_may_ask_and_needs_an_address_of_its_own() {
    let with = json!({ "artifact": "x", "version": "1.0.0", "approve": true, "wait": "10m",
        "proxy": { "listen": "127.0.0.1:8080" }, "staging": { "proxy": { "listen": "127.0.0.1:8081" } } });
    let (groups, _) = draft(Stack::Go, true, with.clone()).unwrap();
    let tasks: Vec<&Value> = groups.iter().flat_map(|group| &group.tasks).map(|task| &task.with).collect();
    assert_eq!(
        (&tasks[0]["approve"], &tasks[0]["proxy"]["listen"]),
        (&Value::Null, &json!("127.0.0.1:8081"))
    );
    let last = tasks.last().unwrap();
    assert_eq!((&last["approve"], &last["wait"]), (&json!(true), &json!("600s")));
    let mut same = with;
    same["staging"] = json!({});
    let error = draft(Stack::Go, true, same.clone()).unwrap_err();
    assert!(error.contains("cannot both listen on 127.0.0.1:8080"), "{error}");
    // Hosts have addresses of their own.
    let to = |host: &str| json!({ "target": { "kind": "ssh", "hosts": [host], "folder": "srv/shop" } });
    (same["staging"], same["production"]) = (to("stg"), to("web1"));
    draft(Stack::Go, true, same.clone()).unwrap();
    same["staging"] = json!({});
    draft(Stack::Go, true, same.clone()).unwrap();
    same["staging"] = to("web1");
    let error = draft(Stack::Go, true, same).unwrap_err();
    assert!(error.contains("cannot both listen on 127.0.0.1:8080"), "{error}");
}

#[test]
fn a_load_needs_a_proxy_where_it_is_sent() {
    let mut with = json!({ "artifact": "x", "version": "1.0.0", "load": { "rate": 5 },
        "production": { "proxy": { "listen": "127.0.0.1:8080" } } });
    let error = draft(Stack::Go, true, with.clone()).unwrap_err();
    assert_eq!(error, "staging: `load` needs `proxy`: requests are sent to it, before and after the switch");
    let load = with["load"].take();
    with["production"]["load"] = load.clone();
    with.as_object_mut().unwrap().remove("load");
    let (groups, _) = draft(Stack::Go, true, with).unwrap();
    let tasks: Vec<&Value> = groups.iter().flat_map(|group| &group.tasks).map(|task| &task.with).collect();
    assert_eq!(tasks[0].get("load"), None);
    assert_eq!(tasks.last().unwrap()["load"]["rate"], 5.0);
}

#[test]
fn shadows_only_tell() {
    let settings = Settings { deploy_to_production: true, shadow: true, ..Settings::default() };
    let with = json!({ "artifact": "app", "version": "1", "backup": false,
        "production": { "proxy": { "listen": "127.0.0.1:1" }, "watch": { "seconds": 60 } } });
    let mut draft = Draft::new(&settings, &with);
    DeploymentPhase.draft(&project(Stack::Go), &mut draft).unwrap();
    let (groups, notes) = draft.finish();
    let tasks: Vec<&Value> = groups.iter().flat_map(|group| &group.tasks).map(|task| &task.with).collect();
    assert_eq!(tasks.iter().filter(|with| with["watch"]["shadow"] == true).count(), 1, "{tasks:?}");
    assert!(
        notes.iter().any(|note| note == "the watch of production only tells: `shadow` is on"),
        "{notes:?}"
    );
}

#[test]
fn commands_need_no_artifact() {
    let target = json!({ "kind": "command", "deploy": "ship {version}", "rollback": ["unship"], "url": "http://127.0.0.1:1" });
    let (ids, _) = production(json!({ "version": "1", "target": target, "backup": false }), &[]).unwrap();
    assert_eq!(ids, ["deploy-production"]);
}

#[test]
fn an_artifact_and_a_version_may_come_from_other_tasks() {
    let with = json!({ "artifact": { "from": "build/path" }, "version": { "from": "release/version" } });
    let (groups, notes) = draft(Stack::Go, false, with).unwrap();
    assert_eq!(notes, ["production is left out: `deploy_to_production` is off"]);
    let [group] = groups.as_slice() else { panic!("{groups:?}") };
    assert_eq!(group.tasks[0].with["artifact"], json!({ "from": "build/path" }));
    assert_eq!(group.tasks[0].with["version"], json!({ "from": "release/version" }));
}

#[test]
fn nothing_given_drafts_nothing_and_says_what_to_add() {
    let (groups, notes) = draft(Stack::Cargo, false, Value::Null).unwrap();
    assert!(groups.is_empty());
    assert!(notes[1].contains("`binary: NAME` (built with Cargo) or `artifact: PATH`"), "{notes:?}");
    let (groups, notes) = draft(Stack::Npm, false, json!({ "binary": "x" })).unwrap();
    assert!(groups.is_empty() && notes[1].contains("needs a Cargo project"), "{notes:?}");
    let error = draft(Stack::Cargo, false, json!({ "binari": "x" })).unwrap_err();
    assert!(error.contains("unknown field `binari`"), "{error}");
    let error =
        draft(Stack::Cargo, false, json!({ "artifact": "x", "health": { "path": "health" } })).unwrap_err();
    assert!(error.contains("`with.health.path`") && error.contains("must start with `/`"), "{error}");
    let wrong = json!({ "artifact": "x", "production": { "proxy": { "listen": "127.0.1:80" } } });
    let error = draft(Stack::Cargo, false, wrong).unwrap_err();
    assert!(error.contains("`with.production.proxy.listen`: `127.0.1:80`: invalid"), "{error}");
}

#[test]
fn a_deployment_shows_what_it_starts() {
    let desk = Desk::new();
    let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
    let config = json!({ "environment": "staging", "version": "1.0.0", "artifact": "app", "env": { "K": { "secret": "API" } } });
    let agent = dyn_agent(Deploy::default()).unwrap();
    let actions = desk.runtime.block_on(agent.plan(&task(config.into()), &look)).unwrap();
    insta::assert_snapshot!(actions[0], @r#"call claim-environment {"environment":"staging","version":"1.0.0","direct":true} [publishes]"#);
    insta::assert_snapshot!(actions[1], @r#"call start-service {"environment":"staging","version":"1.0.0","artifact":"app","env":{"K":{"secret":"API"}},"port":0,"health":{"path":"/health","expect_status":200,"timeout":30.0,"request_timeout":5.0},"start_timeout":30.0,"claimed":true} [publishes]"#);
    let wrong = json!({ "environment": "Staging", "version": "1.0.0", "artifact": "app" });
    let error = agent.check(&wrong.into()).unwrap_err();
    assert_eq!(error.way, ["environment"]);
}

#[test]
fn stopping_says_what_ran() {
    let desk = Desk::new();
    let agent = dyn_agent(StopDeployment).unwrap();
    let task = task(json!({}).into());
    let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
    let actions = desk.runtime.block_on(agent.plan(&task, &look)).unwrap();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    for said in ["stopped production 0.1.0", "nothing ran"] {
        let receipts = desk.receipts(&actions, 2, 0);
        let verdict = agent.conclude(&task, &receipts, &Artifacts::new(&Kept::default())).unwrap();
        let Verdict::Passed(conclusion) = verdict else { panic!("{verdict:?}") };
        assert_eq!(conclusion.summary, said);
    }
}

#[test]
fn an_operation_that_was_assumed_done_is_not_guessed_about() {
    let agent = dyn_agent(Deploy::default()).unwrap();
    let receipts = [Receipt::new(Status::AssumedDone)];
    let verdict =
        agent.conclude(&task(config("0.1.0", "").into()), &receipts, &Artifacts::new(&Kept::default()));
    let Verdict::Failed(conclusion) = verdict.unwrap() else { panic!("nothing is known of it") };
    assert!(
        conclusion.summary.contains("what it gave is not known (assumed done)"),
        "{}",
        conclusion.summary
    );
}
