use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::*;

fn script(dir: &Path, name: &str, mode: u32, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn an_unknown_program_is_named_with_where_it_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut spawn = command(dir.path(), "no-such-program", &[]);
    spawn.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
    let error = run(spawn).await.unwrap_err();
    assert_eq!(error.to_string(), "`no-such-program` was not found on PATH (/usr/bin:/bin)");
}

#[tokio::test]
async fn a_path_that_leads_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let error = run(command(dir.path(), "./nothing", &[])).await.unwrap_err();
    assert_eq!(error.to_string(), format!("`{}` does not exist", dir.path().join("nothing").display()));
}

#[tokio::test]
async fn a_file_that_is_no_program() {
    let dir = tempfile::tempdir().unwrap();
    script(dir.path(), "bin/locked", 0o644, "#!/bin/sh\n");
    script(dir.path(), "bin/no-interpreter", 0o755, "#!/no/such/interpreter\n");
    script(dir.path(), "bin/no-format", 0o755, "\u{1}\u{2}");
    for name in ["locked", "no-interpreter", "no-format"] {
        for program in [format!("bin/{name}"), name.to_owned()] {
            let mut spawn = command(dir.path(), &program, &[]);
            spawn.env = vec![("PATH".into(), dir.path().join("bin").into())];
            let error = run(spawn).await.unwrap_err();
            assert!(
                matches!(&error, SpawnError::NotExecutable { program, .. } if program.ends_with(name)),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn programs_are_found_from_the_working_directory() {
    let dir = tempfile::tempdir().unwrap();
    script(dir.path(), "bin/hello", 0o755, "#!/bin/sh\necho hello\n");
    for (program, path) in [("bin/hello", "/bin"), ("./bin/hello", "/bin"), ("hello", "bin:/bin")] {
        let mut spawn = command(dir.path(), program, &[]);
        spawn.env = vec![("PATH".into(), path.into())];
        assert_eq!(run(spawn).await.unwrap().stdout.tail, "hello\n", "{program}");
    }
}

#[tokio::test]
async fn a_program_installed_further_up_the_path_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let processes = Processes::new();
    script(dir.path(), "second/tool", 0o755, "#!/bin/sh\necho second\n");
    for expected in ["second\n", "first\n"] {
        let mut spawn = command(dir.path(), "tool", &[]);
        spawn.env = vec![("PATH".into(), "first:second".into())];
        assert_eq!(processes.run(spawn, &Stop::new()).await.unwrap().stdout.tail, expected);
        script(dir.path(), "first/tool", 0o755, "#!/bin/sh\necho first\n");
    }
}

#[tokio::test]
async fn a_missing_working_directory() {
    let dir = tempfile::tempdir().unwrap();
    let cwd = dir.path().join("gone");
    let error = run(command(&cwd, "true", &[])).await.unwrap_err();
    assert_eq!(error.to_string(), format!("working directory `{}` cannot be entered", cwd.display()));
}

#[tokio::test]
async fn a_full_disk_ends_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let mut spawn = sh(dir.path(), "echo $$ > pid; while :; do echo more; done");
    spawn.stdout = "/dev/full".into();
    let error = run(spawn).await.unwrap_err();
    assert_eq!(error.to_string(), "log `/dev/full` could not be written; the command was ended");
    assert!(!alive(&fs::read_to_string(dir.path().join("pid")).unwrap()));
}

#[tokio::test]
async fn an_argument_that_cannot_be_passed() {
    let dir = tempfile::tempdir().unwrap();
    let error = run(command(dir.path(), "true", &["a\0b"])).await.unwrap_err();
    assert_eq!(error.to_string(), "`true` could not be run");
}

#[tokio::test]
async fn a_panic_while_lines_are_told_ends_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let mut spawn = sh(dir.path(), "echo $$ > pid; echo line; sleep 1000");
    spawn.lines = Some(Arc::new(|_, _: &str| panic!("on purpose")));
    let error = run(spawn).await.unwrap_err();
    assert!(matches!(error, SpawnError::Io { .. }), "{error:?}");
    assert!(!alive(&fs::read_to_string(dir.path().join("pid")).unwrap()));
}
