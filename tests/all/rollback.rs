//! Rollback as people meet it: shown first, done, done again, of itself, to a task, with the run's own backup, cut off.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{Folder, Said, commands, ended, git, until};

/// A backup, then commands: one says what undoes it, one does not, one changes only what git ignores.
const WORK: &str = "\
version: 1
phases:
  - {name: restart_backup, use: standard}
  - name: work
    groups:
      - name: main
        execution: sequential
        tasks:
          - {id: note, run: 'echo noted > note.txt', undo: {run: 'rm note.txt; echo note >> .orchestrate/undone'}}
          - {id: edit, run: 'echo edited > file.txt; echo new > new.txt; echo changed 2 files'}
          - {id: build, run: 'mkdir -p target; echo built > target/out'}
";

/// The same without the backup, all of it with an undo.
const UNDOABLE: &str = "\
version: 1
phases:
  - name: work
    groups:
      - name: main
        execution: sequential
        tasks:
          - {id: one, run: 'echo 1 > one.txt', undo: {run: 'rm one.txt; echo one >> .orchestrate/undone'}}
          - {id: two, run: 'echo 2 > two.txt', undo: {run: 'rm two.txt; echo two >> .orchestrate/undone'}}
          - {id: three, run: 'echo 3 > three.txt', undo: {run: 'rm three.txt; echo three >> .orchestrate/undone'}}
";

const RELEASE: &str = "\
version: 1
phases:
  - {name: merge_integration, use: standard, with: {branches: [feature], validate: ['true']}}
";

/// A repository with something that is not committed, in a folder of its own.
fn repository(pipeline: &str) -> Folder {
    let folder = Folder::git(pipeline);
    folder.write(".gitignore", "target/\n.orchestrate/\n");
    folder.write("file.txt", "one\n");
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "feat: file"]);
    folder.write("file.txt", "one, not committed\n");
    folder
}

fn id(said: &Said) -> String {
    said.json().last().unwrap()["result"]["run"].as_str().unwrap().to_owned()
}

/// The last line, which says it all.
fn result(said: &Said) -> Value {
    said.json().pop().unwrap()["result"].take()
}

/// What is there, the backups aside.
fn files(folder: &Folder) -> Vec<(String, Vec<u8>)> {
    let backups = folder.path().join("backups");
    let files = folder.files().into_iter().filter(|(path, _)| !path.starts_with(&backups));
    files.map(|(path, bytes)| (path.display().to_string(), bytes)).collect()
}

#[test]
fn what_the_journal_cannot_undo_comes_from_the_runs_own_backup() {
    let folder = repository(WORK);
    let before = files(&folder);
    let run = id(&folder.orchestrate("run --format json").exits(0));
    let after = files(&folder);

    let dry = folder.orchestrate("rollback --dry-run").exits(3);
    dry.says(&[
        &run,
        "restores from backup backups/",
        "when it was tried",
        "M file.txt",
        "D new.txt",
        "edit: run",
    ])
    .says(&[
        "note: run echo noted > note.txt",
        "the backup brings back",
        "call restore-checkout",
        "survives a rollback",
    ]);
    let shown = result(&folder.orchestrate("rollback --dry-run --format json").exits(3));
    let rollback = &shown["rollback"];
    assert_eq!((&shown["exit"], &rollback["run"]), (&3.into(), &run.as_str().into()));
    assert_eq!(rollback["steps"].as_array().unwrap().len(), 2);
    assert_eq!(rollback["backup"]["newer"], Value::Array(Vec::new()));
    let cannot = rollback["cannot"].as_array().unwrap();
    let edit = cannot.iter().find(|it| it["task"] == "edit").unwrap();
    assert!(edit["backup"] == true && edit["advice"].as_str().unwrap().ends_with("it said: changed 2 files"));
    assert_eq!(files(&folder), after, "looking changes nothing");
    folder.orchestrate("rollback --no-backup --dry-run").exits(3).says(&["1 step to undo", "instead:"]);

    // Work since then is not lost unasked.
    folder.write("mine.txt", "mine\n");
    folder.orchestrate("rollback --yes").exits(2).says(&[
        "newer than the run",
        "`mine.txt`",
        "--force",
        "--no-backup",
    ]);
    folder.orchestrate("rollback --dry-run").exits(3).says(&["newer than the run, so only with `--force`"]);
    std::fs::remove_file(folder.path().join("mine.txt")).unwrap();

    let undone = folder.orchestrate("rollback --yes --format json").exits(0);
    assert_eq!(files(&folder), before);
    assert!(folder.path().join("target/out").exists());
    assert_eq!(folder.read(".orchestrate/undone"), "note\n");
    let again = folder.orchestrate("rollback --yes").exits(0);
    again.says(&["There is nothing to undo", "3 steps", &id(&undone)]);
    assert_eq!(folder.read(".orchestrate/undone"), "note\n", "what is undone is not undone again");

    // The rollback is a run, and so can be rolled back.
    folder
        .orchestrate(&format!("rollback --yes {}", id(&undone)))
        .exits(0)
        .says(&["undo.2.backup undone", "what it changed is not known"]);
    assert_eq!((folder.read("file.txt"), folder.read("new.txt")), ("edited\n".into(), "new\n".into()));
    folder.orchestrate("status").exits(0);
    folder.orchestrate("rollback --yes").exits(0);
    assert_eq!(files(&folder), before);
}

#[test]
fn back_to_before_a_task_and_then_the_rest() {
    let folder = repository(UNDOABLE);
    let before = files(&folder);
    folder.orchestrate("run").exits(0);
    folder.orchestrate("rollback --to tow").exits(2).says(&["unknown task `tow`; did you mean `two`?"]);
    let dry = folder.orchestrate("rollback --to two --dry-run").exits(3).says(&["2 steps to undo"]);
    assert!(!dry.out.contains("one.txt"), "{}", dry.out);
    folder.orchestrate("rollback --to two --yes").exits(0).says(&["three undone", "two undone"]);
    assert_eq!(
        (folder.read("one.txt"), folder.read(".orchestrate/undone")),
        ("1\n".into(), "three\ntwo\n".into())
    );
    folder.orchestrate("rollback --to two --yes").exits(0).says(&["nothing to undo"]);
    folder.orchestrate("rollback --yes").exits(0).says(&["1 step to undo", "Left out", "2 steps"]);
    assert_eq!(folder.read(".orchestrate/undone"), "three\ntwo\none\n");
    assert_eq!(files(&folder), before);
}

#[test]
fn a_merge_and_a_release_go_back_and_forth_to_the_very_objects() {
    let folder = repository(RELEASE);
    git(folder.path(), &["stash", "-q"]);
    git(folder.path(), &["switch", "-q", "-c", "feature"]);
    folder.write("feature.txt", "feature\n");
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "feat: feature"]);
    git(folder.path(), &["switch", "-q", "main"]);
    let refs = || git(folder.path(), &["for-each-ref", "refs/heads", "refs/tags"]);
    let before = refs();
    folder.orchestrate("run").exits(0);
    let after = refs();
    assert!(after.contains("refs/tags/v") && folder.path().join("feature.txt").exists());
    let undone = folder.orchestrate("rollback --yes --format json").exits(0);
    assert_eq!(refs(), before);
    assert!(!folder.path().join("feature.txt").exists());
    folder.orchestrate(&format!("rollback --yes {}", id(&undone))).exits(0);
    assert_eq!(refs(), after, "tags are the same objects again");
    assert!(folder.path().join("feature.txt").exists());
}

/// Killed in the middle of an undo, then gone on with.
fn killed(then: impl Fn(&Folder, &str)) {
    let slow =
        UNDOABLE.replace("rm two.txt;", "rm -f two.txt; touch begun; until [ -e go ]; do sleep 0.02; done;");
    let folder = repository(&slow);
    let before = files(&folder);
    let run = id(&folder.orchestrate("run --format json").exits(0));
    let mut child =
        folder.program("rollback --yes").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the slow undo begins", || folder.path().join("begun").exists());
    folder.orchestrate(&format!("rollback --yes {run}")).exits(5).says(&["being carried out"]);
    child.kill().unwrap();
    ended(child);
    folder.write("go", "");
    then(&folder, &run);
    assert_eq!(commands(folder.path()), [""; 0], "nobody is left over");
    // Whether the one that was under way came to its end nobody can know, so it is done again.
    let said = folder.read(".orchestrate/undone");
    assert!(["three\ntwo\none\n", "three\ntwo\ntwo\none\n"].contains(&said.as_str()), "{said}");
    for left in ["begun", "go"] {
        std::fs::remove_file(folder.path().join(left)).unwrap();
    }
    assert_eq!(files(&folder), before);
    folder.orchestrate(&format!("rollback --yes {run}")).exits(0).says(&["nothing to undo"]);
}

#[test]
fn a_rollback_that_was_killed_is_resumed() {
    killed(|folder, _| drop(folder.orchestrate("resume").exits(0)));
}

#[test]
fn a_rollback_that_was_killed_is_gone_on_with_by_another() {
    killed(|folder, run| {
        folder
            .orchestrate(&format!("rollback --yes {run}"))
            .exits(0)
            .says(&["2 steps to undo", "was cut off"]);
        folder.orchestrate("resume").exits(2).says(&["no run is left to resume"]);
    });
}
