//! What statements do to a running version: a table of them.

use orchestrator_core::path::RelPath;

use crate::deployment::migrations::lint::lint;
use crate::deployment::migrations::{Dialect, Kind, Weight};

fn rules(text: &str, dialect: Dialect) -> Vec<(u32, String, Weight)> {
    let linted = lint("0001_a.sql", Kind::Expand, text, dialect);
    assert_eq!(linted.refused, Vec::<String>::new(), "{text}");
    linted.flaws.into_iter().map(|flaw| (flaw.line, flaw.rule, flaw.weight)).collect()
}

#[test]
fn what_harms_nobody_is_passed() {
    for text in [
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)",
        "CREATE TABLE t (a); CREATE UNIQUE INDEX i ON t (a); DELETE FROM \"t\"; ALTER TABLE T RENAME TO u",
        "CREATE TABLE t (a); DROP TABLE t",
        "PRAGMA foreign_keys; WITH x AS (SELECT 1) SELECT * FROM x",
        "ALTER TABLE t ADD COLUMN b TEXT; ALTER TABLE t ADD c TEXT NOT NULL DEFAULT ''",
        "INSERT INTO t (a) VALUES ('DROP TABLE t;')",
        "DELETE FROM t WHERE a = 1; UPDATE t SET a = 2 WHERE a = 1",
        "DELETE FROM t WHERE a = 1 AND id > 0; UPDATE t SET a = 2 WHERE a IS NULL; DELETE FROM t WHERE NOT kept",
        "DELETE FROM t WHERE a IN (1, 2); DELETE FROM t WHERE a IN (SELECT id FROM gone); DELETE FROM t WHERE b < c",
        "DELETE FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.id = t.id); UPDATE t SET a = 'x' WHERE a LIKE 'y%'",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX i ON t (a)",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET a = 1 WHERE b = new.b; END;",
        "CREATE TRIGGER x AFTER DELETE ON t BEGIN DELETE FROM u WHERE a = old.a; INSERT INTO v VALUES (old.a); END;",
        "ALTER TABLE t ADD COLUMN b int CHECK (b > 0 AND (b < 9 OR 20 <= b)); ALTER TABLE t ADD c TEXT CHECK (C IN ('x', 'y'))",
        "-- DROP TABLE t;",
        "SELECT 1",
    ] {
        assert_eq!(rules(text, Dialect::Sqlite), [], "{text}");
    }
    for text in [
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1, ALTER COLUMN a DROP NOT NULL",
        "ALTER TABLE t ADD COLUMN b BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY",
        "COMMENT ON TABLE t IS 'x'",
        "GRANT SELECT ON t TO reader",
        "CREATE TYPE mood AS ENUM ('sad')",
        "CREATE TABLE \"T\" (a int); DROP TABLE \"T\"; CREATE TABLE T (a int); DELETE FROM t",
        "ALTER TABLE t ADD COLUMN b int; SELECT count(*), pg_catalog.lower(max(a)) FROM t WHERE b IN (1, 2)",
        "INSERT INTO t (a, b) VALUES (now(), nextval('s')) ON CONFLICT (a) DO NOTHING RETURNING (a)",
        "INSERT INTO app.t (a) SELECT v.a FROM (VALUES (1)) AS v (a)",
        "UPDATE t SET (a, b) = (lower(c), 1) WHERE a = 1; DELETE FROM t WHERE a IN (SELECT max(a) FROM u)",
        "CREATE TABLE x AS SELECT count(*) FROM t; CREATE TABLE y (a int DEFAULT own(), b numeric(4, 2))",
        "ALTER TABLE t ADD COLUMN b uuid DEFAULT gen_random_uuid(); CREATE VIEW v AS SELECT own(a) FROM t",
        "WITH x (a) AS (SELECT a::numeric(4, 2) FROM u) INSERT INTO t (a) SELECT coalesce(a, 0) FROM x",
    ] {
        assert_eq!(rules(text, Dialect::Postgres), [], "{text}");
    }
}

#[test]
fn what_takes_something_away_is_destructive() {
    for (rule, text) in [
        ("drop-table", "DROP TABLE t"),
        ("drop-table", "drop table if exists a, b"),
        ("drop", "DROP VIEW v"),
        ("drop-column", "ALTER TABLE t DROP COLUMN a"),
        ("drop-column", "ALTER TABLE t DROP a"),
        ("rename-column", "ALTER TABLE t RENAME COLUMN a TO b"),
        ("rename-table", "ALTER TABLE t RENAME TO u"),
        ("not-null-without-default", "ALTER TABLE t ADD COLUMN a TEXT NOT NULL"),
        ("unique-index", "CREATE UNIQUE INDEX i ON t (a)"),
        ("delete-all", "DELETE FROM t"),
        ("update-all", "UPDATE t SET a = 1"),
        ("replace-rows", "INSERT OR REPLACE INTO t VALUES (1)"),
        ("drop-trigger", "DROP TRIGGER x"),
        ("drop-table", "CREATE TABLE IF NOT EXISTS t (id); DROP TABLE t"),
        ("delete-all", "CREATE TABLE IF NOT EXISTS t (id); DELETE FROM t"),
        ("drop-table", "CREATE TABLE t (id); DROP TABLE t; DROP TABLE t"),
        ("delete-all", "WITH x AS (SELECT 1) DELETE FROM t"),
        ("update-all", "WITH x AS (SELECT 1) UPDATE t SET a = 1"),
        ("delete-all", "DELETE FROM t WHERE 1"),
        ("delete-all", "DELETE FROM t WHERE (id > 0)"),
        ("delete-all", "DELETE FROM t WHERE a = 1 OR 1 = 1"),
        ("update-all", "UPDATE t SET a = 1 WHERE true"),
        ("delete-all", "DELETE FROM t WHERE id > -1"),
        ("delete-all", "DELETE FROM t WHERE id > (0)"),
        ("delete-all", "DELETE FROM t WHERE -(1) < id"),
        ("delete-all", "DELETE FROM t WHERE id > CAST('0' AS INTEGER)"),
        ("delete-all", "DELETE FROM t WHERE id <> 0"),
        ("delete-all", "DELETE FROM t WHERE NOT (id = -1)"),
        ("delete-all", "DELETE FROM t WHERE id BETWEEN 0 AND 999999999"),
        ("delete-all", "DELETE FROM t WHERE id IS NOT NULL"),
        ("delete-all", "DELETE FROM t WHERE id NOT IN (-1)"),
        ("delete-all", "DELETE FROM t WHERE id IN (id)"),
        ("delete-all", "DELETE FROM t WHERE name LIKE '%'"),
        ("delete-all", "DELETE FROM t WHERE EXISTS (SELECT 1)"),
        ("delete-all", "DELETE FROM t WHERE id + 1"),
        ("replace-rows", "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2"),
        ("create-trigger", "CREATE TRIGGER x BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'no'); END;"),
        ("delete-all", "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM t; END"),
        (
            "update-all",
            "CREATE TABLE t (a); CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE u SET a = 1; END",
        ),
        ("add-constraint", "ALTER TABLE t ADD COLUMN b int CHECK (a > 0)"),
        ("add-constraint", "ALTER TABLE t ADD COLUMN b int CHECK (b > 0 AND b > a)"),
        ("add-constraint", "ALTER TABLE t ADD COLUMN b int CHECK (b IS NOT NULL)"),
    ] {
        assert_eq!(rules(text, Dialect::Sqlite), [(1, rule.to_owned(), Weight::Destructive)], "{text}");
    }
    let catalog = "PRAGMA writable_schema = 1";
    assert_eq!(rules(catalog, Dialect::Sqlite), [(1, "pragma".to_owned(), Weight::Unread)]);
    for (rule, text) in [
        ("truncate", "TRUNCATE t"),
        ("change-type", "ALTER TABLE t ALTER COLUMN a TYPE bigint"),
        ("set-not-null", "ALTER TABLE t ALTER a SET NOT NULL"),
        ("drop-default", "ALTER TABLE t ALTER COLUMN a DROP DEFAULT"),
        ("drop-constraint", "ALTER TABLE t DROP CONSTRAINT c"),
        ("add-constraint", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)"),
        ("replace-view", "CREATE OR REPLACE VIEW v AS SELECT 1"),
        ("revoke", "REVOKE SELECT ON t FROM reader"),
        ("drop", "DROP SCHEMA s CASCADE"),
        ("delete-all", "WITH d AS (DELETE FROM users RETURNING 1) SELECT count(*) FROM d"),
        ("create-trigger", "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW EXECUTE FUNCTION f();"),
        ("replace-function", "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    ] {
        assert_eq!(rules(text, Dialect::Postgres), [(1, rule.to_owned(), Weight::Destructive)], "{text}");
    }
}

/// For PostgreSQL a quoted name is another one, and a schema is no table; a name of two parts is not one with a point.
#[test]
fn what_only_looks_like_its_own_is_not() {
    for (rule, text) in [
        ("drop-table", "CREATE TABLE \"Student\" (a int); DROP TABLE student"),
        ("delete-all", "CREATE TABLE \"Student\" (a int); DELETE FROM student"),
        ("drop-column", "CREATE TABLE \"Student\" (a int); ALTER TABLE student DROP COLUMN a"),
        ("drop-table", "CREATE TABLE student (a int); DROP TABLE \"Student\""),
        ("drop-table", "CREATE TABLE \"app.t\" (a int); DROP TABLE app.t"),
        ("drop", "CREATE TABLE app (a int); DROP SCHEMA app CASCADE"),
        ("update-all", "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int; UPDATE t SET a = 1"),
        ("update-all", "ALTER TABLE t ADD COLUMN \"A\" int; UPDATE t SET a = 1"),
    ] {
        assert_eq!(rules(text, Dialect::Postgres), [(1, rule.to_owned(), Weight::Destructive)], "{text}");
    }
}

#[test]
fn what_a_function_does_is_not_known() {
    for text in [
        "SELECT DropGeometryColumn('students', 'geom')",
        "SELECT * FROM drop_chunks('t', now())",
        "SELECT setval('students_id_seq', 1)",
        "SELECT count(*) FROM t WHERE gone(id)",
        "SELECT app.lower('x')",
        "SELECT \"in\"(1)",
        "VALUES (drop_all())",
        "SELECT now /* x */ (), app . away ()",
        "INSERT INTO log SELECT DropGeometryColumn('students', 'geom')",
        "INSERT INTO log (a) VALUES (1) RETURNING gone(a)",
        "CREATE TABLE x AS SELECT DropGeometryColumn('students', 'geom')",
        "CREATE MATERIALIZED VIEW x AS SELECT gone(1)",
        "UPDATE t SET a = gone(a) WHERE a = 1",
        "DELETE FROM t WHERE a = gone(1)",
        "ALTER TABLE t ADD COLUMN b int DEFAULT gone(1)",
    ] {
        assert_eq!(rules(text, Dialect::Postgres), [(1, "call".to_owned(), Weight::Unread)], "{text}");
    }
}

#[test]
fn lines_are_those_of_the_statement_and_each_is_told() {
    let text =
        "-- first\nALTER TABLE t ADD COLUMN b TEXT;\n\nUPDATE t SET b = a;\nDROP TABLE u; DROP INDEX i;\n";
    assert_eq!(
        rules(text, Dialect::Sqlite),
        [
            (4, "backfill".to_owned(), Weight::Blocking),
            (5, "drop-table".to_owned(), Weight::Destructive),
            (5, "drop-index".to_owned(), Weight::Blocking),
        ]
    );
    assert_eq!(
        rules("CREATE INDEX i ON t (a)", Dialect::Postgres),
        [(1, "blocking-index".to_owned(), Weight::Blocking)]
    );
}

#[test]
fn what_is_not_read_is_said_and_the_rest_is_still_checked() {
    let text = "FROBNICATE t HARD;\nDROP TABLE t;\nSELECT (((;\nREINDEX t;";
    let found = rules(text, Dialect::Sqlite);
    assert_eq!(
        found.iter().map(|(line, _, weight)| (*line, *weight)).collect::<Vec<_>>(),
        [(1, Weight::Unread), (2, Weight::Destructive), (3, Weight::Unread), (4, Weight::Unread)],
        "{found:?}"
    );
    let nested = format!("SELECT {}1{};", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(rules(&nested, Dialect::Sqlite)[0].2, Weight::Unread);
    let many = "DROP TABLE t;".repeat(500);
    assert_eq!(rules(&many, Dialect::Sqlite).len(), 100);
}

#[test]
fn a_contract_file_may_take_away_and_it_is_told() {
    let linted = lint("0002_a.contract.sql", Kind::Contract, "DROP TABLE t", Dialect::Sqlite);
    let flaw = &linted.flaws[0];
    assert!(!flaw.needs_approval());
    let finding = flaw.finding(&RelPath::new("migrations").unwrap());
    assert_eq!(serde_json::to_value(&finding).unwrap()["severity"], "note");
    assert_eq!(finding.rule, "migration/drop-table");
}

/// A trigger of PostgreSQL has no body: what follows it is read, and cannot hide the end of the transaction.
#[test]
fn nothing_hides_behind_a_trigger() {
    let trigger = "CREATE TRIGGER t AFTER INSERT ON x FOR EACH ROW EXECUTE FUNCTION f();";
    let found = rules(&format!("{trigger}\nDROP TABLE users;"), Dialect::Postgres);
    assert_eq!(found[1], (2, "drop-table".to_owned(), Weight::Destructive));
    let hidden = format!("{trigger} COMMIT; DROP TABLE users; END;");
    let linted = lint("0001_a.sql", Kind::Expand, &hidden, Dialect::Postgres);
    assert_eq!(linted.refused.len(), 2, "{:?}", linted.refused);
}

#[test]
fn what_would_have_the_tool_read_the_rest_in_another_way_is_refused() {
    let refused = |text: &str| lint("0001_a.sql", Kind::Expand, text, Dialect::Postgres).refused;
    for text in [
        "SET standard_conforming_strings=off;\nSELECT '\\' '; COMMIT; --'",
        "ALTER DATABASE app SET Standard_Conforming_Strings TO off",
        "SELECT set_config('standard_conforming_strings', 'off', false)",
    ] {
        let found = refused(text);
        assert!(found.len() == 1 && found[0].contains("stays on"), "{text}: {found:?}");
    }
    assert_eq!(refused("SET standard_conforming_strings = on;"), Vec::<String>::new());
    for text in
        ["COPY t FROM STDIN", "copy t (a, b, c, d) from /* x */ stdin with csv;", "COPY t FROM stdout"]
    {
        let found = refused(text);
        assert!(found.len() == 1 && found[0].contains("write INSERT"), "{text}: {found:?}");
    }
    assert_eq!(refused("COPY t FROM '/rows.csv'"), Vec::<String>::new());
}
