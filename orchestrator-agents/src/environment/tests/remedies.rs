use orchestrator_core::agent::{Agent, Verdict};
use orchestrator_core::settings::Remedies;
use serde_json::json;

use super::{Machine, has};
use crate::environment::{CheckVenv, CheckVenvConfig, Probing};
use crate::validation::Check;
use crate::validation::cargo::{CargoFmt, CargoFmtConfig};
use crate::validation::python::{RuffFormat, RuffFormatConfig};

const UGLY: &str = "pub fn  f( ) { }\n";

fn unformatted() -> Machine {
    let machine = Machine::new();
    machine.rig.write("Cargo.toml", "[package]\nname = 'x'\nversion = '0.1.0'\nedition = '2024'\n");
    machine.rig.write("src/lib.rs", UGLY);
    machine
}

#[tokio::test]
async fn the_formatter_mends_what_it_finds() {
    let mut machine = unformatted();
    let came = machine.check(Check(CargoFmt), CargoFmtConfig::default()).await.passes();
    assert_eq!(came.rounds.len(), 2);
    assert_eq!(came.rounds[1][0], "run cargo fmt --all [writes]");
    came.says(&["every file is formatted (mended: the sources were formatted)", "Note remedy"]);
    assert_eq!(machine.rig.read("src/lib.rs"), "pub fn f() {}\n");
    machine.rig.write("src/lib.rs", "pub fn f( {");
    let came = machine.check(Check(CargoFmt), CargoFmtConfig::default()).await.fails();
    assert_eq!(came.rounds.len(), 1, "no formatter mends what it cannot read");
}

#[tokio::test]
async fn ruff_formats_by_its_exit_code() {
    let mut machine = Machine::bare();
    // As ruff does: 1 where a file would be formatted, 2 where one cannot be read.
    let ruff =
        "case $* in *--version) echo 'ruff 0.17.5';; *--check*) test ! -e ugly;; *) rm ugly; exit 0;; esac";
    machine.program("ruff", ruff);
    machine
        .rig
        .env
        .iter_mut()
        .filter(|(name, _)| name == "PATH")
        .for_each(|(_, path)| path.push(":/usr/bin:/bin"));
    machine.rig.write("ugly", "");
    machine
        .check(Check(RuffFormat), RuffFormatConfig::default())
        .await
        .passes()
        .says(&["mended", "Note remedy"]);
    machine.check(Check(RuffFormat), RuffFormatConfig::default()).await.passes();
    machine.program(
        "ruff",
        "case $* in *--version) echo 'ruff 0.17.5';; *) echo 'error: no' >&2; exit 2;; esac",
    );
    let came = machine.check(Check(RuffFormat), RuffFormatConfig::default()).await.fails();
    assert_eq!(came.rounds.len(), 1);
}

#[tokio::test]
async fn a_person_is_asked_before_anything_is_done() {
    let mut machine = unformatted();
    let ask = || CargoFmtConfig { remedy: Remedies::Ask, ..CargoFmtConfig::default() };
    machine.answer = Some(json!({ "agree": false }));
    let came = machine.check(Check(CargoFmt), ask()).await.fails();
    assert_eq!(came.rounds.len(), 2);
    assert!(
        came.rounds[1][0].starts_with("wait for signal remedy.task: 1 file is not formatted"),
        "{:?}",
        came.rounds
    );
    assert!(came.rounds[1][0].contains("`cargo fmt --all`"), "{:?}", came.rounds);
    came.says(&["would help: `cargo fmt --all`", "refused: format the sources"]);
    assert_eq!(machine.rig.read("src/lib.rs"), UGLY);
    for agrees in [json!(null), json!({ "agree": true })] {
        machine.rig.write("src/lib.rs", UGLY);
        machine.answer = Some(agrees);
        let came = machine.check(Check(CargoFmt), ask()).await.passes();
        assert_eq!(came.rounds.len(), 3);
    }
}

#[tokio::test]
async fn what_was_carried_before_there_were_remedies_is_read() {
    let mut machine = unformatted();
    let agent = Check(CargoFmt);
    let mut task = orchestrator_core::testkit::task(CargoFmtConfig::default());
    task.carried = serde_json::json!({ "version": "rustfmt 1.8.0" }).into();
    let actions = agent.plan(&task, &machine.rig.look()).await.unwrap();
    let mut receipts = Vec::new();
    for action in &actions {
        receipts.push(machine.perform(action).await);
    }
    let artifacts = orchestrator_core::order::Artifacts::new(&machine.kept);
    let verdict = agent.conclude(&task, &receipts, &artifacts).unwrap();
    assert!(matches!(verdict, Verdict::More { .. }), "{verdict:?}");
}

#[tokio::test]
async fn a_venv_is_only_made_when_somebody_agrees() {
    if !has("python3") {
        return;
    }
    let mut machine = Machine::new();
    machine.answer = Some(json!({ "agree": false }));
    let make: Vec<String> = ["python3", "-m", "venv", "--without-pip"].map(Into::into).into();
    let ask = || CheckVenvConfig { remedy: Remedies::Ask, make: make.clone(), ..CheckVenvConfig::default() };
    machine.check(Probing(CheckVenv), ask()).await.fails().says(&["would help"]);
    assert!(!machine.rig.root.join(".venv").exists());
    machine.answer = Some(json!({ "agree": true }));
    machine.check(Probing(CheckVenv), ask()).await.passes();
}
