use super::*;

const ODD: &str = r#"
CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY, t TEXT, b BLOB, doubled GENERATED ALWAYS AS (id * 2) VIRTUAL);
INSERT INTO "odd ""name" (t, b) VALUES ('it''s', x'00ff0a27'), (NULL, NULL), ('', zeroblob(3)), ('日本' || char(10), x'');
CREATE TABLE "empty" (a);
CREATE TABLE "it's" (a, b) WITHOUT ROWID;
"#;

fn sqlite(rig: &Rig, file: &str, sql: &str) -> String {
    let path = rig.root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let output = rig.command(
        "sqlite3",
        &["-batch", "-bail", "-cmd", ".timeout 9000", path.to_str().unwrap(), sql],
        &rig.home,
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn odd() -> String {
    ODD.replace("(a, b) WITHOUT ROWID", "(a PRIMARY KEY, b) WITHOUT ROWID")
        + "CREATE VIEW seen AS SELECT count(*) AS n FROM \"odd \"\"name\";\n\
           CREATE TRIGGER after_odd AFTER DELETE ON \"odd \"\"name\" BEGIN INSERT INTO \"empty\" VALUES (old.id); END;\n\
           CREATE TABLE one (id INTEGER PRIMARY KEY, two REFERENCES two(id) DEFERRABLE INITIALLY DEFERRED);\n\
           CREATE TABLE two (id INTEGER PRIMARY KEY, one REFERENCES one(id) DEFERRABLE INITIALLY DEFERRED);\n\
           INSERT INTO one VALUES (1, 1); INSERT INTO two VALUES (1, 1);\n"
}

#[tokio::test]
#[ignore = "needs sqlite3; tests/run has it"]
async fn needs_databases_sqlite_comes_back_whatever_is_in_it() {
    let rig = Rig::new();
    rig.write(".gitignore", "data/\n");
    // No name of a file may become part of a command.
    let file = "data/it's \"odd\" %41 ?mode=memory #x; .quit.db";
    sqlite(&rig, file, &odd());
    let list = json!([{ "name": "app", "kind": "sqlite", "path": file }]);
    let made = dump(&rig, &list, 0).await.unwrap();
    let app = dumped(&rig, &made, 0);
    let wanted = [("empty", 0), ("it's", 0), ("odd \"name", 4), ("one", 1), ("two", 1)];
    assert_eq!(rows(&app), wanted);
    assert_eq!(made.databases, ["app"]);
    let manifest = rig.read(&format!("{}/manifest.json", made.snapshot));
    assert!(!manifest.contains(".quit.db\",\"mode\""), "ignored: by the dump alone");
    let verified = verify(&rig, &made).await.unwrap();
    assert_eq!((verified.databases[0].tables, verified.databases[0].rows), (5, 6));
    let written = rig.read(&format!("{}/verification.json", made.snapshot));
    assert!(written.contains("\"name\": \"app\""), "{written}");
    assert_eq!(restore(&rig, &made).await.unwrap(), [format!("`{file}` is as it was")]);
    sqlite(&rig, file, "DELETE FROM one; CREATE TABLE later(a);");
    let said = restore(&rig, &made).await.unwrap();
    assert!(said[0].contains("databases/app.before-rollback-1.db"), "{said:?}");
    assert_eq!(
        sqlite(
            &rig,
            file,
            "SELECT count(*), (SELECT group_concat(name) FROM sqlite_master WHERE name = 'later') FROM one"
        ),
        "1|"
    );
    assert_eq!(
        sqlite(
            &rig,
            &format!("{}/databases/app.before-rollback-1.db", made.snapshot),
            "SELECT count(*) FROM later"
        ),
        "0"
    );
    fs::remove_dir_all(rig.root.join("data")).unwrap();
    restore(&rig, &made).await.unwrap();
    assert_eq!(
        sqlite(&rig, file, "SELECT sum(doubled), hex(group_concat(b, '')) FROM \"odd \"\"name\""),
        "20|00FF0A27000000"
    );
    let left: Vec<_> =
        fs::read_dir(rig.root.join("data")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
#[ignore = "needs sqlite3; tests/run has it"]
async fn needs_databases_sqlite_in_use_by_a_writer_is_copied_at_one_moment() {
    use std::process::Command;
    let rig = Rig::new();
    rig.write(".gitignore", "*.db*\n");
    // Both tables get the same rows in one transaction, in a log that is never short.
    sqlite(
        &rig,
        "app.db",
        "PRAGMA journal_mode = WAL; CREATE TABLE a(n, pad); CREATE TABLE b(n);\
        INSERT INTO a SELECT value, zeroblob(2000) FROM generate_series(1, 5000); INSERT INTO b SELECT n FROM a;",
    );
    let file = rig.root.join("app.db");
    let line = format!(
        "i=5000; while :; do i=$((i + 1)); echo \"BEGIN; INSERT INTO a VALUES($i, zeroblob(2000)); \
        UPDATE a SET pad = zeroblob(1999) WHERE n % 97 = $i % 97; INSERT INTO b VALUES($i); COMMIT;\"; done \
        | sqlite3 -batch '{}'",
        file.display()
    );
    let mut writer = servers::Running::start(Command::new("sh").args(["-c", &line]));
    while sqlite(&rig, "app.db", "SELECT max(n) FROM b").parse::<u32>().unwrap() < 5010 {}
    let list = json!([{ "name": "app", "kind": "sqlite", "path": "app.db" }]);
    let made = dump(&rig, &list, 0).await;
    let still = writer.runs();
    let after: u64 = sqlite(&rig, "app.db", "SELECT count(*) FROM b").parse().unwrap();
    drop(writer);
    let made = made.unwrap();
    assert!(still, "the writer wrote all the while");
    let app = dumped(&rig, &made, 0);
    let (a, b) = (app.tables[0].rows, app.tables[1].rows);
    assert!(a == b && a >= 5010 && a < after, "{a} {b}, then {after}");
    verify(&rig, &made).await.unwrap();
}

#[tokio::test]
#[ignore = "needs sqlite3; tests/run has it"]
async fn needs_databases_what_has_not_changed_is_linked() {
    use std::os::unix::fs::MetadataExt;
    let rig = Rig::new();
    rig.write(".gitignore", "*.db\n");
    sqlite(&rig, "app.db", &odd());
    sqlite(&rig, "other.db", &odd());
    let list = json!([{ "name": "app", "kind": "sqlite", "path": "app.db" },
        { "name": "other", "kind": "sqlite", "path": "other.db" }]);
    let first = dump(&rig, &list, 0).await.unwrap();
    sqlite(&rig, "other.db", "INSERT INTO \"empty\" VALUES (1)");
    let second = dump(&rig, &list, 1).await.unwrap();
    let links = |made: &Snapshot, name: &str| {
        fs::metadata(rig.root.join(format!("{}/databases/{name}.tar.gz", made.snapshot))).unwrap().nlink()
    };
    assert_eq!((links(&second, "app"), links(&second, "other")), (2, 1));
    // One that was damaged meanwhile is not linked to.
    let file = rig.root.join(format!("{}/databases/app.tar.gz", second.snapshot));
    let mut bytes = fs::read(&file).unwrap();
    bytes[40] ^= 1;
    fs::write(&file, bytes).unwrap();
    for made in [&first, &second] {
        let error = verify(&rig, made).await.unwrap_err().to_string();
        assert!(error.contains("`databases/app.tar.gz`: content differs"), "{error}");
    }
    let third = dump(&rig, &list, 2).await.unwrap();
    assert_eq!((links(&third, "app"), links(&third, "other")), (1, 2));
    verify(&rig, &third).await.unwrap();
}

#[tokio::test]
#[ignore = "needs sqlite3; tests/run has it"]
async fn needs_databases_sqlite_faults_are_named_and_leave_nothing() {
    let mut rig = Rig::new();
    rig.write(".gitignore", "*.db\n");
    let list = |path: &str| json!([{ "name": "app", "kind": "sqlite", "path": path }]);
    let outside = rig.home.join("outside.db");
    fs::write(&outside, "").unwrap();
    symlink(&outside, rig.root.join("link.db")).unwrap();
    rig.write("no.db", "this is no database at all, though it is long enough to be taken for one, perhaps\n");
    fs::create_dir(rig.root.join("folder.db")).unwrap();
    for (file, wanted) in [
        ("gone.db", "could not be read"),
        ("link.db", "out of the checkout"),
        ("folder.db", "is not a file"),
        ("no.db", "file is not a database"),
    ] {
        let error = dump(&rig, &list(file), 0).await.unwrap_err().to_string();
        assert!(error.starts_with("database `app`: ") && error.contains(wanted), "{file}: {error}");
        assert!(!rig.root.join("gone.db").exists(), "nothing is made by looking");
    }
    sqlite(&rig, "app.db", &odd());
    let made = dump(&rig, &list("app.db"), 1).await.unwrap();
    rig.env.iter_mut().find(|(name, _)| name == "PATH").unwrap().1 = bin_without_sqlite(&rig);
    let error = dump(&rig, &list("app.db"), 2).await.unwrap_err().to_string();
    assert!(error.contains("`sqlite3` is not on PATH: install"), "{error}");
    let error = verify(&rig, &made).await.unwrap_err().to_string();
    assert!(error.contains("sqlite3"), "not verified: {error}");
    let left: Vec<_> =
        fs::read_dir(rig.root.join("backups")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "one snapshot and .gitignore: {left:?}");
    assert_eq!(fs::read_dir(rig.root.join(".orchestrate/scratch")).unwrap().count(), 0);
}

fn bin_without_sqlite(rig: &Rig) -> std::ffi::OsString {
    let bin = rig.home.join("bin");
    fs::create_dir(&bin).unwrap();
    for tool in ["git", "tar", "gzip", "sh"] {
        let found = rig.command("sh", &["-c", &format!("command -v {tool}")], &rig.home).stdout;
        symlink(String::from_utf8(found).unwrap().trim(), bin.join(tool)).unwrap();
    }
    bin.into()
}

#[tokio::test]
#[ignore = "needs sqlite3; tests/run has it"]
async fn needs_databases_a_dump_of_a_killed_backup_goes() {
    let rig = Rig::new();
    rig.write(".gitignore", "*.db\n");
    sqlite(&rig, "app.db", &odd());
    // Killed after the dump, before the manifest.
    rig.write("backups/.partial-2026-11-20-234430/databases/app.tar.gz", "half");
    let list = json!([{ "name": "app", "kind": "sqlite", "path": "app.db" }]);
    let made = dump(&rig, &list, 0).await.unwrap();
    assert!(!rig.root.join("backups/.partial-2026-11-20-234430").exists());
    verify(&rig, &made).await.unwrap();
}

#[tokio::test]
#[ignore = "needs sqlite3; tests/run has it"]
async fn needs_databases_a_manifest_that_lies_of_rows_is_found() {
    let rig = Rig::new();
    rig.write(".gitignore", "*.db\n");
    sqlite(&rig, "app.db", &odd());
    let made = dump(&rig, &json!([{ "name": "app", "kind": "sqlite", "path": "app.db" }]), 0).await.unwrap();
    let text = rig.read(&format!("{}/manifest.json", made.snapshot));
    let forged = text.replacen(
        "{\"name\":\"one\",\"rows\":1}",
        "{\"name\":\"one\",\"rows\":2},{\"name\":\"x\",\"rows\":0}",
        1,
    );
    assert_ne!(text, forged);
    let folder = made.snapshot.under(&rig.root);
    fs::write(folder.join("manifest.json"), &forged).unwrap();
    let digest = orchestrator_core::path::Digest::of(forged.as_bytes());
    fs::write(folder.join("manifest.b3"), format!("{digest}\n")).unwrap();
    let input = VerifyInput { snapshot: made.snapshot, manifest: None };
    let error = rig.call(VerifySnapshot, input).await.unwrap_err().to_string();
    assert!(error.contains("database `app`: table `one` has 1 rows instead of 2"), "{error}");
    assert!(error.contains("table `x` is missing"), "{error}");
}

#[tokio::test]
#[ignore = "needs sqlite3; tests/run has it"]
async fn needs_databases_the_script_restores_sqlite_and_loses_nothing() {
    let mut rig = Rig::new();
    rig.write(".gitignore", "data/\n");
    let file = "data/it's \"odd\" $HOME `x` .quit.db";
    sqlite(&rig, file, &odd());
    sqlite(&rig, "kept.db", "PRAGMA journal_mode = WAL; CREATE TABLE a(n); INSERT INTO a VALUES (1)");
    rig.commit("chore: a database that git keeps");
    // Without zstd it is packed with gzip.
    let tools: Vec<&str> = WITHOUT_ZSTD.into_iter().chain(["sqlite3"]).collect();
    only(&mut rig, &tools);
    let list = json!([{ "name": "app", "kind": "sqlite", "path": file },
        { "name": "kept", "kind": "sqlite", "path": "kept.db" }]);
    let made = dump(&rig, &list, 0).await.unwrap();
    verify(&rig, &made).await.unwrap();
    // Tried with nothing but sh, git, tar, gzip and sqlite3 to be found.
    let written = script(&rig, &made).await.unwrap();
    assert!(written.restore_ms > 0.0);
    verify(&rig, &made).await.unwrap();
    let bare = rig.home.join("bare");
    fs::create_dir(&bare).unwrap();
    for tool in ["sh", "git", "tar", "gzip", "sqlite3"] {
        let found = rig.command("sh", &["-c", &format!("command -v {tool}")], &rig.home).stdout;
        symlink(String::from_utf8(found).unwrap().trim(), bare.join(tool)).unwrap();
    }
    let vars = [("PATH", bare.to_str().unwrap())];
    let (code, said) = rollback(&rig, &made, &vars, &[]);
    assert_eq!(code, Some(0), "nothing has changed: {said}");
    sqlite(&rig, file, "DELETE FROM one");
    sqlite(&rig, "kept.db", "INSERT INTO a VALUES (2)");
    let (code, said) = rollback(&rig, &made, &vars, &[]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("database app") && said.contains("--force"), "{said}");
    let (code, said) = rollback(&rig, &made, &vars, &["--dry-run", "--database", "app"]);
    assert!(code == Some(0) && said.contains("would replace database app"), "{said}");
    assert_eq!(sqlite(&rig, file, "SELECT count(*) FROM one"), "0");
    let (code, said) = rollback(&rig, &made, &vars, &["--database=nothing"]);
    assert!(code == Some(2) && said.contains("it holds: app kept"), "{said}");
    let (code, said) = rollback(&rig, &made, &vars, &["--database", "app", "--force"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(sqlite(&rig, file, "SELECT count(*) FROM one"), "1");
    assert_eq!(sqlite(&rig, "kept.db", "SELECT count(*) FROM a"), "2", "the other is left alone");
    let before = format!("{}/databases/app.before-rollback-1.db", made.snapshot);
    assert_eq!(sqlite(&rig, &before, "SELECT count(*) FROM one"), "0");
    // All, over a log that was written meanwhile, by one that is still there.
    let line = format!(
        "{{ echo 'INSERT INTO a VALUES (3);'; sleep 60; }} | sqlite3 '{}'",
        rig.root.join("kept.db").display()
    );
    let user = servers::Running::start(std::process::Command::new("sh").args(["-c", &line]));
    servers::until("the writer", || sqlite(&rig, "kept.db", "SELECT count(*) FROM a") == "3");
    sqlite(&rig, file, "DROP TABLE two");
    let (code, said) = rollback(&rig, &made, &vars, &["--force"]);
    assert_eq!(code, Some(0), "{said}");
    drop(user);
    assert_eq!(sqlite(&rig, "kept.db", "SELECT count(*) FROM a; PRAGMA integrity_check"), "1\nok");
    assert_eq!(sqlite(&rig, file, "SELECT count(*) FROM two"), "1");
    assert_eq!(rig.git(&["status", "--porcelain"]), "", "nothing is left over");
    let left: Vec<_> =
        fs::read_dir(rig.root.join("data")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let (code, said) = rollback(&rig, &made, &vars, &["--force"]);
    assert_eq!(code, Some(0), "again: {said}");
    let target = rig.home.join("elsewhere");
    let (code, said) = rollback(&rig, &made, &vars, &["--target", target.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(target.join(file).exists() && target.join("kept.db").exists());
    let dump = rig.root.join(format!("{}/databases/app.tar.gz", made.snapshot));
    let bytes = fs::read(&dump).unwrap();
    fs::write(&dump, &bytes[..bytes.len() / 2]).unwrap();
    let (code, said) = rollback(&rig, &made, &vars, &["--force"]);
    assert!(code == Some(1) && said.contains("damaged; nothing was changed"), "{said}");
    let error = restore(&rig, &made).await.unwrap_err().to_string();
    assert!(error.contains("`databases/app.tar.gz` is damaged"), "{error}");
}
