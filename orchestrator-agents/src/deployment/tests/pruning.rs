//! What is kept and what goes: by deployments themselves, whoever needs something, cut off, refused, linked elsewhere.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::claims::claim;
use super::standin::Standin;
use super::watched::{proxied, said};
use super::*;
use crate::deployment::PruneDeployment;
use crate::deployment::ops::{
    ClaimEnvironment, LookAtReleases, PruneReleases, Reinstate, StartService, kept,
};

/// A release whose folder is all there is of it.
fn laid(desk: &Desk, number: u32) -> String {
    let run = key(number, 0, 0).run;
    let name = format!("1.{number}.0-{run}-deploy.1.0.1");
    let folder = desk.place().join("releases").join(&name);
    std::fs::create_dir_all(&folder).unwrap();
    let record = json!({
        "environment": "production", "version": format!("1.{number}.0"), "name": name, "binary": "app",
        "digest": orchestrator_core::path::Digest::of(b"app"), "argv": [], "env": {}, "health": {}, "start_timeout": 5,
        "order": key(number, 0, 1).to_string(),
    });
    std::fs::write(folder.join("release.json"), record.to_string()).unwrap();
    std::fs::write(folder.join("app"), "app").unwrap();
    for beside in
        [format!("watch/{name}.jsonl"), format!("watch/{name}.log.json"), format!("load/r-{name}.json")]
    {
        let path = desk.place().join(beside);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    name
}

impl Desk {
    fn place(&self) -> PathBuf {
        self.state().join("deploy/production")
    }

    /// The versions whose folders are there, by name.
    fn laid(&self) -> Vec<String> {
        let mut all: Vec<String> = std::fs::read_dir(self.place().join("releases"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        all.sort();
        all.iter().map(|name| name.split('-').next().unwrap_or_default().to_owned()).collect()
    }

    fn prune(&self, keep: u32) -> Result<Value, String> {
        self.call(PruneReleases, json!({ "environment": "production", "keep": keep }), &key(200, 0, 0))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.place().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// The record of a service that does not run.
fn service(release: &str, number: u32) -> Value {
    json!({
        "environment": "production", "version": format!("1.{number}.0"), "release": release, "pid": 1, "started": 1, "boot": "x",
        "port": 1, "url": "http://127.0.0.1:1", "since": "2026-11-20T23:44:33Z",
        "digest": orchestrator_core::path::Digest::of(b"app"), "order": key(number, 0, 1).to_string(), "tag": "x",
    })
}

/// Why each release that is over the number stays.
fn stays(output: &Value) -> BTreeMap<String, Value> {
    let all = output["stays"].as_array().cloned().unwrap_or_default();
    all.into_iter().map(|one| (one["release"].as_str().unwrap().to_owned(), one["because"].clone())).collect()
}

#[test]
fn a_deployment_that_counts_prunes_and_the_way_back_stays() {
    let desk = Desk::new();
    let config = |version: &str| {
        let mut config = config(version, "");
        config["keep"] = json!(1);
        config
    };
    desk.deploy(1, config("0.1.0")).unwrap();
    desk.deploy(2, config("0.2.0")).unwrap();
    assert_eq!(desk.laid(), ["0.1.0", "0.2.0"], "the version before stays");
    let first = kept(&desk.state(), &Environment::new("production").unwrap()).unwrap().pop().unwrap().release;
    desk.write(&format!("watch/{first}.jsonl"), "{}");
    let mut bad = config("0.3.0");
    bad["smoke"] = json!([{ "name": "missing", "path": "/missing" }]);
    desk.deploy(3, bad.clone()).unwrap_err();
    assert_eq!(desk.laid(), ["0.1.0", "0.2.0", "0.3.0"], "one that does not count prunes nothing");
    bad["version"] = json!("0.3.1");
    desk.deploy(4, bad).unwrap_err();
    let passed = desk.deploy(5, config("0.4.0")).unwrap();
    let told: Vec<&str> = passed.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(told.iter().any(|told| told.contains("2 releases (0.1.0-")), "{told:?}");
    assert_eq!(desk.laid(), ["0.2.0", "0.3.1", "0.4.0"], "the newest that failed is kept besides");
    assert!(!desk.place().join(format!("watch/{first}.jsonl")).exists());
    let all = kept(&desk.state(), &Environment::new("production").unwrap()).unwrap();
    let back = all.iter().find(|kept| kept.back).unwrap();
    let back = json!({ "environment": "production", "release": back.release });
    desk.call(Reinstate::default(), back, &key(6, 0, 0)).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.2.0");
    let gone = json!({ "environment": "production", "release": first });
    let error = desk.call(Reinstate::default(), gone, &key(7, 0, 0)).unwrap_err();
    assert!(error.contains("it was pruned"), "{error}");
}

#[test]
fn a_pruning_that_fails_is_told_and_fails_nothing() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let (watch, elsewhere) = (desk.place().join("watch"), desk.folder.path().join("elsewhere"));
    std::fs::create_dir_all(&elsewhere).unwrap();
    let _ = std::fs::remove_dir_all(&watch);
    symlink(&elsewhere, &watch).unwrap();
    let passed = desk.deploy(2, config("0.2.0", "")).unwrap();
    let told: Vec<&str> = passed.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(told.iter().any(|told| told.contains("not pruned") && told.contains("watch")), "{told:?}");
    assert_eq!(desk.current().unwrap().0, "0.2.0");
    let mut none = config("0.3.0", "");
    none["keep"] = json!(0);
    assert!(desk.deploy(3, none).unwrap().findings.is_empty(), "0 keeps all");
}

/// Everybody who may hold a release, one each; of all others nothing is left.
#[test]
fn whoever_may_need_a_release_holds_it() {
    let desk = Desk::new();
    let names: Vec<String> = (1..=14).map(|number| laid(&desk, number)).collect();
    let [
        free,
        previous,
        candidate,
        supervised,
        table,
        load,
        runs,
        link,
        unreadable,
        contained,
        named,
        young,
        current,
        _newest,
    ] = &names[..]
    else {
        unreachable!()
    };
    let mut counts = service(current, 13);
    counts["previous"] = service(previous, 2);
    desk.write("current.json", &counts.to_string());
    desk.write("candidate.json", &service(candidate, 3).to_string());
    let kept = json!({ "tag": "x", "port": 1, "state": "crash_loop", "since": "2026-11-20T23:44:33Z" });
    desk.write("supervise.json", &json!({ "services": { supervised: kept } }).to_string());
    desk.write("proxy/table.json", &json!({ "v": 1, "table": { "routes": [table] } }).to_string());
    desk.write("load.json", &json!({ "order": "x", "release": load }).to_string());
    let tag = format!("production/1.7.0/{}", key(7, 0, 1));
    let mut child = Command::new("sleep").arg("60").env("ORCHESTRATE_SERVICE", tag).spawn().unwrap();
    let (folder, elsewhere) =
        (desk.place().join("releases").join(link), desk.folder.path().join("elsewhere"));
    std::fs::rename(&folder, &elsewhere).unwrap();
    symlink(&elsewhere, &folder).unwrap();
    desk.write(&format!("releases/{unreadable}/release.json"), "{");
    let record = desk.place().join("releases").join(contained).join("release.json");
    let mut release: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    release["container"] = json!({
        "name": "shop", "socket": "/nowhere/docker.sock", "image": "shop", "image_id": "x", "port": 1, "restarts": 0, "labels": {},
    });
    std::fs::write(&record, release.to_string()).unwrap();
    // A run that is not over: its journal cannot even be read.
    let run = key(99, 0, 0).run;
    let journal = desk.state().join(format!("runs/{run}/journal.jsonl"));
    std::fs::create_dir_all(journal.parent().unwrap()).unwrap();
    std::fs::write(&journal, format!("{{\"undo\":\"{named}\"}}\n")).unwrap();
    // Who has the environment began after most of them.
    let mut owner = json!({
        "run": key(12, 0, 0).run, "task": "deploy", "owner": "ada@example", "process": { "pid": 1, "started": 1, "boot": "x" },
        "since": "2026-11-20T23:44:33Z", "version": "1.12.0",
    });
    desk.write("claim.json", &owner.to_string());

    // All of them but the current one never counted, so one place is free: that of the newest.
    let input = json!({ "environment": "production", "keep": 1 });
    let seen = desk.call(LookAtReleases, input.clone(), &key(200, 0, 0));
    let pruned = desk.prune(1);
    child.kill().unwrap();
    child.wait().unwrap();
    let (seen, pruned) = (seen.unwrap(), pruned.unwrap());
    assert_eq!(seen["goes"], pruned["goes"]);
    assert_eq!(seen["bytes"], pruned["bytes"], "what is said to be freed is freed");
    assert_eq!(pruned["goes"], json!([{ "release": free, "counted": false }]));
    assert_eq!((&pruned["kept"], &pruned.get("failed")), (&json!(13), &None));
    let because = stays(&pruned);
    for (release, why) in [
        (previous, json!("previous")),
        (candidate, json!("candidate")),
        (supervised, json!("supervised")),
        (table, json!("traffic")),
        (load, json!("load")),
        (runs, json!("runs")),
        (link, json!("link")),
        (named, json!({ "needed": run })),
        (young, json!({ "claimed": owner["run"] })),
    ] {
        assert_eq!(because[release], why, "{release}");
    }
    assert!(because[unreadable]["unreadable"].is_string(), "{because:?}");
    assert!(because[contained]["contained"].is_string(), "{because:?}");
    assert!(!because.contains_key(current), "it is the only one that counted");
    assert!(elsewhere.join("app").exists(), "what a link leads to is not ours");
    for name in &names[1..] {
        assert!(desk.place().join(format!("watch/{name}.jsonl")).exists(), "{name}");
    }
    for beside in
        [format!("watch/{free}.jsonl"), format!("watch/{free}.log.json"), format!("load/r-{free}.json")]
    {
        assert!(!desk.place().join(beside).exists());
    }
    // An older claim holds all that is younger.
    owner["run"] = json!(key(1, 0, 0).run);
    desk.write("claim.json", &owner.to_string());
    for file in ["candidate.json", "supervise.json", "proxy/table.json", "load.json"] {
        std::fs::remove_file(desk.place().join(file)).unwrap();
    }
    std::fs::remove_dir_all(desk.state().join("runs")).unwrap();
    assert_eq!(desk.prune(1).unwrap()["goes"], json!([]));
    // Nobody holds them any more.
    std::fs::remove_file(desk.place().join("claim.json")).unwrap();
    let pruned = desk.prune(1).unwrap();
    assert_eq!(pruned["goes"].as_array().unwrap().len(), 7, "{pruned}");
    std::fs::remove_file(desk.place().join("current.json")).unwrap();
    // Nobody can tell whether these two run, so the end of the test could not end everything.
    for unknown in [unreadable, contained] {
        std::fs::remove_dir_all(desk.place().join("releases").join(unknown)).unwrap();
    }
}

/// A switch or a rollback is about a release that is older than its claim.
#[test]
fn what_is_to_come_back_stays() {
    let desk = Desk::new();
    let names: Vec<String> = (1..5).map(|number| laid(&desk, number)).collect();
    let run = key(99, 0, 0).run;
    let claim = json!({
        "run": run, "task": "deploy", "owner": "ada@example", "process": { "pid": 1, "started": 1, "boot": "x" },
        "since": "2026-11-20T23:44:33Z", "version": "1.1.0", "brings": names[0],
    });
    desk.write("claim.json", &claim.to_string());
    desk.write("going.json", &service(&names[1], 2).to_string());
    let pruned = desk.prune(1).unwrap();
    let because = stays(&pruned);
    assert_eq!((&because[&names[0]], &because[&names[1]]), (&json!({ "claimed": run }), &json!("traffic")));
    assert_eq!(pruned["goes"], json!([{ "release": names[2], "counted": false }]));
}

#[test]
fn who_the_proxy_serves_and_what_is_tried_stays() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    let config = |version: &str| {
        let mut config = proxied(version, "");
        config["keep"] = json!(1);
        config
    };
    desk.when(said("promote"));
    desk.deploy(1, config("0.1.0")).unwrap();
    desk.when(said("promote"));
    desk.deploy(2, config("0.2.0")).unwrap();
    for number in 3..6 {
        laid(&desk, number);
    }
    // Somebody claims, starts a candidate and dies: both versions that counted, and the candidate, are there yet.
    desk.call(ClaimEnvironment::default(), claim("0.9.0"), &key(9, 0, 0)).unwrap();
    desk.call(StartService::default(), start("0.9.0", ""), &key(9, 0, 1)).unwrap();
    desk.prune(1).unwrap();
    assert_eq!(desk.laid(), ["0.1.0", "0.2.0", "0.9.0"]);
    drop(proxy);
}

#[test]
fn what_is_no_release_is_left_alone() {
    let desk = Desk::new();
    for number in 1..4 {
        laid(&desk, number);
    }
    desk.write("releases/mine/notes.txt", "x");
    desk.write("releases/notes.txt", "x");
    desk.write("watch/notes.txt", "x");
    desk.write("load/r-notes.json", "x");
    let pruned = desk.prune(1).unwrap();
    assert_eq!(pruned["goes"].as_array().unwrap().len(), 2);
    for name in ["releases/mine/notes.txt", "releases/notes.txt", "watch/notes.txt", "load/r-notes.json"] {
        assert!(desk.place().join(name).exists(), "{name}");
    }
    // Recordings whose release is gone go as those with one.
    let recorded = format!("watch/0.0.1-{}-deploy.1.0.1.jsonl", key(0, 0, 0).run);
    desk.write(&recorded, "x");
    desk.prune(1).unwrap();
    assert!(!desk.place().join(recorded).exists());
}

/// Cut off at each step; the next one finishes it.
#[test]
fn what_a_cut_off_pruning_left_goes_with_the_next() {
    let desk = Desk::new();
    for number in 1..5 {
        laid(&desk, number);
    }
    let old = laid(&desk, 0);
    let releases = desk.place().join("releases");
    // Renamed, and not deleted; its recording is there yet.
    std::fs::rename(releases.join(&old), releases.join(".gone-0123456789ab-0")).unwrap();
    // Deleted in part, and something that is no folder.
    std::fs::create_dir_all(releases.join(".gone-cut/a/b")).unwrap();
    symlink(desk.folder.path(), releases.join(".gone-link")).unwrap();
    let input = json!({ "environment": "production", "keep": 5 });
    assert_eq!(desk.call(LookAtReleases, input, &key(200, 0, 0)).unwrap()["leftovers"], 3);
    let pruned = desk.prune(4).unwrap();
    assert_eq!((&pruned["leftovers"], pruned.get("failed")), (&json!(3), None), "{pruned}");
    assert_eq!(desk.laid(), ["1.1.0", "1.2.0", "1.3.0", "1.4.0"]);
    assert!(!desk.place().join(format!("watch/{old}.jsonl")).exists());
    assert!(desk.folder.path().join("target").exists(), "what a link leads to stays");
    // Nothing is left to do.
    assert_eq!(desk.prune(4).unwrap(), json!({ "goes": [], "kept": 4, "bytes": 0 }));
}

#[test]
fn where_it_is_not_known_who_needs_what_nothing_goes() {
    let desk = Desk::new();
    for number in 1..5 {
        laid(&desk, number);
    }
    for file in ["current.json", "candidate.json", "going.json", "claim.json", "supervise.json", "load.json"]
    {
        desk.write(file, "{");
        let error = desk.prune(1).unwrap_err();
        assert!(error.contains(file), "{file}: {error}");
        std::fs::remove_file(desk.place().join(file)).unwrap();
    }
    let (releases, elsewhere) = (desk.place().join("releases"), desk.folder.path().join("elsewhere"));
    std::fs::rename(&releases, &elsewhere).unwrap();
    symlink(&elsewhere, &releases).unwrap();
    let error = desk.prune(1).unwrap_err();
    assert!(error.contains("releases"), "{error}");
    assert_eq!(desk.laid().len(), 4);
    assert!(!Path::new(&desk.state()).join("deploy/staging").exists());
    let other = desk.call(PruneReleases, json!({ "environment": "staging" }), &key(200, 0, 0)).unwrap();
    assert_eq!(other["kept"], 0);
    assert!(!desk.state().join("deploy/staging").exists(), "nothing is made where nothing is");
}

/// What was seen in the first round is what the second one removes, and no more.
#[test]
fn the_command_looks_and_then_removes_what_it_saw() {
    let desk = Desk::new();
    for number in 1..4 {
        laid(&desk, number);
    }
    let agent = dyn_agent(PruneDeployment::default()).unwrap();
    let mut task: Task<Json> = task(json!({ "environment": "production", "keep": 2 }).into());
    let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
    let (carried, actions) = desk.runtime.block_on(agent.prepare(&task, &look)).unwrap();
    assert!(carried.is_null());
    assert_eq!(actions[0].effect(), orchestrator_core::effect::Effect::Reads, "a dry run looks, too");
    let seen = desk.receipts(&actions, 201, 0);
    let Verdict::More { actions, carried } =
        agent.conclude(&task, &seen, &Artifacts::new(&Kept::default())).unwrap()
    else {
        panic!("there is something to remove")
    };
    let shown = serde_json::to_string(&actions).unwrap();
    assert!(shown.contains("prune-releases") && shown.contains("\"1.1.0-"), "{shown}");
    laid(&desk, 4);
    task.carried = carried;
    let pruned = desk.receipts(&actions, 201, 1);
    let Verdict::Passed(passed) = agent.conclude(&task, &pruned, &Artifacts::new(&Kept::default())).unwrap()
    else {
        panic!("it is done")
    };
    assert!(passed.summary.starts_with("production: 1 release (1.1.0-"), "{}", passed.summary);
    assert!(passed.summary.ends_with("; 3 kept"), "{}", passed.summary);
    assert_eq!(desk.laid(), ["1.2.0", "1.3.0", "1.4.0"]);
}

#[test]
fn what_a_run_that_cannot_be_read_may_name_stays() {
    let desk = Desk::new();
    for number in 1..4 {
        laid(&desk, number);
    }
    let journal = desk.state().join(format!("runs/{}/journal.jsonl", key(99, 0, 0).run));
    std::fs::create_dir_all(&journal).unwrap();
    assert_eq!(desk.prune(1).unwrap()["goes"], json!([]));
    std::fs::remove_dir(&journal).unwrap();
    assert_eq!(desk.prune(1).unwrap()["goes"].as_array().unwrap().len(), 2);
}
