//! `doctor` and remedies: what is wrong with a machine is said and mended, on real tools and on programs that lie.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Folder, Said, ended, git, output};

/// A git repository with a state folder that git ignores, and a folder of programs that come first.
fn machine(pipeline: Option<&str>) -> Folder {
    let folder = match pipeline {
        Some(pipeline) => Folder::git(pipeline),
        None => {
            let folder = Folder::new();
            git(folder.path(), &["init", "-q", "-b", "main"]);
            folder
        }
    };
    folder.write(".gitignore", "/bin/\n");
    folder
}

fn program(folder: &Folder, name: &str, script: &str) {
    folder.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
    let path = folder.path().join("bin").join(name);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The program with these arguments, with the folder's programs before those of the machine.
fn command(folder: &Folder, args: &str) -> Command {
    let mut command = folder.program(args);
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", folder.path().join("bin").display()));
    command
}

fn run(folder: &Folder, args: &str) -> Said {
    output(command(folder, args))
}

/// The one answer at the end of JSON lines.
fn result(said: &Said) -> Value {
    said.json().pop().expect("there is a last line")["result"].clone()
}

/// A pipeline of one check with a remedy.
const VENV: &str = "version: 1\nphases:\n  - name: environment\n    tasks:\n      - {id: venv, uses: check-venv, \
                    with: {make: [python3, -m, venv, --without-pip]}}\n";

fn has(program: &str) -> bool {
    let has = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("not run: `{program}` is not installed");
    }
    has
}

#[test]
fn a_machine_with_a_python_that_is_too_old_is_told_what_to_install() {
    let folder = machine(None);
    program(&folder, "python3", "echo 'Python 3.6.9'");
    folder.write("pyproject.toml", "[project]\nname = 'x'\nversion = '1.0'\nrequires-python = '>=3.9'\n");
    let said = run(&folder, "doctor").exits(1).says(&[
        "Python 3.6.9 is not what pyproject.toml asks for, `>=3.9`",
        "install Python >=3.9",
        "1 of 3 checks failed: this machine cannot run the pipeline as it is",
    ]);
    assert!(!said.out.to_lowercase().contains("operational"));
    let result = result(&run(&folder, "doctor --format json").exits(1));
    assert_eq!(
        (&result["exit"], &result["doctor"]["failed"][0]["task"]),
        (&1.into(), &"check-python".into())
    );
    program(&folder, "python3", "echo 'Python 3.9.0'");
    run(&folder, "doctor").exits(0).says(&[
        "Python 3.9.0",
        "3 checks passed",
        "Xcode's command line tools: only on macOS",
    ]);
}

#[test]
fn what_the_pipeline_asks_for_counts() {
    let pipeline = "version: 1\nphases:\n  - {name: environment, use: environment, with: {tools: {git: '1.8', fancy: '2.10'}}}\n  \
                    - name: work\n    tasks:\n      - {id: a, run: 'A=1 nowhere-tool --do it'}\n      - {id: b, run: [./own, script]}\n      \
                    - {id: c, run: 'echo fine'}\n      - {id: d, run: [danger, now]}\n";
    let folder = machine(Some(pipeline));
    program(&folder, "fancy", "echo 'fancy 2.9.1'");
    program(&folder, "danger", "touch was-started");
    run(&folder, "doctor").exits(1).says(&[
        "fancy 2.9.1 is too old, 2.10 or later is wanted",
        "nowhere-tool is not installed",
        "danger is there",
        "2 of 5 checks failed",
    ]);
    assert!(!folder.path().join("was-started").exists(), "a program that is not known is not started");
    program(&folder, "fancy", "echo 'fancy 2.10'");
    program(&folder, "nowhere-tool", "exit 1");
    run(&folder, "doctor").exits(0).says(&["5 checks passed"]);
}

#[test]
fn what_can_be_mended_is_mended_and_logged() {
    if !has("python3") {
        return;
    }
    let folder = machine(Some(VENV));
    let venv = folder.path().join(".venv");
    run(&folder, "doctor --dry-run").exits(3).says(&["python3 -m venv --without-pip .venv"]);
    run(&folder, "doctor --no-remediate").exits(1).says(&["does not exist", "would help: `python3 -m venv"]);
    assert!(!venv.exists() && !folder.path().join(".orchestrate/remediation.log").exists());
    let said = run(&folder, "doctor --format json").exits(0);
    let result = result(&said);
    assert_eq!(
        (&result["doctor"]["passed"], &result["doctor"]["mended"][0]["task"]),
        (&1.into(), &"venv".into())
    );
    assert!(venv.join("bin/python").exists());
    let log = folder.read(".orchestrate/remediation.log");
    let run_id = result["run"].as_str().unwrap();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains(&format!(" {run_id} venv worked: `.venv` was made (`python3 -m venv")), "{log}");
    // The remedy is in the journal as any other action.
    let finished = said.json().iter().filter(|line| !line["event"]["action_finished"].is_null()).count();
    assert_eq!(finished, 4, "check, make, ignore, check");
    run(&folder, "run").exits(0).says(&["`.venv` works"]);
    assert_eq!(folder.read(".orchestrate/remediation.log"), log, "nothing was left to mend");
}

#[test]
fn a_remedy_that_does_not_work_is_logged_as_that() {
    let folder = machine(Some(VENV));
    program(&folder, "python3", "echo 'no ensurepip here' >&2; exit 1");
    run(&folder, "run").exits(1).says(&["the remedy did not work, exit code 1: no ensurepip here"]);
    let log = folder.read(".orchestrate/remediation.log");
    assert!(log.contains(" venv did not work: to make `.venv` did not work"), "{log}");
}

#[test]
fn without_a_terminal_it_waits_and_says_how_to_answer() {
    if !has("python3") {
        return;
    }
    let folder = machine(Some(VENV));
    let venv = folder.path().join(".venv");
    for (args, code) in
        [("approve latest venv --abort", 1), ("signal latest remedy.venv", 0), ("approve latest venv", 0)]
    {
        run(&folder, "run --interactive").exits(4).says(&[
            "agree to make `.venv` with `python3 -m venv --without-pip .venv`",
            "orchestrate approve",
            "venv (--abort refuses)",
        ]);
        assert!(!venv.exists());
        run(&folder, "approve latest venv --skip")
            .exits(2)
            .says(&["agree to it, or refuse it with `--abort`"]);
        run(&folder, args).exits(0);
        run(&folder, "approve latest venv").exits(2).says(&["has an answer already"]);
        run(&folder, "resume").exits(code);
        assert_eq!(venv.exists(), code == 0);
        let _ = std::fs::remove_dir_all(&venv);
    }
}

#[test]
fn on_a_terminal_it_asks() {
    if !has("python3") {
        return;
    }
    for (typed, code) in [("n\n", 1), ("\n", 0)] {
        let folder = machine(Some(VENV));
        let ours = folder.program("doctor --interactive");
        let mut command = Command::new("python3");
        let spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        command.args(["-c", spawn]).arg(ours.get_program()).args(ours.get_args()).current_dir(folder.path());
        for (name, value) in ours.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // What is typed ahead stays in the terminal until it is read.
        let mut terminal = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut terminal, typed.as_bytes()).unwrap();
        let said = ended(child);
        drop(terminal);
        said.exits(code).says(&["Do it? [Y/n]"]);
        assert_eq!(folder.path().join(".venv").exists(), code == 0);
    }
}

#[test]
fn a_real_cargo_project_is_checked() {
    let folder = machine(None);
    folder.write(
        "Cargo.toml",
        "[package]\nname = 'x'\nversion = '0.1.0'\nedition = '2024'\nrust-version = '1.85'\n",
    );
    folder.write("src/lib.rs", "");
    let mut command = Command::new("cargo");
    command.args(["generate-lockfile", "--offline"]).current_dir(folder.path());
    output(command).exits(0);
    run(&folder, "doctor").exits(0).says(&["Rust 1.", "Cargo 1.", "`Cargo.lock` is in sync"]);
    folder.write(
        "Cargo.toml",
        "[package]\nname = 'x'\nversion = '0.1.0'\nedition = '2024'\nrust-version = '99.0'\n",
    );
    run(&folder, "doctor").exits(1).says(&["is not what Cargo.toml asks for, `>=99.0`", "rustup update"]);
}

#[test]
fn the_formatter_mends_in_an_ordinary_run_unless_told_not_to() {
    let pipeline = "version: 1\nphases:\n  - name: check\n    tasks:\n      - {id: fmt, uses: cargo-fmt}\n";
    let folder = machine(Some(pipeline));
    folder.write("Cargo.toml", "[package]\nname = 'x'\nversion = '0.1.0'\nedition = '2024'\n");
    folder.write("src/lib.rs", "pub fn  f( ) { }\n");
    run(&folder, "run --no-remediate").exits(1).says(&["not formatted", "would help: `cargo fmt --all`"]);
    run(&folder, "run --dry-run").exits(3).says(&["cargo fmt --all"]);
    assert_eq!(folder.read("src/lib.rs"), "pub fn  f( ) { }\n");
    run(&folder, "run").exits(0).says(&["mended: the sources were formatted"]);
    assert_eq!(folder.read("src/lib.rs"), "pub fn f() {}\n");
}

#[test]
fn what_was_not_run_is_not_counted_as_passed() {
    let folder = machine(None);
    program(&folder, "cargo", "echo 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'");
    folder.write("Cargo.toml", "[package]\nname = 'x'\nversion = '0.1.0'\n");
    let said = run(&folder, "doctor").exits(0);
    said.says(&[
        "`Cargo.lock` does not exist: `cargo generate-lockfile` makes one",
        "4 of 5 checks passed, none failed",
    ]);
    let strict =
        "version: 1\nphases:\n  - {name: environment, use: environment, with: {require_lockfile: true}}\n";
    folder.write("orchestration.yaml", strict);
    run(&folder, "doctor").exits(1).says(&["`Cargo.lock` does not exist"]);
}

#[test]
fn without_anything_to_look_at_it_says_so() {
    let folder = Folder::new();
    folder.orchestrate("doctor").exits(2).says(&["no pipeline file", "orchestrate init"]);
    folder.write("orchestration.yaml", "version: 1\nphases:\n  - {name: a, use: nothing}\n");
    folder.orchestrate("doctor").exits(2).says(&["unknown phase `nothing`"]);
    folder.orchestrate("doctor --no-remediate --interactive").exits(2).says(&["cannot be used with"]);
}
