use std::process::{Command, Stdio};

use super::servers::{Server, until};
use super::*;

const PASSWORD: &str = "p\\w\"#' wörd ";
const NAME: &str = "od`d app";

const ODD: &str = r"
CREATE TABLE `it's a ``table` (id int AUTO_INCREMENT PRIMARY KEY, t text, b blob, j json, n int DEFAULT 1,
    doubled int AS (n * 2) VIRTUAL, kept int AS (n + 1) STORED, at timestamp NULL) CHARACTER SET utf8mb4;
INSERT INTO `it's a ``table` (t, b, j, at) VALUES ('it''s; \\ (', 0x00ff0a27, '[1]', '2026-01-01 12:00:00'), (NULL, NULL, NULL, NULL),
    ('', '', NULL, NULL), ('two\nlines 日本 😀', 'x', '{}', NULL);
CREATE TABLE one (id int PRIMARY KEY, two int);
CREATE TABLE two (id int PRIMARY KEY, one int, FOREIGN KEY (one) REFERENCES one(id));
INSERT INTO one VALUES (1, 1); INSERT INTO two VALUES (1, 1);
ALTER TABLE one ADD FOREIGN KEY (two) REFERENCES two(id);
CREATE TABLE `empty` (a int);
CREATE TABLE old (a int) ENGINE = MyISAM; INSERT INTO old VALUES (1), (2);
CREATE VIEW seen AS SELECT count(*) AS n FROM one;
CREATE SEQUENCE numbers START WITH 41;
DELIMITER ;;
CREATE TRIGGER touched BEFORE INSERT ON `empty` FOR EACH ROW BEGIN
INSERT INTO `one` VALUES (new.a, NULL);
END;;
CREATE PROCEDURE fill() BEGIN
INSERT INTO `empty` VALUES (1), (2), (3);
END;;
CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN n * 2;;
CREATE EVENT later ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO INSERT INTO `empty` VALUES (9);;
DELIMITER ;
";

struct Rigged {
    rig: Rig,
    server: Server,
}

impl Rigged {
    fn new() -> Self {
        let server = Server::mariadb();
        let mut rig = Rig::new();
        rig.secrets.insert("DB_PASSWORD".into(), PASSWORD.into());
        let this = Self { rig, server };
        until("MariaDB", || this.try_sql("", "SELECT 1").is_ok());
        let word = PASSWORD.replace('\\', "\\\\").replace('\'', "''");
        this.sql("", &format!("CREATE USER app@'127.0.0.1' IDENTIFIED BY '{word}'"));
        this.sql("", "GRANT ALL ON *.* TO app@'127.0.0.1'");
        this.sql("", "CREATE DATABASE `od``d app` CHARACTER SET latin1 COLLATE latin1_bin");
        this
    }

    fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        use std::io::Write;
        let mut command = Command::new("mariadb");
        command.args([
            "--no-defaults",
            "--batch",
            "--skip-column-names",
            "--user=root",
            "--default-character-set=utf8mb4",
        ]);
        command.arg(format!("--socket={}", self.server.socket().display()));
        command.args((!database.is_empty()).then_some(format!("--database={database}")));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(sql.as_bytes());
        let output = child.wait_with_output().unwrap();
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
        json!([{ "name": "main", "kind": "mariadb", "port": self.server.port, "user": "app", "database": NAME,
            "password": { "secret": "DB_PASSWORD" } }])
    }

    fn scratch_databases(&self) -> String {
        self.sql("", "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'orch%'")
    }
}

#[tokio::test]
#[ignore = "needs MariaDB; tests/run has it"]
async fn needs_databases_mariadb_comes_back_whatever_is_in_it() {
    use std::os::unix::fs::MetadataExt;
    let mut it = Rigged::new();
    it.sql(NAME, ODD);
    let made = dump(&it.rig, &it.list(), 0).await.unwrap();
    let main = dumped(&it.rig, &made, 0);
    assert_eq!(rows(&main), [("empty", 0), ("it's a `table", 4), ("old", 2), ("one", 1), ("two", 1)]);
    assert!(
        made.unsettled.iter().any(|found| found.why.contains("table `old` knows no transactions")),
        "{made:?}"
    );
    it.sql("", "CREATE DATABASE orchestrate_verify_1000000000_00000000");
    let verified = verify(&it.rig, &made).await.unwrap();
    assert_eq!((verified.databases[0].tables, verified.databases[0].rows), (5, 8));
    assert_eq!(it.scratch_databases(), "");
    for folder in ["backups", ".orchestrate"] {
        assert_eq!(holding(&it.rig.root.join(folder), PASSWORD.trim()), [] as [PathBuf; 0]);
    }
    let again = dump(&it.rig, &it.list(), 1).await.unwrap();
    let file = it.rig.root.join(format!("{}/databases/main.sql.gz", again.snapshot));
    assert_eq!(fs::metadata(file).unwrap().nlink(), 2);
    it.sql(NAME, "DROP VIEW seen; CREATE TABLE later (a int); INSERT INTO later VALUES (7); UPDATE `it's a ``table` SET t = 'x'");
    let said = restore(&it.rig, &made).await.unwrap();
    assert!(said[0].contains("databases/main.before-rollback-1.sql.gz"), "{said:?}");
    assert_eq!(
        it.sql(NAME, "SELECT HEX(b), HEX(t), t IS NULL, kept FROM `it's a ``table` ORDER BY id LIMIT 3"),
        "00FF0A27\t697427733B205C2028\t0\t2\nNULL\tNULL\t1\t2\n\t\t0\t2"
    );
    assert_eq!(it.sql(NAME, "SELECT twice(21), n FROM seen"), "42\t1");
    assert_eq!(it.sql(NAME, "SHOW TABLES LIKE 'later'"), "");
    assert_eq!(
        it.sql(
            "",
            "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = 'od`d app'"
        ),
        "latin1_bin"
    );
    let kept = it.rig.root.join(format!("{}/databases/main.before-rollback-1.sql.gz", made.snapshot));
    let text = it.rig.command("gzip", &["-dc", kept.to_str().unwrap()], &it.rig.home).stdout;
    assert!(String::from_utf8_lossy(&text).contains("INSERT INTO `later` VALUES"), "what was there is kept");
    // By a socket and a URL, too.
    it.sql("", "CREATE USER app@localhost IDENTIFIED BY 'word'; GRANT ALL ON *.* TO app@localhost");
    let url = format!("mysql://app:word@localhost/od%60d%20app?socket={}", it.server.socket().display());
    it.rig.secrets.insert("DATABASE_URL".into(), url);
    let list = json!([{ "name": "main", "kind": "mysql", "url": { "secret": "DATABASE_URL" } }]);
    let made = dump(&it.rig, &list, 2).await.unwrap();
    verify(&it.rig, &made).await.unwrap();
}

#[tokio::test]
#[ignore = "needs MariaDB; tests/run has it"]
async fn needs_databases_mariadb_faults_are_named() {
    use orchestrator_core::operation::Transient;
    let mut it = Rigged::new();
    it.sql(NAME, "CREATE TABLE a (n int); INSERT INTO a VALUES (1), (2)");
    let made = dump(&it.rig, &it.list(), 0).await.unwrap();
    it.sql("", "CREATE USER less@'127.0.0.1' IDENTIFIED BY 'less word'; GRANT ALL ON `od``d app`.* TO less@'127.0.0.1'");
    it.rig.secrets.insert("LESS".into(), "less word".into());
    let mut list = it.list();
    (list[0]["user"], list[0]["password"]) = (json!("less"), json!({ "secret": "LESS" }));
    let less = dump(&it.rig, &list, 1).await.unwrap();
    let error = verify(&it.rig, &less).await.unwrap_err().to_string();
    assert!(
        error.contains("Access denied") && error.contains("GRANT ALL") && error.contains("`verify`"),
        "{error}"
    );
    // A short dump, an empty one, and a dump of which a row is lost.
    for (body, wanted) in [
        (
            "case \"$*\" in *--single*) \"$REAL\" \"$@\" | head -n 5;; *) exec \"$REAL\" \"$@\";; esac",
            "not whole",
        ),
        ("case \"$*\" in *--single*) exit 0;; *) exec \"$REAL\" \"$@\";; esac", "not whole"),
    ] {
        shadow(&mut it.rig, "mariadb-dump", body);
        let error = dump(&it.rig, &it.list(), 2).await.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    fs::remove_file(it.rig.home.join("shadow/mariadb-dump")).unwrap();
    it.rig.secrets.insert("DB_PASSWORD".into(), "wrong word".into());
    let error = dump(&it.rig, &it.list(), 2).await.unwrap_err().to_string();
    assert!(error.contains("Access denied") && !error.contains("wrong word"), "{error}");
    it.rig.secrets.insert("DB_PASSWORD".into(), PASSWORD.into());
    let missing = json!([{ "name": "main", "kind": "mariadb", "port": it.server.port, "user": "app", "database": "no such",
        "password": { "secret": "DB_PASSWORD" } }]);
    let error = dump(&it.rig, &missing, 2).await.unwrap_err().to_string();
    assert!(error.contains("there is no database `no such`"), "{error}");
    it.server.process.kill();
    let error = verify(&it.rig, &made).await.unwrap_err();
    assert!(error.is::<Transient>(), "{error}");
    let error = dump(&it.rig, &it.list(), 2).await.unwrap_err();
    assert!(error.is::<Transient>(), "{error}");
    assert_eq!(fs::read_dir(it.rig.root.join("backups")).unwrap().count(), 3, "two snapshots and .gitignore");
}

#[tokio::test]
#[ignore = "needs MariaDB; tests/run has it"]
async fn needs_databases_the_script_restores_mariadb() {
    let it = Rigged::new();
    it.sql(NAME, ODD);
    let made = dump(&it.rig, &it.list(), 0).await.unwrap();
    script(&it.rig, &made).await.unwrap();
    it.sql(NAME, "DROP VIEW seen; INSERT INTO old VALUES (3)");
    let options = it.rig.home.join("options.cnf");
    fs::write(
        &options,
        format!("[client]\npassword=\"{}\"\n", PASSWORD.replace('\\', "\\\\").replace('"', "\\\"")),
    )
    .unwrap();
    fs::set_permissions(&options, fs::Permissions::from_mode(0o600)).unwrap();
    let vars = [("MYSQL_DEFAULTS_FILE", options.to_str().unwrap())];
    let (code, said) = rollback(&it.rig, &made, &vars, &[]);
    assert!(code == Some(3) && said.contains("database main"), "{said}");
    let (code, said) = rollback(&it.rig, &made, &[], &["--force", "--database", "main"]);
    assert!(code == Some(1) && said.contains("could not be reached"), "{said}");
    let (code, said) = rollback(&it.rig, &made, &vars, &["--force"]);
    assert!(code == Some(0) && said.contains("main.before-rollback-1.sql.gz"), "{said}");
    assert_eq!(it.sql(NAME, "SELECT n, (SELECT count(*) FROM old) FROM seen"), "1\t2");
    it.sql("", "DROP DATABASE `od``d app`");
    let (code, said) = rollback(&it.rig, &made, &vars, &["--database", "main", "--force"]);
    assert!(code == Some(0) && !said.contains("rollback-2"), "{said}");
    assert_eq!(it.sql(NAME, "SELECT count(*) FROM `it's a ``table`"), "4");
}
