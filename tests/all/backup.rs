//! Backups as people meet them: made, listed, verified, restored and pruned by the command, and by the phase.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Folder, ended, git, kill, until};

fn pipeline(with: &str) -> String {
    format!(
        "version: 1\nphases:\n  - name: restart_backup\n    use: standard\n    with: {{{with}}}\n  - name: after\n    tasks: [{{id: look, run: 'true', effect: reads}}]\n"
    )
}

fn project(with: &str) -> Folder {
    let folder = Folder::git(&pipeline(with));
    folder.write(".gitignore", ".env\nmade/\n");
    folder.write(".env", "PORT=1\n");
    folder.write("src/main.rs", "fn main() {}\n");
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "feat: main"]);
    folder
}

fn result(folder: &Folder, args: &str, code: i32) -> Value {
    let said = folder.orchestrate(&format!("{args} --format json")).exits(code).json();
    said.last().unwrap()["result"].clone()
}

fn list(folder: &Folder) -> Vec<Value> {
    result(folder, "backup list", 0)["backups"].as_array().unwrap().clone()
}

fn names(folder: &Folder) -> Vec<String> {
    list(folder).iter().map(|backup| backup["name"].as_str().unwrap().to_owned()).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn the_readmes_commands_work_in_their_order() {
    let folder = project("include: [.env]");
    folder.orchestrate("backup list").exits(0).says(&["There is no backup", "orchestrate backup create"]);
    for args in ["backup verify", "backup verify --all", "backup restore latest"] {
        folder.orchestrate(args).exits(2).says(&["there is no backup in `backups`"]);
    }
    let shown = folder.orchestrate("backup create --dry-run").exits(3);
    shown.says(&["call create-backup", "\"include\":[\".env\"]"]);
    assert!(!folder.path().join("backups").exists());
    folder.orchestrate("backup create").exits(0).says(&["backups/", "restores in", "by its rollback.sh in"]);
    let [one] = <[Value; 1]>::try_from(list(&folder)).unwrap();
    let name = one["name"].as_str().unwrap();
    assert_eq!((&one["files"], &one["refs"], &one["damaged"]), (&json!(4), &json!(true), &Value::Null));
    assert_eq!(one["head"], git(folder.path(), &["rev-parse", "HEAD"]));
    assert_eq!(one["held"], json!({ "by": "newest_verified" }));
    assert!(one["verified"]["restore_ms"].as_f64().unwrap() > 0.0 && one["bytes"].as_u64().unwrap() > 0);
    folder.orchestrate("backup list").exits(0).says(&[name, "verified", "made by run", "held: the newest"]);
    let verified = result(&folder, "backup verify --all", 0);
    assert_eq!(verified["backup"]["verified"][0]["backup"], format!("backups/{name}"));
    // It is no delivery: nothing is there for `rollback` to undo.
    folder.orchestrate("rollback --dry-run").exits(2).says(&["there is no run yet that was no dry run"]);

    folder
        .orchestrate("backup restore latest --to made/rescued")
        .exits(0)
        .says(&["restored in", "made/rescued"]);
    assert_eq!(folder.read("made/rescued/.env"), "PORT=1\n");
    let rescued = folder.path().join("made/rescued");
    assert_eq!(git(&rescued, &["rev-parse", "HEAD"]), git(folder.path(), &["rev-parse", "HEAD"]));
    assert_eq!(git(&rescued, &["status", "--porcelain"]), "");
    folder
        .orchestrate("backup restore latest --to made/rescued")
        .exits(1)
        .says(&["is not empty: nothing was restored"]);
    let restored = result(&folder, &format!("backup restore {name}"), 0);
    let to = restored["backup"]["restored"]["to"].as_str().unwrap();
    assert!(
        to.ends_with(&format!(".orchestrate/restored/{name}")) && Path::new(to).join("src/main.rs").exists()
    );
    let wrong = folder.orchestrate("backup restore 2001").exits(2);
    wrong.says(&["unknown backup `2001`", name]);
    assert_eq!(git(folder.path(), &["status", "--porcelain"]), "");
}

#[test]
fn in_place_refuses_newer_work_and_keeps_what_it_replaces() {
    let folder = project("");
    folder.orchestrate("backup create").exits(0);
    let first = git(folder.path(), &["rev-parse", "HEAD"]);
    folder.write("src/main.rs", "fn main() { two() }\n");
    git(folder.path(), &["commit", "-qam", "feat: two"]);
    let second = git(folder.path(), &["rev-parse", "HEAD"]);
    folder.write("src/new.rs", "new\n");
    folder.orchestrate("backup restore latest --in-place").exits(1).says(&["src/new.rs", "--force"]);
    folder.orchestrate("backup restore latest --force").exits(2);
    let seen = folder.orchestrate("backup restore latest --in-place --force --dry-run").exits(3);
    seen.says(&["call roll-back", "would change files:", "src/main.rs"]);
    assert_eq!(git(folder.path(), &["rev-parse", "HEAD"]), second);
    let done = folder.orchestrate("backup restore latest --in-place --force").exits(0);
    done.says(&["restored in place in", "stays under refs/before-rollback/1/"]);
    assert_eq!(git(folder.path(), &["rev-parse", "HEAD"]), first);
    assert_eq!(folder.read("src/main.rs"), "fn main() {}\n");
    assert_eq!(git(folder.path(), &["rev-parse", "refs/before-rollback/1/HEAD"]), second);
    assert_eq!(git(folder.path(), &["show", "refs/before-rollback/1/files:src/new.rs"]), "new");
    // A pipeline file that is broken by now keeps nobody from a backup.
    folder.write("orchestration.yaml", "version: 1\nphases: [");
    folder
        .orchestrate("backup restore latest --to made/x")
        .exits(0)
        .says(&["the pipeline file is passed over"]);
    folder.orchestrate("backup prune --keep-last 1").exits(2);
}

fn sqlite(folder: &Folder, statement: &str) -> String {
    let output =
        std::process::Command::new("sqlite3").args(["app.db", statement]).current_dir(folder.path()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_a_database_comes_back_when_it_is_asked_for() {
    let folder = project("databases: [{name: app, kind: sqlite, path: app.db}]");
    folder.write(".gitignore", "app.db*\n");
    git(folder.path(), &["commit", "-q", "-a", "-m", "chore: ignore"]);
    sqlite(&folder, "create table t (x); insert into t values ('kept');");
    folder.orchestrate("backup create").exits(0);
    sqlite(&folder, "update t set x = 'lost';");
    folder.orchestrate("backup restore latest --in-place").exits(0);
    assert_eq!(sqlite(&folder, "select x from t"), "lost\n", "not asked for");
    folder
        .orchestrate("backup restore latest --database app -n")
        .exits(3)
        .says(&["call restore-database", "app"]);
    folder
        .orchestrate("backup restore latest --database nope")
        .exits(1)
        .says(&["holds no database `nope`", "app"]);
    folder.orchestrate("backup restore latest --database A").exits(2);
    folder.orchestrate("backup restore latest --database app --to x").exits(2);
    assert_eq!(sqlite(&folder, "select x from t"), "lost\n");
    for args in ["--database app", "--all-databases"] {
        sqlite(&folder, "update t set x = 'lost again';");
        folder
            .orchestrate(&format!("backup restore latest {args}"))
            .exits(0)
            .says(&["1 database of backups/"]);
        assert_eq!(sqlite(&folder, "select x from t"), "kept\n");
    }
    let plain = project("");
    plain.orchestrate("backup create").exits(0);
    plain
        .orchestrate("backup restore latest --all-databases")
        .exits(1)
        .says(&["the backup holds no database"]);
}

#[test]
fn what_is_damaged_is_listed_as_that_and_does_not_verify() {
    let folder = project("");
    folder.orchestrate("backup create").exits(0);
    let name = names(&folder).remove(0);
    let place = folder.path().join("backups").join(&name);
    let other = folder.path().join("backups/2026-01-01-000000");
    copy(&place, &other);
    // One byte that the size does not tell: only restoring finds it.
    let mut files = fs::read_dir(&other).unwrap().map(|entry| entry.unwrap().path());
    let archive = files.find(|path| path.to_string_lossy().contains("/tree.tar.")).unwrap();
    let its_name = archive.file_name().unwrap().to_str().unwrap();
    fs::set_permissions(&archive, fs::Permissions::from_mode(0o600)).unwrap();
    let mut bytes = fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, &bytes).unwrap();
    let said = folder.orchestrate("backup verify --all").exits(1);
    said.says(&["backups/2026-01-01-000000", "does not restore", its_name, "2 tasks"]);
    folder.orchestrate("backup verify").exits(0);
    folder
        .orchestrate("backup restore 2026-01-01-000000")
        .exits(1)
        .says(&["is damaged", "nothing was restored"]);
    bytes.truncate(middle);
    fs::write(&archive, &bytes).unwrap();
    folder.orchestrate("backup list").exits(0).says(&["DAMAGED", its_name, "bytes instead of"]);
    let damaged = &list(&folder)[1];
    assert_eq!((&damaged["name"], &damaged["held"]), (&json!("2026-01-01-000000"), &Value::Null));
    assert!(damaged["damaged"].as_str().unwrap().contains("bytes instead of"));
    folder.orchestrate("backup prune --keep-last 1").exits(0).says(&["2026-01-01-000000 stays: damaged"]);
    assert!(other.exists());
}

#[test]
fn pruning_shows_first_and_keeps_what_the_last_delivery_needs() {
    let folder = project("");
    folder.orchestrate("run").exits(0);
    let delivered = names(&folder).remove(0);
    for day in ["01", "02", "03"] {
        copy(
            &folder.path().join("backups").join(&delivered),
            &folder.path().join(format!("backups/2020-01-{day}-000000")),
        );
    }
    folder.write("backups/notes/x", "x\n");
    folder
        .orchestrate("backup prune")
        .exits(2)
        .says(&["nothing says which backups to keep", "--keep-last 3"]);
    folder.orchestrate("backup prune --keep-last 0").exits(2).says(&["would keep no backup"]);
    let before = names(&folder);
    let shown = folder.orchestrate("backup prune --keep-last 2 --dry-run").exits(3);
    shown.says(&["2020-01-01-000000  would go", "2020-01-03-000000  stays: ", "call remove-backups"]);
    assert_eq!(names(&folder), before);
    folder.write("orchestration.yaml", &pipeline("keep: {last: 1}"));
    let done = result(&folder, "backup prune", 0);
    let removed = &done["backup"]["pruned"]["removed"];
    // The copies name the run of the delivery as theirs; the newest of it is what is held.
    assert_eq!(removed, &json!(["2020-01-01-000000", "2020-01-02-000000", "2020-01-03-000000"]));
    assert_eq!(names(&folder), [delivered.as_str()]);
    assert!(folder.path().join("backups/notes/x").exists());
    let held = &list(&folder)[0]["held"];
    assert_eq!(held["by"], "delivery");
    let run = held["run"].as_str().unwrap().to_owned();
    folder.orchestrate("backup create").exits(0);
    folder
        .orchestrate("backup prune")
        .exits(0)
        .says(&[&delivered, &format!("run {run} can be rolled back to it")]);
    assert_eq!(names(&folder).len(), 2);
}

#[test]
fn a_disk_without_room_is_left_as_it_is() {
    let folder = project("min_free: 900 TB");
    for args in ["run", "backup create"] {
        let said = folder.orchestrate(args).exits(1);
        said.says(&["are wanted: 900.0 TB by `min_free`", "orchestrate backup prune"]);
        assert!(!folder.path().join("backups").exists());
    }
}

#[test]
fn what_is_cut_off_is_resumed_and_makes_one_backup() {
    let folder = project("");
    let mut large = String::new();
    for n in 0..200_000_u64 {
        large.push_str(&(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_string());
    }
    folder.write("large.txt", &large);
    for signal in [Signal::KILL, Signal::INT] {
        let before = if folder.path().join("backups").exists() { names(&folder).len() } else { 0 };
        let child =
            folder.program("backup create").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (pid, backups) = (child.id(), folder.path().join("backups"));
        until("the backup begins", || {
            fs::read_dir(&backups).is_ok_and(|entries| {
                entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(".partial-"))
            }) || list_len(&backups) > before
        });
        kill(pid, signal);
        let _ = ended(child);
        folder.orchestrate("resume").exits(0);
        assert_eq!(names(&folder).len(), before + 1);
        assert!(
            list(&folder).iter().all(|backup| backup["verified"].is_object() && backup["damaged"].is_null())
        );
        let left = fs::read_dir(&backups).unwrap().flatten();
        assert!(!left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(".partial-")));
    }
}

fn list_len(backups: &Path) -> usize {
    fs::read_dir(backups).map_or(0, |entries| {
        entries.flatten().filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).count()
    })
}

#[test]
fn the_phase_clears_what_dead_runs_left() {
    let folder = project("pid_files: [made/app.pid]");
    folder.write("made/app.pid", "1999999999\n");
    folder.write(".orchestrate/scratch/20200101000000-00000001-merge/x", "x\n");
    folder.write("backups/.partial-2020-01-01-000000/x", "x\n");
    let shown = folder.orchestrate("run --dry-run").exits(3);
    shown.says(&[
        "call remove-leftovers",
        "process 1999999999 is gone",
        "run 20200101000000-00000001 is gone",
    ]);
    assert!(folder.path().join("made/app.pid").exists());
    folder.orchestrate("run").exits(0).says(&["1 pid file, 1 temporary folder, 1 half-made backup removed"]);
    for gone in [
        "made/app.pid",
        ".orchestrate/scratch/20200101000000-00000001-merge",
        "backups/.partial-2020-01-01-000000",
    ] {
        assert!(!folder.path().join(gone).exists(), "{gone}");
    }
    folder.orchestrate("run").exits(0).says(&["Nothing is left of earlier runs"]);
}
