//! Fast reruns, as people meet them: what is reused and what is not, what is left out, and why.

mod cache;
mod selection;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Folder, Said, ended, output, until};

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
fn what_cannot_be_relied_on_is_not_recorded_and_why_says_so() {
    let tasks = [
        "{id: both, run: 'echo x > src/gen', inputs: [src], outputs: [src/gen]}",
        "{id: apart, run: 'echo x > src/gen2', inputs: [src, '!src/gen*'], outputs: [src/gen2]}",
        "{id: moves, run: 'date +%N > stamp', inputs: [stamp]}",
        "{id: makes-none, run: 'true', inputs: [mine], outputs: [nothing]}",
        "{id: absent, run: 'true', inputs: [mine/absent]}",
    ];
    let folder = Folder::with(&pipeline("{jobs: 1}", &tasks));
    folder.write("src/a", "1");
    folder.write("stamp", "1");
    folder.write("mine/a", "1");
    run(&folder, "");
    run(&folder, "");
    let again = run(&folder, "");
    assert_eq!(
        again.outcomes(),
        "absent: cached, apart: cached, both: passed, makes-none: passed, moves: passed"
    );
    for (task, words) in [
        ("both", "leave it out of the inputs with `!src/gen`"),
        ("moves", "what it depends on changed while it ran: `stamp` changed"),
        ("makes-none", "it did not make its declared output `nothing`"),
    ] {
        let said = why(&folder, task);
        assert!(said.contains(words), "{task}: {said}");
    }
    folder.write("mine/absent", "1");
    assert!(why(&folder, "absent").contains("`mine/absent` is new"), "{}", why(&folder, "absent"));
    assert_eq!(run(&folder, "").task("absent")["outcome"], "passed");
}

#[test]
fn watching_runs_what_a_change_reaches() {
    let folder = chain();
    let child = folder.program("run --watch").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it ran", || ran(&folder, "always") == 1);
    until("it waits", || {
        let log = fs::read_dir(folder.path().join(".orchestrate/logs"));
        log.is_ok_and(|logs| {
            logs.flatten()
                .any(|log| fs::read_to_string(log.path()).is_ok_and(|log| log.contains("run finished")))
        })
    });
    folder.write("src/b.txt", "c\n");
    until("what follows ran again", || ran(&folder, "count") == 2);
    crate::support::kill(child.id(), rustix::process::Signal::INT);
    ended(child).says(&["✓ join"]);
    assert_eq!((ran(&folder, "join"), folder.read("out/all").as_str()), (2, "a\nc\n"));
}
