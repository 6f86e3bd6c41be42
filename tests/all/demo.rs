//! The main job: a real repository through all six phases.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Folder, Said, get, git, output, program, services};

/// A demo in a folder of its own.
pub(crate) struct Demo {
    pub(crate) folder: Folder,
}

/// Ends what it left running: a supervisor would start again whatever is only killed.
impl Drop for Demo {
    fn drop(&mut self) {
        if self.checkout().exists() {
            output(program(self.folder.path(), ["demo", "--stop", "demo"]));
        }
    }
}

impl Demo {
    pub(crate) fn new() -> Self {
        Self { folder: Folder::new() }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("demo")
    }

    pub(crate) fn checkout(&self) -> PathBuf {
        self.dir().join("school")
    }

    pub(crate) fn command(&self) -> Command {
        program(self.folder.path(), ["demo", "demo"])
    }

    pub(crate) fn run(&self) -> Said {
        output(self.command())
    }

    pub(crate) fn orchestrate(&self, args: &str) -> Said {
        output(program(&self.checkout(), args.split_whitespace()))
    }

    /// The folders of all runs, oldest first; one that was killed while it was made has a name that starts with a dot.
    pub(crate) fn run_dirs(&self) -> Vec<PathBuf> {
        let Ok(runs) = fs::read_dir(self.checkout().join(".orchestrate/runs")) else { return Vec::new() };
        let named = |run: &PathBuf| !run.file_name().unwrap().to_string_lossy().starts_with('.');
        let mut runs: Vec<PathBuf> = runs.map(|run| run.unwrap().path()).filter(named).collect();
        runs.sort();
        runs
    }

    /// The folder of the first run of the pipeline with that name.
    pub(crate) fn run_of(&self, pipeline: &str) -> PathBuf {
        let is = |run: &PathBuf| {
            let plan: Value = serde_json::from_slice(&fs::read(run.join("plan.json")).unwrap()).unwrap();
            plan["pipeline"] == pipeline
        };
        self.run_dirs().into_iter().find(is).expect("it ran")
    }

    /// The folder of the delivery.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.run_of("school")
    }

    pub(crate) fn summary(&self) -> Value {
        serde_json::from_slice(&fs::read(self.run_dir().join("reports/summary.json")).unwrap()).unwrap()
    }

    /// Checks all that a delivery leaves behind, and gives what must be the same each time.
    #[track_caller]
    pub(crate) fn delivered(&self) -> Delivered {
        let checkout = self.checkout();
        let origin = self.dir().join("origin.git");
        assert_eq!(git(&checkout, &["status", "--porcelain"]), "", "the tree is clean");
        assert_eq!(git(&checkout, &["branch", "--show-current"]), "main");
        let main = git(&checkout, &["rev-parse", "main"]);
        assert_eq!(git(&origin, &["rev-parse", "main"]), main, "main was pushed");
        for repository in [&checkout, &origin] {
            released(repository, &main);
        }
        for environment in ["staging", "production"] {
            let url = fs::read_to_string(checkout.join(".orchestrate/deploy").join(environment).join("url"));
            let health = get(url.unwrap().trim(), "/health");
            assert_eq!((&health["status"], &health["version"]), (&"healthy".into(), &"0.2.0".into()));
        }
        // A service has a process for its database, with the same tag.
        let mut tags = services(&self.dir());
        tags.dedup();
        let environments: Vec<String> =
            tags.iter().map(|tag| tag.split('/').take(2).collect::<Vec<_>>().join("/")).collect();
        let expected = ["production/0.2.0", "production/proxy", "staging/0.2.0"];
        assert_eq!(environments, expected, "one service each, and the proxy");
        assert!(self.run_dir().join("reports/index.html").metadata().unwrap().len() > 1000);
        Delivered { tree: tree(&checkout), outcomes: outcomes(&self.summary()) }
    }
}

/// What is the same in every delivery of the demo.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// The files of main, without the day of the release and the ids of commits.
    tree: BTreeMap<String, String>,
    /// How each task ended.
    outcomes: BTreeMap<String, String>,
}

/// One release: `v0.2.0` and the same with its time, both at `main`.
#[track_caller]
fn released(repository: &Path, main: &str) {
    let tags = git(repository, &["tag", "--list", "v0.2.0*"]);
    let tags: Vec<&str> = tags.lines().collect();
    let [plain, stamped] = tags.as_slice() else {
        panic!("one release in {}: {tags:?}", repository.display())
    };
    assert_eq!(*plain, "v0.2.0");
    let time = stamped.strip_prefix("v0.2.0-").expect("a stamped tag");
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "99999999-999999", "{stamped}");
    for tag in tags {
        assert_eq!(git(repository, &["rev-parse", &format!("{tag}^{{commit}}")]), main, "{tag} is at main");
    }
}

/// The files of main; the day of the release and the commits that the runs made differ.
fn tree(checkout: &Path) -> BTreeMap<String, String> {
    let commits = git(checkout, &["log", "--format=%h", "--abbrev=8", "main"]);
    let day = git(checkout, &["log", "-1", "--format=%cs", "main"]);
    let names = git(checkout, &["ls-tree", "-r", "--name-only", "main"]);
    let file = |name: &str| {
        let text = git(checkout, &["show", &format!("main:{name}")]).replace(&day, "DAY");
        let text = if Path::new(&name).extension().is_some_and(|kind| kind == "yaml") {
            without_port(&text)
        } else {
            text
        };
        let text = commits.lines().fold(text, |text, commit| text.replace(commit, "COMMIT"));
        (name.to_owned(), text)
    };
    names.lines().map(file).collect()
}

/// Where the proxy listens differs from folder to folder.
fn without_port(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut all = parts.next().unwrap().to_owned();
    for part in parts {
        all.push_str("ADDRESS");
        all.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    all
}

fn outcomes(summary: &Value) -> BTreeMap<String, String> {
    let mut outcomes = BTreeMap::new();
    for phase in summary["phases"].as_array().unwrap() {
        for group in phase["groups"].as_array().unwrap() {
            for task in group["tasks"].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                outcomes.insert(text(&task["id"]), text(&task["status"]));
            }
        }
    }
    outcomes
}

#[test]
fn the_demo_takes_a_project_through_all_six_phases() {
    let demo = Demo::new();
    let said = demo.run().exits(0);
    let said = said.says(&["[Phase 1/6]", "[Phase 6/6]", "25 passed", "Report: ", "demo --stop"]);
    let said = said.says(&[
        "0 of ",
        " failed (p50 ",
        "went back by itself in ",
        "0 were dropped",
        "0.2.0  serves now",
    ]);
    assert!(!said.out.contains("NOT AS IT SHOULD BE"));
    assert!(!said.out.contains('\u{1b}'), "no colours where there is no terminal");
    let delivered = demo.delivered();
    assert_eq!(delivered.outcomes.len(), 25);
    assert!(delivered.outcomes.values().all(|outcome| outcome == "passed"), "{:?}", delivered.outcomes);
    assert!(
        delivered.tree["CHANGELOG.md"].contains("## [0.2.0] - DAY"),
        "{}",
        delivered.tree["CHANGELOG.md"]
    );
    assert!(delivered.tree["docs/releases/v0.2.0.md"].contains("attendance"));
    let summary = demo.summary();
    assert_eq!((&summary["counts"]["passed"], &summary["counts"]["running"]), (&25.into(), &0.into()));
    assert_eq!(summary["verdict"]["status"], "passed");

    demo.run().exits(0).says(&["has run", "--fresh"]);
    assert_eq!(demo.delivered(), delivered, "a second time changes nothing");
    looked_at(&demo);
    switched(&demo);

    let stopped = output(program(demo.folder.path(), ["demo", "--stop", "demo"])).exits(0);
    stopped.says(&["ended staging 0.2.0", "ended production 0.2.0"]);
    assert_eq!(services(&demo.dir()), [""; 0], "no service is left");
    assert_eq!(of_the_folder(&demo), [""; 0], "neither supervisor nor proxy nor load client is left");
    output(program(demo.folder.path(), ["demo", "--stop", "demo"]))
        .exits(0)
        .says(&["no service was running"]);
}

/// What can be asked about a delivery.
fn looked_at(demo: &Demo) {
    let run = demo.run_dir();
    let run = run.file_name().unwrap().to_str().unwrap();
    let status = demo.orchestrate(&format!("status {run}")).exits(0).says(&[
        "25 passed",
        "[Phase 5/6] DEPLOYMENT",
        "index.html",
    ]);
    assert!(!status.out.contains("FAILED"));
    let status = demo.orchestrate(&format!("status {run} --format json")).exits(0).json();
    assert_eq!((&status[0]["v"], &status[0]["result"]["counts"]["passed"]), (&1.into(), &25.into()));
    assert_eq!(status[0]["result"]["of"].as_array().unwrap().len(), 25);
    demo.orchestrate("runs").exits(0).says(&["publishes", "school", "25 passed"]);
    demo.orchestrate(&format!("logs {run} test")).exits(0).says(&["test result: ok"]);
    demo.orchestrate("resume").exits(2).says(&["no run is left to resume"]);
    demo.orchestrate("cancel latest").exits(2);
    let before = git(&demo.checkout(), &["show-ref"]);
    demo.orchestrate(&format!("rollback {run} --dry-run")).exits(3).says(&["to undo"]);
    assert_eq!(git(&demo.checkout(), &["show-ref"]), before, "looking at a rollback changes nothing");
}

/// Command lines that name the folder of a demo, and processes that stand in it.
fn of_the_folder(demo: &Demo) -> Vec<String> {
    let folder = demo.dir().canonicalize().unwrap().display().to_string();
    let own = |entry: fs::DirEntry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let stands = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
        (line.contains(&folder) || stands).then_some(line)
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(own).collect()
}

/// The deployments to production as records, history and recordings tell them: nothing failed that a version did not answer itself.
fn switched(demo: &Demo) {
    let production = demo.checkout().join(".orchestrate/deploy/production");
    let history = demo.orchestrate("deploy history --environment production --format json").exits(0).json();
    let lines = history[0]["result"]["environments"][0]["deployments"].as_array().unwrap();
    let told: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (line["version"].as_str().unwrap(), line["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("0.3.0", "rolled back"), ("0.2.0", "promoted"), ("0.1.0", "promoted")]);

    let good = deployed(&demo.run_of("school"));
    let load = &good["conclusion"]["output"]["load"];
    assert_eq!(
        (&load["failed"], &load["dropped"], &load["over"]),
        (&0.into(), &0.into(), &true.into()),
        "{load}"
    );
    assert!(load["sent"].as_u64() > Some(400), "{load}");
    let versions: Vec<&str> =
        load["versions"].as_array().unwrap().iter().map(|seen| seen["version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["0.1.0", "0.2.0"], "it began before the switch and ended after it");
    for name in ["deploy.load.p999", "deploy.load.overlap", "deploy.switch.first_answer", "deploy.drain"] {
        assert!(metric(&good, name).is_some(), "{name}: {good}");
    }

    let bad = deployed(&demo.run_of("next version"));
    assert_eq!((&bad["outcome"], metric(&bad, "deploy.load.dropped")), (&"failed".into(), Some(0.0)));
    assert!(metric(&bad, "deploy.load.failed") > Some(0.0) && metric(&bad, "deploy.rollback") > Some(0.0));
    let findings = bad["conclusion"]["findings"].as_array().unwrap();
    let rules: Vec<&str> = findings.iter().map(|finding| finding["rule"].as_str().unwrap()).collect();
    assert!(rules.contains(&"watch/roll-back"), "the trace is on record: {rules:?}");

    let recordings = fs::read_dir(production.join("watch")).unwrap().map(|file| file.unwrap().path());
    let replayed = recordings.map(|recording| {
        let mut replay = program(demo.folder.path(), ["deploy", "replay"]);
        replay.arg(recording);
        output(replay).exits(0).says(&["byte for byte the same"]);
    });
    assert_eq!(replayed.count(), 2);
    let database = demo.checkout().join("data/production.db");
    if database.exists() {
        let tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('students', 'attendance');";
        let asked = Command::new("sqlite3").arg(database).arg(tables).output().unwrap();
        assert_eq!(
            String::from_utf8(asked.stdout).unwrap().trim(),
            "2",
            "the migrations of both versions are applied"
        );
    }
}

fn metric(task: &Value, name: &str) -> Option<f64> {
    let metrics = task["conclusion"]["metrics"].as_array().unwrap();
    metrics.iter().find(|metric| metric["name"] == name).and_then(|metric| metric["value"].as_f64())
}

/// How the deployment to production ended, as the journal of a run has it.
fn deployed(run: &Path) -> Value {
    let journal = fs::read_to_string(run.join("journal.jsonl")).unwrap();
    let records = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut ended = records.map(|mut record| record["event"]["task_finished"].take());
    ended.rfind(|ended| ended["task"] == "deploy-production").expect("it ended")
}
