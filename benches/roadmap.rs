//! Roadmaps: how long a dry run of the example takes, and what running at once is worth where tasks wait on processes.
//!
//! `cargo bench -p orchestrator-cli --bench roadmap [PAIRS]`. (a) is a median in milliseconds, the bar is 100; (b) is the median
//! ratio `--sequential` to parallel, pair by pair, the bar is 2. Neither needs a tool that is not on every machine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/roadmap");
/// What people who try the example leave behind.
const NOT_COPIED: [&str; 6] = ["node_modules", ".venv", "dist", "build", "coverage", ".orchestrate"];
/// How long a generated test waits on its process, in seconds.
const WAIT: &str = "0.2";

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs the program and gives seconds, after checking how it ended.
fn time(folder: &Path, args: &[&str], code: i32) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrate"));
    command.current_dir(folder).args(args).stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let output = command.output().expect("it was built a moment ago");
    let took = start.elapsed().as_secs_f64();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    took
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if NOT_COPIED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn commit(folder: &Path) {
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["-c", "user.name=t", "-c", "user.email=t@example.invalid", "commit", "-q", "-m", "feat: first"],
    ] {
        let status = Command::new("git").current_dir(folder).args(args).status().unwrap();
        assert!(status.success(), "git {args:?}");
    }
}

/// The example in a repository of its own, its roadmap without checkpoints: they run the tree's own tools.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new(SOURCE), folder.path());
    let file = folder.path().join("orchestration.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let (tasks, _) = text.split_once("\ncheckpoints:").expect("the roadmap has checkpoints");
    fs::write(file, tasks).unwrap();
    commit(folder.path());
    folder
}

/// The plan of the example.
fn plan(folder: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrate"));
    let said = command.current_dir(folder).args(["plan", "--format", "json"]).output().unwrap();
    serde_json::from_slice(&said.stdout).expect("a plan is JSON")
}

/// A dry run of all tasks of the tree, without installed tools.
fn dry(folder: &Path, plan: &Value, pairs: usize) {
    let tasks = plan["tasks"].as_array().unwrap();
    let people = tasks.iter().filter(|task| task["agent"] == "manual").count();
    let messages = tasks.iter().filter(|task| task["agent"] == "slack_message").count();
    let all = (0..=pairs).map(|_| time(folder, &["run", "--dry-run", "--quiet"], 3)).skip(1).collect();
    println!(
        "dry run of {} tasks, {people} for people and {messages} messages: {:.0} ms (bar: 100 for 61)",
        tasks.len(),
        median(all) * 1e3
    );
}

/// The tasks of the plan that wait on processes, those that make tests, in their phases and groups; each is a process that waits.
fn waits(plan: &Value) -> (Value, usize) {
    let named = |list: &str, of: &Value| -> Vec<Value> {
        let numbers = of["depends_on"].as_array().into_iter().flatten();
        numbers.map(|at| plan[list][usize::try_from(at.as_u64().unwrap()).unwrap()]["name"].clone()).collect()
    };
    let all = |list: &str| plan[list].as_array().unwrap().iter().enumerate();
    let mut count = 0;
    let phases: Vec<Value> = all("phases")
        .map(|(at, phase)| {
            let mut groups = Vec::new();
            for (number, group) in all("groups").filter(|(_, group)| group["phase"] == at) {
                let makes = |task: &&Value| task["group"] == number && task["agent"] == "test_generation";
                let tasks: Vec<Value> = plan["tasks"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(makes)
                    .map(|task| json!({ "id": task["id"], "run": ["sleep", WAIT] }))
                    .collect();
                count += tasks.len();
                let mut wanted =
                    json!({ "name": group["name"], "execution": group["execution"], "tasks": tasks });
                wanted["depends_on"] = named("groups", group).into();
                if !group["max_parallel"].is_null() {
                    wanted["max_parallel"] = group["max_parallel"].clone();
                }
                groups.push(wanted);
            }
            json!({ "name": phase["name"], "depends_on": named("phases", phase), "groups": groups })
        })
        .collect();
    (json!({ "version": 1, "settings": { "jobs": plan["rules"]["jobs"] }, "phases": phases }), count)
}

/// One after the other, and at once.
fn waiting(plan: &Value, pairs: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (file, tasks) = waits(plan);
    fs::write(folder.path().join("orchestration.json"), file.to_string()).unwrap();
    commit(folder.path());
    let (mut ones, mut many, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..pairs {
        let one = time(folder.path(), &["run", "--all", "--quiet", "--sequential"], 0);
        let at_once = time(folder.path(), &["run", "--all", "--quiet", "--parallel"], 0);
        ones.push(one);
        many.push(at_once);
        ratios.push(one / at_once);
    }
    println!(
        "{tasks} tasks that wait on a process of {WAIT} s: {:.2} s one by one, {:.2} s at once, ratio {:.2} (bar: 2)",
        median(ones),
        median(many),
        median(ratios)
    );
}

fn main() {
    let pairs = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(11);
    let tree = tree();
    let plan = plan(tree.path());
    dry(tree.path(), &plan, pairs);
    waiting(&plan, pairs.min(5));
}
