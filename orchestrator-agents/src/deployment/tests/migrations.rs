//! Migrations of real databases of SQLite.

mod postgres;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use orchestrator_core::operation::Already;
use orchestrator_core::workspace::Workspace;
use serde_json::{Value, json};

use super::{Desk, key};
use crate::deployment::Environment;
use crate::deployment::migrations::{self, MigrationFiles, Migrations, Stage};
use crate::deployment::ops::{ApplyMigrations, PendingMigrations, PendingMigrationsOutput};

const FIRST: &str = "CREATE TABLE students (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\nINSERT INTO students VALUES (1, 'Ada');";
const SECOND: &str = "ALTER TABLE students ADD COLUMN year INTEGER;\nUPDATE students SET year = 7;";
const THIRD: &str = "ALTER TABLE students DROP COLUMN name;";

fn write(desk: &Desk, files: &[(&str, &str)]) {
    let folder = desk.folder.path().join("migrations");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

fn config(database: Value) -> Migrations {
    serde_json::from_value(json!({ "database": database })).unwrap()
}

fn sqlite() -> Migrations {
    config(json!({ "sqlite": "data/{environment} 1?.db" }))
}

fn look(desk: &Desk, config: &Migrations) -> MigrationFiles {
    config.look(&Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap())).unwrap()
}

/// The input of both operations.
fn input(desk: &Desk, config: &Migrations, stage: Stage) -> Value {
    let files = look(desk, config);
    let environment = Environment::new("staging").unwrap();
    let actions = migrations::expand_actions(config, &files, &environment, stage).unwrap();
    let orchestrator_core::action::Action::Call(call) = &actions[0] else { panic!("no call") };
    let mut input = call.input.value();
    // Nobody has claimed anything here; `claims.rs` has what that does.
    assert_eq!(input.as_object_mut().unwrap().remove("claimed"), Some(json!(true)));
    input
}

fn apply(desk: &Desk, config: &Migrations, stage: Stage, run: u32) -> Result<Value, String> {
    desk.call(ApplyMigrations, input(desk, config, stage), &key(run, 0, 0))
}

fn pending(desk: &Desk, config: &Migrations, stage: Stage) -> Result<PendingMigrationsOutput, String> {
    let found = desk.call(PendingMigrations, input(desk, config, stage), &key(9, 0, 0))?;
    Ok(serde_json::from_value(found).unwrap())
}

fn database(desk: &Desk) -> std::path::PathBuf {
    desk.folder.path().join("data/staging 1?.db")
}

fn ask(path: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3").arg(path).arg(sql).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn names(output: &Value) -> Vec<&str> {
    output["applied"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect()
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_expand_comes_first_and_contract_when_it_is_asked_for() {
    let desk = Desk::new();
    write(&desk, &[("0001_a.sql", FIRST)]);
    let before = pending(&desk, &sqlite(), Stage::All).unwrap();
    assert!(before.new && before.pending.len() == 1 && !database(&desk).exists());
    let done = apply(&desk, &sqlite(), Stage::All, 1).unwrap();
    assert_eq!((names(&done), &done["made"]), (vec!["0001_a.sql"], &json!(true)));
    write(&desk, &[("0002_b.expand.sql", SECOND), ("0003_c.contract.sql", THIRD)]);
    let found = pending(&desk, &sqlite(), Stage::Expand).unwrap();
    assert_eq!((found.pending.len(), found.later.len(), found.applied), (1, 1, Some(1)));
    let done = apply(&desk, &sqlite(), Stage::Expand, 2).unwrap();
    assert_eq!(
        (names(&done), &done["earlier"], &done["made"]),
        (vec!["0002_b.expand.sql"], &json!(1), &json!(false))
    );
    assert_eq!(ask(&database(&desk), "SELECT name, year FROM students"), "Ada|7");
    // The same again finds nothing to do.
    assert_eq!(names(&apply(&desk, &sqlite(), Stage::Expand, 3).unwrap()), Vec::<&str>::new());
    let done = apply(&desk, &sqlite(), Stage::Contract, 4).unwrap();
    assert_eq!(names(&done), ["0003_c.contract.sql"]);
    assert_eq!(ask(&database(&desk), "SELECT * FROM students"), "1|7");
    let rows = ask(
        &database(&desk),
        "SELECT name, length(checksum), run <> '' FROM orchestrate_migrations ORDER BY name",
    );
    assert_eq!(rows, "0001_a.sql|64|1\n0002_b.expand.sql|64|1\n0003_c.contract.sql|64|1");
    assert!(pending(&desk, &sqlite(), Stage::Contract).unwrap().pending.is_empty());
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_a_file_that_fails_leaves_nothing_of_itself_and_all_before_it() {
    let desk = Desk::new();
    let bad = "CREATE TABLE half (a);\nINSERT INTO nowhere VALUES (1);\nCREATE TABLE other (a);";
    write(&desk, &[("0001_a.sql", FIRST), ("0002_b.sql", bad), ("0003_c.sql", "CREATE TABLE last (a)")]);
    let error = apply(&desk, &sqlite(), Stage::All, 1).unwrap_err();
    assert!(
        error.contains("`0002_b.sql` was not applied, nothing of it") && error.contains("nowhere"),
        "{error}"
    );
    assert_eq!(ask(&database(&desk), "SELECT group_concat(name) FROM orchestrate_migrations"), "0001_a.sql");
    assert_eq!(
        ask(&database(&desk), "SELECT count(*) FROM sqlite_master WHERE name IN ('half', 'other', 'last')"),
        "0"
    );
    // Mended, it goes on from there.
    write(&desk, &[("0002_b.sql", "CREATE TABLE half (a);")]);
    assert_eq!(names(&apply(&desk, &sqlite(), Stage::All, 2).unwrap()), ["0002_b.sql", "0003_c.sql"]);
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_a_file_that_is_not_on_record_then_is_the_last_one() {
    let desk = Desk::new();
    let forgets = "CREATE TRIGGER f AFTER INSERT ON orchestrate_migrations BEGIN\n\
        DELETE FROM orchestrate_migrations WHERE name = new.name; END;";
    write(&desk, &[("0001_a.sql", forgets), ("0002_b.sql", FIRST), ("0003_c.sql", "CREATE TABLE last (a)")]);
    let error = apply(&desk, &sqlite(), Stage::All, 1).unwrap_err();
    assert!(error.contains("`0002_b.sql` is not on record after it was applied"), "{error}");
    assert_eq!(ask(&database(&desk), "SELECT count(*) FROM sqlite_master WHERE name = 'last'"), "0");
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_changed_and_forgotten_files_are_found_before_anything_is_applied() {
    let desk = Desk::new();
    write(&desk, &[("0001_a.sql", FIRST), ("0002_b.sql", "CREATE TABLE x (a)")]);
    apply(&desk, &sqlite(), Stage::All, 1).unwrap();
    write(&desk, &[("0001_a.sql", "CREATE TABLE y (a)"), ("0003_c.sql", "CREATE TABLE z (a)")]);
    for error in [
        apply(&desk, &sqlite(), Stage::Expand, 2).unwrap_err(),
        pending(&desk, &sqlite(), Stage::Expand).unwrap_err(),
    ] {
        assert!(error.contains("`0001_a.sql` was changed after it was applied at "), "{error}");
    }
    assert_eq!(ask(&database(&desk), "SELECT count(*) FROM sqlite_master WHERE name = 'z'"), "0");
    // A file that is changed after it was looked at is not applied.
    write(&desk, &[("0001_a.sql", FIRST)]);
    let planned = input(&desk, &sqlite(), Stage::Expand);
    write(&desk, &[("0003_c.sql", "DROP TABLE students")]);
    let error = desk.call(ApplyMigrations, planned, &key(3, 0, 0)).unwrap_err();
    assert!(error.contains("`migrations/0003_c.sql` was changed since this was planned"), "{error}");
    assert_eq!(ask(&database(&desk), "SELECT count(*) FROM students"), "1");
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_a_database_that_is_none_or_in_use_is_an_error_that_says_so() {
    let desk = Desk::new();
    write(&desk, &[("0001_a.sql", FIRST)]);
    std::fs::create_dir_all(desk.folder.path().join("data")).unwrap();
    std::fs::write(
        database(&desk),
        "this is no database, and it is long enough to be told from an empty one",
    )
    .unwrap();
    let error = pending(&desk, &sqlite(), Stage::All).unwrap_err();
    assert!(error.contains("not a database"), "{error}");
    std::fs::remove_file(database(&desk)).unwrap();
    ask(
        &database(&desk),
        "CREATE TABLE orchestrate_migrations (name, checksum, applied_at, run); INSERT INTO orchestrate_migrations VALUES ('x', 'y', 'z', '')",
    );
    let error = pending(&desk, &sqlite(), Stage::All).unwrap_err();
    assert!(error.contains("a row that is none of ours"), "{error}");
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_killed_at_any_moment_a_file_is_applied_whole_or_not_at_all() {
    let mut desk = Desk::new();
    // A table that takes a while to fill, so that the kill comes in the middle.
    let slow = "CREATE TABLE numbers (n);\nWITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000)\n\
        INSERT INTO numbers SELECT n FROM c;";
    write(&desk, &[("0001_a.sql", FIRST), ("0002_b.sql", slow)]);
    for (wait, hard) in [(0_u64, false), (20, true), (60, false), (60, true), (200, true)] {
        let (order, planned) = (key(1, 0, wait as u32), input(&desk, &sqlite(), Stage::All));
        desk.stop = orchestrator_core::stop::Stop::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(wait));
                if hard {
                    kill_tool(&database(&desk));
                }
                desk.stop.raise(orchestrator_core::stop::StopLevel::Graceful);
            });
            let _ = desk.call(ApplyMigrations, planned.clone(), &order);
        });
        desk.stop = orchestrator_core::stop::Stop::new();
        // Asked first: what a killed tool left in its journal is rolled back by this look.
        let already = desk.already(ApplyMigrations, planned, &order);
        let recorded = if database(&desk).exists() { count(&desk) } else { 0 };
        match recorded {
            2 => assert!(matches!(already, Already::Done(_)), "{wait}"),
            _ => assert!(matches!(already, Already::NotDone), "{wait}: {recorded}"),
        }
        if recorded >= 1 {
            let numbers = ask(&database(&desk), "SELECT count(*) FROM sqlite_master WHERE name = 'numbers'");
            assert_eq!(numbers, if recorded == 2 { "1" } else { "0" }, "{wait}");
        }
    }
    apply(&desk, &sqlite(), Stage::All, 7).unwrap();
    assert_eq!(ask(&database(&desk), "SELECT count(*) FROM numbers"), "1000000");
}

/// Kills the `sqlite3` that works on that file, if there is one.
fn kill_tool(path: &Path) {
    let folder = path.parent().unwrap().to_string_lossy().into_owned();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.starts_with("sqlite3\0") && line.contains(&folder) {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            // One that ended meanwhile is as good.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

fn count(desk: &Desk) -> usize {
    let rows =
        ask(&database(desk), "SELECT count(*) FROM sqlite_master WHERE name = 'orchestrate_migrations'");
    if rows == "0" {
        0
    } else {
        ask(&database(desk), "SELECT count(*) FROM orchestrate_migrations").parse().unwrap()
    }
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_two_that_apply_at_once_apply_each_file_once() {
    let desk = Desk::new();
    let files: Vec<(String, String)> = (1..=8)
        .map(|n| (format!("{n:04}_t.sql"), format!("CREATE TABLE t{n} (a); INSERT INTO t{n} VALUES ({n});")))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    write(&desk, &files);
    let planned = input(&desk, &sqlite(), Stage::All);
    let results = std::thread::scope(|scope| {
        let one = scope.spawn(|| desk.call(ApplyMigrations, planned.clone(), &key(1, 0, 0)));
        let two = scope.spawn(|| desk.call(ApplyMigrations, planned.clone(), &key(2, 0, 0)));
        [one.join().unwrap(), two.join().unwrap()]
    });
    let applied: Vec<usize> = results.iter().map(|done| names(done.as_ref().unwrap()).len()).collect();
    assert_eq!(applied.iter().sum::<usize>(), 8, "each was applied by one of them: {results:?}");
    assert_eq!(count(&desk), 8);
    for n in 1..=8 {
        assert_eq!(ask(&database(&desk), &format!("SELECT count(*) FROM t{n}")), "1");
    }
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_what_takes_away_from_a_running_version_waits_for_a_person() {
    let desk = Desk::new();
    write(&desk, &[("0001_a.sql", FIRST)]);
    apply(&desk, &sqlite(), Stage::All, 1).unwrap();
    write(&desk, &[("0002_b.sql", "DROP TABLE students;\nFROB;"), ("0003_c.contract.sql", "DROP TABLE x;")]);
    let (files, found) = (look(&desk, &sqlite()), pending(&desk, &sqlite(), Stage::Expand).unwrap());
    let why = migrations::blocked(&sqlite(), &files, &found).unwrap();
    assert!(
        why.contains("`0002_b.sql` line 1: it drops table `students`")
            && why.contains("line 2: it could not be read"),
        "{why}"
    );
    let rules: Vec<String> =
        migrations::findings(&sqlite(), &files, &found).into_iter().map(|found| found.rule).collect();
    assert_eq!(rules, ["migration/drop-table", "migration/not-read", "migration/drop-table"]);
    let allowed = Migrations { allow_destructive: true, ..sqlite() };
    assert_eq!(migrations::blocked(&allowed, &files, &found), None);
    // Where no version runs, nothing is taken away from anybody.
    let first = pending(&desk, &sqlite(), Stage::All).unwrap();
    assert_eq!(migrations::blocked(&sqlite(), &files, &first), None);
}

#[test]
fn a_tool_of_the_user_applies_and_is_asked_what_is_left() {
    let desk = Desk::new();
    let script = "test \"$WORD\" = s3cret || exit 9; echo \"$1 $2 $WORD\" >> log";
    let tool = |check: &str| {
        config(json!({ "command": {
            "apply": ["sh", "-c", format!("{script}; touch done"), "sh", "{environment}", "{stage}"],
            "check": ["sh", "-c", check],
            "env": { "WORD": { "secret": "API" } },
        }}))
    };
    let good = tool("test -e done || { echo \"2 pending, $WORD\"; exit 1; }");
    let found = pending(&desk, &good, Stage::Expand).unwrap();
    assert_eq!(found.said.as_deref(), Some("2 pending, ***"));
    apply(&desk, &good, Stage::Expand, 1).unwrap();
    assert_eq!(std::fs::read_to_string(desk.folder.path().join("log")).unwrap(), "staging expand s3cret\n");
    assert_eq!(pending(&desk, &good, Stage::Expand).unwrap().said, None);
    assert!(matches!(
        desk.already(ApplyMigrations, input(&desk, &good, Stage::Expand), &key(1, 0, 0)),
        Already::Done(_)
    ));
    let liar = tool("echo still; exit 1");
    let error = apply(&desk, &liar, Stage::Expand, 2).unwrap_err();
    assert!(error.contains("still pending after they were applied: still"), "{error}");
    let broken = tool("exit 127");
    assert!(pending(&desk, &broken, Stage::Expand).unwrap_err().contains("failed"));
    let missing =
        config(json!({ "command": { "apply": ["no-such-tool-here"], "check": ["no-such-tool-here"] } }));
    assert!(
        apply(&desk, &missing, Stage::Expand, 3)
            .unwrap_err()
            .contains("`no-such-tool-here` could not be run")
    );
    assert_eq!(BTreeMap::from([("API".to_owned(), "s3cret".to_owned())]), desk.secrets);
}

/// A server of PostgreSQL with a database `app`.
#[test]
#[ignore = "needs postgresql; tests/run has it"]
fn needs_databases_postgresql_is_migrated_in_transactions_of_its_own() {
    let server = crate::backup::tests::databases::servers::Server::postgres();
    let mut desk = Desk::new();
    desk.secrets.insert("DB_PASSWORD".into(), crate::backup::tests::databases::postgres::PASSWORD.into());
    let ask = |database: &str, sql: &str| {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-c", sql, "-d", database]);
        psql.envs([("PGHOST", "127.0.0.1"), ("PGUSER", "admin")]).env("PGPORT", server.port.to_string());
        let output =
            psql.env("PGPASSWORD", crate::backup::tests::databases::postgres::PASSWORD).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output
            .status
            .success()
            .then_some(said)
            .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
    };
    super::eventually("PostgreSQL", || ask("postgres", "SELECT 1").is_ok());
    ask("postgres", "CREATE DATABASE \"staging app\"").unwrap();
    let config = config(json!({ "postgres": { "host": "127.0.0.1", "port": server.port, "user": "admin",
        "database": "{environment} app", "password": { "secret": "DB_PASSWORD" } } }));
    let function = "CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$ BEGIN; RETURN 1; END $$;"
        .replace("BEGIN;", "BEGIN");
    write(
        &desk,
        &[(
            "0001_a.sql",
            &format!("CREATE TABLE t (a int, b text);\n{function}\nINSERT INTO t VALUES (1, E'it\\'s;');"),
        )],
    );
    assert!(pending(&desk, &config, Stage::All).unwrap().applied == Some(0));
    assert_eq!(names(&apply(&desk, &config, Stage::All, 1).unwrap()), ["0001_a.sql"]);
    assert_eq!(ask("staging app", "SELECT a, b FROM t").unwrap(), "1|it's;");
    // What fails leaves nothing of itself, and no password.
    write(&desk, &[("0002_b.sql", "CREATE TABLE half (a int); INSERT INTO nowhere VALUES (1);")]);
    let error = apply(&desk, &config, Stage::Expand, 2).unwrap_err();
    assert!(
        error.contains("`0002_b.sql` was not applied, nothing of it") && error.contains("nowhere"),
        "{error}"
    );
    assert_eq!(
        ask("staging app", "SELECT to_regclass('half') IS NULL, count(*) FROM orchestrate_migrations")
            .unwrap(),
        "t|1"
    );
    write(
        &desk,
        &[
            ("0002_b.sql", "ALTER TABLE t ADD COLUMN c int DEFAULT 5;"),
            ("0003_c.contract.sql", "ALTER TABLE t DROP COLUMN b;"),
        ],
    );
    // Two at once: the second finds it done or fails whole.
    let planned = input(&desk, &config, Stage::Expand);
    let results = std::thread::scope(|scope| {
        let one = scope.spawn(|| desk.call(ApplyMigrations, planned.clone(), &key(3, 0, 0)));
        let two = scope.spawn(|| desk.call(ApplyMigrations, planned.clone(), &key(4, 0, 0)));
        [one.join().unwrap(), two.join().unwrap()]
    });
    assert!(results.iter().any(Result::is_ok), "{results:?}");
    assert_eq!(ask("staging app", "SELECT a, b, c FROM t").unwrap(), "1|it's;|5");
    assert_eq!(names(&apply(&desk, &config, Stage::Contract, 5).unwrap()), ["0003_c.contract.sql"]);
    assert!(matches!(
        desk.already(ApplyMigrations, input(&desk, &config, Stage::Contract), &key(5, 0, 0)),
        Already::Done(_)
    ));
    let rows =
        ask("staging app", "SELECT string_agg(name, ' ' ORDER BY name) FROM orchestrate_migrations").unwrap();
    assert_eq!(rows, "0001_a.sql 0002_b.sql 0003_c.contract.sql");
    desk.secrets.insert("DB_PASSWORD".into(), "not the password".into());
    let error = pending(&desk, &config, Stage::Contract).unwrap_err();
    assert!(
        error.contains("password authentication failed") && !error.contains("not the password"),
        "{error}"
    );
}
