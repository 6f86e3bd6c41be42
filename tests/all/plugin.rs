//! A project's own task type as a program on the `PATH`: the example in Python, and programs that misbehave.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;

use super::support::{Folder, Said, ended, git, kill, output, until};

const HEADERS: &str = "\
version: 1
phases:
  - name: sources
    groups:
      - name: g
        execution: sequential
        tasks:
          - {id: edit, run: 'true', effect: reads}
          - id: headers
            uses: license-header
            needs: [edit]
            with: {header: \"Copyright the authors.\\nSPDX-License-Identifier: MIT\", below: [src]}
";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/plugins")
}

/// Folders that come first on the `PATH`.
fn path(folders: &[PathBuf]) -> std::ffi::OsString {
    let rest = std::env::var_os("PATH").unwrap();
    std::env::join_paths(folders.iter().cloned().chain(std::env::split_paths(&rest))).unwrap()
}

fn run(folder: &Folder, args: &str) -> Said {
    let mut command = folder.program(args);
    command.env("PATH", path(&[folder.path().join("bin"), examples()]));
    output(command)
}

/// A project with sources of several kinds.
fn project() -> Folder {
    let folder = Folder::git(HEADERS);
    folder.write("src/a.py", "print('a')\n");
    folder.write("src/run.sh", "#!/bin/sh\necho hi\n");
    folder.write("src/deep/b.ts", "export const b = 1;\r\n");
    folder.write("src/notes.txt", "no source\n");
    folder.write("other/c.py", "print('c')\n");
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "feat: sources"]);
    folder
}

/// A program `orchestrate-agent-NAME` of the project.
fn program(folder: &Folder, name: &str, text: &str) {
    folder.write(&format!("bin/orchestrate-agent-{name}"), text);
    let path = folder.path().join(format!("bin/orchestrate-agent-{name}"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A program that describes itself, and then does what `rest` says with each question.
fn describing(name: &str, rest: &str) -> String {
    let described =
        format!("{{\"id\":1,\"ok\":{{\"protocol\":1,\"name\":\"{name}\",\"timeout_seconds\":60}}}}");
    format!("#!/bin/sh\nread -r line\necho '{described}'\nwhile read -r line; do\n{rest}\ndone\n")
}

fn pipeline(name: &str) -> String {
    format!(
        "version: 1\nphases:\n  - name: p\n    tasks:\n      - {{id: own, uses: {name}}}\n      - {{id: beside, run: 'echo ran > beside.txt'}}\n"
    )
}

/// Processes that stand in the folder and run one of its programs.
fn processes(folder: &Folder) -> Vec<u32> {
    let bin = folder.path().join("bin").display().to_string();
    let runs = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).split('\0').any(|word| word.starts_with(&bin))
    };
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(runs).collect()
}

#[test]
fn the_example_shows_writes_and_finds_it_already_so() {
    let folder = project();
    let before = folder.files();
    let dry = run(&folder, "run --dry-run").exits(3);
    assert_eq!(folder.files(), before, "a dry run leaves every byte");
    let shown = |name: &str| format!("+++ b/src/{name}");
    for name in ["a.py", "run.sh", "deep/b.ts"] {
        assert!(dry.out.contains(&shown(name)), "{}", dry.out);
    }
    run(&folder, "run").exits(0).says(&["the license header was put on 3 files"]);
    let header = "Copyright the authors.";
    assert_eq!(
        folder.read("src/run.sh"),
        format!("#!/bin/sh\n# {header}\n# SPDX-License-Identifier: MIT\necho hi\n")
    );
    assert_eq!(
        folder.read("src/deep/b.ts"),
        format!("// {header}\n// SPDX-License-Identifier: MIT\nexport const b = 1;\r\n")
    );
    assert_eq!(folder.read("other/c.py"), "print('c')\n", "only what lies below `src`");
    // What the dry run showed is what was written: its diff, applied to what was there, gives the same bytes.
    for line in git(folder.path(), &["diff", "--unified=0", "--", "src"]).lines() {
        let is_change = line.starts_with('+') || line.starts_with('-');
        assert!(!is_change || dry.out.contains(line.trim_end()), "{line} was not shown\n{}", dry.out);
    }
    run(&folder, "run").exits(0).says(&["already so: all have the license header"]);
    run(&folder, "run --dry-run").exits(0);
    run(&folder, "rollback --yes").exits(0);
}

#[test]
fn it_sees_what_a_dry_run_withheld_before_it() {
    let folder = project();
    let pipeline = folder
        .read("orchestration.yaml")
        .replace("{id: edit, run: 'true', effect: reads}", "{id: edit, uses: writes}");
    folder.write("orchestration.yaml", &pipeline);
    let answer = "case $line in *conclude*) what='{\"passed\":{}}';; *) what='{\"actions\":[{\"write\":{\"path\":\"src/new.py\",\"content\":{\"text\":\"new\"}}}]}';; esac\n\
                  echo \"{\\\"id\\\":$(echo \"$line\" | sed -E 's/.*\"id\":([0-9]+).*/\\1/'),\\\"ok\\\":$what}\"";
    program(&folder, "writes", &describing("writes", answer));
    let dry = run(&folder, "run --dry-run").exits(3);
    assert_eq!(dry.out.matches("b/src/new.py").count(), 2, "made, and then given its header\n{}", dry.out);
    run(&folder, "run").exits(0);
    let text = folder.read("src/new.py");
    assert_eq!(text, "# Copyright the authors.\n# SPDX-License-Identifier: MIT\nnew");
    for line in text.lines() {
        assert!(dry.out.contains(&format!("+{line}")), "{line} was not shown\n{}", dry.out);
    }
}

#[test]
fn its_config_is_checked_with_line_and_column() {
    let folder = project();
    folder.write("orchestration.yaml", &HEADERS.replace("below: [src]", "below: [src, 7]"));
    run(&folder, "validate")
        .exits(2)
        .says(&["orchestration.yaml:12:", "with.below.1: 7 is not of type \"string\""]);
    folder.write("orchestration.yaml", &HEADERS.replace("header:", "haeder:"));
    run(&folder, "run").exits(2).says(&["haeder"]);
    folder.write("orchestration.yaml", &HEADERS.replace("below: [src]", "check: true"));
    run(&folder, "run").exits(1).says(&["`other/c.py` has no license header; without `check: true`"]);
}

#[test]
fn what_is_nowhere_is_said_with_the_program_that_was_looked_for() {
    let folder = Folder::with(&pipeline("licence-header"));
    let said = run(&folder, "validate").exits(2);
    said.says(&[
        "unknown agent `licence-header`",
        "no program `orchestrate-agent-licence-header` on the `PATH`",
    ]);
    folder.write("orchestration.yaml", &pipeline("comand"));
    run(&folder, "validate").exits(2).says(&["did you mean `command`?", "`orchestrate-agent-comand`"]);
    // A program that cannot be used is a problem of the plan, with its place.
    program(&folder, "comand", "#!/bin/sh\necho no protocol here; echo it broke >&2\n");
    run(&folder, "validate").exits(2).says(&[
        "orchestration.yaml:5:",
        "asked to describe, printed what is no JSON",
        "it printed on standard error: it broke",
    ]);
}

#[test]
fn a_program_of_a_known_name_is_never_started() {
    let folder = Folder::with("version: 1\nphases:\n  - {name: p, tasks: [{id: a, run: 'true'}]}\n");
    program(&folder, "command", "#!/bin/sh\ntouch was-started\n");
    program(&folder, "other", "#!/bin/sh\ntouch was-started\n");
    run(&folder, "run").exits(0);
    run(&folder, "agents").exits(0);
    assert!(!folder.path().join("was-started").exists());
}

#[test]
fn one_that_is_killed_fails_its_task_and_not_the_run() {
    let folder = Folder::with(&pipeline("hangs"));
    program(&folder, "hangs", &describing("hangs", "touch asked; sleep 600"));
    let mut command = folder.program("run");
    command.env("PATH", path(&[folder.path().join("bin")])).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    until("it is asked", || folder.path().join("asked").exists());
    // A child of the shell may still look like it: the shell itself came first.
    kill(processes(&folder).into_iter().min().expect("it runs"), Signal::KILL);
    ended(child).exits(1).says(&["ended before it answered (signal: 9", "1 passed, 1 failed"]);
    assert_eq!(folder.read("beside.txt"), "ran\n");
    assert_eq!(processes(&folder), Vec::<u32>::new());
}

#[test]
fn it_gets_the_allow_list_and_no_secret() {
    let folder = Folder::with(&pipeline("looks"));
    program(&folder, "looks", &describing("looks", "env > env.txt; exit 1"));
    let mut command = folder.program("run");
    command.env("PATH", path(&[folder.path().join("bin")])).env("CI_TOKEN", "hidden").env("LANG", "C");
    output(command).exits(1);
    let env = folder.read("env.txt");
    assert!(env.contains("LANG=C") && !env.contains("hidden"), "{env}");
}

#[test]
fn a_run_with_it_waits_and_is_resumed() {
    let folder = Folder::with(&pipeline("asks"));
    let wait =
        "{\\\"actions\\\":[{\\\"await\\\":{\\\"signal\\\":\\\"go\\\",\\\"message\\\":\\\"May it?\\\"}}]}";
    let answer = format!(
        "id=$(echo \"$line\" | sed -E 's/.*\"id\":([0-9]+).*/\\1/')\n\
         case $line in *conclude*) echo \"{{\\\"id\\\":$id,\\\"ok\\\":{{\\\"skipped\\\":{{\\\"summary\\\":\\\"not now\\\"}}}}}}\";;\n\
         *) echo \"{{\\\"id\\\":$id,\\\"ok\\\":{wait}}}\";; esac"
    );
    program(&folder, "asks", &describing("asks", &answer));
    run(&folder, "run").exits(4).says(&["May it?", "orchestrate signal"]);
    run(&folder, "signal latest go").exits(0);
    run(&folder, "resume").exits(0).says(&["not now", "1 passed, 1 skipped"]);
}

#[test]
fn ctrl_c_while_it_is_asked_stops_the_run_and_ends_it() {
    let folder = Folder::with(&pipeline("hangs"));
    program(&folder, "hangs", &describing("hangs", "touch asked; test -e go && exit 3; sleep 600"));
    let mut command = folder.program("run");
    command.env("PATH", path(&[folder.path().join("bin")])).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    until("it is asked", || folder.path().join("asked").exists());
    until("the other task is done", || folder.path().join("beside.txt").exists());
    kill(child.id(), Signal::INT);
    ended(child).exits(130).says(&["orchestrate resume"]);
    until("it is gone", || processes(&folder).is_empty());
    folder.write("go", "");
    run(&folder, "resume").exits(1).says(&["exit status: 3"]);
    fs::remove_file(folder.path().join("bin/orchestrate-agent-hangs")).unwrap();
    run(&folder, "run --failed").exits(2).says(&["no program `orchestrate-agent-hangs`"]);
}

#[test]
fn a_resume_without_the_program_says_what_is_missing() {
    let folder = Folder::with(
        "version: 1\nphases:\n  - name: p\n    tasks: [{id: gate, uses: manual, with: {instructions: x}}, {id: own, uses: gone, needs: \
         [gate]}]\n",
    );
    program(&folder, "gone", &describing("gone", "exit 1"));
    run(&folder, "run").exits(4);
    fs::remove_file(folder.path().join("bin/orchestrate-agent-gone")).unwrap();
    run(&folder, "approve latest gate").exits(0);
    run(&folder, "resume")
        .exits(1)
        .says(&["no program `orchestrate-agent-gone` on the `PATH`", "1 passed, 1 failed"]);
}
