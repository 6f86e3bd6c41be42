//! Fast reruns, as people meet them: what is reused and what is not, what is left out, and why.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Folder, Said, ended, git, output, until};

/// A task that makes a file, one that reads that, and one that declares nothing. Each says in a file of its own that it ran.
const CHAIN: &str = "\
version: 1
phases:
  - name: checks
    tasks:
      - {id: join, run: 'sort src/*.txt > out/all; echo joined; echo x >> ran-join', inputs: [src], outputs: [out/all]}
      - {id: count, run: 'wc -l < out/all > out/count; echo x >> ran-count', inputs: [out/all], outputs: [out/count]}
      - {id: always, run: 'echo x >> ran-always'}
";

fn chain() -> Folder {
    let folder = Folder::with(CHAIN);
    folder.write("src/a.txt", "a\n");
    folder.write("src/b.txt", "b\n");
    folder.write("out/.keep", "");
    folder
}

/// How often a task ran.
fn ran(folder: &Folder, task: &str) -> usize {
    fs::read_to_string(folder.path().join(format!("ran-{task}"))).map_or(0, |text| text.lines().count())
}

/// How the tasks of a run ended, and its events.
struct Ended(Vec<Value>);

impl Ended {
    fn of(said: &Said) -> Self {
        Self(said.json())
    }

    fn task(&self, id: &str) -> &Value {
        let finished = self.0.iter().filter_map(|line| line["event"].get("task_finished"));
        finished.into_iter().find(|finished| finished["task"] == id).unwrap_or(&Value::Null)
    }

    /// `join: cached, count: passed`, in the order of names.
    fn outcomes(&self) -> String {
        let finished = self.0.iter().filter_map(|line| line["event"].get("task_finished"));
        let outcome = |end: &Value| {
            (end["task"].as_str().unwrap().to_owned(), end["outcome"].as_str().unwrap().to_owned())
        };
        let all: BTreeMap<String, String> = finished.map(outcome).collect();
        all.iter().map(|(task, outcome)| format!("{task}: {outcome}")).collect::<Vec<_>>().join(", ")
    }

    fn run(&self) -> &str {
        self.0.last().unwrap()["result"]["run"].as_str().unwrap()
    }
}

#[track_caller]
fn run(folder: &Folder, flags: &str) -> Ended {
    Ended::of(&folder.orchestrate(&format!("run --format json {flags}")).exits(0))
}

#[track_caller]
fn why(folder: &Folder, task: &str) -> String {
    folder.orchestrate(&format!("cache why {task}")).exits(0).out
}

fn pipeline(settings: &str, tasks: &[&str]) -> String {
    let tasks: String = tasks.iter().map(|task| format!("      - {task}\n")).collect();
    format!("version: 1\nsettings: {settings}\nphases:\n  - name: only\n    tasks:\n{tasks}")
}

#[test]
fn a_second_run_reuses_what_declares_its_inputs() {
    let folder = chain();
    let first = run(&folder, "");
    assert_eq!(first.outcomes(), "always: passed, count: passed, join: passed");
    let said = folder.orchestrate("run").exits(0);
    said.says(&["✓ join (cached)", "✓ count (cached)", "1 passed, 2 cached"]);
    let second = run(&folder, "");
    assert_eq!(second.outcomes(), "always: passed, count: cached, join: cached");
    let join = second.task("join");
    assert_eq!(join["from_run"], first.run());
    assert!(join["reused"]["fingerprint"].as_str().is_some_and(|key| key.len() == 64), "{join}");
    assert_eq!([ran(&folder, "join"), ran(&folder, "count"), ran(&folder, "always")], [1, 1, 3]);

    // Another content, another time, the same lines after sorting: what follows is not reached.
    folder.write("src/a.txt", "b\n");
    folder.write("src/b.txt", "a\n");
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: cached, join: passed");
    folder.write("src/c.txt", "c\n");
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: passed, join: passed");
    assert_eq!(folder.read("out/count").trim(), "3");
    fs::remove_file(folder.path().join("src/c.txt")).unwrap();
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: cached, join: cached", "both are known");
    assert_eq!((folder.read("out/all").as_str(), folder.read("out/count").trim()), ("a\nb\n", "2"));
    // Only the time is another.
    folder.write("src/a.txt", "b\n");
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: cached, join: cached");
}

#[test]
fn outputs_and_what_was_printed_are_restored() {
    let folder = chain();
    let first = run(&folder, "");
    fs::set_permissions(folder.path().join("out/all"), fs::Permissions::from_mode(0o750)).unwrap();
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: cached, join: cached");
    let mode = |name: &str| folder.path().join(name).metadata().unwrap().permissions().mode() & 0o111;
    assert_eq!(mode("out/all"), 0, "it was made without");

    fs::remove_dir_all(folder.path().join("out")).unwrap();
    let second = run(&folder, "");
    assert_eq!(second.outcomes(), "always: passed, count: cached, join: cached");
    assert_eq!((folder.read("out/all").as_str(), folder.read("out/count").trim()), ("a\nb\n", "2"));
    // Edited by hand, and the cache is not edited with it.
    folder.write("out/all", "mine\n");
    run(&folder, "");
    assert_eq!(folder.read("out/all"), "a\nb\n");
    folder.orchestrate(&format!("logs {} join", second.run())).exits(0).says(&["joined"]);
    // Also where the run that made it is gone.
    fs::remove_dir_all(folder.path().join(".orchestrate/runs").join(first.run())).unwrap();
    fs::remove_file(folder.path().join("out/count")).unwrap();
    assert_eq!(run(&folder, "").outcomes(), "always: passed, count: cached, join: cached");
    assert_eq!(folder.read("out/count").trim(), "2");
    folder.orchestrate("logs latest join").exits(0).says(&["joined"]);
    assert_eq!(ran(&folder, "join"), 1);
}

#[test]
fn status_and_lines_of_cached_tasks() {
    let folder = chain();
    run(&folder, "");
    run(&folder, "");
    folder.orchestrate("status").exits(0).says(&["✓ join (cached)", "1 passed, 2 cached", "COMPLETED"]);
    let said = folder.orchestrate("status --format json").exits(0).json();
    let counts = &said[0]["result"]["counts"];
    assert_eq!([&counts["passed"], &counts["cached"], &counts["failed"]], [&1, &2, &0]);
    assert!(said[0].to_string().contains(r#""cached""#), "{}", said[0]);
    folder.orchestrate("runs").exits(0).says(&["2 cached"]);
    let many: Vec<String> =
        (0..12).map(|at| format!("{{id: t{at}, run: 'echo {at}', inputs: [src]}}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    folder.write("orchestration.yaml", &pipeline("{}", &many));
    folder.orchestrate("run").exits(0).says(&["12 passed"]);
    for (args, lines) in [("run", 1), ("status", 1), ("run --verbose", 12), ("run --quiet", 0)] {
        let said = folder.orchestrate(args).exits(0);
        assert_eq!(said.out.lines().filter(|line| line.ends_with("(cached)")).count(), lines, "{}", said.out);
        said.says(&["12 cached"]);
    }
    folder.orchestrate("run").says(&["✓ 12 tasks (cached)"]);
}

#[test]
fn a_dry_run_reuses_and_changes_nothing() {
    let folder = Folder::with(&CHAIN.replace("      - {id: always, run: 'echo x >> ran-always'}\n", ""));
    folder.write("src/a.txt", "a\n");
    folder.write("out/.keep", "");
    folder.orchestrate("run --dry-run").exits(3).says(&["2 changes pending"]);
    run(&folder, "");
    let before = folder.files();
    folder.orchestrate("run --dry-run").exits(0).says(&["2 cached"]);
    assert_eq!(folder.files(), before);
    fs::remove_file(folder.path().join("out/all")).unwrap();
    let before = folder.files();
    let said = folder.orchestrate("run --dry-run").exits(3);
    said.says(&["out/all", "pending; nothing was changed"]);
    assert_eq!(folder.files(), before);
    assert_eq!(run(&folder, "").outcomes(), "count: cached, join: cached", "the dry run spoilt nothing");
}

#[test]
fn flags_say_whether_results_are_used_and_recorded() {
    let folder = chain();
    run(&folder, "--no-cache");
    assert_eq!(
        run(&folder, "").outcomes(),
        "always: passed, count: passed, join: passed",
        "nothing was kept"
    );
    assert_eq!(run(&folder, "--no-cache").outcomes(), "always: passed, count: passed, join: passed");
    let renewed = run(&folder, "--refresh");
    assert_eq!(renewed.outcomes(), "always: passed, count: passed, join: passed");
    let after = run(&folder, "");
    assert_eq!(after.task("join")["from_run"], renewed.run());
    let checked = run(&folder, "--verify-cache");
    assert_eq!(checked.outcomes(), "always: passed, count: passed, join: passed");
    assert_eq!(ran(&folder, "join"), 5);
    for both in ["--no-cache --refresh", "--no-cache --verify-cache", "--refresh --verify-cache"] {
        folder.orchestrate(&format!("run {both}")).exits(2).says(&["cannot be used with"]);
    }
}

#[test]
fn an_undeclared_input_is_caught() {
    let copy = "{id: copy, run: 'cat src hidden > out', inputs: [src], outputs: [out]}";
    let folder = Folder::with(&pipeline("{}", &[copy]));
    folder.write("src", "1");
    folder.write("hidden", "2");
    run(&folder, "");
    folder.write("hidden", "3");
    assert_eq!(run(&folder, "").outcomes(), "copy: cached");
    let said = folder.orchestrate("run --verify-cache").exits(1);
    said.says(&["`out` differs from the recorded one", "is not declared", "✗ copy"]);
    assert_eq!(folder.read("out"), "13");
    assert!(why(&folder, "copy").contains("it gave something else"), "{}", why(&folder, "copy"));
    assert_eq!(run(&folder, "").outcomes(), "copy: passed", "what was recorded is not believed any more");
    folder.orchestrate("run --verify-cache").exits(0);
}

#[test]
fn reuse_is_off_where_settings_or_the_task_say_so() {
    let tasks = ["{id: a, run: 'true', inputs: [src]}", "{id: b, run: 'true', inputs: [src], cache: false}"];
    let folder = Folder::with(&pipeline("{}", &tasks));
    folder.write("src", "1");
    run(&folder, "");
    assert_eq!(run(&folder, "").outcomes(), "a: cached, b: passed");
    assert!(why(&folder, "b").contains("`cache: false`"));
    folder.write("orchestration.yaml", &pipeline("{reuse: false}", &tasks));
    for _ in 0..2 {
        assert_eq!(run(&folder, "").outcomes(), "a: passed, b: passed");
    }
    folder.write("orchestration.yaml", &pipeline("{}", &tasks));
    assert_eq!(run(&folder, "").outcomes(), "a: cached, b: passed");
    // A failure, and what publishes, is never reused.
    let tasks = [
        "{id: fails, run: 'false', inputs: [src], continue_on_error: true}",
        "{id: tells, run: 'true', inputs: [src], effect: publishes}",
    ];
    folder.write("orchestration.yaml", &pipeline("{ceiling: publishes}", &tasks));
    for _ in 0..2 {
        assert_eq!(run(&folder, "").outcomes(), "fails: failed, tells: passed");
    }
    assert!(why(&folder, "tells").contains("it publishes"), "{}", why(&folder, "tells"));
}

/// A tool that says a version.
fn tool(folder: &Folder, version: &str) {
    folder.write("bin/mytool", &format!("#!/bin/sh\necho mytool {version}\n"));
    let path = folder.path().join("bin/mytool");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn variables_tools_and_time_count_where_they_are_named() {
    let task = "{id: t, run: 'true', inputs: [src], cache: {env: [GOPROXY], tools: [mytool]}}";
    let folder = Folder::with(&pipeline("{}", &[task]));
    folder.write("src", "1");
    tool(&folder, "1.0");
    let with = |args: &str, variables: &[(&str, &str)]| {
        let mut command = folder.program(args);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}/bin:{path}", folder.path().display()));
        for name in ["GOPROXY", "TZ", "USER", "RUSTFLAGS"] {
            command.env_remove(name);
        }
        output({
            command.envs(variables.iter().copied());
            command
        })
        .exits(0)
    };
    let outcome = |variables: &[(&str, &str)]| {
        Ended::of(&with("run --format json", variables)).task("t")["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(outcome(&[]), "passed");
    assert_eq!(outcome(&[]), "cached");
    assert_eq!(outcome(&[("USER", "somebody-else")]), "cached", "who runs it does not count");
    with("cache why t", &[("GOPROXY", "off")]).says(&["environment variable `GOPROXY` is set now"]);
    assert_eq!(outcome(&[("GOPROXY", "off")]), "passed");
    assert_eq!(outcome(&[("TZ", "UTC")]), "passed", "some count without being named");
    assert_eq!(outcome(&[("RUSTFLAGS", "-g")]), "passed");
    assert_eq!(outcome(&[("RUSTFLAGS", "-g")]), "cached");
    assert_eq!(outcome(&[]), "cached", "every result is kept");
    tool(&folder, "2.0");
    with("cache why t", &[]).says(&["mytool", "1.0", "->", "2.0"]);
    assert_eq!(outcome(&[]), "passed");
    assert_eq!(outcome(&[]), "cached");
    fs::remove_file(folder.path().join("bin/mytool")).unwrap();
    with("cache why t", &[]).says(&["mytool", "not installed"]);

    let folder = Folder::with(&pipeline("{}", &["{id: t, run: 'true', inputs: [src], cache: {ttl: 1ms}}"]));
    folder.write("src", "1");
    for _ in 0..2 {
        assert_eq!(run(&folder, "").outcomes(), "t: passed", "a millisecond is over");
    }
    assert!(why(&folder, "t").contains("too old"), "{}", why(&folder, "t"));
    let bad =
        pipeline("{}", &["{id: t, run: 'true', inputs: ['../x', 'a['], cache: {tool: [x], ttl: soon}}"]);
    folder.write("orchestration.yaml", &bad);
    folder.orchestrate("run").exits(2).says(&["../x", "a[", "`tools`", "soon"]);
}

const DELIVERY: &str = "\
version: 1
phases:
  - name: restart_backup
    tasks:
      - {id: backup, run: 'echo x >> ran-backup'}
  - name: build_validation
    tasks:
      - {id: lint, run: 'echo x >> ran-lint', kind: static}
      - {id: full, run: 'echo x >> ran-full', kind: gate}
      - {id: audit, run: 'echo x >> ran-audit', kind: gate}
      - {id: unit, run: 'echo x >> ran-unit', kind: test, needs: [lint]}
      - {id: docs, run: 'echo x >> ran-docs', needs: [unit]}
  - name: merge_integration
    tasks:
      - {id: merge, run: 'echo x >> ran-merge'}
  - name: deployment
    tasks:
      - {id: deploy, run: 'echo x >> ran-deploy'}
    checkpoint:
      name: up
      validations: [{type: command, id: answers, run: 'test -e ran-deploy', effect: reads}]
  - name: reports
    tasks:
      - {id: tell, run: 'echo x >> ran-tell'}
";

#[test]
fn a_fast_run_leaves_out_gates_and_slow_phases_and_says_so() {
    let tasks = ["backup", "lint", "full", "audit", "unit", "docs", "merge", "deploy", "tell"];
    let table = [
        ("--fast", "lint unit docs tell"),
        ("--fast --skip-tests", "lint docs tell"),
        ("--skip-tests", "backup lint full audit docs merge deploy tell"),
        ("--fast --phase build_validation", "lint unit docs"),
        ("--fast --phase restart_backup,build_validation", "backup lint unit docs"),
        ("--fast --skip reports", "lint unit docs"),
        ("", "backup lint full audit unit docs merge deploy tell"),
    ];
    for (flags, expected) in table {
        let folder = Folder::with(DELIVERY);
        folder.orchestrate(&format!("run {flags}")).exits(0);
        let all: Vec<&str> = tasks.into_iter().filter(|task| ran(&folder, task) == 1).collect();
        assert_eq!(all.join(" "), expected, "{flags}");
    }
    let folder = Folder::with(DELIVERY);
    let note = "– fast: without the phases restart_backup, merge_integration, deployment and 2 gates";
    folder.orchestrate("run --fast --skip-tests").exits(0).says(&[
        note,
        "– skip-tests: without 1 test",
        "DEPLOYMENT – left out",
        "– full:",
    ]);
    folder.orchestrate("status").exits(0).says(&[note]);
    let twice = folder.orchestrate("run --fast").exits(0).says(&[note]);
    assert!(!twice.out.contains("skip-tests:"), "the plan is not that of other flags\n{}", twice.out);
    let full = folder.orchestrate("run --dry-run");
    assert!(!full.out.contains("fast:"), "{}", full.out);
}

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

/// `core` and what follows it in each way; `takes` takes an output; `other` apart; `any` declares nothing.
const PARTS: &str = "\
version: 1
phases:
  - name: checks
    tasks:
      - {id: core, run: 'rm -rf out-core; cp -r core out-core', inputs: [core], outputs: [out-core]}
      - {id: other, run: 'true', inputs: ['other/**', '!other/notes.md']}
      - {id: needs, run: 'true', inputs: [mine], needs: [core]}
      - {id: reads, run: 'cat out-core/* also > out-reads', inputs: [out-core, also], outputs: [out-reads]}
      - {id: says, uses: version, inputs: [saying]}
      - {id: takes, run: 'echo $TAG', env: {TAG: {from: says/tag}}, inputs: [taking]}
      - {id: any, run: 'true'}
";

fn parts() -> Folder {
    let folder = Folder::git(PARTS);
    for name in ["core/a", "core/b", "other/a", "other/notes.md", "mine", "also", "saying", "taking"] {
        folder.write(name, "1\n");
    }
    folder.write(".gitignore", "out-*\n");
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "feat: files"]);
    folder
}

/// The tasks that a run with `--affected` selects.
#[track_caller]
fn affected(folder: &Folder, base: &str) -> String {
    let said = folder.orchestrate(&format!("run --no-cache --format json --affected {base}")).exits(0);
    let ended = Ended::of(&said);
    let tasks = ["core", "other", "needs", "reads", "says", "takes", "any"];
    let is_run = |task: &&str| ended.task(task)["outcome"] == "passed";
    tasks.into_iter().filter(is_run).collect::<Vec<_>>().join(" ")
}

#[test]
fn only_what_changes_reach_is_run() {
    let folder = parts();
    let path = folder.path();
    assert_eq!(affected(&folder, "main"), "", "nothing differs");
    folder.orchestrate("run --affected main").exits(0).says(&["– affected: 0 files differ from `main`"]);
    let reset = || {
        git(path, &["reset", "-q", "--hard"]);
        git(path, &["checkout", "-q", "main"]);
        git(path, &["clean", "-fdq"]);
    };
    // New, edited, staged.
    folder.write("other/new", "1");
    assert_eq!(affected(&folder, "main"), "other any");
    folder.orchestrate("run --affected").exits(0).says(&["1 file differs from"]);
    reset();
    folder.write("other/notes.md", "2");
    assert_eq!(affected(&folder, "main"), "any", "it is left out of the inputs");
    folder.write("core/a", "2");
    assert_eq!(affected(&folder, "main"), "core needs reads any", "and what follows");
    git(path, &["add", "core/a"]);
    assert_eq!(affected(&folder, "main"), "core needs reads any");
    assert_eq!(affected(&folder, ""), "core needs reads any", "no upstream branch: the last commit");
    reset();
    // What it takes from is there, reached or not.
    folder.write("saying", "2");
    assert_eq!(affected(&folder, "main"), "says takes any");
    reset();
    folder.write("taking", "2");
    assert_eq!(affected(&folder, "main"), "says takes any");
    reset();
    fs::remove_dir_all(path.join("out-core")).unwrap();
    folder.write("also", "2");
    assert_eq!(affected(&folder, "main"), "core reads any");
    reset();
    folder.write("core/a", "2");
    // Committed on a branch, while the base goes on.
    git(path, &["checkout", "-q", "-b", "topic"]);
    git(path, &["commit", "-q", "-a", "-m", "feat: core"]);
    assert_eq!(affected(&folder, "main"), "core needs reads any");
    assert_eq!(affected(&folder, ""), "", "no upstream branch: the last commit");
    git(path, &["checkout", "-q", "main"]);
    folder.write("other/a", "2");
    git(path, &["commit", "-q", "-a", "-m", "feat: other"]);
    git(path, &["checkout", "-q", "topic"]);
    assert_eq!(affected(&folder, "main"), "core needs reads any", "what main did since is not ours");
    git(path, &["branch", "-q", "--set-upstream-to=main"]);
    assert_eq!(affected(&folder, ""), "core needs reads any", "the upstream branch");
    reset();
    // Deleted and renamed.
    fs::remove_file(path.join("other/a")).unwrap();
    assert_eq!(affected(&folder, "HEAD"), "other any");
    reset();
    git(path, &["mv", "other/a", "core/moved"]);
    assert_eq!(affected(&folder, "HEAD"), "core other needs reads any", "it went from one to the other");
    git(path, &["reset", "-q", "--hard"]);
    assert_eq!(affected(&folder, "HEAD~1"), "other any");
}

#[test]
fn a_base_that_is_none_is_a_clear_error() {
    let folder = parts();
    let before = folder.files();
    for base in ["nowhere", "--affected=--output=x", "--affected=-p", "HEAD~99"] {
        let flag = if base.starts_with("--") { base.to_owned() } else { format!("--affected {base}") };
        let name = base.trim_start_matches("--affected=");
        folder.orchestrate(&format!("run {flag}")).exits(2).says(&["--affected", &format!("`{name}`")]);
    }
    assert_eq!(folder.files(), before, "nothing was started");
    let folder = chain();
    folder.orchestrate("run --affected main").exits(2).says(&["--affected", "git"]);
}

#[test]
fn a_run_that_was_killed_goes_on_and_what_was_reused_stays_so() {
    let slow = CHAIN.replace(
        "      - {id: always, run: 'echo x >> ran-always'}\n",
        "      - {id: slow, needs: [count], run: 'touch begun; until [ -e go ]; do sleep 0.02; done; echo x >> ran-slow', inputs: [src]}\n",
    );
    let folder = Folder::with(&slow);
    folder.write("src/a.txt", "a\n");
    folder.write("out/.keep", "");
    folder.write("go", "");
    run(&folder, "");
    fs::remove_file(folder.path().join("go")).unwrap();
    fs::remove_file(folder.path().join("begun")).unwrap();
    folder.write("orchestration.yaml", &slow.replace("touch begun;", "touch begun; true;"));
    let mut child = folder.program("run").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the slow task begins", || folder.path().join("begun").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    folder.orchestrate("status").exits(0).says(&["✓ join (cached)", " died after "]);
    fs::remove_file(folder.path().join("begun")).unwrap();
    let resumed = folder.program("resume").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the slow task begins again", || folder.path().join("begun").exists());
    folder.write("go", "");
    ended(resumed).exits(0).says(&["1 passed, 2 cached"]);
    assert_eq!([ran(&folder, "join"), ran(&folder, "count"), ran(&folder, "slow")], [1, 1, 2]);
    // What it depended on when it began is not known to the process that ended it.
    assert_eq!(run(&folder, "").outcomes(), "count: cached, join: cached, slow: passed");
    assert_eq!(run(&folder, "").outcomes(), "count: cached, join: cached, slow: cached");
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
fn links_and_names_outside_are_not_followed() {
    let folder = Folder::with(&pipeline("{}", &["{id: t, run: 'true', inputs: [src]}"]));
    let outside = Folder::new();
    outside.write("x", "1");
    folder.write("src/a", "1");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("src/link")).unwrap();
    std::os::unix::fs::symlink("..", folder.path().join("src/loop")).unwrap();
    run(&folder, "");
    assert_eq!(run(&folder, "").outcomes(), "t: cached");
    outside.write("x", "2");
    assert_eq!(
        run(&folder, "").outcomes(),
        "t: cached",
        "what lies behind a link to a folder does not count"
    );
    relink(Path::new("."), &folder.path().join("src/link"));
    assert_eq!(run(&folder, "").outcomes(), "t: passed", "where it leads to does");
}

fn relink(to: &Path, link: &Path) {
    fs::remove_file(link).unwrap();
    std::os::unix::fs::symlink(to, link).unwrap();
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
    let readme = include_str!("../../README.md");
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
