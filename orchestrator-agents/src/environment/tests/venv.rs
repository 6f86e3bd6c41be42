use orchestrator_core::path::RelPath;
use orchestrator_core::settings::Remedies;

use super::{Machine, has};
use crate::environment::{CheckVenv, CheckVenvConfig, Probing};

fn off() -> CheckVenvConfig {
    CheckVenvConfig { remedy: Remedies::Off, ..CheckVenvConfig::default() }
}

#[tokio::test]
async fn one_that_is_missing_is_made_and_checked_again() {
    if !has("python3") {
        return;
    }
    let mut machine = Machine::new();
    let check = || Probing(CheckVenv);
    machine.check(check(), off()).await.fails().says(&[
        "the virtual environment `.venv` does not exist (would help: `python3 -m venv .venv`",
        "remedies are off",
    ]);
    assert!(!machine.rig.root.join(".venv").exists());
    let came = machine.check(check(), CheckVenvConfig::default()).await.passes();
    assert_eq!(came.rounds.len(), 2);
    assert!(came.rounds[1][0].starts_with("run python3 -m venv .venv [writes]"), "{:?}", came.rounds);
    assert!(
        came.rounds[1][2].contains(".venv/bin/python -I - .venv"),
        "the check once more: {:?}",
        came.rounds
    );
    came.says(&["`.venv` works (Python ", "mended: `.venv` was made", "Note remedy"]);
    assert_eq!(machine.rig.git(&["status", "--porcelain"]), "", "git does not see it");
    let came = machine.check(check(), CheckVenvConfig::default()).await.passes();
    assert_eq!(came.rounds.len(), 1, "nothing is left to mend");
}

#[tokio::test]
async fn one_that_is_broken_is_told_and_made_anew() {
    if !has("python3") {
        return;
    }
    let mut machine = Machine::new();
    machine.check(Probing(CheckVenv), CheckVenvConfig::default()).await.passes();
    let venv = machine.rig.root.join(".venv");
    let (python, cfg) = (venv.join("bin/python"), venv.join("pyvenv.cfg"));
    // Python was upgraded: the interpreter behind the link is gone.
    let target = std::fs::read_link(&python).unwrap();
    std::fs::remove_file(&python).unwrap();
    std::os::unix::fs::symlink("/nowhere/python3.4", &python).unwrap();
    machine.check(Probing(CheckVenv), off()).await.fails().says(&["does not run", "--clear .venv"]);
    std::fs::remove_file(&python).unwrap();
    std::os::unix::fs::symlink(target, &python).unwrap();
    // The link leads to a later Python.
    let was = std::fs::read_to_string(&cfg).unwrap();
    let lines = was.lines().map(|line| if line.starts_with("version") { "version = 3.4.1" } else { line });
    std::fs::write(&cfg, lines.collect::<Vec<_>>().join("\n")).unwrap();
    machine
        .check(Probing(CheckVenv), off())
        .await
        .fails()
        .says(&["was made with Python 3.4.1 and now runs 3."]);
    std::fs::write(&cfg, was).unwrap();
    // It was moved: programs start what was at the old place.
    std::fs::rename(&venv, machine.rig.root.join("moved")).unwrap();
    let moved = CheckVenvConfig { path: RelPath::new("moved").unwrap(), ..off() };
    machine.check(Probing(CheckVenv), moved.clone()).await.fails().says(&["`moved` was moved: pip"]);
    let mend = CheckVenvConfig { remedy: Remedies::Auto, ..moved };
    machine.check(Probing(CheckVenv), mend).await.passes().says(&["`moved` was made anew"]);
}

#[tokio::test]
async fn what_is_no_environment_or_is_kept_by_git_is_left_alone() {
    if !has("python3") {
        return;
    }
    let mut machine = Machine::new();
    machine.rig.write(".venv/precious.txt", "mine");
    let came = machine.check(Probing(CheckVenv), CheckVenvConfig::default()).await.fails();
    assert_eq!(came.rounds.len(), 1);
    came.says(&["`.venv` is no virtual environment"]);
    machine.rig.write(".venv/pyvenv.cfg", "home = /nowhere\n");
    machine.rig.commit("feat: an environment");
    let came = machine.check(Probing(CheckVenv), CheckVenvConfig::default()).await.fails();
    assert_eq!(came.rounds.len(), 1, "git keeps it");
    assert_eq!(machine.rig.read(".venv/precious.txt"), "mine");
}

#[tokio::test]
async fn a_remedy_that_does_not_work_fails_and_says_why() {
    let mut machine = Machine::bare();
    machine.set("PATH", &format!("{}/bin:/usr/bin:/bin", machine.rig.home.display()));
    machine.program("python3", "echo 'Error: ensurepip is not available.' >&2; exit 1");
    let came = machine.check(Probing(CheckVenv), CheckVenvConfig::default()).await.fails();
    assert_eq!(came.rounds.len(), 2);
    came.says(&[
        "does not exist; the remedy did not work, exit code 1: Error: ensurepip is not available",
        "Warning remedy",
    ]);
    machine.program("python3", "mkdir -p .venv");
    let came = machine.check(Probing(CheckVenv), CheckVenvConfig::default()).await.fails();
    assert_eq!(came.rounds.len(), 2, "it is tried once");
    came.says(&["although `.venv` was made", "which did not help"]);
}
