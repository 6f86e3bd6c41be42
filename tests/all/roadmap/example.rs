//! The example roadmap, carried out: planned, shown, done, done again.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_core::path::Digest;
use serde_json::Value;

use super::Records;
use super::telling::Webhook;
use super::tree::{Tree, tool};
use crate::support::{Said, git, output};

#[test]
fn the_file_is_valid_and_as_large_as_it_is_said_to_be() {
    let tree = Tree::bare();
    tree.folder.orchestrate("validate").exits(0);
    let plan = tree.folder.orchestrate("plan --format json").exits(0).json().remove(0);
    let named = |list: &str, name: &str, start: &str| -> Vec<String> {
        let names = plan[list].as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned());
        names.filter(|name| name.starts_with(start)).collect()
    };
    assert_eq!(named("phases", "name", "phase_").len(), 6);
    assert_eq!(named("groups", "name", "group_").len(), 14);
    let tasks = plan["tasks"].as_array().unwrap();
    let of = |agent: &str| tasks.iter().filter(|task| task["agent"] == agent).count();
    let counts = ["config_edit", "test_generation", "file_generation", "manual"].map(of);
    assert_eq!((counts, counts.iter().sum::<usize>()), ([28, 22, 11, 3], 64));
    let actions: BTreeSet<&str> = tasks.iter().filter_map(|task| task["config"]["action"].as_str()).collect();
    assert_eq!(actions.len(), 18, "every named edit: {actions:?}");
    let one = tree.folder.orchestrate("plan --phase 1").exits(0).out;
    assert!(one.contains("1.1"), "{one}");
}

#[test]
fn without_tools_a_dry_run_shows_what_it_would_do_and_changes_nothing() {
    let tree = Tree::bare();
    let before = tree.files();
    tree.folder.orchestrate("run --dry-run").exits(3);
    assert_eq!(tree.files(), before);
    let records = Records::journal(&tree.folder);
    let ends = records.ends();
    let failed: Vec<_> = ends.values().filter(|end| end["outcome"] == "failed").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(writes(&records).values().flatten().count() > 40);
}

#[test]
fn choosing_what_is_not_there_is_an_error() {
    let tree = Tree::bare();
    tree.folder.orchestrate("run --group group_z --dry-run").exits(2).says(&["unknown group `group_z`"]);
    tree.folder.orchestrate("run --phase 2").exits(2).says(&["phase_1", "--phase phase_1,phase_2"]);
    assert_eq!(git(tree.path(), &["status", "--porcelain"]), "");
}

/// What tasks would write or wrote, in order: path and content.
fn writes(records: &Records) -> BTreeMap<String, Vec<(String, Value)>> {
    let mut writes: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for planned in records.all("task_planned") {
        let task = planned["task"].as_str().unwrap();
        for write in planned["actions"].as_array().unwrap().iter().filter_map(|action| action.get("write")) {
            let path = write["path"].as_str().unwrap().to_owned();
            writes.entry(task.to_owned()).or_default().push((path, write["content"].clone()));
        }
    }
    writes
}

/// The ids of tasks by the agent that does them.
fn agents(tree: &Tree) -> BTreeMap<String, String> {
    let plan = tree.folder.orchestrate("plan --format json").exits(0).json().remove(0);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    plan["tasks"].as_array().unwrap().iter().map(|task| (text(&task["id"]), text(&task["agent"]))).collect()
}

/// Whether bytes are what an action says.
fn holds(content: &Value, bytes: &[u8]) -> bool {
    match (content.get("text"), content.get("blob")) {
        (Some(text), _) => text.as_str().unwrap().as_bytes() == bytes,
        (_, Some(blob)) => blob["digest"] == serde_json::to_value(Digest::of(bytes)).unwrap(),
        _ => false,
    }
}

/// Runs everything; says of each of these tasks, which wait for a person, that it is done. The records of the whole run.
fn carried_out(tree: &Tree, webhook: &Webhook, asks: &[&str]) -> Records {
    let program = |args: &str| {
        let mut command = tree.folder.program(args);
        command.env("SLACK_WEBHOOK", &webhook.url);
        output(command)
    };
    let mut said: Said = program("run --all --ceiling publishes");
    for task in asks {
        said.exits(4);
        program(&format!("approve latest {task} --by t --note seen")).exits(0);
        said = program("resume");
    }
    said.exits(0);
    Records::journal(&tree.folder)
}

#[test]
#[ignore = "needs node, pytest and linters of workflows: tests/run installs them"]
fn needs_node_the_example_is_carried_out_as_its_dry_run_shows_and_a_second_time_changes_nothing() {
    let tree = Tree::equipped();
    tree.serve();
    let agents = agents(&tree);
    let works =
        |task: &str| ["config_edit", "test_generation", "file_generation"].contains(&agents[task].as_str());
    let before = tree.files();
    let found = findings(&tree);

    tree.folder.orchestrate("run --dry-run").exits(3);
    assert_eq!(tree.files(), before, "a dry run changes nothing");
    let shown = Records::journal(&tree.folder);

    let webhook = Webhook::new();
    let done = carried_out(&tree, &webhook, &["2.9", "6.13", "6.14"]);
    let after = tree.files();
    every_success_is_one(&done, works, |end, wrote| wrote || says_already(end));
    assert_eq!(done.ends().keys().filter(|task| works(task)).count(), 61);
    edits_are_as_shown(&shown, &done, &agents, &after);
    comments_survive(&before, &after);
    assert!(!webhook.told().is_empty(), "phases that passed are told");
    tree.folder.orchestrate("status").exits(0).says(&["COMPLETED"]);
    generated_tests_pass(&tree);
    workflows_are_sound(&tree, &found);

    tree.commit();
    let again = carried_out(&tree, &webhook, &[]);
    assert_eq!(git(tree.path(), &["status", "--porcelain"]), "", "a second run changes nothing");
    every_success_is_one(&again, works, |end, wrote| {
        !wrote && (says_already(end) || end["outcome"] == "cached")
    });
}

fn says_already(end: &Value) -> bool {
    end["conclusion"]["summary"].as_str().is_some_and(|summary| summary.contains("already so"))
}

/// Every task of the work passed, and each for a reason.
#[track_caller]
fn every_success_is_one(
    records: &Records,
    works: impl Fn(&str) -> bool,
    reason: impl Fn(&Value, bool) -> bool,
) {
    let writes = writes(records);
    for (task, end) in records.ends().into_iter().filter(|(task, _)| works(task)) {
        assert!(["passed", "cached"].iter().any(|word| end["outcome"] == *word), "{task}: {end:#}");
        assert!(reason(end, writes.contains_key(task)), "{task}: {end:#}");
    }
}

/// What was shown is what was done, byte for byte; generated tests aside, which are kept only if they pass.
#[track_caller]
fn edits_are_as_shown(
    shown: &Records,
    done: &Records,
    agents: &BTreeMap<String, String>,
    after: &BTreeMap<String, Vec<u8>>,
) {
    let edits = |records: &Records| {
        let mut writes = writes(records);
        writes.retain(|task, _| ["config_edit", "file_generation"].contains(&agents[task].as_str()));
        writes
    };
    let (shown_edits, done_edits) = (edits(shown), edits(done));
    assert!(shown_edits.len() > 30, "{:?}", shown_edits.keys());
    assert_eq!(shown_edits.keys().collect::<Vec<_>>(), done_edits.keys().collect::<Vec<_>>());
    for (task, shown) in &shown_edits {
        assert_eq!(shown, &done_edits[task], "{task}: what was shown, and what was done");
    }
    // In the order of the run, the last of each file is what stands.
    let mut last: BTreeMap<&str, &Value> = BTreeMap::new();
    for finished in done.all("task_finished") {
        for (path, content) in shown_edits.get(finished["task"].as_str().unwrap()).into_iter().flatten() {
            last.insert(path, content);
        }
    }
    for (path, content) in last.into_iter().filter(|(path, _)| !path.starts_with(".orchestrate/")) {
        assert!(holds(content, &after[path]), "{path} is not what was shown");
    }
}

/// Comments of every file that was there are there still.
#[track_caller]
fn comments_survive(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) {
    let mut edited = 0;
    for (name, old) in before {
        let new = String::from_utf8_lossy(&after[name]);
        edited += usize::from(new.as_bytes() != old);
        let marks: &[&str] =
            if [".ts", "config.json"].iter().any(|end| name.ends_with(end)) { &["//", "/*"] } else { &["#"] };
        for comment in String::from_utf8_lossy(old).lines().map(str::trim) {
            let is_comment = marks.iter().any(|mark| comment.starts_with(mark));
            assert!(!is_comment || new.contains(comment), "{name} lost `{comment}`:\n{new}");
        }
    }
    assert!(edited >= 11, "{edited} files were edited");
}

/// The tree's own runners and checks.
#[track_caller]
fn generated_tests_pass(tree: &Tree) {
    let said = tree.sh("node_modules/.bin/vitest run --reporter=json").exits(0);
    let report =
        said.out.lines().find_map(|line| serde_json::from_str::<Value>(line).ok()).expect("a report");
    assert!(
        report["numPassedTests"].as_u64() >= Some(50),
        "{} tests of TypeScript",
        report["numPassedTests"]
    );
    assert_eq!(report["numFailedTests"], 0);
    tree.sh("npm run --silent typecheck").exits(0);
    let said = tree.sh("cd analytics && ../.venv/bin/python -m pytest -q").exits(0);
    let passed: u64 = said
        .out
        .split_whitespace()
        .zip(said.out.split_whitespace().skip(1))
        .find_map(|(count, word)| word.starts_with("passed").then(|| count.parse().ok())?)
        .unwrap_or(0);
    assert!(passed >= 25, "{}", said.out);
}

/// Findings of the linter of workflows: how often which, in which file.
fn findings(tree: &Tree) -> BTreeMap<(String, String), usize> {
    let zizmor = tool("ORCHESTRATE_TEST_TOOLS").join("zizmor");
    let said = tree
        .sh(&format!("{} --offline --no-exit-codes --format json .github/workflows", zizmor.display()))
        .exits(0);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    let mut counts = BTreeMap::new();
    for finding in found.as_array().unwrap() {
        let file = finding["locations"][0]["symbolic"]["key"].to_string();
        *counts.entry((finding["ident"].as_str().unwrap().to_owned(), file)).or_default() += 1;
    }
    counts
}

/// Workflows are what GitHub takes, and no finding is new.
#[track_caller]
fn workflows_are_sound(tree: &Tree, before: &BTreeMap<(String, String), usize>) {
    let checker = tool("ORCHESTRATE_TEST_TOOLS").join("check-jsonschema");
    let line =
        format!("{} --builtin-schema vendor.github-workflows .github/workflows/*.yml", checker.display());
    tree.sh(&line).exits(0);
    for (finding, count) in findings(tree) {
        assert!(before.get(&finding).is_some_and(|known| count <= *known), "new: {finding:?}");
    }
}
