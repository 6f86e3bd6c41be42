//! Exit codes and messages: what people and scripts meet, most of all when something is wrong.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Folder, commands, ended, git, kill, output, until};

/// A change that can be undone, a look at it, a failure, and what waits for that.
const FAILING: &str = "\
version: 1
phases:
  - name: first
    groups:
      - name: main
        execution: sequential
        tasks:
          - {id: edit, run: 'echo two > file.txt; echo edited', undo: {run: 'echo one > file.txt'}}
          - {id: look, needs: [edit], run: [cat, file.txt], effect: reads}
  - name: second
    groups:
      - name: main
        tasks:
          - {id: fails, run: 'test -e mended || { echo line-1; echo line-2 >&2; exit 3; }'}
          - {id: after, needs: [fails], run: 'touch after.txt'}
";

/// One task that runs until a file is there; it says when it has begun.
const SLOW: &str = "\
version: 1
phases:
  - name: only
    groups:
      - name: main
        execution: sequential
        tasks:
          - {id: quick, run: 'echo ran >> quick.txt'}
          - {id: slow, needs: [quick], run: 'touch begun; until [ -e go ]; do sleep 0.02; done'}
";

fn failing() -> Folder {
    let folder = Folder::git(FAILING);
    folder.write("file.txt", "one\n");
    folder
}

/// The slow pipeline, begun.
fn begun(folder: &Folder) -> Child {
    let child = folder.program("run").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the slow task begins", || folder.path().join("begun").exists());
    child
}

#[test]
fn without_a_pipeline_and_without_a_stack_it_says_what_to_do() {
    let folder = Folder::new();
    folder.orchestrate("run").exits(2).says(&[
        "no pipeline file",
        "no Cargo, npm",
        "no git repository",
        "orchestrate init",
    ]);
    folder.orchestrate("validate").exits(2).says(&["no pipeline file", "--config FILE"]);
    folder.orchestrate("run --config nowhere.yaml").exits(2).says(&["nowhere.yaml"]);
    folder.orchestrate("status").exits(2).says(&["no runs yet"]);
    folder.orchestrate("resume").exits(2).says(&["no run is left"]);
    folder.orchestrate("-C nowhere run").exits(2).says(&["nowhere"]);
    folder.orchestrate("rnu").exits(2).says(&["rnu", "run"]);
    assert!(!folder.path().join(".orchestrate/runs").read_dir().is_ok_and(|mut runs| runs.next().is_some()));
}

#[test]
fn a_default_pipeline_is_only_run_when_somebody_agrees() {
    let folder = Folder::new();
    folder.write("package.json", r#"{"name": "x", "version": "1.0.0", "scripts": {"test": "true"}}"#);
    folder.orchestrate("run").exits(2).says(&["--yes", "orchestrate init"]);
    folder.orchestrate("plan").exits(0).says(&["[Phase 1/"]);
}

#[test]
fn all_problems_of_a_pipeline_are_told_at_once_with_their_places() {
    let folder = Folder::with(
        "version: 1\nphases:\n  - name: one\n    groups:\n      - name: main\n        tasks:\n          - {id: a, run: 'true', \
         efect: writes}\n          - {id: b, run: 'true', timeout: soon}\n          - {id: c}\n",
    );
    for command in ["run", "validate", "plan"] {
        let said = folder.orchestrate(command).exits(2);
        said.says(&[
            "3 problems",
            "orchestration.yaml:7:34: phases[0].groups[0].tasks[0].efect: unknown key",
            "did you mean `effect`",
            "orchestration.yaml:8:",
            "`soon`",
            "orchestration.yaml:9:",
        ]);
    }
    let said = folder.orchestrate("run --format json").exits(2);
    assert_eq!(said.out, "", "only results are on standard output");
    let error: Value = serde_json::from_str(said.err.trim()).unwrap();
    assert_eq!((&error["v"], error["error"]["problems"].as_array().map(Vec::len)), (&1.into(), Some(3)));
    assert_eq!((&error["error"]["exit"], &error["error"]["problems"][0]["line"]), (&2.into(), &7.into()));
    folder.write("orchestration.yaml", "version: 1\nphases:\n  - name: [x\n");
    folder.orchestrate("run").exits(2).says(&["orchestration.yaml:3:"]);
    fs::write(folder.path().join("orchestration.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    folder.orchestrate("run").exits(2).says(&["orchestration.yaml"]);
}

#[test]
fn names_that_nothing_has_are_told_with_the_other_problems() {
    let folder = Folder::with(
        "version: 1\nphases:\n  - name: one\n    groups:\n      - name: main\n        tasks:\n          - {id: a, run: 'true', \
         efect: writes}\n          - {id: b, run: 'true', needs: [zzz]}\n          - {id: a, uses: comand}\n",
    );
    let said = folder.orchestrate("run").exits(2);
    said.says(&["efect", ":8:", "zzz", ":9:", "did you mean `command`"]);
    folder.write("orchestration.yaml", &folder.read("orchestration.yaml").replace("efect", "effect"));
    folder.orchestrate("run").exits(2).says(&["3 problems", ":8:", "zzz", ":9:", "`a`"]);
}

#[test]
fn phases_are_chosen_by_name_and_number() {
    let folder = failing();
    folder.orchestrate("run --phase secnd").exits(2).says(&["secnd", "did you mean `second`?"]);
    folder.orchestrate("run --task fals").exits(2).says(&["did you mean `fails`?"]);
    let said = folder.orchestrate("run --phase second").exits(2);
    said.says(&["`second` depends on `first`", "--phase first,second", "--skip first"]);
    folder.orchestrate("run --phase 1").exits(0);
    folder.write("mended", "");
    folder.orchestrate("run --phase 2").exits(0).says(&["✓ after"]);
    folder.orchestrate("plan --phase 1").exits(0).says(&["edit"]);
}

#[test]
fn a_failure_ends_with_what_it_printed_and_how_to_run_it_again() {
    let folder = failing();
    let said = folder.orchestrate("run").exits(1);
    let said =
        said.says(&["exit code 3", "│ line-1", "│ line-2", ".orchestrate/runs/", "run --failed", "after: "]);
    let log = said.out.lines().find_map(|line| line.trim().strip_prefix("log: ")).expect("the log is named");
    assert_eq!(folder.read(log), "line-1\n");
    folder.orchestrate("logs latest fails").exits(0).says(&["line-1", "line-2"]);
    folder.orchestrate("logs latest fail").exits(2).says(&["did you mean `fails`?"]);
    folder.orchestrate("status").exits(0).says(&["✗ fails", "FAILED"]);
    folder.orchestrate("status zzz").exits(2).says(&["unknown run `zzz`"]);
    folder.orchestrate("status ../../etc").exits(2);
    folder.write("mended", "");
    folder.write("file.txt", "not again\n");
    folder.orchestrate("run --failed").exits(0).says(&["passed in run"]);
    assert_eq!(folder.read("file.txt"), "not again\n", "what passed did not run again");
    assert!(folder.path().join("after.txt").exists());
    let runs = folder.orchestrate("runs").exits(0);
    assert!(runs.out.lines().next().unwrap().contains("passed"), "the latest comes first:\n{}", runs.out);
    folder.orchestrate("status").exits(0).says(&["4 passed"]);
}

#[test]
fn the_latest_run_is_the_latest_also_within_a_second() {
    let folder = Folder::git(
        "version: 1\nphases:\n  - name: p\n    groups:\n      - name: g\n        tasks:\n          - {id: t, run: 'echo $N', env: \
         {N: {secret: N}}}\n",
    );
    for n in 0..12 {
        let mut run = folder.program("run --format json");
        run.env("N", format!("number {n}"));
        let said = output(run).exits(0).json();
        let latest = folder.orchestrate("status --format json").exits(0).json();
        assert_eq!(latest[0]["result"]["run"], said.last().unwrap()["result"]["run"], "run {n}");
    }
}

#[test]
fn a_dry_run_tells_pending_changes_and_makes_none() {
    let folder = failing();
    let before = folder.files();
    let said = folder.orchestrate("run --dry-run").exits(3);
    said.says(&["~ run echo two > file.txt", "3 changes pending; nothing was changed", "4 tasks · dry run"]);
    assert_eq!(folder.files(), before);
    assert_eq!(git(folder.path(), &["status", "--porcelain", "-unormal"]), "?? file.txt");
    let looks = Folder::git(
        "version: 1\nphases:\n  - name: p\n    groups:\n      - name: g\n        tasks:\n          - {id: t, run: 'true', effect: \
         reads}\n",
    );
    looks.orchestrate("run -n").exits(0).says(&["1 passed"]);
}

#[test]
fn a_run_waits_for_a_person_and_goes_on() {
    let folder = Folder::git(
        "version: 1\nphases:\n  - name: p\n    groups:\n      - name: g\n        execution: sequential\n        tasks:\n          - \
         {id: before, run: 'echo ran >> before.txt'}\n          - {id: gate, uses: ask, needs: [before], with: {signal: yes-please}}\n          \
         - {id: behind, needs: [gate], run: 'touch behind.txt'}\n",
    );
    folder.orchestrate("run").exits(4).says(&["Shall it go on?", "orchestrate signal", "yes-please"]);
    folder.orchestrate("status").exits(0).says(&["Shall it go on?", "yes-please"]);
    folder.orchestrate("resume").exits(4);
    folder.orchestrate("signal latest yes-please --payload {nope").exits(2).says(&["no JSON"]);
    folder.orchestrate("signal latest yes-please").exits(0).says(&["orchestrate resume"]);
    folder.orchestrate("resume").exits(0).says(&["somebody said yes"]);
    assert_eq!(folder.read("before.txt"), "ran\n");
    assert!(folder.path().join("behind.txt").exists());
    folder.orchestrate("signal latest yes-please").exits(2);
}

#[test]
fn a_waiting_run_can_be_cancelled() {
    let folder = Folder::git(
        "version: 1\nphases:\n  - name: p\n    groups:\n      - name: g\n        tasks:\n          - {id: gate, uses: ask, with: \
         {signal: go}}\n",
    );
    folder.orchestrate("run --quiet").exits(4);
    folder.orchestrate("cancel").exits(0).says(&["is cancelled"]);
    folder.orchestrate("resume").exits(2).says(&["no run is left"]);
}

#[test]
fn a_second_run_says_who_holds_the_checkout_or_waits() {
    let folder = Folder::git(SLOW);
    let first = begun(&folder);
    folder.orchestrate("run").exits(5).says(&["--wait", &first.id().to_string()]);
    folder.orchestrate("resume").exits(5);
    folder.orchestrate("status").exits(0).says(&["slow"]);
    folder.orchestrate("run --dry-run").exits(3);
    let waiting = folder.program("run --wait").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    folder.write("go", "");
    ended(first).exits(0);
    ended(waiting).exits(0);
    assert_eq!(folder.read("quick.txt"), "ran\nran\n");
}

#[test]
fn what_is_interrupted_can_be_resumed() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let folder = Folder::git(SLOW);
        let run = begun(&folder);
        kill(run.id(), signal);
        ended(run).exits(code).says(&["orchestrate resume"]);
        assert_eq!(commands(folder.path()), [""; 0], "nobody is left over");
        folder.orchestrate("status").exits(0).says(&["orchestrate resume"]);
        folder.write("go", "");
        folder.orchestrate("resume").exits(0).says(&["2 passed"]);
        assert_eq!(folder.read("quick.txt"), "ran\n", "what had passed did not run again");
    }
}

#[test]
fn what_is_killed_leaves_survivors_that_the_next_run_ends() {
    for next in ["resume", "run"] {
        let folder = Folder::git(SLOW);
        let mut run = begun(&folder);
        run.kill().unwrap();
        run.wait().unwrap();
        folder.orchestrate("status").exits(0).says(&[" died after ", "orchestrate resume"]);
        folder.orchestrate("runs").exits(0).says(&["died: 1 passed"]);
        fs::remove_file(folder.path().join("begun")).unwrap();
        let mut again = folder.program(next).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until("it begins again", || {
            folder.path().join("begun").exists() || again.try_wait().unwrap().is_some()
        });
        let of_dead = commands(folder.path());
        let runs: std::collections::BTreeSet<&str> = of_dead
            .iter()
            .map(|order| order.rsplit_once('#').map_or(order.as_str(), |parts| parts.0))
            .collect();
        assert!(runs.len() <= 1, "only the commands of one order run: {of_dead:?}");
        folder.write("go", "");
        ended(again).exits(0);
        assert_eq!(commands(folder.path()), [""; 0], "nobody is left over");
    }
}

#[test]
fn a_missing_command_and_a_killed_one_are_failures_with_a_reason() {
    let task = |run: &str| {
        format!(
            "version: 1\nphases:\n  - name: p\n    groups:\n      - name: g\n        tasks:\n          - {{id: t, run: {run}}}\n"
        )
    };
    let folder = Folder::git(&task("[no-such-program-at-all]"));
    folder.orchestrate("run").exits(1).says(&["no-such-program-at-all", "not found"]);
    folder.write("orchestration.yaml", &task("'no-such-program-at-all'"));
    folder.orchestrate("run").exits(1).says(&["no-such-program-at-all", "not found"]);
    folder.write("orchestration.yaml", &task("'kill -9 $$'"));
    folder.orchestrate("run").exits(1).says(&["signal 9"]);
    folder.write("orchestration.yaml", &task(r#""printf '\\377\\376 not text'; exit 1""#));
    folder.orchestrate("run").exits(1).says(&["not text"]);
}

#[test]
fn settings_come_from_the_environment_and_are_checked() {
    let folder = failing();
    let with = |name: &str, value: &str, args: &str| {
        let mut command = folder.program(args);
        command.env(name, value);
        output(command)
    };
    with("ORCHESTRATION_ENABLED", "false", "run").exits(0).says(&["nothing was started"]);
    let off = with("ORCHESTRATION_ENABLED", "false", "run --format json").exits(0).json();
    assert_eq!(off[0]["result"]["enabled"], false);
    assert_eq!(folder.read("file.txt"), "one\n");
    with("ORCHESTRATION_TIMEOUT", "abc", "run").exits(2).says(&["ORCHESTRATION_TIMEOUT", "`abc`"]);
    with("ORCHESTRATION_RETRY_COUNT", "-1", "run").exits(2).says(&["ORCHESTRATION_RETRY_COUNT"]);
    with("ENABLE_DEPLOYMENT", "perhaps", "run").exits(2).says(&["ENABLE_DEPLOYMENT"]);
    with("DEPLOY_TO_PRODUCTION", "", "plan").exits(0);
    folder.orchestrate("run --jobs 0").exits(2);
}

#[test]
fn json_is_one_value_a_line_and_nothing_else() {
    let folder = failing();
    let lines = folder.orchestrate("run --format json").exits(1).json();
    assert!(lines.iter().all(|line| line["v"] == 1));
    let (result, events) = lines.split_last().unwrap();
    assert_eq!((&result["result"]["exit"], &result["result"]["counts"]["failed"]), (&1.into(), &1.into()));
    for (n, event) in (1..).zip(events) {
        assert_eq!((event["n"].as_u64(), event["run"] == result["result"]["run"]), (Some(n), true));
    }
    folder.orchestrate("run --dry-run --format json").exits(3).json();
    for args in ["status", "runs", "validate", "agents", "rollback --dry-run", "report"] {
        let said = folder.orchestrate(&format!("{args} --format json"));
        assert!(!said.out.is_empty(), "{args}: {}", said.err);
        assert!(said.json().iter().all(|line| line["v"] == 1), "{args}: {}", said.out);
    }
    let plan = &folder.orchestrate("plan --format json").exits(0).json()[0];
    assert!(plan["tasks"].is_array(), "{plan}");
}

#[test]
fn plans_schemas_and_completions_are_what_they_say() {
    let folder = failing();
    let plan = folder.orchestrate("plan").exits(0).says(&["[Phase 1/2]", "after [command] (needs fails)"]);
    assert!(!plan.out.contains('\u{1b}'));
    let dot = folder.orchestrate("plan --format dot").exits(0).says(&["\"fails\" -> \"after\""]);
    assert!(dot.out.starts_with("digraph plan {") && dot.out.trim_end().ends_with('}'));
    folder.orchestrate("plan --format mermaid").exits(0).says(&["flowchart LR", "t2 --> t3"]);
    folder.orchestrate("validate").exits(0).says(&["is valid: 2 phases, 4 tasks"]);
    let schema: Value = serde_json::from_str(&folder.orchestrate("schema").exits(0).out).unwrap();
    assert!(schema["$defs"]["pipeline"]["properties"]["phases"].is_object());
    folder.orchestrate("agents").exits(0).says(&["cargo-test", "command", "ask"]);
    folder.orchestrate("completions bash").exits(0).says(&["_orchestrate() {", "complete -F"]);
    folder.orchestrate("--help").exits(0).says(&["Exit codes:", "130", "latest"]);
    folder.orchestrate("--version").exits(0);
}

#[test]
fn a_rollback_shows_what_it_would_do_and_restores_the_bytes() {
    let folder = failing();
    let before = folder.files();
    folder.orchestrate("run").exits(1);
    let changed = folder.files();
    assert_ne!(changed, before);
    folder.orchestrate("rollback").exits(2).says(&["--yes", "--dry-run"]);
    folder.orchestrate("rollback --dry-run").exits(3).says(&["1 step to undo", "echo one > file.txt"]);
    assert_eq!(folder.files(), changed);
    folder.orchestrate("rollback --yes").exits(0).says(&["edit undone"]);
    assert_eq!(folder.files(), before);
}

#[test]
fn colours_are_only_for_those_who_want_them() {
    let folder = failing();
    let mut forced = folder.program("plan");
    forced.env("CLICOLOR_FORCE", "1");
    let coloured = output(forced).exits(0).out.contains('\u{1b}');
    let mut plain = folder.program("run");
    plain.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert!(!output(plain).exits(1).out.contains('\u{1b}'), "forced: {coloured}");
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let folder = failing();
    for args in
        ["run", "run --format json", "plan", "schema", "runs", "logs", "completions bash", "--help", "agents"]
    {
        let mut child = folder.program(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // `ended` checks that nothing panicked.
        let said = ended(child);
        assert!(said.code.is_some_and(|code| code < 7), "{args}: {said:?}");
    }
}

#[test]
fn where_nothing_can_be_written_it_says_so() {
    let folder = failing();
    let config = folder.path().join("orchestration.yaml");
    let said = folder.orchestrate(&format!("-C /proc --config {} run", config.display()));
    said.exits(7).says(&["/proc/.orchestrate"]);
    let said = folder.orchestrate("--state /proc/state run");
    said.exits(7).says(&["/proc/state"]);
    assert_eq!(folder.read("file.txt"), "one\n");
}

#[test]
fn without_git_and_on_a_detached_head_commands_run_all_the_same() {
    let folder = Folder::with(FAILING);
    folder.write("mended", "");
    folder.orchestrate("run").exits(0);
    let folder = failing();
    folder.write("mended", "");
    git(folder.path(), &["checkout", "-q", "--detach"]);
    folder.orchestrate("run").exits(0);
    folder.orchestrate("run -n").exits(3);
}

#[test]
fn a_release_without_git_is_none_and_on_a_detached_head_it_goes_to_main() {
    let release = "version: 1\nphases:\n  - name: merge_integration\n    use: standard\n";
    let folder = Folder::with(release);
    folder.write(
        "Cargo.toml",
        "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
    );
    folder.write("src/lib.rs", "");
    folder
        .orchestrate("run")
        .exits(0)
        .says(&["not a git repository: nothing to merge, tag or push", "no tasks"]);
    let folder = Folder::git(release);
    git(folder.path(), &["checkout", "-q", "--detach"]);
    let head = git(folder.path(), &["rev-parse", "HEAD"]);
    folder.orchestrate("run").exits(0).says(&["there is no remote `origin`"]);
    assert_eq!(git(folder.path(), &["rev-parse", "HEAD"]), head, "what is looked at stays");
    assert_eq!(
        git(folder.path(), &["rev-parse", "main"]),
        git(folder.path(), &["rev-parse", "v0.1.0^{commit}"])
    );
    assert_eq!(git(folder.path(), &["status", "--porcelain"]), "");
}

#[test]
fn a_journal_that_is_cut_off_anywhere_is_read_or_refused_clearly() {
    let folder = failing();
    folder.orchestrate("run").exits(1);
    let path = folder.journal();
    let whole = fs::read(&path).unwrap();
    folder.write("mended", "");
    for tenth in 0..10 {
        let cut = whole.len() * tenth / 10 + usize::from(tenth > 0) * 7;
        fs::write(&path, &whole[..cut]).unwrap();
        let status = folder.orchestrate("status");
        let resumed = folder.orchestrate("resume");
        println!("cut at {cut} of {}: status {:?}, resume {:?}", whole.len(), status.code, resumed.code);
        for said in [&status, &resumed] {
            assert!(matches!(said.code, Some(0 | 1 | 2 | 7)), "cut at {cut}: {said:?}");
            assert!(
                said.code == Some(0) || said.err.contains("error: ") || said.out.contains("✗"),
                "{said:?}"
            );
        }
        if resumed.code == Some(0) {
            folder.orchestrate("status").exits(0).says(&["4 passed"]);
        }
        let _ = fs::remove_file(folder.path().join("after.txt"));
    }
    fs::write(&path, [&whole[..whole.len() / 2], b"\nnonsense\n", &whole[whole.len() / 2..]].concat())
        .unwrap();
    folder.orchestrate("status").exits(7).says(&["journal.jsonl", "error: "]);
}

#[test]
fn what_init_writes_is_valid() {
    let folder = Folder::new();
    folder.write(
        "Cargo.toml",
        "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
    );
    folder.write("src/lib.rs", "");
    git(folder.path(), &["init", "-q", "-b", "main"]);
    folder.orchestrate("init").exits(0).says(&["Wrote", "orchestration.yaml"]);
    folder.orchestrate("validate").exits(0).says(&["is valid: 6 phases"]);
    folder.orchestrate("init").exits(2).says(&["--force"]);
    folder.orchestrate("init --force").exits(0);
}

#[test]
fn a_forgiven_failure_does_not_fail_its_phase() {
    let folder = Folder::git(
        "version: 1
phases:
  - name: only
    tasks:
      - {id: bad, run: [\"false\"], continue_on_error: true}
      - {id: good, run: [\"true\"]}
",
    );
    folder.orchestrate("run").exits(0).says(&[
        "goes on all the same",
        "Status: COMPLETED",
        "1 passed, 1 failed",
    ]);
}
