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

    /// The folder of the latest run; one that was killed while it was made has a name that starts with a dot.
    pub(crate) fn run_dir(&self) -> PathBuf {
        let runs =
            fs::read_dir(self.checkout().join(".orchestrate/runs")).unwrap().map(|run| run.unwrap().path());
        let named = |run: &PathBuf| !run.file_name().unwrap().to_string_lossy().starts_with('.');
        runs.filter(named).max().expect("there is a run")
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
        let environments: Vec<String> = services(&self.dir())
            .iter()
            .map(|tag| tag.split('/').take(2).collect::<Vec<_>>().join("/"))
            .collect();
        assert_eq!(environments, ["production/0.2.0", "staging/0.2.0"], "one service each");
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
        let text = commits.lines().fold(text, |text, commit| text.replace(commit, "COMMIT"));
        (name.to_owned(), text)
    };
    names.lines().map(file).collect()
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

    let stopped = output(program(demo.folder.path(), ["demo", "--stop", "demo"])).exits(0);
    stopped.says(&["ended staging 0.2.0", "ended production 0.2.0"]);
    assert_eq!(services(&demo.dir()), [""; 0], "no process is left");
    output(program(demo.folder.path(), ["demo", "--stop", "demo"]))
        .exits(0)
        .says(&["no service was running"]);
}

/// What can be asked about a delivery.
fn looked_at(demo: &Demo) {
    let status =
        demo.orchestrate("status").exits(0).says(&["25 passed", "[Phase 5/6] DEPLOYMENT", "index.html"]);
    assert!(!status.out.contains("FAILED"));
    let status = demo.orchestrate("status --format json").exits(0).json();
    assert_eq!((&status[0]["v"], &status[0]["result"]["counts"]["passed"]), (&1.into(), &25.into()));
    assert_eq!(status[0]["result"]["of"].as_array().unwrap().len(), 25);
    demo.orchestrate("runs").exits(0).says(&["publishes", "school", "25 passed"]);
    demo.orchestrate("logs latest test").exits(0).says(&["test result: ok"]);
    demo.orchestrate("resume").exits(2).says(&["no run is left to resume"]);
    demo.orchestrate("cancel latest").exits(2);
    let before = git(&demo.checkout(), &["show-ref"]);
    demo.orchestrate("rollback --dry-run").exits(3).says(&["to undo"]);
    assert_eq!(git(&demo.checkout(), &["show-ref"]), before, "looking at a rollback changes nothing");
}
