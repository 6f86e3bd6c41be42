//! What fast runs leave out, and what changes reach.

use std::fs;

use super::{Ended, chain, ran};
use crate::support::{Folder, git};

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
    for flag in ["--fast", "--skip-tests", "--affected"] {
        folder
            .orchestrate(&format!("run --failed latest {flag}"))
            .exits(2)
            .says(&["cannot be used with", flag]);
    }
    let folder = chain();
    folder.orchestrate("run --affected main").exits(2).says(&["--affected", "git"]);
}
