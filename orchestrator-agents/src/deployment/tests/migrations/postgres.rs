//! What a server of PostgreSQL may do to those who apply: hang, or look elsewhere for the record.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;
use crate::backup::tests::databases::{postgres::PASSWORD, servers::Server};

/// A server with the database `app`.
struct Rig {
    server: Server,
    desk: Desk,
}

impl Rig {
    fn new() -> Self {
        let mut desk = Desk::new();
        desk.secrets.insert("DB_PASSWORD".into(), PASSWORD.into());
        let rig = Self { server: Server::postgres(), desk };
        super::super::eventually("PostgreSQL", || rig.ask("postgres", "SELECT 1").is_some());
        rig.ask("postgres", "CREATE DATABASE app").unwrap();
        rig
    }

    fn ask(&self, database: &str, sql: &str) -> Option<String> {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-c", sql, "-d", database]);
        psql.envs([("PGHOST", "127.0.0.1"), ("PGUSER", "admin"), ("PGPASSWORD", PASSWORD)]);
        let output = psql.env("PGPORT", self.server.port.to_string()).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn config(&self, timeout: u32) -> Migrations {
        serde_json::from_value(json!({ "timeout": timeout, "database": { "postgres": {
            "host": "127.0.0.1", "port": self.server.port, "user": "admin", "database": "app",
            "password": { "secret": "DB_PASSWORD" } } } }))
        .unwrap()
    }
}

#[test]
#[ignore = "needs postgresql; tests/run has it"]
fn needs_databases_the_record_stays_where_it_is_when_a_migration_changes_where_names_are_looked_up() {
    let rig = Rig::new();
    let config = rig.config(60);
    write(&rig.desk, &[("0001_a.sql", "CREATE TABLE a (b int);")]);
    assert!(pending(&rig.desk, &config, Stage::Expand).unwrap().empty);
    apply(&rig.desk, &config, Stage::All, 1).unwrap();
    assert!(!pending(&rig.desk, &config, Stage::Expand).unwrap().empty);
    // The path begins with the schema of the role, once there is one.
    write(&rig.desk, &[("0002_b.sql", "CREATE SCHEMA admin;"), ("0003_c.sql", "CREATE TABLE c (d int);")]);
    let done = apply(&rig.desk, &config, Stage::Expand, 2).unwrap();
    assert_eq!(names(&done), ["0002_b.sql", "0003_c.sql"]);
    write(&rig.desk, &[("0004_d.sql", "ALTER DATABASE app SET search_path = admin, public;")]);
    apply(&rig.desk, &config, Stage::Expand, 3).unwrap();
    write(&rig.desk, &[("0005_e.sql", "CREATE TABLE e (f int);")]);
    assert_eq!(names(&apply(&rig.desk, &config, Stage::Expand, 4).unwrap()), ["0005_e.sql"]);
    assert_eq!(pending(&rig.desk, &config, Stage::Expand).unwrap().applied, Some(5));
    let where_they_are = "SELECT to_regclass('admin.c') IS NOT NULL, to_regclass('admin.orchestrate_migrations') IS NULL, count(*) \
        FROM public.orchestrate_migrations";
    assert_eq!(rig.ask("app", where_they_are).unwrap(), "t|t|5");
}

#[test]
#[ignore = "needs postgresql; tests/run has it"]
fn needs_databases_a_file_ends_with_its_time_whatever_it_says_itself() {
    let rig = Rig::new();
    let slow = "CREATE TABLE half (a int);\nSET statement_timeout = 0;\nSELECT pg_sleep(300);";
    write(&rig.desk, &[("0001_a.sql", slow)]);
    let error = apply(&rig.desk, &rig.config(2), Stage::All, 1).unwrap_err();
    assert!(
        error.contains("`0001_a.sql` was not applied, nothing of it")
            && error.contains("was ended after 2 s"),
        "{error}"
    );
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'orchestrate %' AND state <> 'idle'";
    assert_eq!(rig.ask("app", left).unwrap(), "0", "nothing of it goes on");
    write(&rig.desk, &[("0001_a.sql", "CREATE TABLE half (a int);")]);
    assert_eq!(names(&apply(&rig.desk, &rig.config(60), Stage::All, 2).unwrap()), ["0001_a.sql"]);
}

/// Where the one that called was killed, the server goes on at its statement: here the first call stands for it.
#[test]
#[ignore = "needs postgresql; tests/run has it"]
fn needs_databases_what_a_killed_run_left_at_the_server_ends_when_it_goes_on() {
    let rig = Rig::new();
    let config = rig.config(250);
    rig.ask("app", "CREATE TABLE pause AS SELECT 240 AS seconds").unwrap();
    write(&rig.desk, &[("0001_a.sql", "CREATE TABLE a (b int);\nSELECT pg_sleep(seconds) FROM pause;")]);
    let (order, planned) = (key(1, 0, 0), input(&rig.desk, &config, Stage::All));
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'orchestrate %' AND wait_event = 'PgSleep'";
    std::thread::scope(|scope| {
        scope.spawn(|| rig.desk.call(ApplyMigrations, planned.clone(), &order).unwrap_err());
        super::super::eventually("the first call", || rig.ask("app", sleeps).as_deref() == Some("1"));
        let already = rig.desk.already(ApplyMigrations, planned.clone(), &order);
        let left = rig.ask("app", sleeps);
        rig.ask("app", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
        assert!(matches!(already, Already::NotDone), "nothing of it was applied");
        assert_eq!(left.as_deref(), Some("0"), "nothing of it goes on");
    });
    rig.ask("app", "UPDATE pause SET seconds = 0").unwrap();
    assert_eq!(names(&rig.desk.call(ApplyMigrations, planned, &order).unwrap()), ["0001_a.sql"]);
}

/// A server that lets everybody in and then says nothing any more.
fn hanging() -> u16 {
    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u32 + 4).to_be_bytes();
        [&[kind][..], &length, body].concat()
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                // Eight bytes ask for encryption, of which there is none.
                while matches!(stream.read(&mut buffer), Ok(8)) {
                    let _ = stream.write_all(b"N");
                }
                let ready = [
                    message(b'R', &0_u32.to_be_bytes()),
                    message(b'S', b"server_version\x0015.0\0"),
                    message(b'S', b"client_encoding\0UTF8\0"),
                    message(b'Z', b"I"),
                ];
                let _ = stream.write_all(&ready.concat());
                while matches!(stream.read(&mut buffer), Ok(1..)) {}
            });
        }
    });
    port
}

#[test]
#[ignore = "needs postgresql; tests/run has it"]
fn needs_databases_a_server_that_hangs_holds_nobody_up() {
    let desk = Desk::new();
    write(&desk, &[("0001_a.sql", "CREATE TABLE a (b int);")]);
    let address = json!({ "host": "127.0.0.1", "port": hanging(), "user": "admin", "database": "app" });
    let config: Migrations =
        serde_json::from_value(json!({ "timeout": 1, "database": { "postgres": address } })).unwrap();
    for error in [
        pending(&desk, &config, Stage::Expand).unwrap_err(),
        apply(&desk, &config, Stage::All, 1).unwrap_err(),
    ] {
        assert!(error.contains("does not answer") && error.contains("was ended after 20 s"), "{error}");
    }
}
