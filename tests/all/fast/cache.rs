//! Why tasks would run again, what is kept, kept plans, and what the README says of all of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{CHAIN, chain, pipeline, run, why};
use crate::support::{Folder, git, output};

#[test]
fn why_says_what_changed_and_caches_are_looked_at_and_cleared() {
    let folder = chain();
    assert!(why(&folder, "join").contains("nothing is recorded of it yet"));
    folder.orchestrate("cache stats").exits(0).says(&["0 results"]);
    run(&folder, "");
    assert!(why(&folder, "join").contains("holds and would be reused"));
    assert!(why(&folder, "always").contains("runs each time"));
    folder.orchestrate("cache why jion").exits(2).says(&["did you mean `join`?"]);
    let said = folder.orchestrate("cache why join --format json").exits(0).json();
    assert_eq!((&said[0]["v"], &said[0]["result"]["task"]), (&1.into(), &"join".into()));
    assert!(said[0]["result"]["why"]["holds"]["run"].is_string(), "{}", said[0]);
    fs::remove_file(folder.path().join("out/all")).unwrap();
    assert!(why(&folder, "join").contains("restored: out/all"));
    folder.write("src/a.txt", "z\n");
    folder.write("src/new.txt", "n\n");
    fs::remove_file(folder.path().join("src/b.txt")).unwrap();
    let said = why(&folder, "join");
    for part in ["`src/a.txt` changed", "`src/new.txt` is new", "`src/b.txt` is gone"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = folder.orchestrate("cache why join --format json").exits(0).json();
    assert_eq!(said[0]["result"]["why"]["changed"].as_array().map(Vec::len), Some(3), "{}", said[0]);
    let edited = CHAIN.replace("echo joined", "echo Joined");
    folder.write("orchestration.yaml", &edited);
    assert!(why(&folder, "join").contains("config `run`"), "{}", why(&folder, "join"));
    folder.write("orchestration.yaml", CHAIN);
    run(&folder, "");

    let stats = || folder.orchestrate("cache stats --format json").exits(0).json()[0]["result"].clone();
    assert_eq!(stats()["stats"]["results"], 4);
    folder.orchestrate("cache stats").exits(0).says(&["4 results", ".orchestrate/cache"]);
    folder.orchestrate("cache prune --age 1h").exits(0).says(&["0 results"]);
    folder.orchestrate("cache prune --age soon").exits(2).says(&["soon"]);
    let said = folder.orchestrate("cache prune --size 0 --format json").exits(0).json();
    assert_eq!(said[0]["result"]["results"], 4, "{}", said[0]);
    assert_eq!(stats()["stats"]["results"], 0);
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: passed, join: passed");
    folder.orchestrate("cache clear").exits(0).says(&["2 results", "removed"]);
    assert_eq!(stats()["stats"]["results"], 0);
    let said = folder.orchestrate("cache clear --format json").exits(0).json();
    assert_eq!(said[0]["result"]["results"], 0);
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: passed, join: passed");
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: cached, join: cached");
}

/// Files of kept plans.
fn plans(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path().join(".orchestrate/cache/plans"));
    let entries =
        entries.into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries.filter(|name| !name.starts_with('.')).collect()
}

#[test]
fn a_kept_plan_is_that_of_the_same_file_flags_settings_and_project() {
    let folder = chain();
    run(&folder, "");
    let kept = plans(&folder);
    assert_eq!(kept.len(), 1);
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: cached, join: cached");
    assert_eq!(plans(&folder), kept);
    // Another file of the same length.
    folder.write("orchestration.yaml", &CHAIN.replace("id: always", "id: anyway"));
    assert_eq!(run(&folder, "").outcomes(), "anyway: passed, count: cached, join: cached");
    assert_ne!(plans(&folder), kept);
    // Another selection, settings by flag and by the environment.
    folder.orchestrate("run --skip-tests --sequential").exits(0).says(&["3 tasks"]);
    folder.write("orchestration.yaml", &CHAIN.replace("inputs: [src],", "inputs: [src], kind: test,"));
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: cached, join: cached");
    let fewer = folder.orchestrate("run --skip-tests").exits(0);
    fewer.says(&["skip-tests: without 1 test", "– join:"]);
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: cached, join: cached");
    folder.orchestrate("run -n").exits(3).says(&["dry run"]);
    let mut command = folder.program("run --format json");
    command.env("ORCHESTRATION_TIMEOUT", "nonsense");
    output(command).exits(2).says(&["ORCHESTRATION_TIMEOUT"]);
    let mut command = folder.program("run --format json");
    command.env("ORCHESTRATION_ENABLED", "false");
    assert_eq!(output(command).exits(0).json()[0]["result"]["enabled"], false);
    let delivery = "version: 1\nphases:\n  - {name: deployment, tasks: [{id: ship, run: 'true'}]}\n";
    folder.write("orchestration.yaml", delivery);
    for (on, end) in [("true", "1 passed"), ("false", "1 skipped"), ("true", "1 passed")] {
        let mut command = folder.program("run");
        command.env("ENABLE_DEPLOYMENT", on);
        output(command).exits(0).says(&[end]);
    }
    // A broken file, and a kept plan that is damaged.
    folder.write("orchestration.yaml", "version: 1\nphases: [");
    folder.orchestrate("run").exits(2).says(&["orchestration.yaml:"]);
    folder.write("orchestration.yaml", CHAIN);
    run(&folder, "");
    for name in plans(&folder) {
        let path = folder.path().join(".orchestrate/cache/plans").join(name);
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() - 20;
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: cached, join: cached");
    // A broken cache never fails a run.
    fs::remove_dir_all(folder.path().join(".orchestrate/cache")).unwrap();
    fs::write(folder.path().join(".orchestrate/cache"), "no folder").unwrap();
    folder.orchestrate("run").exits(0).says(&["passed"]);
}

#[test]
fn why_of_a_task_that_takes_an_output_is_about_what_was_given() {
    let tasks = [
        "{id: says, uses: version, cache: false}",
        "{id: takes, run: 'echo $V', env: {V: {from: says/version}}, inputs: [src]}",
    ];
    let folder = Folder::git(&pipeline("{}", &tasks));
    folder.write("src", "1");
    run(&folder, "");
    assert_eq!(run(&folder, "").outcomes(), "says: passed, takes: cached");
    assert!(why(&folder, "takes").contains("holds and would be reused"), "{}", why(&folder, "takes"));
    folder.write("src", "2");
    let said = why(&folder, "takes");
    assert!(said.contains("`src` changed") && !said.contains("config"), "{said}");
}

/// The project that the README's section is about.
const REPORT: &str = "\
version: 1
phases:
  - name: checks
    tasks:
      - {id: report, run: ./make-report.sh, kind: static, inputs: [make-report.sh, src], outputs: [out/report.html]}
      - {id: unit, run: 'test -s out/report.html', kind: test, inputs: [out/report.html], effect: reads}
      - {id: gate, run: 'true', kind: gate, effect: reads}
  - name: deployment
    tasks:
      - {id: ship, run: 'true'}
";

#[test]
fn what_the_readme_says_of_fast_reruns_is_so() {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme.split_once("### Fast reruns\n").expect("the section");
    let (block, _) =
        section.split_once("```sh\n").and_then(|(_, rest)| rest.split_once("```")).expect("its commands");
    let folder = Folder::git(REPORT);
    folder.write(".gitignore", "out/\n");
    folder.write("src/a", "1\n");
    folder.write("make-report.sh", "#!/bin/sh\nmkdir -p out\ncat src/* > out/report.html\n");
    let script = folder.path().join("make-report.sh");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "feat: report"]);
    // The end of each run of the section, in order.
    let expected = [
        ("run", "4 passed"),
        ("run", "2 passed, 2 cached"),
        ("run --fast", "2 cached, 2 skipped"),
        ("run --fast --skip-tests", "1 cached, 3 skipped"),
        ("run --affected", "4 skipped"),
        ("run --affected HEAD", "4 skipped"),
        ("run --verify-cache", "4 passed"),
        ("run --refresh", "4 passed"),
        ("run --no-cache", "4 passed"),
        ("cache why report", "holds and would be reused"),
        ("cache stats", "2 results"),
        ("cache prune --age 720h", "0 results"),
        ("cache clear", "2 results"),
    ];
    let commands = block.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let commands: Vec<&str> = commands.filter_map(|line| line.strip_prefix("orchestrate ")).collect();
    assert_eq!(commands, expected.map(|(command, _)| command));
    for (command, end) in expected {
        folder.orchestrate(command).exits(0).says(&[end]);
    }
    // The task that it shows is one.
    let (_, task) = section.split_once("```text\n").expect("a task");
    let task = task.split_once("```").expect("its end").0;
    let indented: String = task.lines().map(|line| format!("    {line}\n")).collect();
    folder.write("orchestration.yaml", &format!("version: 1\nphases:\n  - name: p\n    tasks:\n{indented}"));
    folder.orchestrate("validate").exits(0);
}
