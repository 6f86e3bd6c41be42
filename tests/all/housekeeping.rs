//! What a run leaves behind, what goes again, what must be there before it starts; and runs as files change.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Folder, Said, commands, ended, kill, until};

fn pipeline(settings: &str, tasks: &[&str]) -> String {
    let tasks: String = tasks.iter().map(|task| format!("          - {task}\n")).collect();
    format!(
        "version: 1\nsettings: {settings}\nphases:\n  - name: only\n    groups:\n      - name: main\n        execution: sequential\n        tasks:\n{tasks}"
    )
}

fn entries(folder: &Folder, name: &str) -> Vec<String> {
    let entries = fs::read_dir(folder.path().join(".orchestrate").join(name)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

#[test]
fn each_run_has_a_log_and_the_last_are_kept() {
    let tasks = ["{id: says, run: 'echo hello'}", "{id: fails, run: 'echo why >&2; exit 3'}"];
    let folder = Folder::with(&pipeline("{keep: {logs: 2}}", &tasks));
    for _ in 0..3 {
        folder.orchestrate("run").exits(1);
    }
    let (runs, logs) = (entries(&folder, "runs"), entries(&folder, "logs"));
    assert_eq!(logs, [format!("{}.log", runs[1]), format!("{}.log", runs[2])]);
    let log = folder.read(&format!(".orchestrate/logs/{}", logs[1]));
    for part in ["run finished: failed", "fails: action 1: exit code 3", "    | why\n", "says: passed"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    folder.orchestrate("status").exits(0).says(&[&format!("Log: .orchestrate/logs/{}", logs[1])]);
    let said = folder.orchestrate("status --format json").exits(0).json();
    assert!(said[0]["result"]["log"].as_str().unwrap().ends_with(&logs[1]));
    let said = folder.orchestrate(&format!("status --format json {}", runs[0])).exits(0).json();
    assert_eq!(said[0]["result"]["log"], Value::Null, "one that is gone is not named");
}

#[test]
fn runs_over_a_limit_go_after_a_run_and_what_can_be_undone_stays() {
    let undo = "{id: edit, run: 'echo two > f', undo: {run: 'rm f'}}";
    let folder = Folder::with(&pipeline("{keep: {runs: 2}}", &[undo]));
    folder.orchestrate("run").exits(0);
    let first = entries(&folder, "runs").remove(0);
    folder.write("orchestration.yaml", &pipeline("{keep: {runs: 2}}", &["{id: look, run: 'true'}"]));
    for _ in 0..4 {
        folder.orchestrate("run").exits(0);
    }
    let runs = entries(&folder, "runs");
    assert_eq!((runs.len(), &runs[0]), (3, &first));

    folder.write("orchestration.yaml", &pipeline("{keep: {runs: 1}}", &["{id: look, run: 'true'}"]));
    let shown = folder.orchestrate("prune --dry-run").exits(0);
    shown.says(&["1 run of 3 would go", &runs[1], "over `keep.runs`", &first, "can be undone"]);
    let said = folder.orchestrate("prune --dry-run --format json").exits(0).json();
    let result = &said[0]["result"];
    assert_eq!(result["goes"][0]["run"], runs[1].as_str());
    assert_eq!(result["goes"][0]["over"], "keep.runs");
    assert_eq!(
        (&result["stays"][0]["run"], &result["stays"][0]["because"]),
        (&first.as_str().into(), &"undo".into())
    );
    assert_eq!((&result["dry_run"], &result["gone"]), (&true.into(), &Value::Null));
    assert_eq!(entries(&folder, "runs"), runs, "nothing was removed");

    folder.orchestrate("prune").exits(0).says(&["1 run of 3 removed"]);
    assert_eq!(entries(&folder, "runs"), [first.clone(), runs[2].clone()]);
    folder.orchestrate(&format!("rollback --yes {first}")).exits(0);
    assert!(!entries(&folder, "runs").contains(&first), "undone, it goes with the run that undid it");
    folder.orchestrate("prune").exits(0).says(&["0 runs of"]);
    let all = pipeline("{keep: {runs: 0, run_size: 0, run_age: 8760h}}", &["{id: look, run: 'true'}"]);
    folder.write("orchestration.yaml", &all);
    folder.orchestrate("prune").exits(0).says(&["0 runs of"]).says(&["removed"]);
    folder.write("orchestration.yaml", "version: 1\nphases: [");
    folder.orchestrate("prune").exits(2);
}

#[test]
fn a_run_that_is_under_way_is_never_pruned() {
    let slow = "{id: slow, run: 'touch begun; until [ -e go ]; do sleep 0.02; done', effect: reads}";
    let folder = Folder::git(&pipeline("{keep: {runs: 1}}", &[slow]));
    folder.write(".gitignore", "begun\ngo\n");
    let child = folder.program("run").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the slow task begins", || folder.path().join("begun").exists());
    let live = entries(&folder, "runs");
    folder.write("other.yaml", &pipeline("{keep: {runs: 1}}", &["{id: look, run: 'true', effect: reads}"]));
    for _ in 0..2 {
        folder.orchestrate("run --dry-run --config other.yaml").exits(0);
    }
    assert!(entries(&folder, "runs").contains(&live[0]));
    folder.orchestrate("prune --dry-run --config other.yaml").exits(0).says(&[&live[0], "it is running"]);
    folder.write("go", "");
    ended(child).exits(0);
}

#[test]
fn nothing_is_started_without_room_on_the_disk() {
    let folder = Folder::with(&pipeline("{min_free_disk: 1000TB}", &["{id: edit, run: 'touch f'}"]));
    let said = folder.orchestrate("run").exits(7);
    said.says(&[
        "are free on the disk of",
        "1.0 PB are wanted",
        "settings.min_free_disk",
        "orchestrate prune",
    ]);
    assert!(!folder.path().join("f").exists() && !folder.path().join(".orchestrate/runs").exists());
    folder.orchestrate("run --dry-run").exits(3);
    folder.write("orchestration.yaml", &pipeline("{min_free_disk: 1MB}", &["{id: edit, run: 'touch f'}"]));
    folder.orchestrate("run").exits(0);
}

#[test]
fn what_is_broken_in_the_state_folder_fails_no_new_run() {
    let folder = Folder::with(&pipeline("{keep: {runs: 2}}", &["{id: look, run: 'true'}"]));
    for name in ["runs", "logs", "deploy"] {
        folder.write(&format!(".orchestrate/{name}"), "no folder");
    }
    folder.write(".orchestrate/checkout.lock/x", "no file");
    folder.orchestrate("runs").exits(0).says(&["no folder"]);
    folder.orchestrate("run").exits(0).says(&["set aside"]);
    assert_eq!(entries(&folder, "set-aside").len(), 3, "the lock, `logs` and `runs`");
    let broken = entries(&folder, "runs").remove(0);
    let journal = folder.path().join(".orchestrate/runs").join(&broken).join("journal.jsonl");
    fs::write(&journal, "garbage\nmore\n").unwrap();
    for command in ["run", "run --task look", "run --failed", "run"] {
        folder.write(".orchestrate/checkout.lock", "garbage");
        folder.write(".orchestrate/runs/.known.json", "garbage");
        folder.orchestrate(command).exits(0);
    }
    folder.orchestrate("runs").exits(0).says(&[&broken, "cannot be read"]);
    folder.orchestrate(&format!("status {broken}")).exits(7).says(&["line 1 of", "journal.jsonl"]);
    // Which deployments there are is not known, so nothing goes.
    folder.orchestrate("prune").exits(7).says(&["deployment in use"]);
    fs::remove_file(folder.path().join(".orchestrate/deploy")).unwrap();
    let said = folder.orchestrate("prune").exits(0).says(&["Set aside", &broken, "is now in"]);
    // `run --failed` carried what had passed.
    assert_eq!(said.out.matches("stays and cites it").count(), 1, "{}", said.out);
    let aside = entries(&folder, "set-aside").into_iter().find(|name| name.starts_with(&broken)).unwrap();
    assert_eq!(folder.read(&format!(".orchestrate/set-aside/{aside}/journal.jsonl")), "garbage\nmore\n");
    assert_eq!(entries(&folder, "runs").len(), 3);
}

/// Writes a file at once, so that nobody sees half of it; what ends with `~` is an editor's.
fn put(folder: &Folder, name: &str, text: &str) {
    folder.write("new~", text);
    fs::rename(folder.path().join("new~"), folder.path().join(name)).unwrap();
}

/// A program that watches, and what it said so far on standard error.
struct Watching {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Watching {
    fn start(folder: &Folder, args: &str) -> Self {
        let mut child = folder.program(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let (lines, err) = (said.clone(), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        Self { child, said }
    }

    fn lines(&self, beginning: &str) -> Vec<String> {
        let said = self.said.lock().unwrap();
        said.iter().filter(|line| line.starts_with(beginning)).cloned().collect()
    }

    /// Waits until it waits for the `n`th time.
    #[track_caller]
    fn waits(&mut self, n: usize) {
        until(&format!("it watches for time {n}; {:?}", self.said.lock().unwrap()), || {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended: {:?}", self.said.lock().unwrap());
            self.lines("watching ").len() >= n
        });
    }

    #[track_caller]
    fn ends(mut self, signal: Signal) -> Said {
        kill(self.child.id(), signal);
        let status = ended(std::mem::replace(&mut self.child, Self::nobody()));
        Said { err: self.said.lock().unwrap().join("\n"), ..status }
    }

    fn nobody() -> Child {
        std::process::Command::new("true").stdout(Stdio::null()).spawn().unwrap()
    }
}

fn changed(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("changed: {name}")).collect()
}

#[test]
fn watching_runs_again_when_a_file_changes_that_counts() {
    let copy = "{id: copy, run: 'mkdir -p out; cat src/*.txt > out/all.txt; date +%N > out/stamp', inputs: ['src/*.txt'], outputs: [out/]}";
    let folder = Folder::git(&pipeline("{}", &[copy]));
    folder.write(".gitignore", "ignored/\n");
    folder.write("src/a.txt", "one\n");
    let mut watching = Watching::start(&folder, "run --watch");
    watching.waits(1);
    put(&folder, "src/a.txt", "two\n");
    watching.waits(2);
    assert_eq!(folder.read("out/all.txt"), "two\n");
    // None of these is a reason; they would be named with the next.
    for name in ["ignored/deep/x", "out/by-hand", ".git/x", ".orchestrate/x", "src/.a.txt.swp"] {
        folder.write(name, "x");
    }
    put(&folder, "src/a.txt", "two\n");
    folder.orchestrate("run").exits(0).says(&["passed"]);
    folder.write("ignored/new/deep/b.txt", "b\n");
    fs::rename(folder.path().join("ignored/new"), folder.path().join("src/new")).unwrap();
    watching.waits(3);
    fs::rename(folder.path().join("src/new"), folder.path().join("src/old")).unwrap();
    watching.waits(4);
    put(&folder, "src/old/deep/b.txt", "c\n");
    watching.waits(5);
    fs::remove_dir_all(folder.path().join("src/old")).unwrap();
    watching.waits(6);
    let expected = [
        "src/a.txt",
        "src/new/deep/b.txt",
        "src/new/deep/b.txt, src/old/deep/b.txt",
        "src/old/deep/b.txt",
        "src/old/deep/b.txt",
    ];
    assert_eq!(watching.lines("changed: "), changed(&expected));
    assert_eq!(entries(&folder, "runs").len(), 7, "one of them by hand");
    watching.ends(Signal::INT).exits(0);
}

#[test]
fn a_broken_pipeline_is_told_and_watched_on() {
    let folder = Folder::with(&pipeline("{}", &["{id: look, run: 'true'}"]));
    let good = folder.read("orchestration.yaml");
    let mut watching = Watching::start(&folder, "--watch");
    watching.waits(1);
    put(&folder, "orchestration.yaml", &good.replace("run: 'true'", "rnu: 'true'"));
    watching.waits(2);
    assert!(watching.said.lock().unwrap().iter().any(|line| line.contains("did you mean `run`")));
    assert_eq!(entries(&folder, "runs").len(), 1);
    put(&folder, "orchestration.yaml", &good.replace("run: 'true'", "run: 'echo mended > mended'"));
    until("the mended pipeline runs", || folder.path().join("mended").exists());
    watching.ends(Signal::TERM);
}

#[test]
fn what_changes_during_a_run_is_worth_another_unless_the_run_makes_it() {
    let slow = "{id: slow, run: 'date +%N > stamp; cat src > seen; touch begun; until [ -e go ]; do sleep 0.02; done'}";
    let folder = Folder::git(&pipeline("{}", &[slow]));
    folder.write(".gitignore", "begun\ngo\nseen\n");
    folder.write("src", "one");
    let mut watching = Watching::start(&folder, "run --watch");
    until("the slow task begins", || folder.path().join("begun").exists());
    put(&folder, "src", "two");
    folder.write("go", "");
    watching.waits(1);
    assert_eq!(folder.read("seen"), "two", "the edit was not lost");
    assert_eq!(watching.lines("changed: "), changed(&["src, stamp", "stamp"]));
    assert_eq!(watching.lines("`stamp` changes with every run").len(), 1);
    assert_eq!(entries(&folder, "runs").len(), 3);
    put(&folder, "src", "three");
    watching.waits(2);
    assert_eq!(folder.read("seen"), "three");
    assert_eq!(entries(&folder, "runs").len(), 4);
    watching.ends(Signal::INT).exits(0);
}

#[test]
fn ctrl_c_during_a_run_stops_the_run_and_the_watching() {
    let slow = "{id: slow, run: 'touch begun; until [ -e go ]; do sleep 0.02; done'}";
    let folder = Folder::git(&pipeline("{}", &[slow]));
    let watching = Watching::start(&folder, "run --watch");
    until("the slow task begins", || folder.path().join("begun").exists());
    watching.ends(Signal::INT).exits(130).says(&["stopping; again to kill"]);
    assert_eq!(commands(folder.path()), [""; 0], "nobody is left over");
    folder.write("go", "");
    folder.orchestrate("resume").exits(0);
}

#[test]
fn a_default_pipeline_is_only_watched_when_somebody_agrees() {
    let folder = Folder::new();
    folder.write("package.json", r#"{"name": "x", "version": "1.0.0", "scripts": {"test": "true"}}"#);
    folder.orchestrate("run --watch").exits(2).says(&["`--watch` needs `--yes`"]);
}
