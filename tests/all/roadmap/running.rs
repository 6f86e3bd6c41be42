//! How roadmaps run: what fails, what follows, what is chosen. Their tasks are commands here, so nothing need be installed.

use serde_json::Value;

use super::{Records, run};
use crate::support::Folder;

/// A roadmap of one phase with one group of these tasks.
fn one(settings: &str, group: &str, tasks: &[&str]) -> String {
    let tasks: String = tasks.iter().map(|task| format!("        - {task}\n")).collect();
    format!(
        "orchestrator:\n  name: small\n  settings: {settings}\nphase_1:\n  name: Only\n  groups:\n    group_a:\n{group}      tasks:\n{tasks}"
    )
}

const QUICK: &str = "{retry_attempts: 0, retry_delay_seconds: 0.02, max_parallel_tasks: 4}";

#[test]
fn a_failed_critical_task_stops_what_depends_on_it_and_nothing_else() {
    let tasks = [
        "{id: '1.1', name: breaks, type: command, run: 'false', priority: critical}",
        "{id: '1.2', name: follows, type: command, run: 'touch followed', depends_on: ['1.1']}",
        "{id: '1.3', name: apart, type: command, run: 'touch apart'}",
    ];
    let more = "    group_b:\n      depends_on: [group_a]\n      tasks:\n        - {id: '1.4', type: command, run: 'touch later'}\n    group_c:\n      tasks:\n        - {id: '1.5', type: command, run: 'touch beside'}\n";
    let folder = Folder::with(&(one(QUICK, "", &tasks) + more));
    let records = run(&folder, "", 1);
    assert_eq!(records.outcomes(), "1.1: failed, 1.2: skipped, 1.3: passed, 1.4: skipped, 1.5: passed");
    let there = ["followed", "apart", "later", "beside"].map(|name| folder.path().join(name).exists());
    assert_eq!(there, [false, true, false, true]);
}

#[test]
fn fail_fast_keeps_what_has_not_started_from_starting() {
    let tasks = [
        "{id: '1.1', type: command, run: 'false'}",
        "{id: '1.2', type: command, run: 'touch second', when: always}",
        "{id: '1.3', type: command, run: 'touch third'}",
    ];
    for (fail_fast, outcome, there) in [(true, "skipped", false), (false, "passed", true)] {
        let settings = format!("{{retry_attempts: 0, max_parallel_tasks: 1, fail_fast: {fail_fast}}}");
        let folder = Folder::with(&one(&settings, "", &tasks));
        let records = run(&folder, "", 1);
        assert_eq!(records.ends()["1.3"]["outcome"], outcome, "fail_fast: {fail_fast}");
        assert_eq!(folder.path().join("third").exists(), there);
        assert_eq!(records.ends()["1.1"]["outcome"], "failed");
    }
}

/// Milliseconds from the failure of each attempt until the next may begin.
fn delays(records: &Records) -> Vec<f64> {
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let failed = records.0.iter().filter(|record| record["event"].get("attempt_failed").is_some());
    failed
        .map(|record| {
            let until = time(&record["event"]["attempt_failed"]["retry_at"]);
            until.duration_since(time(&record["at"])).as_secs_f64() * 1e3
        })
        .collect()
}

#[test]
fn retries_wait_twice_as_long_each_time_and_the_journal_says_until_when() {
    let tasks = ["{id: '1.1', type: command, run: 'echo x >> tries; test $(wc -l < tries) -ge 4'}"];
    let folder = Folder::with(&one("{retry_attempts: 3, retry_delay_seconds: 0.1}", "", &tasks));
    assert_eq!(run(&folder, "", 0).outcomes(), "1.1: passed");
    let records = Records::journal(&folder);
    let attempts: Vec<_> =
        records.all("task_started").map(|start| start["attempt"].as_u64().unwrap()).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    let delays = delays(&records);
    assert_eq!(delays.len(), 3, "{delays:?}");
    for (delay, whole) in delays.iter().zip([100.0, 200.0, 400.0]) {
        // Half of it is jitter.
        assert!((whole / 2.0..=whole + 1.0).contains(delay), "{delays:?}");
    }
    assert_eq!(folder.read("tries").lines().count(), 4);
}

#[test]
fn what_failed_is_run_again_alone() {
    let tasks = [
        "{id: '1.1', type: command, run: 'echo x >> first'}",
        "{id: '1.2', type: command, run: 'test -e mended'}",
        "{id: '1.3', type: command, run: 'echo x >> third', depends_on: ['1.2']}",
    ];
    let folder = Folder::with(&one(QUICK, "", &tasks));
    let said = folder.orchestrate("run").exits(1);
    let run_id = said.out.lines().chain(said.err.lines()).find_map(|line| {
        let (_, rest) = line.split_once("orchestrate run --failed ")?;
        rest.split_whitespace().next().map(str::to_owned)
    });
    let again = format!("--failed {}", run_id.expect("the summary says how to run it again"));
    assert_eq!(run(&folder, &again, 1).ends()["1.2"]["outcome"], "failed", "nothing was mended");
    folder.write("mended", "");
    let records = run(&folder, "--failed", 0);
    assert_eq!(records.ends()["1.3"]["outcome"], "passed");
    assert_eq!(
        (folder.read("first").as_str(), folder.read("third").as_str()),
        ("x\n", "x\n"),
        "each ran once"
    );
}

const PHASES: &str = "\
orchestrator: {name: phases, settings: {retry_attempts: 0, max_parallel_tasks: 4}}
phase_1:
  name: First
  groups:
    group_a: {tasks: [{id: '1.1', type: command, run: 'touch first'}]}
phase_2:
  name: Second
  depends_on: [phase_1]
  parallel_with: [phase_3]
  groups:
    group_b: {tasks: [{id: '2.1', type: command, run: 'touch two; for i in $(seq 500); do test -e three && exit 0; sleep 0.02; done; exit 1'}]}
phase_3:
  name: Third
  depends_on: [phase_1]
  parallel_with: [phase_2]
  groups:
    group_c: {tasks: [{id: '3.1', type: command, run: 'touch three; for i in $(seq 500); do test -e two && exit 0; sleep 0.02; done; exit 1'}]}
checkpoints:
  after_phase_3:
    name: Both are there
    validations:
      - {type: command, target: test -e two -a -e three, description: Both}
";

#[test]
fn a_phase_wants_what_it_depends_on_and_says_how_to_run_it() {
    let folder = Folder::with(PHASES);
    let said = folder.orchestrate("run --phase 2,3").exits(2);
    said.says(&["`phase_2` depends on `phase_1`, which has not passed", "--phase phase_1,phase_2"]);
    assert!(!folder.path().join("two").exists(), "nothing ran");
    folder.orchestrate("run --phase 1").exits(0);
    assert_eq!(run(&folder, "--phase 2,3", 0).ends()["3.1"]["outcome"], "passed", "an earlier run counts");
}

#[test]
fn phases_that_may_run_together_do() {
    let folder = Folder::with(PHASES);
    // Each waits for the other: one after the other, neither could pass.
    let records = run(&folder, "--all", 0);
    assert_eq!(records.outcomes(), "1.1: passed, 2.1: passed, 3.1: passed, phase_3.checkpoint.1: passed");
}

#[test]
fn a_group_is_chosen_by_name_and_an_unknown_one_is_an_error() {
    let folder = Folder::with(PHASES);
    folder.orchestrate("run --group group_z").exits(2).says(&["unknown group `group_z`"]);
    folder.orchestrate("run --phase 1 --group group_b").exits(2);
    let chosen = run(&folder, "--phase 1 --group group_a", 0).outcomes();
    assert!(chosen.starts_with("1.1: passed, 2.1: skipped, 3.1: skipped"), "{chosen}");
    assert!(!folder.path().join("two").exists());
}

#[test]
fn a_sequential_group_goes_in_order_and_a_limit_holds() {
    let tasks: Vec<String> =
        (1..=4).map(|at| format!("{{id: '1.{at}', type: command, run: 'echo {at} >> order'}}")).collect();
    let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
    let folder = Folder::with(&one(QUICK, "      execution: sequential\n", &tasks));
    run(&folder, "", 0);
    assert_eq!(folder.read("order"), "1\n2\n3\n4\n");

    let alone = "echo in >> held; test $(grep -c in held) = $(($(grep -c out held) + 1)); code=$?; sleep 0.05; echo out >> held; exit $code";
    let tasks: Vec<String> =
        (1..=4).map(|at| format!("{{id: '1.{at}', type: command, run: '{alone}'}}")).collect();
    let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
    let folder = Folder::with(&one(QUICK, "      execution: parallel\n      max_parallel: 1\n", &tasks));
    assert_eq!(run(&folder, "", 0).outcomes(), "1.1: passed, 1.2: passed, 1.3: passed, 1.4: passed");
}

#[test]
fn what_is_wrong_in_the_file_is_said_with_its_place() {
    let bad = PHASES.replace(
        "depends_on: [phase_1]\n  parallel_with: [phase_3]",
        "depends_on: [phase_9]\n  paralel_with: [phase_3]",
    );
    let folder = Folder::with(&bad);
    folder.orchestrate("validate").exits(2).says(&[
        "orchestration.yaml:9:3",
        "paralel_with",
        "did you mean `parallel_with`",
    ]);
    folder.orchestrate("run --dry-run").exits(2).says(&["paralel_with"]);
    let folder = Folder::with(&PHASES.replace("depends_on: [phase_1]", "depends_on: [phase_9]"));
    folder.orchestrate("validate").exits(2).says(&["orchestration.yaml:", "phase_9"]);
    let folder = Folder::with(&PHASES.replace("after_phase_3", "after_phase_7"));
    folder
        .orchestrate("validate")
        .exits(2)
        .says(&["orchestration.yaml:19:3", "unknown checkpoint `after_phase_7`"]);
}
