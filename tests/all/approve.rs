//! What only a person can do: a task that waits, and how it is answered.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::support::{Folder, Said, ended, output, until};

/// `gate` waits for a person; `after` needs it, `beside` does not.
const GATE: &str = "\
version: 1
phases:
  - name: p
    tasks:
      - id: gate
        uses: manual
        with: {instructions: \"Rotate the key.\\nThen tell the team.\", links: ['https://example.org/keys']}
      - {id: after, run: 'echo ran >> after.txt', needs: [gate]}
      - {id: beside, run: 'echo ran >> beside.txt'}
";

fn approve(folder: &Folder, args: &str, more: &[&str]) -> Said {
    let mut command = folder.program(args);
    command.args(more).env("USER", "shell-user");
    output(command)
}

fn there(folder: &Folder, name: &str) -> bool {
    folder.path().join(name).exists()
}

fn run_of(folder: &Folder) -> String {
    let journal = folder.journal();
    journal.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned()
}

/// How a task ended, from the journal.
fn finished(folder: &Folder, task: &str) -> Value {
    let journal = std::fs::read_to_string(folder.journal()).unwrap();
    let lines = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut ends = lines.map(|line| line["event"]["task_finished"].clone());
    ends.find(|end| end["task"] == task).unwrap_or_else(|| panic!("{task} has not ended\n{journal}"))
}

#[test]
fn it_waits_while_the_rest_goes_on_and_is_done_by_name() {
    let folder = Folder::with(GATE);
    let said = folder.orchestrate("run").exits(4);
    let run = run_of(&folder);
    let (_, end) = said.out.rsplit_once("Status: WAITING").expect("the phase waits");
    for words in [
        "gate waits: Rotate the key.\n    Then tell the team.\n    see https://example.org/keys",
        &format!("answer with: orchestrate approve {run} gate (or with --skip, --abort)"),
        &format!("Once it has what it waits for: orchestrate resume {run}"),
    ] {
        assert!(end.contains(words), "{words} is not at the end:\n{end}");
    }
    assert!(there(&folder, "beside.txt") && !there(&folder, "after.txt"));
    folder.orchestrate("approve").exits(0).says(&["gate waits: Rotate", &format!("approve {run} gate")]);
    folder.orchestrate("status").exits(0).says(&["orchestrate approve", "gate"]);
    let suffix = &run[15..];
    approve(&folder, &format!("approve {suffix} gate --by Ada --note"), &["see ticket 12"]).exits(0).says(&[
        "Task gate",
        "done by Ada: see ticket 12",
        &format!("orchestrate resume {run}"),
    ]);
    folder.orchestrate("resume").exits(0).says(&["✓ gate done by Ada: see ticket 12", "3 passed"]);
    let gate = finished(&folder, "gate");
    assert_eq!((&gate["outcome"], &gate["conclusion"]["output"]["by"]), (&"passed".into(), &"Ada".into()));
    assert_eq!(gate["conclusion"]["output"]["note"], "see ticket 12");
    assert!(gate["conclusion"]["output"]["at"].is_string(), "{gate}");
    assert!(there(&folder, "after.txt"));
    folder.orchestrate("approve latest gate").exits(2).says(&["no run waits for a person"]);
    folder.orchestrate(&format!("approve {run} gate")).exits(2).says(&["is over, it passed"]);
    folder.orchestrate(&format!("approve {run}")).exits(0).says(&["waits for nobody"]);
}

#[test]
fn a_skip_is_a_skip_and_no_success() {
    let folder = Folder::with(GATE);
    folder.orchestrate("run").exits(4);
    approve(&folder, "approve latest gate --skip", &[]).exits(0).says(&["skipped by shell-user"]);
    folder.orchestrate("resume").exits(0).says(&["– gate skipped by shell-user", "2 passed, 1 skipped"]);
    let gate = finished(&folder, "gate");
    assert_eq!((&gate["outcome"], &gate["reason"]), (&"skipped".into(), &"by_hand".into()));
    assert!(gate["conclusion"]["output"].is_null(), "{gate}");
    assert!(there(&folder, "after.txt"), "what needs it goes on");
}

#[test]
fn an_abort_fails_and_is_not_tried_again() {
    let folder = Folder::with(
        &GATE.replace("uses: manual\n", "uses: manual\n        retry: {attempts: 3, delay: 1ms}\n"),
    );
    folder.orchestrate("run").exits(4);
    approve(&folder, "approve latest gate --abort --note", &["not today"]).exits(0);
    folder.orchestrate("resume").exits(1).says(&["aborted by shell-user: not today", "1 failed, 1 skipped"]);
    assert!(!there(&folder, "after.txt"));
    assert_eq!(finished(&folder, "after")["reason"], "upstream");
    let journal = std::fs::read_to_string(folder.journal()).unwrap();
    assert!(!journal.contains("attempt_failed"), "who said no is not asked again\n{journal}");
}

#[test]
fn a_skip_passes_no_checkpoint() {
    let folder = Folder::with(
        "version: 1\nphases:\n  - name: one\n    tasks: [{id: a, run: 'true'}]\n    checkpoint:\n      validations: \
         [{type: manual, id: seen, instructions: Look at it.}]\n  - {name: two, depends_on: [one], tasks: [{id: b, run: \
         'touch b.txt'}]}\n",
    );
    folder.orchestrate("run").exits(4);
    approve(&folder, "approve latest seen --skip", &[]).exits(0);
    folder
        .orchestrate("resume")
        .exits(1)
        .says(&["skipped by hand", "a checkpoint is passed only by what it checks"]);
    assert!(!there(&folder, "b.txt"));
    folder.orchestrate("run").exits(4);
    approve(&folder, "approve latest seen", &[]).exits(0);
    folder.orchestrate("resume").exits(0);
    assert!(there(&folder, "b.txt"));
}

#[test]
fn later_runs_count_a_skip_as_dealt_with() {
    let folder = Folder::with(
        "version: 1\nname: x\nphases:\n  - name: one\n    tasks: [{id: gate, uses: manual, with: {instructions: x}}, {id: c, run: \
         'test -e ok'}]\n  - {name: two, depends_on: [one], tasks: [{id: b, run: 'true'}]}\n",
    );
    folder.orchestrate("run").exits(4).says(&["1 failed"]);
    approve(&folder, "approve latest gate --skip", &[]).exits(0);
    folder.orchestrate("resume").exits(1);
    folder.orchestrate("run --phase two").exits(2).says(&["has not passed in an earlier run"]);
    folder.write("ok", "");
    folder.orchestrate("run --failed").exits(0).says(&["2 passed"]);
    folder.orchestrate("run --phase two").exits(0);
}

#[test]
fn a_run_under_way_takes_the_answer() {
    let folder = Folder::with(&GATE.replace(
        "'echo ran >> beside.txt'",
        "'echo > begun; while ! test -e after.txt; do sleep 0.05; done'",
    ));
    let live = folder.program("run").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the task beside it runs", || there(&folder, "begun"));
    until("the gate waits", || folder.orchestrate("approve").out.contains("gate waits"));
    approve(&folder, "approve latest gate", &[]).exits(0).says(&["under way"]);
    ended(live).exits(0).says(&["done by shell-user", "3 passed"]);
}

#[test]
fn an_answer_may_come_before_it_is_asked_for() {
    let folder = Folder::with(
        "version: 1\nphases:\n  - name: p\n    tasks:\n      - {id: first, uses: manual, with: {instructions: one}}\n      \
         - {id: second, uses: manual, needs: [first], with: {instructions: two}}\n      - {id: work, run: 'true'}\n",
    );
    folder.orchestrate("run").exits(4);
    approve(&folder, "approve latest second", &[]).exits(0).says(&["does not wait yet"]);
    approve(&folder, "approve latest second --skip", &[]).exits(2).says(&["has an answer already: done by"]);
    approve(&folder, "approve latest first", &[]).exits(0);
    approve(&folder, "approve latest first", &[]).exits(2).says(&["has an answer already"]);
    approve(&folder, "approve latest frist", &[]).exits(2).says(&["did you mean `first`?"]);
    approve(&folder, "approve latest work", &[]).exits(2).says(&["has ended already: passed"]);
    folder.orchestrate("resume").exits(0).says(&["3 passed"]);
}

#[test]
fn what_is_no_answer_is_passed_over_and_said() {
    let folder = Folder::with(GATE);
    folder.orchestrate("run").exits(4);
    for payload in ["{\"decision\": \"sure\"}", "[]", "null"] {
        let mut signal = folder.program("signal latest manual.gate --payload");
        signal.arg(payload);
        output(signal).exits(0);
    }
    folder.orchestrate("resume").exits(4).says(&["an answer was passed over", "it brought nothing"]);
    assert!(!there(&folder, "after.txt"), "nothing was taken for a yes");
    let note = "x".repeat((64 << 10) + 1);
    approve(&folder, "approve latest gate --note", &[&note]).exits(2).says(&["`note` has 65537 bytes"]);
    approve(&folder, "approve latest gate --by", &[&note[..300]]).exits(2).says(&["`by` has 300 bytes"]);
    let hostile = "\u{1b}[2J\u{1b}]0;gone\u{7}fine";
    approve(&folder, "approve latest", &["\u{1b}[2Jgate"]).exits(2).says(&["unknown task"]);
    let said = approve(&folder, "approve latest gate --note", &[hostile]).exits(0);
    let resumed = folder.orchestrate("resume").exits(0);
    for text in
        [said.out, said.err, resumed.out, resumed.err, std::fs::read_to_string(folder.journal()).unwrap()]
    {
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
    }
}

#[test]
fn other_waits_are_not_taken_for_approvals() {
    let folder = Folder::with(
        "version: 1\nphases:\n  - name: p\n    tasks:\n      - {id: own, uses: ask, with: {signal: yes-please}}\n      \
         - {id: later, run: 'true', needs: [own]}\n",
    );
    folder.orchestrate("run").exits(4);
    let refused = approve(&folder, "approve latest own", &[]).exits(2);
    refused.says(&["an answer of its own kind", "orchestrate signal", "yes-please"]);
    approve(&folder, "approve latest later", &[]).exits(2).says(&["it is of type `command`"]);
    approve(&folder, "approve latest own --skip --abort", &[]).exits(2).says(&["cannot be used with"]);
}

#[test]
fn a_dry_run_shows_it_and_does_not_wait() {
    let folder = Folder::with(GATE);
    let said = folder.orchestrate("run --dry-run").exits(3);
    said.says(&[
        "wait for signal manual.gate: Rotate the key.",
        "echo ran >> after.txt",
        "3 changes pending",
    ]);
    assert!(!there(&folder, "after.txt"));
}

#[test]
fn programs_read_what_waits_and_how_to_answer() {
    let folder = Folder::with(GATE);
    let said = folder.orchestrate("run --format json").exits(4);
    let run = run_of(&folder);
    let lines = said.json();
    let waits = &lines.last().unwrap()["result"]["waits"];
    assert_eq!((&waits[0]["task"], &waits[0]["signal"]), (&"gate".into(), &"manual.gate".into()));
    assert_eq!(waits[0]["answer"], format!("orchestrate approve {run} gate"));
    let listed = folder.orchestrate("approve --format json").exits(0).json();
    assert_eq!(listed[0]["result"]["waits"], *waits);
    let given = approve(&folder, "approve latest gate --skip --format json", &[]).exits(0).json();
    assert_eq!(
        (&given[0]["result"]["decision"], &given[0]["result"]["live"]),
        (&"skip".into(), &false.into())
    );
    let resumed = folder.orchestrate("resume --format json").exits(0).json();
    let result = &resumed.last().unwrap()["result"];
    assert_eq!((&result["counts"]["skipped"], &result["waits"]), (&1.into(), &serde_json::json!([])));
    let wrong = folder.orchestrate("approve latest gate --format json").exits(2);
    assert!(wrong.err.starts_with("{\"v\":1,\"error\":"), "{}", wrong.err);
}

#[test]
fn on_a_terminal_it_asks() {
    for (typed, flags, code, words) in [
        ("d\nlooks good\n", "", 0, "done by shell-user: looks good"),
        ("s\n\n", "", 0, "skipped by shell-user"),
        ("what\na\nno\n", "", 1, "aborted by shell-user: no"),
        ("\n", "", 4, "orchestrate approve"),
        ("d\n\n", " --no-input", 4, "orchestrate approve"),
    ] {
        let folder = Folder::with(GATE);
        let ours = folder.program(&format!("run{flags}"));
        let mut command = Command::new("python3");
        let spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        command.args(["-c", spawn]).arg(ours.get_program()).args(ours.get_args()).current_dir(folder.path());
        for (name, value) in ours.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("USER", "shell-user").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // What is typed ahead stays in the terminal until it is read.
        let mut terminal = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut terminal, typed.as_bytes()).unwrap();
        let said = ended(child);
        drop(terminal);
        let said = said.exits(code).says(&[words]);
        let asked = said.out.contains("[d]one, [s]kip or [a]bort?");
        assert_eq!(asked, flags.is_empty(), "{}", said.out);
    }
}

/// `main` and `feature` changed the same line; `check.txt` tells that the phase went on.
fn conflicting() -> Folder {
    let folder = Folder::git(
        "\
version: 1
phases:
  - name: merge_integration
    use: standard
    with: {branches: [feature], version: 1.0.0, validate: ['test -f f.txt']}
",
    );
    let git = |args: &[&str]| super::support::git(folder.path(), args);
    std::fs::write(folder.path().join("f.txt"), "one\n").unwrap();
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "feat: one"]);
    for (branch, flag) in [("feature", "-c"), ("main", "--no-guess")] {
        git(&["switch", "-q", flag, branch]);
        std::fs::write(folder.path().join("f.txt"), format!("{branch}\n")).unwrap();
        git(&["commit", "-q", "-am", &format!("feat: {branch}")]);
    }
    folder
}

#[test]
fn a_conflict_waits_until_it_is_solved() {
    let folder = conflicting();
    let git = |args: &[&str]| super::support::git(folder.path(), args);
    folder.orchestrate("run --dry-run").exits(3).says(&["feature has 1 conflict"]);
    let said = folder.orchestrate("run").exits(4);
    let run = run_of(&folder);
    let said = said.says(&[
        "merge-feature waits: merging feature into main conflicts",
        "f.txt (contents)",
        &format!("orchestrate approve {run} merge-feature once it is solved (--abort gives up"),
    ]);
    let at = said.out.split("solve it in ").nth(1).unwrap().split(':').next().unwrap();
    let at = folder.path().join(at);
    folder.orchestrate("approve latest merge-feature --skip").exits(2).says(&["solve it, or give up"]);
    folder.orchestrate("approve latest merge-feature").exits(0);
    folder.orchestrate("resume").exits(4).says(&["it is not added yet"]);
    std::fs::write(at.join("f.txt"), "both\n").unwrap();
    super::support::git(&at, &["add", "f.txt"]);
    folder.orchestrate("approve latest merge-feature --by Ada").exits(0);
    folder.orchestrate("resume").exits(0).says(&["Branch feature merged into main, 1 conflict solved"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("f.txt")).unwrap(), "both\n");
    assert!(git(&["log", "-1", "--skip=1", "--format=%B"]).contains("Orchestrate-Solved: f.txt by person"));
    assert_eq!((at.exists(), git(&["tag", "--list", "v1.0.0"]).as_str()), (false, "v1.0.0"));
}

#[test]
fn a_conflict_that_a_person_gives_up_fails_and_leaves_nothing() {
    let folder = conflicting();
    let git = |args: &[&str]| super::support::git(folder.path(), args);
    let before = git(&["rev-parse", "main"]);
    folder.orchestrate("run").exits(4);
    approve(&folder, "approve latest merge-feature --abort --by Ada", &[]).exits(0);
    folder.orchestrate("resume").exits(1).says(&["the conflict of feature was left unsolved by Ada"]);
    assert_eq!((git(&["rev-parse", "main"]), git(&["worktree", "list"]).lines().count()), (before, 1));
    assert_eq!(git(&["tag"]), "");
}
