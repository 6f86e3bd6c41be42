use std::os::unix::fs::MetadataExt;
use std::process::Command;

use super::servers::{Server, until};
use super::*;

pub(crate) const PASSWORD: &str = "p:w\\ 'word\" ";

const ODD: &str = r#"
CREATE SCHEMA "odd ""schema";
CREATE TABLE "odd ""schema"."it's a table" (id serial PRIMARY KEY, t text, b bytea, n numeric,
    doubled int GENERATED ALWAYS AS (id * 2) STORED, j jsonb, a text[]);
INSERT INTO "odd ""schema"."it's a table" (t, b, n, j, a) VALUES
    ('it''s \. \\N', '\x00ff0a5c', 'NaN', '{"a": "日本"}', '{a,NULL,""}'), (NULL, NULL, NULL, NULL, NULL), ('', '', 1e-30, '[]', '{}'),
    (E'two\nlines\t', 'x', 0, '1', NULL);
CREATE TABLE one (id int PRIMARY KEY, two int);
CREATE TABLE two (id int PRIMARY KEY, one int REFERENCES one DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE one ADD FOREIGN KEY (two) REFERENCES two DEFERRABLE INITIALLY DEFERRED;
BEGIN; INSERT INTO one VALUES (1, 1); INSERT INTO two VALUES (1, 1); COMMIT;
CREATE TABLE "empty" ();
CREATE TABLE parts (k int) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
INSERT INTO parts SELECT generate_series(1, 9);
CREATE VIEW seen AS SELECT count(*) FROM one;
CREATE MATERIALIZED VIEW kept AS SELECT k FROM parts;
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
-- COPY one FROM stdin;
RETURN new; END $$;
ALTER FUNCTION touched() OWNER TO app;
CREATE TRIGGER touch BEFORE UPDATE ON one FOR EACH ROW EXECUTE FUNCTION touched();
CREATE SEQUENCE numbers START 41; SELECT nextval('numbers'); SELECT nextval('numbers');
CREATE TYPE mood AS ENUM ('so', 'so so'); CREATE TABLE moods (m mood DEFAULT 'so');
GRANT SELECT ON one TO PUBLIC;
SELECT lo_from_bytea(0, '\x000102ff'); SELECT lo_from_bytea(0, repeat('x', 300000)::bytea);
"#;

/// A server with the role `app` and its database, which needs quotes.
struct Rigged {
    rig: Rig,
    server: Server,
}

impl Rigged {
    fn new() -> Self {
        let server = Server::postgres();
        let mut rig = Rig::new();
        rig.secrets.insert("DB_PASSWORD".into(), PASSWORD.into());
        let this = Self { rig, server };
        until("PostgreSQL", || this.try_sql("postgres", "SELECT 1").is_ok());
        this.sql(
            "postgres",
            &format!("CREATE ROLE app LOGIN CREATEDB PASSWORD '{}'", PASSWORD.replace('\'', "''")),
        );
        this.sql(
            "postgres",
            "CREATE DATABASE \"it's an \"\"app\" OWNER app TEMPLATE template0 LC_COLLATE 'C'",
        );
        this.rig.write(".gitignore", "*.log\n");
        this
    }

    fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let output = Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.server.port.to_string())
            .env("PGUSER", "admin")
            .env("PGPASSWORD", PASSWORD)
            .env("PGDATABASE", database)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
        } else {
            Err(said)
        }
    }

    fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql).unwrap_or_else(|said| panic!("{sql}: {said}"))
    }

    fn list(&self) -> Value {
        json!([{ "name": "main", "kind": "postgres", "host": "127.0.0.1", "port": self.server.port, "user": "admin",
            "database": NAME, "password": { "secret": "DB_PASSWORD" } }])
    }

    fn databases(&self) -> String {
        self.sql(
            "postgres",
            "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database WHERE datname ~ '^(it|orch)'",
        )
    }
}

const NAME: &str = "it's an \"app";

#[tokio::test]
#[ignore = "needs PostgreSQL; tests/run has it"]
async fn needs_databases_postgres_comes_back_whatever_is_in_it() {
    let mut it = Rigged::new();
    it.sql(NAME, ODD);
    let made = dump(&it.rig, &it.list(), 0).await.unwrap();
    let main = dumped(&it.rig, &made, 0);
    let wanted = [
        ("\"odd \"\"schema\".\"it's a table\"", 4),
        ("public.empty", 0),
        ("public.moods", 0),
        ("public.one", 1),
        ("public.parts_1", 9),
        ("public.two", 1),
        ("(large objects)", 2),
    ];
    assert_eq!(rows(&main), wanted);
    assert!(main.tools["pg_dump"].starts_with("pg_dump (PostgreSQL)") && !main.tools["server"].is_empty());
    // One left by a verification that was killed long ago goes; one of now may be under way.
    it.sql("postgres", "CREATE DATABASE orchestrate_verify_1000000000_00000000");
    it.sql("postgres", "CREATE DATABASE orchestrate_verify_99999999999_00000000");
    let verified = verify(&it.rig, &made).await.unwrap();
    assert_eq!((verified.databases[0].tables, verified.databases[0].rows), (7, 17));
    assert_eq!(it.databases(), format!("{NAME},orchestrate_verify_99999999999_00000000"));
    // Nothing of the password anywhere.
    for folder in ["backups", ".orchestrate"] {
        assert_eq!(holding(&it.rig.root.join(folder), PASSWORD.trim()), [] as [PathBuf; 0]);
    }
    // Unchanged: linked, whatever key guards the dump.
    let again = dump(&it.rig, &it.list(), 1).await.unwrap();
    let file = it.rig.root.join(format!("{}/databases/main.sql.gz", again.snapshot));
    assert_eq!(fs::metadata(file).unwrap().nlink(), 2);
    // Back in its place, with owner, grants and settings; the other stays.
    it.sql("postgres", "ALTER DATABASE \"it's an \"\"app\" SET search_path = \"odd \"\"schema\", public");
    it.sql("postgres", "GRANT CREATE ON DATABASE \"it's an \"\"app\" TO app");
    it.sql(NAME, "DROP TABLE one CASCADE; CREATE TABLE later ()");
    let said = restore(&it.rig, &made).await.unwrap();
    assert!(said[0].contains("the old one is `it's an \"app_before_rollback_1`"), "{said:?}");
    assert_eq!(
        it.sql(NAME, "SELECT count(*) || ' ' || coalesce(to_regclass('later')::text, '-') FROM one"),
        "1 -"
    );
    assert_eq!(it.sql(NAME, "SHOW search_path"), "\"odd \"\"schema\", public");
    assert_eq!(it.sql(NAME, "SELECT nextval('public.numbers')"), "43");
    assert_eq!(it.sql(NAME, "SELECT pg_get_userbyid(datdba) || datacl::text FROM pg_database WHERE datname = current_database()"),
        "app{app=CTc/app,=Tc/app}");
    assert_eq!(
        it.sql(NAME, "SELECT md5(string_agg(lo_get(oid), '' ORDER BY oid)) FROM pg_largeobject_metadata"),
        it.sql(
            &format!("{NAME}_before_rollback_1"),
            "SELECT md5(string_agg(lo_get(oid), '' ORDER BY oid)) FROM pg_largeobject_metadata"
        )
    );
    it.sql(&format!("{NAME}_before_rollback_1"), "SELECT * FROM later");
    it.sql("postgres", "DROP DATABASE \"it's an \"\"app\"");
    assert_eq!(restore(&it.rig, &made).await.unwrap(), [format!("made database `{NAME}`")]);
    // By a socket and a URL, too.
    it.rig.secrets.insert(
        "DATABASE_URL".into(),
        format!(
            "postgres://admin:p%3Aw%5C%20%27word%22%20@/it%27s%20an%20%22app?host={}",
            it.server.folder.path().display()
        ),
    );
    let port = it.server.port;
    let url = it.rig.secrets["DATABASE_URL"].replace("@/", &format!("@:{port}/"));
    it.rig.secrets.insert("DATABASE_URL".into(), url);
    let list = json!([{ "name": "main", "kind": "postgres", "url": { "secret": "DATABASE_URL" } }]);
    let made = dump(&it.rig, &list, 2).await.unwrap();
    verify(&it.rig, &made).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL; tests/run has it"]
async fn needs_databases_postgres_is_dumped_at_one_moment_while_it_is_written() {
    let it = Rigged::new();
    it.sql(NAME, "CREATE TABLE a (n int); CREATE TABLE b (n int); INSERT INTO a SELECT generate_series(1, 100000); INSERT INTO b SELECT n FROM a");
    let line = "while :; do echo 'BEGIN; INSERT INTO a VALUES (0); INSERT INTO b VALUES (0); COMMIT;'; done | psql -X -q -w";
    let mut command = Command::new("sh");
    command.args(["-c", line]).env("PGHOST", "127.0.0.1").env("PGPORT", it.server.port.to_string());
    command.env("PGUSER", "admin").env("PGPASSWORD", PASSWORD).env("PGDATABASE", NAME);
    let mut writer = servers::Running::start(&mut command);
    until("the writer", || it.sql(NAME, "SELECT count(*) > 100010 FROM b") == "t");
    let made = dump(&it.rig, &it.list(), 0).await.unwrap();
    let after: u64 = it.sql(NAME, "SELECT count(*) FROM b").parse().unwrap();
    assert!(writer.runs());
    drop(writer);
    let main = dumped(&it.rig, &made, 0);
    assert!(
        main.tables[0].rows == main.tables[1].rows && main.tables[0].rows < after,
        "{:?} {after}",
        main.tables
    );
    verify(&it.rig, &made).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL; tests/run has it"]
async fn needs_databases_postgres_faults_are_named() {
    use orchestrator_core::operation::Transient;
    let mut it = Rigged::new();
    it.sql(NAME, "CREATE TABLE a AS SELECT generate_series(1, 1000) AS n; ALTER TABLE a OWNER TO app");
    let made = dump(&it.rig, &it.list(), 0).await.unwrap();
    // No right to make a database: never verified.
    it.sql("postgres", "ALTER ROLE app NOCREATEDB");
    let mut list = it.list();
    list[0]["user"] = json!("app");
    let by_app = dump(&it.rig, &list, 1).await.unwrap();
    let error = verify(&it.rig, &by_app).await.unwrap_err().to_string();
    assert!(
        error.contains("permission denied") && error.contains("CREATEDB") && error.contains("`verify`"),
        "{error}"
    );
    assert!(!it.rig.root.join(format!("{}/verification.json", by_app.snapshot)).exists());
    // Elsewhere, where it may.
    list[0]["verify"] = json!({ "host": "127.0.0.1", "port": it.server.port, "user": "admin",
        "password": { "secret": "DB_PASSWORD" } });
    let elsewhere = dump(&it.rig, &list, 2).await.unwrap();
    verify(&it.rig, &elsewhere).await.unwrap();
    // A short dump.
    shadow(
        &mut it.rig,
        "pg_dump",
        "case \"$*\" in *--format=plain*) \"$REAL\" \"$@\" | head -c 1500;; *) exec \"$REAL\" \"$@\";; esac",
    );
    let error = dump(&it.rig, &it.list(), 3).await.unwrap_err().to_string();
    assert!(error.contains("not whole"), "{error}");
    // One that ends early, saying the password.
    shadow(
        &mut it.rig,
        "pg_dump",
        "case \"$*\" in *--format=plain*) cat \"$PGPASSFILE\" >&2; exit 1;; *) exec \"$REAL\" \"$@\";; esac",
    );
    it.rig.secrets.insert("DB_PASSWORD".into(), PASSWORD.into());
    let error = dump(&it.rig, &it.list(), 3).await.unwrap_err().to_string();
    assert!(error.contains("`pg_dump` failed"), "{error}");
    fs::remove_file(it.rig.home.join("shadow/pg_dump")).unwrap();
    // The server goes away in the middle.
    let hold = it.server.folder.path().join("hold");
    shadow(
        &mut it.rig,
        "pg_dump",
        &format!(
            "case \"$*\" in *--format=plain*) echo half; touch '{}'; sleep 3; esac; exec \"$REAL\" \"$@\"",
            hold.display()
        ),
    );
    fs::set_permissions(it.server.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let wrong = it.rig.secrets.insert("DB_PASSWORD".into(), "wrong word".into());
    let error = dump(&it.rig, &it.list(), 3).await.unwrap_err();
    assert!(
        error.to_string().contains("password authentication failed")
            && !error.to_string().contains("wrong word"),
        "{error}"
    );
    assert!(!error.is::<Transient>());
    it.rig.secrets.insert("DB_PASSWORD".into(), wrong.unwrap());
    let Rigged { rig, mut server } = it;
    let list = json!([{ "name": "main", "kind": "postgres", "port": server.port, "user": "admin", "database": NAME,
        "password": { "secret": "DB_PASSWORD" } }]);
    let killer = std::thread::spawn(move || {
        until("the dump", || hold.exists());
        server.process.kill();
        server
    });
    let error = dump(&rig, &list, 3).await.unwrap_err();
    drop(killer.join().unwrap());
    assert!(error.is::<Transient>(), "another try may do: {error}");
    let error = verify(&rig, &made).await.unwrap_err();
    assert!(error.is::<Transient>(), "{error}");
    let left = fs::read_dir(rig.root.join("backups")).unwrap().count();
    assert_eq!(left, 4, "three snapshots and .gitignore");
    let gone = json!([{ "name": "main", "kind": "postgres", "database": "x", "password": { "secret": "NOT_THERE" } }]);
    let error = dump(&rig, &gone, 4).await.unwrap_err().to_string();
    assert!(error.contains("the secret `NOT_THERE` is not there"), "{error}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL; tests/run has it"]
async fn needs_databases_the_script_restores_postgres() {
    let it = Rigged::new();
    it.sql(NAME, ODD);
    let made = dump(&it.rig, &it.list(), 0).await.unwrap();
    script(&it.rig, &made).await.unwrap();
    it.sql(NAME, "DROP TABLE one CASCADE");
    let passwords = it.rig.home.join("pgpass");
    fs::write(&passwords, format!("*:*:*:*:{}\n", PASSWORD.replace('\\', "\\\\").replace(':', "\\:")))
        .unwrap();
    fs::set_permissions(&passwords, fs::Permissions::from_mode(0o600)).unwrap();
    let vars = [("PGPASSFILE", passwords.to_str().unwrap())];
    let (code, said) = rollback(&it.rig, &made, &vars, &[]);
    assert!(code == Some(3) && said.contains("database main"), "{said}");
    let (code, said) = rollback(&it.rig, &made, &vars, &["--files-only"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = rollback(&it.rig, &made, &[], &["--force", "--database", "main"]);
    assert!(code == Some(1) && said.contains("no password supplied"), "{said}");
    assert_eq!(it.databases(), NAME);
    // Cut short by a dump of which the end does not load.
    let mut rig = it.rig;
    shadow(
        &mut rig,
        "gzip",
        "case $1 in -dc) \"$REAL\" \"$@\"; echo 'SELECT no_such_thing;';; *) exec \"$REAL\" \"$@\";; esac",
    );
    let (code, said) = rollback(&rig, &made, &vars, &["--force", "--database", "main"]);
    assert!(code == Some(1) && said.contains("it is as it was"), "{said}");
    fs::remove_file(rig.home.join("shadow/gzip")).unwrap();
    let it = Rigged { rig, server: it.server };
    assert_eq!(it.sql(NAME, "SELECT to_regclass('one') IS NULL"), "t");
    let (code, said) = rollback(&it.rig, &made, &vars, &["--force"]);
    assert!(code == Some(0) && said.contains("the old one is it's an \"app_before_rollback_1"), "{said}");
    assert_eq!(it.sql(NAME, "SELECT count(*) FROM one"), "1");
    assert_eq!(it.sql(NAME, "SELECT md5(lo_get(min(oid))) FROM pg_largeobject_metadata").len(), 32);
    let (_, said) = rollback(&it.rig, &made, &[], &["--help"]);
    assert!(said.contains("PGPASSFILE") && said.contains("Databases: main"), "{said}");
    assert!(!it.rig.read(&format!("{}/rollback.sh", made.snapshot)).contains("DB_PASSWORD"));
}

#[tokio::test]
#[ignore = "needs PostgreSQL; tests/run has it"]
async fn needs_databases_a_verification_that_is_stopped_or_fails_drops_what_it_made() {
    use orchestrator_core::id::TaskId;
    use orchestrator_core::progress::{ProgressKind, ProgressSink};
    use orchestrator_core::stop::{Stop, StopLevel};
    let mut it = Rigged::new();
    it.sql(NAME, "CREATE TABLE a AS SELECT generate_series(1, 1000) AS n");
    let made = dump(&it.rig, &it.list(), 0).await.unwrap();
    // A dump that loads only in part, one of which a row is lost, and one of which a table is.
    for (body, wanted) in [
        ("echo 'SELECT 1 / 0;' | \"$REAL\" \"$@\"", "division by zero"),
        (
            "{ while read -r line; do [ \"$line\" = 77 ] || printf '%s\\n' \"$line\"; done; } | \"$REAL\" \"$@\"",
            "table `public.a` has 999 rows instead of 1000",
        ),
        (
            "echo 'CREATE TABLE b ();' | \"$REAL\" \"$@\"",
            "table `public.a` is missing, database `main`: table `public.b` was not in the database, database `main`: its schema differs",
        ),
    ] {
        shadow(
            &mut it.rig,
            "psql",
            &format!("case \"$*\" in *--file=-*) {body};; *) exec \"$REAL\" \"$@\";; esac"),
        );
        let error = verify(&it.rig, &made).await.unwrap_err().to_string();
        assert!(error.contains("database `main`: ") && error.contains(wanted), "{error}");
        assert_eq!(it.databases(), NAME);
    }
    // Stopped while the dump is loaded.
    let hold = it.rig.home.join("hold");
    shadow(
        &mut it.rig,
        "psql",
        &format!(
            "case \"$*\" in *--file=-*) echo > '{}'; sleep 60;; *) exec \"$REAL\" \"$@\";; esac",
            hold.display()
        ),
    );
    let stop = it.rig.stop.clone();
    let stopper = std::thread::spawn(move || {
        until("the load", || hold.exists());
        stop.raise(StopLevel::Graceful);
    });
    let error = verify(&it.rig, &made).await.unwrap_err().to_string();
    stopper.join().unwrap();
    assert!(error.contains("stopped before it was finished"), "{error}");
    assert_eq!(it.databases(), NAME);
    it.rig.stop = Stop::new();
    fs::remove_file(it.rig.home.join("shadow/psql")).unwrap();
    // And while it is dumped: nothing is left.
    let stop = it.rig.stop.clone();
    let raise = move |progress: orchestrator_core::progress::Progress| {
        if matches!(progress.kind, ProgressKind::Step { message, .. } if message == "dumping database main") {
            stop.raise(StopLevel::Graceful);
        }
    };
    it.rig.progress = ProgressSink::new(TaskId::new("task").unwrap(), std::sync::Arc::new(raise));
    let error = dump(&it.rig, &it.list(), 1).await.unwrap_err().to_string();
    assert!(error.contains("stopped"), "{error}");
    assert_eq!(fs::read_dir(it.rig.root.join("backups")).unwrap().count(), 2);
}
